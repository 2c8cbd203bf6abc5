import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { clockOfThisProcess } from '../../scripts/services/process.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { until } from '../setup/engine.ts';

/** A worker as a program: its own ops port, and what it loads for it. */

const ROOT = path.join(import.meta.dirname, '../..');
const READS_MODULES = path.join(import.meta.dirname, 'loaded-modules.ts');
const TOKEN = 'a-token-of-forty-characters-for-a-scraper';
let database: TestDatabase;
const running: ChildProcess[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await database.drop();
});

interface Started {
  /** Of its ops port. */
  readonly url: string;
  /** OpenTelemetry's packages that it has loaded until now. */
  loaded(): Promise<readonly string[]>;
}

async function startWorker(more: Readonly<Record<string, string>>): Promise<Started> {
  const child = spawn(process.execPath, ['--import', READS_MODULES, 'src/worker.ts'], {
    cwd: ROOT,
    env: {
      ...clockOfThisProcess(),
      PATH: process.env['PATH'],
      NODE_ENV: 'test',
      DATABASE_URL: database.url,
      REDIS_URL: inject('redisUrl'),
      JWT_KEYS: 'k1:probes-0123456789-abcdefghijklmnopqrstuvwxyz',
      QUEUE_PREFIX: `probes-${process.pid}`,
      ROLES: 'recurring',
      METRICS_TOKEN: TOKEN,
      WORKER_OPS_PORT: '0',
      ...more,
    },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  running.push(child);
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const address = await until(
    'the worker is ready',
    async () => (text.includes('"msg":"ready"') ? /"opsPort":(\d+)/.exec(text)?.[1] : undefined),
    30_000,
  );
  return {
    url: `http://127.0.0.1:${address}`,
    loaded: () =>
      new Promise((resolve) => {
        child.once('message', (names) => resolve(Array.isArray(names) ? names.map(String) : []));
        child.send('loaded?');
      }),
  };
}
const bearer = { headers: { authorization: `Bearer ${TOKEN}` } };

describe('a worker', () => {
  it('loads no SDK until somebody asks for its metrics, and answers probes meanwhile', async () => {
    const { url, loaded } = await startWorker({});
    const ready = await fetch(`${url}/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([200, { status: 'ok', failing: [] }]);
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    expect((await fetch(`${url}/metrics`)).status).toBe(401);
    expect((await fetch(`${url}/queues`)).status).toBe(404);
    expect(await loaded()).toEqual([]);
    const metrics = await (await fetch(`${url}/metrics`, bearer)).text();
    expect(metrics).toMatch(/^roomy_worker_connections\{role="recurring"\} [1-9]/m);
    expect(metrics).toMatch(/^roomy_worker_connections\{role="sagas"\} 0$/m);
    expect(metrics).toMatch(/^roomy_dependency_up\{dependency="redis"\} 1$/m);
    expect(await loaded()).toContain('sdk-metrics');
    expect(await loaded()).not.toContain('sdk-trace');
  });

  it('has no metrics, and no SDK, when OpenTelemetry is disabled', async () => {
    const { url, loaded } = await startWorker({ OTEL_SDK_DISABLED: 'true' });
    expect((await fetch(`${url}/metrics`, bearer)).status).toBe(404);
    expect(await loaded()).toEqual([]);
  });

  it('sends metrics by OTLP to where the usual variable says, and has loaded what it traces with', async () => {
    const paths = new Set<string>();
    const collector = createServer((request, response) => {
      paths.add(String(request.url));
      request.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    const { port } = collector.address() as AddressInfo;
    const { loaded } = await startWorker({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_METRIC_EXPORT_INTERVAL: '1000',
    });
    await until('metrics have come', async () => (paths.has('/v1/metrics') ? true : undefined), 30_000);
    expect(await loaded()).toEqual(expect.arrayContaining(['sdk-metrics', 'sdk-trace', 'exporter-trace-otlp-http']));
    collector.closeAllConnections();
    collector.close();
  });
});
