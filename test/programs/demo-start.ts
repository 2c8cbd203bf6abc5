import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inject } from 'vitest';
import { clockOfThisProcess } from '../../scripts/services/process.ts';
import { readJwtConfig } from '../../src/config.ts';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { createFieldKeys } from '../../src/db/field-keys.ts';
import type { Role } from '../../src/http/auth.ts';
import { mintToken } from '../../src/http/mint.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLinkSeal, type NamedLink } from '../../src/kernel/link-seal.ts';
import { createEmptyDatabase } from '../setup/database.ts';
import { until } from '../setup/engine.ts';

/** `npm start` as a person runs it, as often as wanted on one database of its own. */

const ROOT = path.join(import.meta.dirname, '../..');
const READY_WITHIN_MS = 100_000;
const ENDED_WITHIN_MS = 40_000;
const JWT_KEYS = 'k1:demo-0123456789-abcdefghijklmnopqrstuvwxyz';
const SEAL_SECRET = 'seals-of-demo-0123456789-abcdefghijklmnopqr';

export interface DemoStart {
  /** All that it has said. */
  said(): string;
  /** Where its parts are, once it says that it is ready. */
  ready(): Promise<{ readonly api: string; readonly ops: string }>;
  /** Resolves when it has said so. */
  says(what: RegExp): Promise<void>;
  /** As Ctrl-C does, unless it is killed. */
  end(signal?: NodeJS.Signals): Promise<void>;
}
export interface DemoHouse {
  readonly db: Db;
  start(env?: Readonly<Record<string, string>>): DemoStart;
  tokenOf(role: Role, sub: string): Promise<string>;
  /** What the address of a question ends with, of the name that the database has of it. */
  linkTo(kind: NamedLink, name: string): string;
  /** What a program has logged so far. */
  log(program: string): Promise<string>;
  close(): Promise<void>;
}

export async function openHouse(name: string): Promise<DemoHouse> {
  const database = await createEmptyDatabase();
  const dataDir = await mkdtemp(path.join(tmpdir(), 'roomy-demo-'));
  const fieldKeys = createFieldKeys([{ kid: 'f1', secret: new TextEncoder().encode(SEAL_SECRET) }]);
  const db = createDb(createPool({ connectionString: database.url, max: 2, applicationName: 'onlooker' }), fieldKeys);
  const starts: DemoStart[] = [];
  const jwt = readJwtConfig({ JWT_KEYS });
  return {
    db,
    log: (program) => readFile(path.join(dataDir, 'logs', `${program}.log`), 'utf8').catch(() => ''),
    start(env = {}) {
      const started = begin({
        ...clockOfThisProcess(),
        PATH: process.env['PATH'],
        HOME: dataDir,
        ROOMY_DATA_DIR: dataDir,
        DATABASE_URL: database.url,
        REDIS_URL: inject('redisUrl'),
        QUEUE_PREFIX: `demo-${name}-${process.pid}`,
        JWT_KEYS,
        SEAL_KEYS: `s1:${SEAL_SECRET}`,
        FIELD_KEYS: `f1:${SEAL_SECRET}`,
        ...env,
      });
      starts.push(started);
      return started;
    },
    linkTo: createLinkSeal([{ secret: new TextEncoder().encode(SEAL_SECRET) }], systemClock).sealName,
    tokenOf: (role, sub) => mintToken(jwt, systemClock, { sub, grant: { role }, lifetimeSeconds: 3_600 }),
    async close() {
      for (const started of starts) await started.end('SIGKILL');
      await db.destroy();
      await database.drop();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function begin(env: NodeJS.ProcessEnv): DemoStart {
  const child = spawn(process.execPath, ['scripts/start.ts'], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  }
  const says = async (what: RegExp): Promise<void> => {
    await until(
      `npm start says ${what}`,
      async () => {
        if (what.test(text)) return true;
        if (hasEnded(child)) throw new Error(`npm start ended with ${child.exitCode ?? child.signalCode}:\n${text}`);
        return undefined;
      },
      READY_WITHIN_MS,
    );
  };
  return {
    said: () => text,
    says,
    async ready() {
      await says(/Ready in [\d.]+ s/);
      const [, api = ''] = /API +(http:\S+)\/api\/production/.exec(text) ?? [];
      const [, ops = ''] = /Operators +(http:\S+)\/queues/.exec(text) ?? [];
      return { api, ops };
    },
    async end(signal = 'SIGINT') {
      if (!hasEnded(child)) child.kill(signal);
      await until('npm start has ended', async () => (hasEnded(child) ? true : undefined), ENDED_WITHIN_MS);
    },
  };
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;
