import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { startPostgres } from '../../scripts/services/postgres.ts';
import { createTestDatabase, type DatabaseSource, sharedSource, type TestDatabase } from '../setup/database.ts';
import { createTemplate } from '../setup/template.ts';
import { type Growth, grown } from './blocks.ts';
import { type Pattern, patternOf, stopAutovacuum, vacuum, writeHistory } from './copies.ts';
import { live } from './life.ts';
import { comparedWithParameters, predicateColumns } from './literals.ts';
import { type Largest, largestByStatistics } from './statistics.ts';
import { openSystem } from './system.ts';
import { INTEGRITY, type Walk, walk } from './walk.ts';

export interface Compared {
  readonly growths: readonly Growth[];
  /** Statements in which a predicate's column is compared with a parameter. */
  readonly parameters: readonly string[];
  readonly refused: readonly string[];
  /** Tables that hold nothing in the pattern, so that nothing of them can grow here. */
  readonly empty: readonly string[];
  readonly large: Walk;
  /** Blocks that the largest statement of the check of integrity reads while tables have no statistics yet, by which have some. */
  readonly unanalyzed: Readonly<Record<string, Largest>>;
}

/** Does everything over a history of so many stays and over one of so many more. */
export const compare = (few: number, many: number): Promise<Compared> =>
  onOwnServer((source) => compareOn(source, few, many));

async function compareOn(source: DatabaseSource, few: number, many: number): Promise<Compared> {
  const pattern = await pastOf(source);
  let unanalyzed: Compared['unanalyzed'] = {};
  const small = await walked(source, pattern, few, async (url) => {
    unanalyzed = await largestByStatistics(url);
  });
  const large = await walked(source, pattern, many);
  return {
    unanalyzed,
    growths: grown(small.readings, large.readings),
    parameters: large.parameters,
    refused: large.refused,
    empty: pattern.samples.filter(({ rows }) => rows.length === 0).map(({ table }) => table),
    large,
  };
}

/**
 * A write transaction of another test, in whatever database of a server, keeps dead rows from being pruned, and a
 * measurement reads them: there is no other test on this server, unless DATABASE_URL names one.
 */
async function onOwnServer<T>(work: (source: DatabaseSource) => Promise<T>): Promise<T> {
  if (process.env['DATABASE_URL']) return await work(sharedSource());
  const home = fs.mkdtempSync(path.join(os.tmpdir(), `roomy-test-${process.pid}-`));
  // The server may run as another account, which must be able to walk here.
  fs.chmodSync(home, 0o755);
  try {
    const postgres = await startPostgres({ dataDir: path.join(home, 'postgres') });
    try {
      const template = 'roomy_template_history';
      await createTemplate(postgres.url, template);
      return await work({ server: postgres.url, template });
    } finally {
      await postgres.stop();
    }
  } finally {
    fs.rmSync(home, { recursive: true, force: true });
  }
}

/** Rows that the product itself makes of a few stays. */
async function pastOf(source: DatabaseSource): Promise<Pattern> {
  const database = await createTestDatabase(source);
  try {
    const system = await openSystem(database.url);
    await live(system).finally(() => system.close());
    return await patternOf(database.url);
  } finally {
    await database.drop();
  }
}

async function walked(
  source: DatabaseSource,
  pattern: Pattern,
  stays: number,
  beforeStatistics: (databaseUrl: string) => Promise<void> = async () => undefined,
): Promise<Walk & { readonly parameters: readonly string[] }> {
  const database: TestDatabase = await createTestDatabase(source);
  try {
    await stopAutovacuum(database.url);
    await writeHistory(database.url, pattern, stays);
    await beforeStatistics(database.url);
    await vacuum(database.url);
    const done = await walk(database.url, pattern);
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const predicates = await predicateColumns(client).finally(() => client.end());
    return { ...done, parameters: comparedWithParameters(done.explained, predicates) };
  } finally {
    await database.drop();
  }
}

/** A stay has some thirteen journals and thirty lines, each found through a tree of three levels. */
export const BLOCKS_OF_AN_ID = 150;
/** Blocks that the largest statement of the check of integrity has read. */
export const largestOfIntegrity = ({ large }: Compared): number =>
  Math.max(...[...(large.readings.get(INTEGRITY)?.values() ?? [])].map(({ blocks }) => blocks));
