import { sql } from 'kysely';
import type { Db, Tx } from '../db/client.ts';
import { retryContention } from '../db/errors.ts';
import { CATALOGUE, RoomyError } from '../kernel/errors.ts';
import type { SagaDefinition, StepDefinition } from './definition.ts';
import { auditNote } from './ending.ts';
import { failStep, writeAudit } from './fail.ts';
import { type FlowOrder, orderAlert, orderFlow } from './outbox.ts';
import { createStateLoader, directionOf, type LoadState, type SagaState } from './state.ts';
import type { Intervention, RetryOutcome, SagaAnswer } from './types.ts';

/** Attempts that a person's retry grants to the step that had used up its own. */
const GRANTED_ATTEMPTS = 8;

/** TU of guarantees.md 2.4: a parked saga goes on where it stopped, in the direction in which it stopped. */
export const resumeSaga = (db: Db, intervention: Intervention): Promise<Resumed> =>
  retryContention(() => db.transaction().execute((tx) => resumeWithin(tx, intervention)));

export interface Resumed {
  readonly outcome: RetryOutcome;
  /** To be published once the transaction is committed. */
  readonly flow: FlowOrder | null;
}

export async function resumeWithin(tx: Tx, intervention: Intervention): Promise<Resumed> {
  const state = await stateWithin(tx, intervention.sagaId);
  const saga = await tx
    .selectFrom('saga')
    .select(['status', 'current_step', 'generation'])
    .where('id', '=', state.id)
    .forUpdate()
    .executeTakeFirstOrThrow();
  const by = `${intervention.via}:${intervention.by}`;
  if (saga.status !== 'parked') {
    await writeAudit(tx, state, operatorNote(state, intervention, 'STALE_RETRY', { by, status: saga.status }));
    return { outcome: 'stale' as const, flow: null };
  }
  const undo = await pendingCompensations(tx, state.id);
  const direction = undo.length > 0 ? 'C' : 'F';
  await tx
    .updateTable('saga_step')
    .set({
      status: 'pending',
      finished_at: null,
      lease_until: null,
      max_attempts: sql`attempt + ${GRANTED_ATTEMPTS}`,
    })
    .where('saga_id', '=', state.id)
    .where('step_no', '=', saga.current_step)
    .where('direction', '=', direction)
    .where('status', 'in', ['failed', 'pending', 'running'])
    .execute();
  const generation = saga.generation + 1;
  await tx
    .updateTable('saga')
    .set({
      status: direction === 'C' ? 'compensating' : 'running',
      generation,
      redispatches: 0,
      next_check_at: sql`now() + interval '15 seconds'`,
      deadline_at: sql`greatest(deadline_at, now() + interval '15 minutes')`,
      ...(direction === 'F' ? { error_code: null, error_detail: null } : {}),
    })
    .where('id', '=', state.id)
    .execute();
  await writeAudit(tx, state, operatorNote(state, intervention, 'SAGA_RESUMED', { by, step: saga.current_step }));
  const steps = direction === 'C' ? undo : remainingForward(saga.current_step, state.totalSteps);
  return {
    outcome: 'resumed' as const,
    flow: await orderFlow(tx, state, {
      direction,
      generation,
      steps,
      // Bull Board retries the job of the old chain itself, and would find that somebody was faster.
      again: intervention.via !== 'bull-board',
    }),
  };
}

/** A person closes a parked saga, having settled by hand what it left. Its repeats then answer with that reason. */
export const resolveSaga = (db: Db, intervention: Resolution): Promise<SagaAnswer> =>
  retryContention(() => db.transaction().execute((tx) => resolveWithin(tx, intervention)));

type Resolution = Intervention & { readonly reason: string };

export async function resolveWithin(tx: Tx, intervention: Resolution): Promise<SagaAnswer> {
  const state = await stateWithin(tx, intervention.sagaId);
  const body = JSON.stringify({
    success: false,
    error: CATALOGUE.SAGA_RESOLVED.text,
    code: 'SAGA_RESOLVED',
    requestId: state.requestId,
    details: { reason: intervention.reason, resolvedBy: intervention.by },
    sagaExecutionId: state.id,
  });
  const answer = { status: CATALOGUE.SAGA_RESOLVED.status, body: Buffer.from(body) };
  const closed = await tx
    .updateTable('saga')
    .set({
      status: 'resolved',
      finished_at: sql`clock_timestamp()`,
      response_status: answer.status,
      response_body: answer.body,
    })
    .where('id', '=', state.id)
    .where('status', '=', 'parked')
    .executeTakeFirst();
  if (closed.numUpdatedRows === 0n) throw new RoomyError('SAGA_NOT_PARKED', { details: { status: state.status } });
  await writeAudit(tx, state, operatorNote(state, intervention, 'SAGA_RESOLVED', { reason: intervention.reason }), {
    ends: true,
  });
  return answer;
}

async function stateWithin(tx: Tx, sagaId: string): Promise<SagaState> {
  const state = await createStateLoader(tx)(sagaId);
  if (!state) throw new RoomyError('SAGA_NOT_FOUND');
  return state;
}

function operatorNote(
  state: SagaState,
  { by, requestId, ip }: Intervention,
  event: string,
  details: Readonly<Record<string, string | number>>,
) {
  return auditNote(
    { ...state, requestId },
    event,
    { outcome: event.toLowerCase(), ...(ip ? { ip } : {}), details },
    by,
  );
}

/** What the reconciler asks of the sagas that it finds idle. */
export interface Reconciliation {
  /** TD: orders a new flow of what remains; null when the saga is not open any more, or somebody is at work on it. */
  redispatch(sagaId: string): Promise<FlowOrder | null>;
  /** The deadline has passed: undo, or park once the pivot is passed. */
  expire(sagaId: string): Promise<FlowOrder | null>;
}

/** A saga that had to be dispatched again this often without a step in between is a person's business. */
const ALERT_AFTER_REDISPATCHES = 3;

export function createReconciliation(
  db: Db,
  load: LoadState,
  definitionOf: (name: string, version: number) => SagaDefinition | undefined,
  onAnswer: (sagaId: string) => void,
): Reconciliation {
  return {
    redispatch: (sagaId) =>
      db.transaction().execute(async (tx) => {
        const saga = await tx
          .selectFrom('saga')
          .selectAll()
          .where('id', '=', sagaId)
          .forUpdate()
          .skipLocked()
          .executeTakeFirst();
        const direction = saga ? directionOf(saga.status) : null;
        if (!saga || direction === null) return null;
        const steps =
          direction === 'C'
            ? await pendingCompensations(tx, sagaId)
            : remainingForward(saga.current_step, saga.total_steps);
        const generation = saga.generation + 1;
        const redispatches = saga.redispatches + 1;
        await tx
          .updateTable('saga')
          .set({ generation, redispatches, next_check_at: sql`now() + interval '15 seconds'` })
          .where('id', '=', sagaId)
          .execute();
        if (redispatches > ALERT_AFTER_REDISPATCHES) {
          await orderAlert(tx, sagaId, 'stuck', {
            saga: saga.name,
            step: String(saga.current_step),
            code: 'STUCK',
            what: 'stuck',
          });
        }
        return orderFlow(
          tx,
          { id: sagaId, name: saga.name, definitionVersion: saga.definition_ver },
          { direction, generation, steps, again: true },
        );
      }),
    expire: async (sagaId) => {
      const state = await load(sagaId);
      const definition = state ? definitionOf(state.name, state.definitionVersion) : undefined;
      const direction = state ? directionOf(state.status) : null;
      const step: StepDefinition | undefined = definition?.steps[(state?.currentStep ?? 0) - 1];
      // A saga that has turned round meanwhile has no deadline any more: its undoing is not to be cut short.
      if (!state || !definition || !step || direction !== 'F') return null;
      const error = {
        code: 'SAGA_DEADLINE',
        text: CATALOGUE.SAGA_DEADLINE.text,
        failedStep: step.name,
        step: step.no,
        retryable: false,
      } as const;
      const outcome = await failStep(db, state, {
        definition,
        step,
        direction,
        generation: state.generation,
        error,
        refused: false,
        attempt: null,
      });
      if (outcome.kind === 'compensated' || outcome.kind === 'parked') onAnswer(sagaId);
      return outcome.kind === 'compensating' ? outcome.flow : null;
    },
  };
}

async function pendingCompensations(tx: Tx, sagaId: string): Promise<number[]> {
  const rows = await tx
    .selectFrom('saga_step')
    .select('step_no')
    .where('saga_id', '=', sagaId)
    .where('direction', '=', 'C')
    .where('status', 'not in', ['done', 'skipped'])
    .orderBy('step_no', 'desc')
    .execute();
  return rows.map((row) => row.step_no);
}

const remainingForward = (from: number, total: number): number[] =>
  Array.from({ length: total - from + 1 }, (_, index) => from + index);
