import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type RunningPostgres, startPostgres } from '../scripts/services/postgres.ts';
import { freePort, type GuardedProcess, spawnGuarded, waitUntil } from '../scripts/services/process.ts';
import { PROGRAM_FLAGS } from '../scripts/services/program-flags.ts';
import { type RunningRedis, startRedis } from '../scripts/services/redis.ts';
import { migrate } from '../src/db/migrate.ts';

/** Everything that is started here ends with the bench, however it ends. */
export interface Started {
  readonly directory: string;
  readonly postgres: RunningPostgres;
  readonly redis: RunningRedis;
  /** Starts a program of the tree under Node; `ready` is asked until it says so. */
  readonly node: (script: string, options: ProgramOptions) => Promise<GuardedProcess>;
  /** A new database with the migrated schema of a tree, this one unless it says another, on the same server. */
  readonly database: (name: string, root?: string) => Promise<string>;
  /** A new one without any schema. */
  readonly emptyDatabase: (name: string) => Promise<string>;
  /** Drops a database that is done with: autovacuum would work on it while something else is measured. */
  readonly drop: (databaseUrl: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}
export interface ProgramOptions {
  readonly args?: readonly string[];
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly ipc?: boolean;
  /** The tree that the program is of; this one, unless it says another. */
  readonly root?: string;
  readonly ready?: () => Promise<boolean>;
}

const READY_WITHIN_MS = 30_000;
const ROOT = path.join(import.meta.dirname, '..');

/** `postgresDir` is kept, whatever it holds; without one, everything is removed at the end. */
export async function startServices(
  settings: Readonly<Record<string, string>>,
  { postgresDir }: { readonly postgresDir?: string } = {},
): Promise<Started> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'roomy-bench-'));
  // Postgres may run under another account, which must be able to get there.
  fs.chmodSync(directory, 0o755);
  const remove = (): void => fs.rmSync(directory, { recursive: true, force: true });
  process.once('exit', remove);
  const stops: (() => Promise<void>)[] = [async () => remove()];
  const stop = async (): Promise<void> => {
    for (const end of stops.splice(0).reverse()) await end().catch((error: unknown) => console.error(error));
  };
  try {
    const postgres = await startPostgres({ dataDir: postgresDir ?? path.join(directory, 'postgres'), settings });
    stops.push(postgres.stop);
    const redis = await startRedis({ dir: path.join(directory, 'redis'), say: (line) => console.log(line) });
    stops.push(redis.stop);
    return {
      directory,
      postgres,
      redis,
      node: async (script, options) => {
        const program = await startNode(directory, script, options);
        stops.push(program.stop);
        return program;
      },
      database: async (name, root) => {
        const url = await createDatabase(postgres.url, name);
        if (root === undefined) await migrate(url);
        else await migrateWith(root, url);
        return url;
      },
      emptyDatabase: (name) => createDatabase(postgres.url, name),
      drop: (databaseUrl) => dropDatabase(postgres.url, databaseUrl),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startNode(directory: string, script: string, options: ProgramOptions): Promise<GuardedProcess> {
  const logFile = path.join(directory, `${path.basename(script, '.ts')}.log`);
  const root = options.root ?? ROOT;
  const log = fs.openSync(logFile, 'a', 0o600);
  const program = await spawnGuarded(
    process.execPath,
    [...PROGRAM_FLAGS, ...(options.nodeArgs ?? []), path.join(root, script), ...(options.args ?? [])],
    {
      stopSignal: 'SIGTERM',
      graceMs: 10_000,
      spawn: {
        cwd: root,
        env: { PATH: process.env['PATH'], ...options.env },
        stdio: options.ipc ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
      },
    },
  ).finally(() => fs.closeSync(log));
  const { ready } = options;
  const said = (): string => fs.readFileSync(logFile, 'utf8').slice(-2_000);
  if (ready) {
    const came = await waitUntil(async () => !program.running() || (await ready()), READY_WITHIN_MS, 50);
    if (!came || !program.running()) {
      await program.stop();
      throw new Error(`${script} did not start:\n${said()}`);
    }
  }
  let stopping = false;
  void program.ended.then((how) => {
    if (!stopping) console.error(`${script} ended by itself, ${how}:\n${said()}`);
  });
  const stop = async (): Promise<void> => {
    stopping = true;
    await program.stop();
  };
  return { ...program, running: program.running, stop };
}

async function createDatabase(serverUrl: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`).finally(() => client.end());
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function dropDatabase(serverUrl: string, databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  const name = client.escapeIdentifier(new URL(databaseUrl).pathname.slice(1));
  await client.query(`DROP DATABASE ${name} WITH (FORCE)`).finally(() => client.end());
}

/** By the program of that tree, whose migrations may be others. */
async function migrateWith(root: string, databaseUrl: string): Promise<void> {
  await promisify(execFile)(process.execPath, [path.join(root, 'src/migrate.ts')], {
    cwd: root,
    env: { PATH: process.env['PATH'], DATABASE_URL: databaseUrl },
  });
}

export { freePort };
