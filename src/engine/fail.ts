import { sql } from 'kysely';
import type { Db, Tx } from '../db/client.ts';
import { retryContention } from '../db/errors.ts';
import type { Direction } from '../db/schema.ts';
import { effectKey } from '../kernel/ids.ts';
import { COMPENSATION_RETRY, type SagaDefinition, type StepDefinition } from './definition.ts';
import { type AuditSubject, auditNote, compensatedEnd, parkedBody, type RecordedError } from './ending.ts';
import type { AuditNote } from './fused.ts';
import { type FlowOrder, orderAlert, orderFlow } from './outbox.ts';
import { contextOf, directionOf, type SagaState } from './state.ts';

/** What a final failure led to. */
export type FailOutcome =
  | { readonly kind: 'compensating'; readonly flow: FlowOrder }
  | { readonly kind: 'compensated' }
  | { readonly kind: 'parked' }
  | { readonly kind: 'stale' };

export interface FinalFailure {
  readonly definition: SagaDefinition;
  readonly step: StepDefinition;
  readonly direction: Direction;
  readonly generation: number;
  readonly error: RecordedError;
  /** A refusal is an answer; anything else has used up its retries. */
  readonly refused: boolean;
  /** Of an external step: only the attempt that holds the claim may fail it. Null when nobody holds it. */
  readonly attempt: number | null;
  /** The failing attempt certainly never reached the other side. */
  readonly unsent?: boolean;
}

/**
 * TF and TP of guarantees.md 2.4: the step fails for good, and in the same commit the saga turns round, or waits for a
 * person. Does nothing when the step is no longer due, or is claimed by another attempt.
 */
export function failStep(db: Db, state: SagaState, failure: FinalFailure): Promise<FailOutcome> {
  return retryContention(() => db.transaction().execute((tx) => failInTransaction(tx, state, failure)));
}

async function failInTransaction(tx: Tx, state: SagaState, failure: FinalFailure): Promise<FailOutcome> {
  const { step, direction, error } = failure;
  const saga = await lockSaga(tx, state.id);
  if (!saga || directionOf(saga.status) !== direction) return { kind: 'stale' };
  if (saga.current_step !== step.no) return { kind: 'stale' };
  // The holder of a claim may fail its step whatever generation is being dispatched: its token is the fence.
  if (failure.attempt === null && saga.generation !== failure.generation) return { kind: 'stale' };
  if (!(await markFailed(tx, state.id, failure))) return { kind: 'stale' };
  await writeAudit(
    tx,
    state,
    auditNote(state, direction === 'F' ? 'STEP_FAILED' : 'COMPENSATION_FAILED', {
      outcome: 'failed',
      effectKey: effectKey(state.id, step.no, direction),
      details: { step: step.name, code: error.code },
    }),
  );
  const waits = failure.refused ? step.parksOn.includes(error.code) : step.onExhausted === 'park';
  const park = direction === 'C' || isPastPivot(failure) || waits;
  if (park) return parkSaga(tx, state, saga.version, failure);
  return turnRound(tx, state, saga, failure);
}

/** Behind the point of no return there is only forward, for a read as well, whose own class does not tell. */
const isPastPivot = ({ definition, step }: FinalFailure): boolean =>
  step.class === 'RETRIABLE' || definition.steps.some((one) => one.class === 'PIVOT' && one.no < step.no);

async function markFailed(
  tx: Tx,
  sagaId: string,
  { step, direction, error, attempt, unsent }: FinalFailure,
): Promise<boolean> {
  const row = await tx
    .insertInto('saga_step')
    .values({
      saga_id: sagaId,
      step_no: step.no,
      direction,
      name: step.name,
      kind: step.kind === 'call' ? 'EXTERNAL' : 'LOCAL',
      class: step.class,
      status: 'failed',
      attempt: 1,
      max_attempts: step.maxAttempts,
      effect_key: effectKey(sagaId, step.no, direction),
      error: JSON.stringify(error),
      started_at: sql`clock_timestamp()`,
      finished_at: sql`clock_timestamp()`,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['saga_id', 'step_no', 'direction'])
        .doUpdateSet({
          status: 'failed',
          attempt: attempt === null && step.kind !== 'call' ? sql`saga_step.attempt + 1` : sql`saga_step.attempt`,
          error: JSON.stringify(error),
          lease_until: null,
          finished_at: sql`clock_timestamp()`,
        })
        .where((eb) =>
          attempt === null
            ? eb('saga_step.status', 'in', ['pending', 'running', 'failed'])
            : eb.and([eb('saga_step.status', '=', 'running'), eb('saga_step.attempt', '=', attempt)]),
        ),
    )
    .returning('attempt')
    .executeTakeFirst();
  if (row && attempt !== null) {
    await tx
      .updateTable('step_attempt')
      .set({ outcome: 'failed', unsent: unsent ?? false, ended_at: sql`clock_timestamp()` })
      .where('saga_id', '=', sagaId)
      .where('step_no', '=', step.no)
      .where('direction', '=', direction)
      .where('attempt', '=', attempt)
      .execute();
  }
  return row !== undefined;
}

async function parkSaga(
  tx: Tx,
  state: SagaState,
  version: number,
  { definition, step, direction, error }: FinalFailure,
): Promise<FailOutcome> {
  await tx
    .updateTable('saga')
    .set({
      status: 'parked',
      error_code: state.errorCode ?? error.code,
      error_detail: JSON.stringify(state.errorDetail ?? error),
      // Parked again, it says what it said first: a caller's repeats read the same bytes.
      parked_body: sql`coalesce(parked_body, ${Buffer.from(parkedBody(state.id, step, direction, error))}::bytea)`,
    })
    .where('id', '=', state.id)
    .execute();
  await orderAlert(tx, state.id, version, { saga: state.name, step: step.name, code: error.code, what: 'parked' });
  if (direction === 'F') {
    const context = contextOf(state, step.no, direction, definition.input.parse(state.input));
    await step.whenParked?.({ ...context, tx, code: error.code });
  }
  await writeAudit(
    tx,
    state,
    auditNote(state, 'SAGA_PARKED', { outcome: 'parked', details: { step: step.name, code: error.code } }),
  );
  return { kind: 'parked' };
}

/** Orders the undoing, in reverse, of every step that took effect or may have. */
async function turnRound(
  tx: Tx,
  state: SagaState,
  saga: { readonly status: string; readonly version: number; readonly generation: number },
  { definition, step, error }: FinalFailure,
): Promise<FailOutcome> {
  const acted = await tx
    .selectFrom('saga_step')
    .select(['step_no'])
    .where('saga_id', '=', state.id)
    .where('direction', '=', 'F')
    .where('class', 'in', ['COMPENSABLE', 'PIVOT'])
    .where((eb) => eb.or([eb('status', '=', 'done'), eb('first_sent_at', 'is not', null)]))
    .orderBy('step_no', 'desc')
    .execute();
  const undo = acted.map((row) => row.step_no);
  const carried = { error_code: error.code, error_detail: JSON.stringify(error) };
  const [highest] = undo;
  if (highest === undefined) {
    const end = compensatedEnd(state, error);
    if (saga.status === 'running') {
      await tx
        .updateTable('saga')
        .set({ status: 'compensating', ...carried })
        .where('id', '=', state.id)
        .execute();
    }
    await tx
      .updateTable('saga')
      .set({
        status: 'compensated',
        ...carried,
        finished_at: sql`clock_timestamp()`,
        response_status: end.response_status,
        response_body: Buffer.from(end.response_body),
      })
      .where('id', '=', state.id)
      .execute();
    await writeAudit(tx, state, end.audit, { ends: true });
    if (ABOUT_SAVED_DATA.has(error.code)) await alertRolledBack(tx, state, saga.version, step, error);
    return { kind: 'compensated' };
  }
  const generation = saga.generation + 1;
  await tx
    .updateTable('saga')
    .set({ status: 'compensating', current_step: highest, generation, ...carried })
    .where('id', '=', state.id)
    .execute();
  await tx
    .insertInto('saga_step')
    .values(undo.map((no) => compensationRow(state.id, definition, no)))
    .execute();
  if (!step.everyday.includes(error.code)) await alertRolledBack(tx, state, saga.version, step, error);
  return { kind: 'compensating', flow: await orderFlow(tx, state, { direction: 'C', generation, steps: undo }) };
}

/** Refusals because of what is saved here: no caller can mend that, so a person is told although nothing had to be undone. */
const ABOUT_SAVED_DATA: ReadonlySet<string> = new Set(['TIME_ZONE_UNKNOWN']);

const alertRolledBack = (
  tx: Tx,
  { id, name }: SagaState,
  version: number,
  step: StepDefinition,
  { code }: RecordedError,
): Promise<void> => orderAlert(tx, id, version, { saga: name, step: step.name, code, what: 'rolled-back' });

function compensationRow(sagaId: string, definition: SagaDefinition, no: number) {
  const step = definition.steps[no - 1];
  return {
    saga_id: sagaId,
    step_no: no,
    direction: 'C' as const,
    name: step?.name ?? '',
    kind: step?.kind === 'call' ? ('EXTERNAL' as const) : ('LOCAL' as const),
    class: step?.class ?? ('COMPENSABLE' as const),
    max_attempts: COMPENSATION_RETRY.attempts,
    effect_key: effectKey(sagaId, no, 'C'),
  };
}

export function lockSaga(tx: Tx, sagaId: string) {
  return tx
    .selectFrom('saga')
    .select(['status', 'current_step', 'generation', 'version'])
    .where('id', '=', sagaId)
    .forUpdate()
    .executeTakeFirst();
}

export async function writeAudit(
  tx: Tx | Db,
  saga: AuditSubject & { readonly id: string },
  note: AuditNote,
  options: { readonly ends?: boolean } = {},
): Promise<void> {
  await tx
    .insertInto('audit_log')
    .values({ stream_id: saga.id, saga_id: saga.id, ends: options.ends ?? false, ...note })
    .execute();
}

/** What came of a failure that may pass. */
export type RetryNote = 'noted' | 'exhausted' | 'stale';

/**
 * Counts a failed attempt of a local step in Postgres, where a re-dispatch or a crash cannot reset it. Answers
 * `exhausted` when the attempt now failing is the last one: the caller then fails the step.
 */
export function noteAttempt(
  db: Db,
  state: SagaState,
  { step, direction, generation, error }: Pick<FinalFailure, 'step' | 'direction' | 'generation' | 'error'>,
): Promise<RetryNote> {
  return retryContention(() =>
    db.transaction().execute(async (tx) => {
      const saga = await lockSaga(tx, state.id);
      if (!saga || directionOf(saga.status) !== direction) return 'stale';
      if (saga.current_step !== step.no || saga.generation !== generation) return 'stale';
      const before = await tx
        .selectFrom('saga_step')
        .select(['attempt', 'max_attempts'])
        .where('saga_id', '=', state.id)
        .where('step_no', '=', step.no)
        .where('direction', '=', direction)
        .executeTakeFirst();
      const max = before?.max_attempts ?? (direction === 'C' ? COMPENSATION_RETRY.attempts : step.maxAttempts);
      if ((before?.attempt ?? 0) + 1 >= max) return 'exhausted';
      await tx
        .insertInto('saga_step')
        .values({
          saga_id: state.id,
          step_no: step.no,
          direction,
          name: step.name,
          kind: step.kind === 'call' ? 'EXTERNAL' : 'LOCAL',
          class: step.class,
          attempt: 1,
          max_attempts: max,
          effect_key: effectKey(state.id, step.no, direction),
          error: JSON.stringify(error),
          started_at: sql`clock_timestamp()`,
        })
        .onConflict((conflict) =>
          conflict
            .columns(['saga_id', 'step_no', 'direction'])
            .doUpdateSet({ attempt: sql`saga_step.attempt + 1`, error: JSON.stringify(error) }),
        )
        .execute();
      return 'noted';
    }),
  );
}
