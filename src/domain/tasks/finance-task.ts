import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literals } from '../../db/literal.ts';
import { newId } from '../../kernel/ids.ts';

/** Work for the office: nobody in the field is offered it, so the assignment sweep never sees it. */
export interface FinanceTask {
  /** What it is about; there is one task for it, which is opened again when it is needed again. */
  readonly occasion: string;
  readonly propertyId: string;
  readonly reservationId: string | null;
  readonly title: string;
  readonly description: string;
}

const DURATION = sql`interval '30 minutes'`;
const keyOf = (occasion: string): string => `finance-${occasion}`;

export async function openFinanceTask(db: Db, task: FinanceTask): Promise<void> {
  await db
    .insertInto('task')
    .values({
      id: newId('task'),
      type: 'FINANCE',
      occurrence: task.occasion,
      title: task.title,
      description: task.description,
      property_id: task.propertyId,
      reservation_id: task.reservationId,
      priority: 'HIGH',
      status: 'UNASSIGNED',
      scheduled_at: sql<Date>`now()`,
      ends_at: sql<Date>`now() + ${DURATION}`,
      next_assign_at: null,
      effect_key: keyOf(task.occasion),
    })
    .onConflict((conflict) =>
      conflict
        .column('effect_key')
        .doUpdateSet((eb) => ({
          status: 'UNASSIGNED',
          assignee_id: null,
          completed_at: null,
          version: eb('task.version', '+', 1),
        }))
        .where('task.status', 'in', literals(['COMPLETED', 'CANCELLED'])),
    )
    .execute();
}

/** What it was about has been seen to. */
export const closeFinanceTask = (db: Db, occasion: string) =>
  db
    .updateTable('task')
    .set((eb) => ({ status: 'COMPLETED', completed_at: sql<Date>`now()`, version: eb('version', '+', 1) }))
    .where('effect_key', '=', keyOf(occasion))
    .where('status', 'in', literals(['UNASSIGNED', 'ASSIGNED', 'IN_PROGRESS']))
    .execute();
