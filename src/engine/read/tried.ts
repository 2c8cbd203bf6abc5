import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { longestBackoffMs } from '../../kernel/backoff.ts';
import { COMPENSATION_RETRY, type SagaDefinition } from '../definition.ts';
import { groupOf, isAtCircuit, STUCK_SAGAS, sagasOfGroup } from '../stuck-group.ts';

/** What a saga speaks to in vain, and when it is tried again. */
export interface Tried {
  /** The payment gateway, the bank or the device at which it stands; null: it speaks to nobody. */
  readonly system: string | null;
  /** At the latest; waits are drawn by lot. Null: it is tried at this moment, or waits for a person or a time. */
  readonly nextBy: Date | null;
}
interface Row {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly step: string;
  readonly isUndoing: boolean;
  readonly attempt: number | null;
  readonly system: string | null;
  readonly triedAt: Date | null;
  readonly now: Date;
}

/** How many sagas wait for a person at what a circuit is named after. */
export async function parkedAtCircuit(db: Db, circuit: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*)::int AS count FROM (${STUCK_SAGAS}) stuck WHERE stuck.is_parked AND ${isAtCircuit(sql`${circuit}::text`)}`.execute(
    db,
  );
  return rows[0]?.count ?? 0;
}

/** How many wait for a person that backed off in this group before. */
export async function parkedOfGroup(db: Db, subject: string): Promise<number> {
  const group = groupOf(subject, true);
  if (group === null) return 0;
  const { rows } = await sql<{
    count: number;
  }>`SELECT count(*)::int AS count FROM (${sagasOfGroup(group)}) parked`.execute(db);
  return rows[0]?.count ?? 0;
}

/** Of those of the sagas that stand at a step which has failed, by their id. */
export async function triedSagas(
  db: Db,
  ids: readonly string[],
  definitions: readonly SagaDefinition[],
): Promise<ReadonlyMap<string, Tried>> {
  if (ids.length === 0) return new Map();
  const { rows } = await sql<Row>`
    SELECT stuck.id, stuck.name, s.definition_ver AS version, stuck.step, stuck.is_undoing AS "isUndoing", stuck.attempt, stuck.system, now() AS now,
           CASE WHEN NOT stuck.is_parked THEN stuck.last END AS "triedAt"
      FROM (${STUCK_SAGAS}) stuck JOIN saga s ON s.id = stuck.id WHERE stuck.id = ANY(${[...new Set(ids)]}::text[])`.execute(
    db,
  );
  return new Map(rows.map((row) => [row.id, { system: row.system, nextBy: nextBy(row, definitions) }]));
}

function nextBy(
  { name, version, step, isUndoing, attempt, triedAt, now }: Row,
  definitions: readonly SagaDefinition[],
) {
  const definition = definitions.find((one) => one.name === name && one.version === version);
  const retry = isUndoing ? COMPENSATION_RETRY : definition?.steps.find((one) => one.name === step)?.retry;
  if (triedAt === null || attempt === null || retry === undefined) return null;
  const at = new Date(triedAt.getTime() + longestBackoffMs(retry, attempt));
  return at > now ? at : null;
}
