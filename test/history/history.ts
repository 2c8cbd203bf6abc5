import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { type Growth, grown } from './blocks.ts';
import { type Pattern, patternOf, stopAutovacuum, vacuum, writeHistory } from './copies.ts';
import { live } from './life.ts';
import { comparedWithParameters, predicateColumns } from './literals.ts';
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
}

/** Does everything over a history of so many stays and over one of so many more. */
export async function compare(few: number, many: number): Promise<Compared> {
  const pattern = await pastOf();
  const small = await walked(pattern, few);
  const large = await walked(pattern, many);
  return {
    growths: grown(small.readings, large.readings),
    parameters: large.parameters,
    refused: large.refused,
    empty: pattern.samples.filter(({ rows }) => rows.length === 0).map(({ table }) => table),
    large,
  };
}

/** What the product itself makes of a few stays. */
async function pastOf(): Promise<Pattern> {
  const database = await createTestDatabase();
  try {
    const system = await openSystem(database.url);
    await live(system).finally(() => system.close());
    return await patternOf(database.url);
  } finally {
    await database.drop();
  }
}

async function walked(pattern: Pattern, stays: number): Promise<Walk & { readonly parameters: readonly string[] }> {
  const database: TestDatabase = await createTestDatabase();
  try {
    await stopAutovacuum(database.url);
    await writeHistory(database.url, pattern, stays);
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
