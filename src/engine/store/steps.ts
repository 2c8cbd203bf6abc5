import { type RawBuilder, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { literal, literals } from '../../db/literal.ts';
import type { Json } from '../../db/schema.ts';
import type { RecordedError } from '../answers.ts';
import { COMPENSATION_RETRY, type SagaDefinition } from '../definition.ts';
import type { DueStep } from '../state.ts';
import type { StepDefinition } from '../step.ts';

/** The rows of `saga_step`, but for those of fused steps (`fused.ts`). All is written under the lock of the saga's row. */

const kindOf = (step: StepDefinition | undefined): 'EXTERNAL' | 'LOCAL' =>
  step?.kind === 'call' ? 'EXTERNAL' : 'LOCAL';

/** The columns that every row of this step has. */
const rowOf = ({ state, step, direction }: DueStep) => ({
  saga_id: state.id,
  step_no: step.no,
  direction,
  name: step.name,
  kind: kindOf(step),
  class: step.class,
});
const KEY = ['saga_id', 'step_no', 'direction'] as const;

const maxAttemptsOf = ({ step, direction }: DueStep): number =>
  direction === 'C' ? COMPENSATION_RETRY.attempts : step.maxAttempts;

/** `sagaVersion`: the saga's version in this commit. */
export async function recordStepDone(tx: Tx, due: DueStep, output: unknown, sagaVersion: number): Promise<void> {
  // The attempt of an external step is its fencing token, counted when it was claimed; a wait was begun by one.
  const begun = due.step.kind === 'call' ? sql`true` : sql`saga_step.status = 'waiting'`;
  const result = JSON.stringify(output as Json);
  await tx
    .insertInto('saga_step')
    .values({
      ...rowOf(due),
      status: 'done',
      attempt: 1,
      max_attempts: due.step.maxAttempts,
      result,
      started_at: sql`now()`,
      finished_at: sql`clock_timestamp()`,
      done_at_version: sagaVersion,
    })
    .onConflict((conflict) =>
      conflict.columns([...KEY]).doUpdateSet({
        status: 'done',
        attempt: sql<number>`saga_step.attempt + CASE WHEN ${begun} THEN 0 ELSE 1 END`,
        started_at: sql<Date>`CASE WHEN ${begun} THEN saga_step.started_at ELSE now() END`,
        lease_until: null,
        result,
        finished_at: sql<Date>`clock_timestamp()`,
        done_at_version: sagaVersion,
      }),
    )
    .execute();
}

/**
 * The step has failed for good. `attempt`: of a call, the one that holds the claim; null when nobody does. False: another
 * attempt holds the claim, or the step is done.
 */
export async function recordStepFailed(
  tx: Tx,
  due: DueStep,
  error: RecordedError,
  attempt: number | null,
): Promise<boolean> {
  const counts = attempt === null && due.step.kind !== 'call';
  const row = await tx
    .insertInto('saga_step')
    .values({
      ...rowOf(due),
      status: 'failed',
      attempt: 1,
      max_attempts: due.step.maxAttempts,
      error: JSON.stringify(error),
      started_at: sql`clock_timestamp()`,
      finished_at: sql`clock_timestamp()`,
    })
    .onConflict((conflict) =>
      conflict
        .columns([...KEY])
        .doUpdateSet({
          status: 'failed',
          attempt: counts ? sql`saga_step.attempt + 1` : sql`saga_step.attempt`,
          error: JSON.stringify(error),
          lease_until: null,
          finished_at: sql`clock_timestamp()`,
        })
        .where((eb) =>
          attempt === null
            ? eb('saga_step.status', 'in', literals(['pending', 'running', 'waiting', 'failed']))
            : eb.and([eb('saga_step.status', '=', literal('running')), eb('saga_step.attempt', '=', attempt)]),
        ),
    )
    .returning('attempt')
    .executeTakeFirst();
  return row !== undefined;
}

/** A person has skipped the step, which has failed before: it has this output, and has done nothing. */
export async function recordStepSkipped(
  tx: Tx,
  due: DueStep,
  output: unknown,
  { by, reason }: { readonly by: string; readonly reason: string },
): Promise<void> {
  const skipped = {
    status: 'skipped' as const,
    result: JSON.stringify(output as Json),
    skipped_by: by,
    skip_reason: reason,
    lease_until: null,
    finished_at: sql<Date>`clock_timestamp()`,
  };
  await tx
    .insertInto('saga_step')
    .values({ ...rowOf(due), ...skipped, max_attempts: due.step.maxAttempts })
    .onConflict((conflict) => conflict.columns([...KEY]).doUpdateSet(skipped))
    .execute();
}

/** Counts a failed attempt of a local step. False: it is the last one, and nothing was written. */
export async function countFailedAttempt(tx: Tx, due: DueStep, error: RecordedError): Promise<boolean> {
  const before = await ofStep(tx, due).select(['attempt', 'max_attempts', 'status']).executeTakeFirst();
  // A job too many cannot end a wait.
  if (before?.status === 'waiting') return true;
  const max = before?.max_attempts ?? maxAttemptsOf(due);
  if ((before?.attempt ?? 0) + 1 >= max) return false;
  await tx
    .insertInto('saga_step')
    .values({
      ...rowOf(due),
      attempt: 1,
      max_attempts: max,
      error: JSON.stringify(error),
      started_at: sql`clock_timestamp()`,
    })
    .onConflict((conflict) =>
      conflict.columns([...KEY]).doUpdateSet({ attempt: sql`saga_step.attempt + 1`, error: JSON.stringify(error) }),
    )
    .execute();
  return true;
}

const ofStep = (tx: Tx, { state, step, direction }: DueStep) =>
  tx
    .selectFrom('saga_step')
    .where('saga_id', '=', state.id)
    .where('step_no', '=', step.no)
    .where('direction', '=', direction);

/** The claim of a call as it stands; undefined when it was never claimed. */
export const readClaim = (tx: Tx, due: DueStep) =>
  ofStep(tx, due)
    .select([
      'status',
      'attempt',
      'max_attempts',
      'lease_until',
      sql<boolean>`coalesce(lease_until > clock_timestamp(), false)`.as('leased'),
      sql<boolean>`error IS NOT NULL`.as('has_failed'),
      sql<string | null>`error ->> 'code'`.as('error_code'),
    ])
    .executeTakeFirst();

/** It has failed and waits for another attempt, or its worker has died: no attempt is under way. */
export const backsOff = (claim: Awaited<ReturnType<typeof readClaim>>): boolean =>
  claim !== undefined &&
  !claim.leased &&
  (claim.status === 'running' || (claim.status === 'pending' && claim.has_failed));

/** Attempts that the step has in all, if its row does not say otherwise. */
export const grantedAttempts = (due: DueStep, claim: { readonly max_attempts: number } | undefined): number =>
  claim?.max_attempts ?? maxAttemptsOf(due);

export interface NewClaim {
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly workerId: string;
  readonly leaseSeconds: number;
}

/** Claims a call step for one attempt, under a lease in seconds. */
export async function writeClaim(tx: Tx, due: DueStep, claim: NewClaim): Promise<void> {
  const { attempt, maxAttempts, workerId, leaseSeconds } = claim;
  const lease = sql<Date>`clock_timestamp() + ${leaseSeconds}::int * interval '1 second'`;
  const now = sql<Date>`clock_timestamp()`;
  await tx
    .insertInto('saga_step')
    .values({
      ...rowOf(due),
      kind: 'EXTERNAL',
      status: 'running',
      attempt,
      max_attempts: maxAttempts,
      worker_id: workerId,
      lease_until: lease,
      first_sent_at: now,
      started_at: now,
    })
    .onConflict((conflict) =>
      conflict.columns([...KEY]).doUpdateSet({
        status: 'running',
        attempt,
        worker_id: workerId,
        lease_until: lease,
        first_sent_at: sql<Date>`coalesce(saga_step.first_sent_at, clock_timestamp())`,
        started_at: sql<Date>`coalesce(saga_step.started_at, clock_timestamp())`,
        finished_at: null,
      }),
    )
    .execute();
}

/** Gives a claim back for another attempt. `isFree`: this one does not count against the step's maximum. */
export async function releaseClaim(tx: Tx, due: DueStep, error: RecordedError, isFree: boolean): Promise<void> {
  const { state, step, direction } = due;
  // The attempt is a fencing token and only grows; an attempt that does not count is granted again.
  const maxAttempts: RawBuilder<number> = isFree ? sql`max_attempts + 1` : sql`max_attempts`;
  await tx
    .updateTable('saga_step')
    .set({ status: 'pending', lease_until: null, error: JSON.stringify(error), max_attempts: maxAttempts })
    .where('saga_id', '=', state.id)
    .where('step_no', '=', step.no)
    .where('direction', '=', direction)
    .execute();
}

/** Numbers of the steps that took effect or may have, the last one first. */
export async function stepsToUndo(tx: Tx, sagaId: string): Promise<readonly number[]> {
  const acted = await tx
    .selectFrom('saga_step')
    .select(['step_no'])
    .where('saga_id', '=', sagaId)
    .where('direction', '=', 'F')
    .where('class', 'in', ['COMPENSABLE', 'PIVOT'])
    .where((eb) => eb.or([eb('status', '=', literal('done')), eb('first_sent_at', 'is not', null)]))
    .orderBy('step_no', 'desc')
    .execute();
  return acted.map((row) => row.step_no);
}

/** A compensation's row stands from the moment that it falls due. */
export async function insertCompensations(
  tx: Tx,
  sagaId: string,
  definition: SagaDefinition,
  steps: readonly number[],
): Promise<void> {
  await tx
    .insertInto('saga_step')
    .values(
      steps.map((no) => {
        const step = definition.steps[no - 1];
        return {
          saga_id: sagaId,
          step_no: no,
          direction: 'C' as const,
          name: step?.name ?? '',
          kind: kindOf(step),
          class: step?.class ?? ('COMPENSABLE' as const),
          max_attempts: COMPENSATION_RETRY.attempts,
        };
      }),
    )
    .execute();
}

/** Numbers of the compensations that are still to run, in the order in which they run. */
export async function pendingCompensations(tx: Tx, sagaId: string): Promise<readonly number[]> {
  const rows = await tx
    .selectFrom('saga_step')
    .select('step_no')
    .where('saga_id', '=', sagaId)
    .where('direction', '=', 'C')
    .where('status', 'not in', literals(['done', 'skipped']))
    .orderBy('step_no', 'desc')
    .execute();
  return rows.map((row) => row.step_no);
}

/** The number of the compensation that follows; null: this is the last. */
export async function followingCompensation(tx: Tx, { state, step }: DueStep): Promise<number | null> {
  const [next] = (await pendingCompensations(tx, state.id)).filter((no) => no < step.no);
  return next ?? null;
}

/** Reads that are done are to be read once more, each with as many attempts as a retry grants. */
export async function readAgain(tx: Tx, sagaId: string, steps: readonly number[], attempts: number): Promise<void> {
  await tx
    .updateTable('saga_step')
    .set({
      status: 'pending',
      finished_at: null,
      done_at_version: null,
      max_attempts: sql`attempt + ${attempts}`,
    })
    .where('saga_id', '=', sagaId)
    .where('step_no', 'in', [...steps])
    .where('direction', '=', 'F')
    .execute();
}

/** Grants more attempts to a step that had used up its own. */
export async function grantAttempts(
  tx: Tx,
  at: { readonly sagaId: string; readonly step: number; readonly direction: 'F' | 'C' },
  attempts: number,
): Promise<void> {
  await tx
    .updateTable('saga_step')
    .set({
      status: 'pending',
      finished_at: null,
      lease_until: null,
      max_attempts: sql`attempt + ${attempts}`,
    })
    .where('saga_id', '=', at.sagaId)
    .where('step_no', '=', at.step)
    .where('direction', '=', at.direction)
    .where('status', 'in', literals(['failed', 'pending', 'running']))
    .execute();
}
