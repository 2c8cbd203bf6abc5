import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { startPostgres } from '../../scripts/services/postgres.ts';
import { startRedis } from '../../scripts/services/redis.ts';
import { createDb, createPool } from '../../src/db/client.ts';
import { migrate } from '../../src/db/migrate.ts';
import { type Pattern, patternOf, writeHistory } from '../../test/history/copies.ts';
import { LIVES, live } from '../../test/history/life.ts';
import { type Request, requestsOf } from '../../test/history/requests.ts';
import { WHOLE } from '../../test/history/shapes.ts';
import { openSystem } from '../../test/history/system.ts';
import { type Asked, valuesOf } from '../../test/history/values.ts';

/**
 * Databases with a past of so many finished sagas, all on one server. A few stays are run through the product, and what they
 * have left is copied by SQL: every row of every table, in even density, back through the years.
 */
export interface Histories {
  /** Of the server, whose settings are its caller's. */
  readonly postgresDir: string;
  readonly databases: readonly History[];
  readonly requests: readonly Request[];
}
export interface History {
  readonly sagas: number;
  readonly stays: number;
  readonly database: string;
}

/** Measured: heap and indexes of a saga with all that belongs to it, as the tables are when they are new. */
const BYTES_OF_A_SAGA = 47_000;
/** The files of sorting and the log of the server, beside the tables. */
const ROOM = 1.25;
/** Smaller ones are made anew: what a run adds would change them. */
const KEPT_FROM = 100_000;

/** Speed, and nothing else: whoever stops it begins anew. */
const MAKING = {
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '8GB',
  checkpoint_timeout: '1h',
  autovacuum: 'off',
  shared_buffers: '1GB',
  max_parallel_maintenance_workers: '1',
};

const ROOT = path.join(import.meta.dirname, '../..');
const HOME = path.join(ROOT, '.roomy/growth');
const WEEK_ASKED: Asked = { from: -20, to: -13, stay: 'confirm-0' };
const name = (sagas: number): string => `growth_${sagas}`;

/** What a history is made of: another schema or another life makes another one. */
function fingerprint(): string {
  const hash = createHash('sha256');
  const files = ['copies', 'life', 'shapes', 'system', 'values', 'requests'].map((file) => `test/history/${file}.ts`);
  for (const file of ['migrations/schema.sql', ...files]) hash.update(fs.readFileSync(path.join(ROOT, file)));
  return hash.digest('hex').slice(0, 12);
}

interface Made {
  readonly pattern: Pattern;
  readonly sagasOfACopy: number;
  readonly requests: readonly Request[];
}

/** Throws when the disk has too little room. */
export async function makeHistories(sizes: readonly number[], say: (line: string) => void): Promise<Histories> {
  const home = path.join(HOME, fingerprint());
  forgetOthers(home);
  const postgresDir = path.join(home, 'postgres');
  fs.mkdirSync(home, { recursive: true });
  // Postgres may run under another account, which must be able to get there.
  fs.chmodSync(home, 0o755);
  const isKept = (sagas: number): boolean => sagas >= KEPT_FROM && fs.existsSync(path.join(home, name(sagas)));
  const missing = sizes.filter((sagas) => !isKept(sagas));
  assertRoom(home, missing);
  const postgres = await startPostgres({ dataDir: postgresDir, settings: MAKING });
  try {
    const made = await madeOf(home, postgres.url);
    const databases: History[] = [];
    for (const sagas of sizes) {
      const stays = Math.ceil(sagas / made.sagasOfACopy) * LIVES.length;
      databases.push({ sagas, stays, database: name(sagas) });
      if (!missing.includes(sagas)) {
        say(`  ${sagas} finished sagas, made before`);
        continue;
      }
      const startedAt = performance.now();
      await renew(postgres.url, name(sagas));
      const url = urlOf(postgres.url, name(sagas));
      await migrate(url);
      await writeHistory(url, made.pattern, stays, WHOLE);
      await run(url, 'VACUUM (ANALYZE)');
      if (sagas >= KEPT_FROM) fs.writeFileSync(path.join(home, name(sagas)), '');
      const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
      say(`  ${sagas} finished sagas of ${stays} stays, made in ${seconds} s`);
    }
    // A stop within its time, however much there is to write.
    await run(postgres.url, 'CHECKPOINT');
    return { postgresDir, databases, requests: made.requests };
  } finally {
    await postgres.stop();
  }
}

/** Removes what was made; so does the next run that finds another schema. */
export const forgetHistories = (): void => fs.rmSync(HOME, { recursive: true, force: true });

function forgetOthers(home: string): void {
  if (!fs.existsSync(HOME)) return;
  for (const other of fs.readdirSync(HOME))
    if (other !== path.basename(home)) fs.rmSync(path.join(HOME, other), { recursive: true, force: true });
}

function assertRoom(home: string, sizes: readonly number[]): void {
  const { bavail, bsize } = fs.statfsSync(home);
  const needed = sizes.reduce((sum, sagas) => sum + sagas, 0) * BYTES_OF_A_SAGA * ROOM;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  if (needed > bavail * bsize)
    throw new RangeError(
      `${gigabytes(needed)} of disk are needed, and ${gigabytes(bavail * bsize)} are free at ${HOME}`,
    );
}

/** Runs the few stays through the product once, and reads what they have left and what may be asked for about them. */
async function madeOf(home: string, server: string): Promise<Made> {
  const file = path.join(home, 'pattern.json');
  if (fs.existsSync(file)) return JSON.parse(fs.readFileSync(file, 'utf8')) as Made;
  await renew(server, 'growth_pattern');
  const url = urlOf(server, 'growth_pattern');
  await migrate(url);
  const redis = await startRedis({ dir: path.join(home, 'redis'), appendonly: false });
  try {
    const system = await openSystem(url, undefined, redis.url);
    try {
      await live(system);
      const pattern = await patternOf(url);
      const sagas = pattern.samples.find(({ table }) => table === 'saga')?.rows.length ?? 0;
      const requests = requestsOf(system.app, await valuesOf(system.db, pattern, WEEK_ASKED));
      const made: Made = { pattern, sagasOfACopy: sagas, requests };
      fs.writeFileSync(file, JSON.stringify(made));
      return made;
    } finally {
      await system.close();
    }
  } finally {
    await redis.stop();
  }
}

/** Stays that are still to be confirmed, on the places of the history, one after the other; from the `from`th on. */
export async function seedStays(url: string, from: number, count: number): Promise<void> {
  const many = WHOLE.spread.property;
  await run(
    url,
    `INSERT INTO guest (id, name, email, phone)
       SELECT 'guest-up-' || n, 'Guest ' || n, 'guest-' || n || '@example.com', '+97150' || lpad(n::text, 7, '0')
         FROM generate_series(${from}, ${from + count - 1}) n;
     INSERT INTO reservation (id, property_id, guest_id, check_in_date, check_out_date, total_minor, currency, guest_count, created_by)
       SELECT 'confirm-' || n, 'property-h' || n % ${many}, 'guest-up-' || n, current_date + 20 + n / ${many} * 5,
              current_date + 23 + n / ${many} * 5, 100000 + n, 'AED', 2, 'bench' FROM generate_series(${from}, ${from + count - 1}) n`,
  );
}

export const urlOf = (server: string, database: string): string => {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
};

async function renew(server: string, database: string): Promise<void> {
  await run(server, `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
  await run(server, `CREATE DATABASE ${database}`);
}

export async function run(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(text).finally(() => client.end());
}

/** For statements of the product itself, outside of its programs. */
export async function withDb<T>(url: string, work: (db: ReturnType<typeof createDb>) => Promise<T>): Promise<T> {
  const db = createDb(createPool({ connectionString: url, max: 1, applicationName: 'bench' }));
  return await work(db).finally(() => db.destroy());
}
