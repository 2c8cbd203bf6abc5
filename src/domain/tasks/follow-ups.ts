import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { required } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import type { Money } from '../../kernel/money.ts';
import { askOwner, needsApproval } from './approvals.ts';
import type { WorkItem } from './work.ts';

/** Tasks that come out of another one, under keys of its own, so that each is made once. */

const REPAIR_MINUTES = 60;
const INSPECTION_MINUTES = 30;
/** What is not severe is seen to on the next day at this time of the property. */
const MORNING = '10:00';
const TITLE_LENGTH = 120;

export interface Finding {
  readonly description: string;
  readonly severity: 'MINOR' | 'SEVERE';
  readonly estimate?: Money | undefined;
}

/** A repair: at once and URGENT when severe, else on the next morning; after the owner's word where it costs much. */
export async function ensureFollowUp(
  tx: Tx,
  { task, property }: WorkItem,
  n: number,
  finding: Finding,
): Promise<string> {
  const severe = finding.severity === 'SEVERE';
  const estimate = finding.estimate ?? null;
  const isAsked = needsApproval(property, estimate);
  const start = severe
    ? sql<Date>`now()`
    : sql<Date>`(((now() AT TIME ZONE ${property.time_zone})::date + 1)::text || ${` ${MORNING}`})::timestamp AT TIME ZONE ${property.time_zone}`;
  const { rows } = await sql<{ id: string }>`
    INSERT INTO task (id, property_id, type, occurrence, title, description, status, priority, scheduled_at, ends_at, effect_key,
      estimate_minor, estimate_currency, approval, next_assign_at)
    SELECT ${newId('task')}, ${property.id}, 'MAINTENANCE', 'FINDING', ${finding.description.split('\n', 1)[0]?.slice(0, TITLE_LENGTH) ?? ''},
           ${finding.description}, 'UNASSIGNED', ${severe ? 'URGENT' : 'NORMAL'}, s.at, s.at + ${REPAIR_MINUTES}::int * interval '1 minute',
           ${`${task.id}-finding-${n}`}, ${estimate?.amountMinor ?? null}::bigint, ${estimate?.currency ?? null}::text,
           ${isAsked ? 'PENDING' : null}::text, ${isAsked ? sql`NULL` : sql`now()`}::timestamptz
      FROM (SELECT ${start} AS at) s
    ON CONFLICT (effect_key) DO UPDATE SET version = task.version RETURNING id`.execute(tx);
  const id = required(rows[0], 'a repair').id;
  if (isAsked) await askOwner(tx, id, property.owner_id);
  return id;
}

/**
 * A cleaned property that must be inspected before its guest comes. Null when nobody is to come whose arrival it could
 * be inspected for: then the next cleaning asks for it.
 */
export async function ensureInspection(tx: Tx, { task, property }: WorkItem): Promise<string | null> {
  const { rows } = await sql<{ id: string }>`
    INSERT INTO task (id, property_id, type, occurrence, title, status, priority, scheduled_at, ends_at, must_finish_by, effect_key)
    SELECT ${newId('task')}, ${property.id}, 'INSPECTION', 'AFTER_CLEANING', 'Inspection after cleaning', 'UNASSIGNED', 'HIGH', now(),
           now() + ${INSPECTION_MINUTES}::int * interval '1 minute', ${task.must_finish_by}::timestamptz, ${`${task.id}-inspection`}
    ON CONFLICT (effect_key) DO NOTHING RETURNING id`.execute(tx);
  return rows[0]?.id ?? null;
}
