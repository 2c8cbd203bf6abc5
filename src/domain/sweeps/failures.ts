import { type RawBuilder, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { kindOfError } from '../../kernel/errors.ts';
import { raiseAlert } from '../notifications/alerts.ts';
import type { SweepName } from './names.ts';

/**
 * Rows that a sweep could not work on: why, how often, and when it tries again. Such a row costs itself only; the rest of
 * its batch goes on.
 */
export interface RowFailure {
  readonly id: string;
  readonly error: unknown;
}

/** 1, 4, 16 and 64 minutes, about four hours, then every six. */
const FIRST_MINUTES = 1;
const FACTOR = 4;
const MAX_MINUTES = 360;
/** The power of a large number of attempts would be no interval any more. */
const MAX_POWER = 6;
const MAX_ID = 300;
const MAX_REASON = 500;

/** Notes the failures, and calls a person: one alert an hour for each sweep and kind of reason. */
export async function recordFailures(db: Db | Tx, sweep: SweepName, failures: readonly RowFailure[]): Promise<void> {
  if (failures.length === 0) return;
  const rows = failures.map(({ id, error }) => ({ id: id.slice(0, MAX_ID), reason: reasonOf(error) }));
  await sql`
    INSERT INTO sweep_failure AS f (sweep, row_id, reason, next_try_at)
    SELECT ${sweep}, r ->> 'id', r ->> 'reason', now() + ${FIRST_MINUTES}::int * interval '1 minute'
      FROM jsonb_array_elements(${JSON.stringify(rows)}::jsonb) AS r
    ON CONFLICT (sweep, row_id) DO UPDATE
       SET reason = excluded.reason, attempts = f.attempts + 1, last_at = now(),
           next_try_at = now() + least(${MAX_MINUTES}::int, ${FIRST_MINUTES}::int * power(${FACTOR}::int, least(f.attempts, ${MAX_POWER}::int)))
             * interval '1 minute'`.execute(db);
  const [first] = rows;
  const alert = {
    about: 'sweep',
    id: first?.id ?? '',
    source: `sweep ${sweep}`,
    step: null,
    code: 'ROW_FAILED',
  } as const;
  await raiseAlert(db, { ...alert, group: `sweep-row-${sweep}` });
}

/** A row that was set aside, as the table names it. */
export interface RowSetAside {
  readonly sweep: string;
  readonly row_id: string;
}

/** Has rows tried again with the next look of their sweeps; one that is due already stays as it is. */
export async function releaseFailures(tx: Tx, chosen: readonly RowSetAside[]): Promise<void> {
  await sql`
    UPDATE sweep_failure f SET next_try_at = now()
      FROM jsonb_to_recordset(${JSON.stringify(chosen)}::jsonb) AS c(sweep text, row_id text)
     WHERE f.sweep = c.sweep AND f.row_id = c.row_id AND f.next_try_at > now()`.execute(tx);
}

/** Statement that deletes the failures of `old`, which has `sweep`, `row_id` and `id`; returns each `id`. */
export const deleteFailures = (old: RawBuilder<unknown>): RawBuilder<{ readonly id: string }> =>
  sql`DELETE FROM sweep_failure f USING ${old} o WHERE f.sweep = o.sweep AND f.row_id = o.row_id RETURNING o.id`;

/** They are worked on again, or are gone. */
export async function forgetFailures(db: Db | Tx, sweep: SweepName, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await sql`DELETE FROM sweep_failure WHERE sweep = ${sweep} AND row_id = ANY(${ids}::text[])`.execute(db);
}

/** Whether the row is not set aside; `rowId` is text. For a sweep's own statement, which calls nothing `aside`. */
export const isNotSetAside = (sweep: SweepName, rowId: RawBuilder<unknown>): RawBuilder<boolean> =>
  sql<boolean>`NOT EXISTS (SELECT FROM sweep_failure aside WHERE aside.sweep = ${literal(sweep)} AND aside.row_id = ${rowId} AND aside.next_try_at > now())`;

/** Whether a failure of the row is noted, set aside still or due again: done now, it is to be forgotten. */
export const wasSetAside = (sweep: SweepName, rowId: RawBuilder<unknown>): RawBuilder<boolean> =>
  sql<boolean>`EXISTS (SELECT FROM sweep_failure f WHERE f.sweep = ${literal(sweep)} AND f.row_id = ${rowId})`;

const SQLSTATE = /^[0-9A-Z]{5}$/;
/** Errors about values, whose messages name the value; a constraint's message names the constraint only. */
const WITHOUT_ROW = /^(?:22|23|P0001|57014)/;
const UNSTORABLE = /[\p{Cc}\p{Cs}]+/gu;

/** For operators, who see it with the row's id: what it was, and what the one who refused it said. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return kindOfError(error);
  const { code } = error as { readonly code?: unknown };
  const isOfPostgres = typeof code === 'string' && SQLSTATE.test(code);
  const says = !isOfPostgres || WITHOUT_ROW.test(code) ? `: ${error.message}` : '';
  return `${kindOfError(error)}${says}`.replaceAll(UNSTORABLE, ' ').slice(0, MAX_REASON);
}
