import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { newId } from '../../kernel/ids.ts';
import { completeTaskByKey } from './store/finish.ts';
import { insertTaskOrRepeat } from './store/insert.ts';

/** Work for the office: nobody in the field is offered it, so the assignment sweep never sees it. */
export interface FinanceTask {
  /** The id of its subject. There is one task for it, which is opened again when it is needed again. */
  readonly occasion: string;
  readonly propertyId: string;
  readonly reservationId: string | null;
  readonly title: string;
  readonly description: string;
}

const DURATION = sql`interval '30 minutes'`;
const keyOf = (occasion: string): string => `finance-${occasion}`;

/** Makes the task of its occasion, or opens it again. */
export const openFinanceTask = (db: Db, task: FinanceTask): Promise<void> =>
  insertTaskOrRepeat(db, {
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
  });

/** Completes the task of its occasion, if it is open. */
export const closeFinanceTask = (db: Db, occasion: string) => completeTaskByKey(db, keyOf(occasion));
