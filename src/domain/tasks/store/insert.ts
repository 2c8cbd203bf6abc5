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

/** The same, for work in the field: it is wanted at its new time then, and somebody is looked for once more. */
export async function insertTaskOrRenew(tx: Tx, row: KeyedTask): Promise<void> {
  await tx
    .insertInto('task')
    .values(row)
    .onConflict((conflict) =>
      conflict
        .column('effect_key')
        .doUpdateSet((eb) => ({
          status: 'UNASSIGNED',
          assignee_id: null,
          completed_at: null,
          accepted_at: null,
          deleted_at: null,
          alert_level: 0,
          assign_attempts: 0,
          scheduled_at: eb.ref('excluded.scheduled_at'),
          ends_at: eb.ref('excluded.ends_at'),
          next_assign_at: sql<Date>`now()`,
          version: eb('task.version', '+', 1),
        }))
        .where('task.status', 'in', statusLiterals('repeat')),
    )
    .execute();
}

/** The brief's titles; `g` is the stay's guest. The name stays in the task's row and goes into no job, log or step output. */
export const titleOf = (occurrence: RawBuilder<string>) => sql<string>`CASE ${occurrence}
  WHEN 'PRE_ARRIVAL' THEN 'Pre-arrival cleaning' WHEN 'POST_DEPARTURE' THEN 'Post-departure cleaning'
  WHEN 'ARRIVAL' THEN 'Check-in for ' || coalesce(g.name, 'guest') ELSE 'Check-out for ' || coalesce(g.name, 'guest') END`;
