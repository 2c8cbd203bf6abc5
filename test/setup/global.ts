import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import type { Program } from '../../scripts/services/package.ts';
import { startPostgres } from '../../scripts/services/postgres.ts';
import { isAlive } from '../../scripts/services/process.ts';
import { startRedis } from '../../scripts/services/redis.ts';
import { prunedUnderLock } from './pruned-locks.ts';
import { crashesIn } from './server-crashes.ts';
import { createTemplate, withClient } from './template.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A server on which databases may be created. */
    postgresUrl: string;
    /** The server's log; there is none of a server that DATABASE_URL names. */
    postgresLog: string;
    /** Of the account that the programs have. */
    redisUrl: string;
    /** Of one that may empty it. */
    redisAdminUrl: string;
    /** A migrated database to copy; nobody connects to it. */
    templateDatabase: string;
    /** For the texts of statements that tests have sent, each in a file of its own. */
    statementsFolder: string;
    /** For the project `browser` alone. */
    chromium: Program;
  }
}

/**
 * One Postgres and one Redis for the whole run, unless DATABASE_URL and REDIS_URL name others. The first project that
 * needs them starts them for all; a watch keeps them until it ends.
 */
export default async function setup({ vitest }: TestProject): Promise<(() => Promise<void>) | undefined> {
  if ('postgresUrl' in vitest.getProvidedContext()) return;
  const stops: (() => unknown)[] = [];
  removeLeftovers();
  const home = fs.mkdtempSync(path.join(os.tmpdir(), `roomy-test-${process.pid}-`));
  stops.push(() => fs.rmSync(home, { recursive: true, force: true }));
  const teardown = async (): Promise<void> => {
    const failed: unknown[] = [];
    for (const stop of stops.toReversed()) {
      try {
        await stop();
      } catch (error) {
        failed.push(error);
      }
    }
    if (failed.length > 0) throw new Error(failed.map(String).join('\n'));
  };
  try {
    const postgresLog = path.join(home, 'postgres/postgres.log');
    const postgresUrl = process.env['DATABASE_URL'] ?? (await ownPostgres(home, stops));
    const { admin, app } = await ownRedis(home, stops, process.env['REDIS_URL']);
    const template = `roomy_template_${randomBytes(4).toString('hex')}`;
    await createTemplate(postgresUrl, template);
    stops.push(() => dropRun(postgresUrl, template));
    const statements = path.join(home, 'statements');
    fs.mkdirSync(statements);
    stops.push(() => judgeStatements(statements, postgresUrl, template));
    vitest.provide('postgresUrl', postgresUrl);
    vitest.provide('postgresLog', postgresLog);
    vitest.provide('redisUrl', app);
    vitest.provide('redisAdminUrl', admin);
    vitest.provide('templateDatabase', template);
    vitest.provide('statementsFolder', statements);
    return teardown;
  } catch (error) {
    await teardown();
    throw error;
  }
}

/** Fails the run where a test has sent a statement that the server may crash on (`pruned-locks.ts`). */
async function judgeStatements(folder: string, server: string, template: string): Promise<void> {
  const texts = fs.readdirSync(folder).map((file) => fs.readFileSync(path.join(folder, file), 'utf8'));
  const url = new URL(server);
  url.pathname = `/${template}`;
  const wrong = await prunedUnderLock(url.href, texts);
  if (wrong.length > 0)
    throw new Error(`statements that lock rows and choose partitions while they run:\n${wrong.join('\n')}`);
}

/** Of runs that were killed; their servers have ended with them. Those of other users are left alone. */
function removeLeftovers(): void {
  for (const name of fs.readdirSync(os.tmpdir())) {
    const [, pid] = /^roomy-test-(\d+)-/.exec(name) ?? [];
    const directory = path.join(os.tmpdir(), name);
    if (pid === undefined || isAlive(Number(pid))) continue;
    if (fs.statSync(directory, { throwIfNoEntry: false })?.uid !== process.getuid?.()) continue;
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

async function ownPostgres(home: string, stops: (() => unknown)[]): Promise<string> {
  // The server may run as another account, which must be able to walk here.
  fs.chmodSync(home, 0o755);
  // It is thrown away afterwards: only the death of the whole machine would show that nothing is flushed.
  const settings = { fsync: 'off', full_page_writes: 'off' };
  const postgres = await startPostgres({ dataDir: path.join(home, 'postgres'), settings });
  stops.push(postgres.stop, () => {
    const crashes = crashesIn(fs.readFileSync(path.join(home, 'postgres/postgres.log'), 'utf8'));
    if (crashes.length > 0) throw new Error(`the server has crashed ${crashes.length} times:\n${crashes.join('\n')}`);
  });
  return postgres.url;
}

async function ownRedis(
  home: string,
  stops: (() => unknown)[],
  given?: string,
): Promise<Record<'admin' | 'app', string>> {
  if (given !== undefined) return { admin: given, app: given };
  const redis = await startRedis({ dir: path.join(home, 'redis'), appendonly: false });
  stops.push(redis.stop);
  return { admin: redis.url, app: redis.appUrl };
}

/** The template, and what a file that was cut short has left of its copies. */
async function dropRun(server: string, template: string): Promise<void> {
  await withClient(server, async (client) => {
    const { rows } = await client.query<{ datname: string }>(
      'SELECT datname FROM pg_database WHERE datname = $1 OR datname LIKE $2',
      [template, `${template.replace('template', 'file')}_%`],
    );
    for (const { datname } of rows) await client.query(`DROP DATABASE IF EXISTS ${datname} WITH (FORCE)`);
  });
}
