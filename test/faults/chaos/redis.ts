import fs from 'node:fs';
import path from 'node:path';
import { Redis } from 'ioredis';
import { freePort, type GuardedProcess, spawnGuarded, waitUntil } from '../../../scripts/services/process.ts';

/** A Redis that keeps nothing on disk: killed and started again, it is empty, on the same port. */
export interface ChaosRedis {
  readonly url: string;
  /** For the harness itself; waits for Redis to come back. */
  readonly client: Redis;
  kill(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

const START_WITHIN_MS = 15_000;

export async function startChaosRedis(directory: string): Promise<ChaosRedis> {
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}/0`;
  const log = path.join(directory, 'redis.log');
  let server: GuardedProcess | undefined;

  async function start(): Promise<void> {
    const output = fs.openSync(log, 'a');
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    server = await spawnGuarded('redis-server', [...args, '--maxmemory-policy', 'noeviction'], {
      stopSignal: 'SIGTERM',
      graceMs: 3_000,
      spawn: { cwd: directory, stdio: ['ignore', output, output] },
    }).finally(() => fs.closeSync(output));
    if (!(await waitUntil(answers, START_WITHIN_MS))) throw new Error(`redis did not start, see ${log}`);
  }
  async function answers(): Promise<boolean> {
    const probe = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 500 });
    probe.on('error', () => undefined);
    try {
      await probe.connect();
      return (await probe.ping()) === 'PONG';
    } catch {
      return false;
    } finally {
      probe.disconnect();
    }
  }

  await start();
  const client = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 200 });
  client.on('error', () => undefined);
  return {
    url,
    client,
    start,
    kill: async () => server?.kill(),
    close: async () => {
      client.disconnect();
      await server?.kill();
    },
  };
}
