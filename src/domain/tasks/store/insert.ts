import { type InsertObject, type RawBuilder, sql } from 'kysely';
import type { Db, Tx } from '../../../db/client.ts';
import type { Database } from '../../../db/schema.ts';
import { statusLiterals } from '../transitions.ts';

/** Makes a task; answers its row. */
export const insertTask = (tx: Tx, row: InsertObject<Database, 'task'>) =>
  tx.insertInto('task').values(row).returningAll().executeTakeFirstOrThrow();

export type KeyedTask = InsertObject<Database, 'task'> & { readonly effect_key: string };

/** Makes a task unless one was made under its key; answers its id, or null. */
export async function insertTaskOnce(tx: Tx, row: KeyedTask): Promise<string | null> {
  const made = await tx
    .insertInto('task')
    .values(row)
    .onConflict((conflict) => conflict.column('effect_key').doNothing())
    .returning('id')
    .executeTakeFirst();
  return made?.id ?? null;
}

/** Makes a task, or finds the one that was made under its key; answers the id. */
export async function insertTaskOrFind(tx: Tx, row: KeyedTask): Promise<string> {
  const { id } = await tx
    .insertInto('task')
    .values(row)
    .onConflict((conflict) => conflict.column('effect_key').doUpdateSet((eb) => ({ version: eb.ref('task.version') })))
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

/** Makes the task of its key, or opens it again when it was completed or cancelled; while it is open nothing changes. */
export async function insertTaskOrRepeat(db: Db | Tx, row: KeyedTask): Promise<void> {
  await db
    .insertInto('task')
    .values(row)
    .onConflict((conflict) =>
      conflict
        .column('effect_key')
        .doUpdateSet((eb) => ({
          status: 'UNASSIGNED',
          assignee_id: null,
          completed_at: null,
          version: eb('task.version', '+', 1),
        }))
        .where('task.status', 'in', statusLiterals('repeat')),
    )
    .execute();
}

/** A task of a stay, made by a step that is a transaction of its own; the fused steps have `ensure.ts`. Instants are ISO 8601. */
export interface StayTaskRow {
  readonly id: string;
  readonly reservationId: string;
  readonly type: string;
  readonly occurrence: string;
  readonly scheduledAt: string;
  readonly endsAt: string;
  readonly mustFinishBy: string | null;
  readonly localRule: string;
  readonly sagaId: string | null;
  readonly key: string;
}

/** UNASSIGNED. What should have begun by now is URGENT, and a cleaning that somebody waits for HIGH. */
export async function insertStayTask(tx: Tx, task: StayTaskRow): Promise<void> {
  await sql`
    INSERT INTO task (id, reservation_id, property_id, type, occurrence, title, status, priority, scheduled_at, ends_at, must_finish_by,
      local_rule, created_by_saga, effect_key)
    SELECT ${task.id}, r.id, r.property_id, ${task.type}, ${task.occurrence}, ${titleOf(sql`${task.occurrence}::text`)}, 'UNASSIGNED',
           CASE WHEN ${task.scheduledAt}::timestamptz < now() THEN 'URGENT' WHEN ${task.mustFinishBy}::timestamptz IS NULL THEN 'NORMAL'
                ELSE 'HIGH' END,
           ${task.scheduledAt}::timestamptz, ${task.endsAt}::timestamptz, ${task.mustFinishBy}::timestamptz, ${task.localRule},
           ${task.sagaId}, ${task.key}
      FROM reservation r LEFT JOIN guest g ON g.id = r.guest_id WHERE r.id = ${task.reservationId}`.execute(tx);
}

/**
 * The same with a start that a person has chosen (null: nobody has), of a confirmation that requires staff. What should have
 * begun by now becomes URGENT when it is assigned.
 */
export async function insertChosenStayTask(tx: Tx, task: StayTaskRow, chosenStart: string | null): Promise<void> {
  await sql`
    INSERT INTO task (id, reservation_id, property_id, type, occurrence, title, status, scheduled_at, ends_at, must_finish_by, local_rule,
      priority, slot_start, slot_end, manual_fields, created_by_saga, effect_key)
    SELECT ${task.id}, r.id, r.property_id, ${task.type}, ${task.occurrence}, ${titleOf(sql`${task.occurrence}::text`)},
      'UNASSIGNED', ${task.scheduledAt}::timestamptz, ${task.endsAt}::timestamptz,
      ${task.mustFinishBy}::timestamptz, ${task.localRule},
      CASE WHEN ${task.mustFinishBy}::timestamptz IS NOT NULL AND ${task.occurrence} = 'POST_DEPARTURE' THEN 'HIGH' ELSE 'NORMAL' END,
      ${chosenStart}::timestamptz, ${chosenStart}::timestamptz + (${task.endsAt}::timestamptz - ${task.scheduledAt}::timestamptz),
      ${chosenStart === null ? [] : ['scheduledDate']}::text[], ${task.sagaId}, ${task.key}
      FROM reservation r LEFT JOIN guest g ON g.id = r.guest_id WHERE r.id = ${task.reservationId}`.execute(tx);
}

/** The brief's titles; `g` is the stay's guest. The name stays in the task's row and goes into no job, log or step output. */
export const titleOf = (occurrence: RawBuilder<string>) => sql<string>`CASE ${occurrence}
  WHEN 'PRE_ARRIVAL' THEN 'Pre-arrival cleaning' WHEN 'POST_DEPARTURE' THEN 'Post-departure cleaning'
  WHEN 'ARRIVAL' THEN 'Check-in for ' || coalesce(g.name, 'guest') ELSE 'Check-out for ' || coalesce(g.name, 'guest') END`;
