import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { RecordedError } from '../answers.ts';
import type { DueStep } from '../state.ts';

/** The rows of `step_attempt`: each claim of a call, and how it ended; the evidence of the fence (guarantees.md 2.4). */

export async function insertAttempt(tx: Tx, { state, step, direction }: DueStep, attempt: number, workerId: string) {
  await tx
    .insertInto('step_attempt')
    .values({ saga_id: state.id, step_no: step.no, direction, attempt, worker_id: workerId })
    .execute();
}

/** Whether some attempt of the forward step may have reached the other side. */
export async function mayHaveActed(tx: Tx, { state, step }: DueStep): Promise<boolean> {
  const row = await tx
    .selectFrom('step_attempt')
    .select('attempt')
    .where('saga_id', '=', state.id)
    .where('step_no', '=', step.no)
    .where('direction', '=', 'F')
    .where('unsent', '=', false)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

export interface AttemptEnd {
  readonly outcome: 'done' | 'retry' | 'fenced' | 'abandoned';
  /** It certainly never reached the other side. */
  readonly unsent?: boolean;
  /** Why it failed, if it did. */
  readonly error?: RecordedError;
}

/** An end that is recorded stays, but for an abandoned attempt that answers after all. */
export async function endAttempt(
  db: Db | Tx,
  { state, step, direction }: DueStep,
  attempt: number,
  { outcome, unsent = false, error }: AttemptEnd,
): Promise<void> {
  await db
    .updateTable('step_attempt')
    .set({ outcome, unsent, ended_at: sql`clock_timestamp()`, ...(error ? { error: JSON.stringify(error) } : {}) })
    .where('saga_id', '=', state.id)
    .where('step_no', '=', step.no)
    .where('direction', '=', direction)
    .where('attempt', '=', attempt)
    .where((eb) => eb.or([eb('outcome', 'is', null), eb('outcome', '=', 'abandoned')]))
    .execute();
}

/** The attempt that holds the claim has failed for good. */
export async function failAttempt(
  tx: Tx,
  { state, step, direction }: DueStep,
  attempt: number,
  { unsent, error }: { readonly unsent: boolean; readonly error: RecordedError },
): Promise<void> {
  await tx
    .updateTable('step_attempt')
    .set({ outcome: 'failed', unsent, ended_at: sql`clock_timestamp()`, error: JSON.stringify(error) })
    .where('saga_id', '=', state.id)
    .where('step_no', '=', step.no)
    .where('direction', '=', direction)
    .where('attempt', '=', attempt)
    .execute();
}
