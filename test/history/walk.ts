import { createDb, createPool } from '../../src/db/client.ts';
import { checkIntegrity } from '../../src/domain/finance/integrity.ts';
import { largestOf, type Reading, type Readings, readingOf } from './blocks.ts';
import type { Pattern } from './copies.ts';
import { MANY } from './life.ts';
import { createRecorder, type Explained, explainAll } from './measure.ts';
import { pathsOf, sweepsOf } from './operations.ts';
import { ask, type Request, requestsOf, type Values } from './requests.ts';
import { openSystem } from './system.ts';
import { valuesOf } from './values.ts';

export interface Walk {
  readonly readings: Readings;
  readonly explained: readonly Explained[];
  readonly refused: readonly string[];
}

/** Does everything once on a history, and answers what each statement read. */
export async function walk(databaseUrl: string, pattern: Pattern): Promise<Walk> {
  await explainAll(databaseUrl);
  const recorder = createRecorder();
  const system = await openSystem(databaseUrl, recorder);
  const readings = new Map<string, ReadonlyMap<string, Reading>>();
  const explained: Explained[] = [];
  const refused: string[] = [];
  const measure = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    const heard = await recorder.during(work);
    explained.push(...heard);
    readings.set(name, readingOf(heard));
  };
  try {
    // Once before: what a first insert after a vacuum reads is not what the others do.
    for (const path of Object.values(pathsOf(system, 'before'))) await path();
    for (const [name, path] of Object.entries(pathsOf(system, 'now'))) await measure(`saga ${name}`, path);
    for (const [name, sweep] of Object.entries(sweepsOf(system))) await measure(`sweep ${name}`, sweep);
    const values: Values = await valuesOf(system.db, pattern);
    const requests = requestsOf(system.app, values);
    for (const request of requests) {
      await measure(request.name, async () => {
        const no = await ask(system, request, ...readerOf(request));
        if (no !== null) refused.push(`${request.name}: ${no}`);
      });
    }
    readings.set(INTEGRITY, await readIntegrity(databaseUrl));
  } finally {
    await system.close();
  }
  return { readings, explained, refused };
}

/** Who works has a list of their own; all else is an administrator's. */
const readerOf = ({ path }: Request): readonly ['ADMIN' | 'CLEANER', string] =>
  path.includes('/me/') ? ['CLEANER', MANY.cleaner] : ['ADMIN', 'admin-1'];

/**
 * It reads all of the money, which grows; what must not grow is each of its statements. Those within functions, one for
 * each stay, are part of the statement that calls them.
 */
async function readIntegrity(databaseUrl: string): Promise<ReadonlyMap<string, Reading>> {
  const recorder = createRecorder();
  const url = new URL(databaseUrl);
  url.searchParams.set('options', '-c auto_explain.log_nested_statements=off');
  const pool = createPool({ connectionString: url.href, max: 1, applicationName: 'history-integrity' });
  recorder.attach(pool);
  const db = createDb(pool);
  try {
    const heard = await recorder.during(async () => {
      const { differences } = await checkIntegrity(db);
      if (differences.length > 0)
        throw new Error(`the history is not in order: ${JSON.stringify(differences.slice(0, 5))}`);
    });
    return largestOf(heard);
  } finally {
    await db.destroy();
  }
}
export const INTEGRITY = 'GET /api/production/financial/integrity, its largest statement';
