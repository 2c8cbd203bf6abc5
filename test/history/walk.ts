import { sql } from 'kysely';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { passFully } from '../../src/domain/finance/integrity-now.ts';
import { ROLES, type Role } from '../../src/http/auth.ts';
import { largestOf, lesserOf, type Reading, type Readings, readingOf } from './blocks.ts';
import type { Pattern } from './copies.ts';
import { MANY, PEOPLE } from './life.ts';
import { createRecorder, type Explained, explainAll } from './measure.ts';
import { pathsOf, sweepsOf } from './operations.ts';
import { type Asker, ask, type Request, requestsOf, type Values } from './requests.ts';
import { openSystem } from './system.ts';
import { valuesOf } from './values.ts';

export interface Walk {
  readonly readings: Readings;
  readonly explained: readonly Explained[];
  readonly refused: readonly string[];
}

/** Does everything on a history, and answers what each statement read: of the sagas, which write, the lesser of two times. */
export async function walk(databaseUrl: string, pattern: Pattern): Promise<Walk> {
  await explainAll(databaseUrl);
  const full = await readIntegrity(databaseUrl);
  const recorder = createRecorder();
  const system = await openSystem(databaseUrl, recorder);
  const readings = new Map<string, ReadonlyMap<string, Reading>>([[INTEGRITY, full]]);
  const explained: Explained[] = [];
  const refused: string[] = [];
  const measure = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    const heard = await recorder.during(work);
    explained.push(...heard);
    const known = readings.get(name);
    readings.set(name, known ? lesserOf(known, readingOf(heard)) : readingOf(heard));
  };
  try {
    // Once before: what a first insert after a vacuum reads is not what the others do.
    for (const path of Object.values(pathsOf(system, 'before'))) await path();
    // Twice: what one write pays for many, as for a page that is full, is not met again; what grows with history is.
    for (const which of ['now', 'again'] as const)
      for (const [name, path] of Object.entries(pathsOf(system, which))) await measure(`saga ${name}`, path);
    for (const [name, sweep] of Object.entries(sweepsOf(system))) {
      if (name === 'webhooks.sweep') await leaveEvents(system.db, sweep);
      await measure(`sweep ${name}`, sweep);
    }
    const values: Values = await valuesOf(system.db, pattern);
    const requests = requestsOf(system.app, values);
    for (const request of requests) {
      for (const [index, asker] of askersOf(request).entries()) {
        const name = index === 0 ? request.name : `${request.name} as ${asker.role} ${asker.sub}`;
        await measure(name, async () => {
          const no = await ask(system, request, asker);
          if (no !== null) refused.push(`${name}: ${no}`);
        });
      }
    }
  } finally {
    await system.close();
  }
  return { readings, explained, refused };
}

const EVENTS_TO_SEND = 20;

/** How many events there are by then is chance: the more, the longer all before has taken. As many in both histories. */
async function leaveEvents(db: Db, sendAll: () => Promise<unknown>): Promise<void> {
  await sendAll();
  // Every event has left a dead version of the endpoint's row.
  await sql`VACUUM (FULL) webhook_endpoint`.execute(db);
  await sql`UPDATE webhook_endpoint SET next_seq = (SELECT last_seq + 1 - ${EVENTS_TO_SEND}::int FROM event_feed)`.execute(
    db,
  );
}

/**
 * People of every role. Of those who see a part: one with half of a long history, one with the same few stays however
 * long it is, and one with nothing.
 */
const PEOPLE_OF: Readonly<Record<Role, readonly string[]>> = {
  ADMIN: ['admin-1'],
  AGENT: [MANY.agent, PEOPLE.agent, 'agent-none'],
  FINANCE: ['finance-1'],
  OPS: ['ops-1'],
  OWNER: [MANY.owner, PEOPLE.owner, 'owner-none'],
  CLEANER: [MANY.cleaner, PEOPLE.cleaner, 'cleaner-none'],
  MAINTENANCE_STAFF: ['fitter-none'],
  GUEST: ['guest-none'],
};

/** A caller who may read everything sends every request; the others ask for each list, with each filter. */
function askersOf({ path, roles, isList }: Request): readonly Asker[] {
  if (roles === null) return [{ role: 'ADMIN', sub: 'admin-1' }];
  const askers = ROLES.filter((role) => roles.includes(role)).flatMap((role) =>
    PEOPLE_OF[role].map((sub) => ({ role, sub })),
  );
  if (!isList) return askers.slice(0, 1);
  // Sums over a portfolio cost by its own history, as those of one property do (`values.ts`).
  return path.includes('/financial/summary') ? askers.filter(({ sub }) => sub !== MANY.agent) : askers;
}

/**
 * The nightly look reads all of the money, which grows; what must not grow is each of its statements. Those within functions, one for
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
      const { differences } = await passFully(db);
      if (differences.length > 0)
        throw new Error(`the history is not in order: ${JSON.stringify(differences.slice(0, 5))}`);
    });
    // Of tomorrow, as midnight may come before the sweeps are read: they are to find it done.
    await sql`UPDATE integrity_pass SET at = at + interval '1 day'`.execute(db);
    return largestOf(heard);
  } finally {
    await db.destroy();
  }
}
export const INTEGRITY = 'GET /api/production/financial/integrity, full, its largest statement';
