import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import type { Program } from '../../scripts/services/package.ts';
import { startPostgres } from '../../scripts/services/postgres.ts';
import { isAlive } from '../../scripts/services/process.ts';
import { startRedis } from '../../scripts/services/redis.ts';
import { createTemplate, withClient } from './template.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A server on which databases may be created. */
    postgresUrl: string;
    redisUrl: string;
    /** A migrated database to copy; nobody connects to it. */
    templateDatabase: string;
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
    for (const stop of stops.toReversed()) await stop();
  };
  try {
    const postgresUrl = process.env['DATABASE_URL'] ?? (await ownPostgres(home, stops));
    const redisUrl = process.env['REDIS_URL'] ?? (await ownRedis(home, stops));
    const template = `roomy_template_${randomBytes(4).toString('hex')}`;
    await createTemplate(postgresUrl, template);
    stops.push(() => dropRun(postgresUrl, template));
    vitest.provide('postgresUrl', postgresUrl);
    vitest.provide('redisUrl', redisUrl);
    vitest.provide('templateDatabase', template);
    return teardown;
  } catch (error) {
    await teardown();
    throw error;
  }
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
  stops.push(postgres.stop);
  return postgres.url;
}

async function ownRedis(home: string, stops: (() => unknown)[]): Promise<string> {
  const redis = await startRedis({ dir: path.join(home, 'redis'), appendonly: false });
  stops.push(redis.stop);
  return redis.url;
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
