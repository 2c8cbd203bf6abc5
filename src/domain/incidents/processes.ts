import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';

/** Which programs are alive, by their own word every few seconds. The only statements that write `process`. */

export interface Beat {
  readonly id: string;
  readonly program: 'api' | 'worker';
  /** What a worker serves; of the API none. */
  readonly roles: readonly string[];
  readonly version: string;
  /** Since when each circuit that lets nothing through is open, as an ISO instant by its name. */
  readonly circuits: Readonly<Record<string, string>>;
}
export interface LivingProcess extends Beat {
  readonly startedAt: Date;
  readonly seenAt: Date;
}

/** It counts as alive for three beats and a little. */
const ALIVE_SECONDS = 17;

/** The process says that it is alive. */
export async function beat(db: Db, { id, program, roles, version, circuits }: Beat): Promise<void> {
  await sql`
    INSERT INTO process (id, program, roles, version, circuits)
    VALUES (${id}, ${program}, ${roles}::text[], ${version}, ${JSON.stringify(circuits)}::jsonb)
    ON CONFLICT (id) DO UPDATE SET seen_at = now(), circuits = excluded.circuits`.execute(db);
}

/** It ends in order: nobody has to wait until it counts as dead. */
export async function leave(db: Db, id: string): Promise<void> {
  await db.deleteFrom('process').where('id', '=', id).execute();
}

/** Those that are alive, the oldest first. */
export async function livingProcesses(db: Db): Promise<readonly LivingProcess[]> {
  const rows = await db
    .selectFrom('process')
    .selectAll()
    .where('seen_at', '>', sql<Date>`now() - ${literal(ALIVE_SECONDS)} * interval '1 second'`)
    .orderBy('started_at')
    .orderBy('id')
    .execute();
  return rows.map(({ started_at, seen_at, circuits, ...row }) => ({
    ...row,
    circuits: circuitsIn(circuits),
    startedAt: started_at,
    seenAt: seen_at,
  }));
}

const circuitsIn = (value: unknown): Readonly<Record<string, string>> =>
  typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string'))
    : {};

/** Forgets those that died without a word an hour ago. */
export async function forgetDead(db: Db): Promise<void> {
  await db.deleteFrom('process').where('seen_at', '<', sql<Date>`now() - interval '1 hour'`).execute();
}
