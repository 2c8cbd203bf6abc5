import { sql } from 'kysely';
import type { Db } from '../db/client.ts';
import { isUnreachable } from '../db/errors.ts';
import type { Direction, Json, SagaStatus } from '../db/schema.ts';
import { effectKey } from '../kernel/ids.ts';
import { createLane } from '../kernel/lane.ts';
import type { ErasedContext, SagaDefinition, StepDefinition } from './definition.ts';
import type { StepPointer } from './types.ts';

/** A saga as Postgres has it, with the outputs of its finished steps. */
export interface SagaState {
  readonly id: string;
  readonly name: string;
  readonly definitionVersion: number;
  readonly subjectType: string;
  readonly subjectId: string;
  readonly input: Readonly<Record<string, Json>>;
  readonly requestedAt: Date;
  readonly requestedBy: string;
  readonly onBehalfOf: string | null;
  readonly requestId: string | null;
  readonly status: SagaStatus;
  readonly currentStep: number;
  readonly totalSteps: number;
  readonly generation: number;
  readonly errorCode: string | null;
  readonly errorDetail: Json;
  readonly done: Readonly<Record<string, unknown>>;
}

export type LoadState = (sagaId: string) => Promise<SagaState | null>;

/** Loads of several sagas that are asked for at once travel in one query. */
export function createStateLoader(db: Db): LoadState {
  return createLane<string, SagaState | null>(
    async (ids) => {
      const rows = await db
        .selectFrom('saga as s')
        .select((eb) => [
          's.id',
          's.name',
          's.definition_ver as definitionVersion',
          's.subject_type as subjectType',
          's.subject_id as subjectId',
          's.input',
          's.requested_at as requestedAt',
          's.requested_by as requestedBy',
          's.on_behalf_of as onBehalfOf',
          's.request_id as requestId',
          's.status',
          's.current_step as currentStep',
          's.total_steps as totalSteps',
          's.generation',
          's.error_code as errorCode',
          's.error_detail as errorDetail',
          eb
            .selectFrom('saga_step as t')
            .select(sql<Readonly<Record<string, unknown>> | null>`jsonb_object_agg(t.name, t.result)`.as('done'))
            .whereRef('t.saga_id', '=', 's.id')
            .where('t.direction', '=', 'F')
            .where('t.status', 'in', ['done', 'skipped'])
            .as('done'),
        ])
        .where(sql<boolean>`s.id = ANY(${[...new Set(ids)]}::text[])`)
        .execute();
      const byId = new Map(rows.map((row) => [row.id, { ...row, done: row.done ?? {} }]));
      return ids.map((id) => byId.get(id) ?? null);
    },
    { maxBatch: 64, maxInFlight: 2, failTogether: isUnreachable },
  );
}

export function contextOf(state: SagaState, stepNo: number, direction: Direction, input: unknown): ErasedContext {
  return {
    sagaId: state.id,
    subjectId: state.subjectId,
    key: effectKey(state.id, stepNo, direction),
    forwardKey: effectKey(state.id, stepNo, 'F'),
    input,
    done: state.done,
    requestedAt: state.requestedAt,
    requestedBy: state.requestedBy,
  };
}

/** What a pointer may cause. Pure: the whole of "Postgres decides, Redis only hints" for one job. */
export type Decision =
  | { readonly kind: 'run'; readonly step: StepDefinition }
  | { readonly kind: 'done' }
  | { readonly kind: 'skip'; readonly reason: SkipReason };
export type SkipReason = 'unknown-saga' | 'ended' | 'parked' | 'old-generation' | 'other-direction' | 'not-due';

export function directionOf(status: SagaStatus): Direction | null {
  if (status === 'pending' || status === 'running') return 'F';
  return status === 'compensating' ? 'C' : null;
}

/**
 * Decides by the saga's row alone. A step is due exactly when it is the current one, so "all before it are done" needs
 * no look at other rows.
 */
export function decide(state: SagaState | null, definition: SagaDefinition, pointer: StepPointer): Decision {
  if (!state) return { kind: 'skip', reason: 'unknown-saga' };
  if (state.status === 'completed' && pointer.direction === 'F') return { kind: 'done' };
  if (state.status === 'compensated' && pointer.direction === 'C') return { kind: 'done' };
  if (state.status === 'parked') return { kind: 'skip', reason: 'parked' };
  const direction = directionOf(state.status);
  if (direction === null) return { kind: 'skip', reason: 'ended' };
  if (direction !== pointer.direction) return { kind: 'skip', reason: 'other-direction' };
  if (state.generation !== pointer.generation) return { kind: 'skip', reason: 'old-generation' };
  if (isBehind(state.currentStep, pointer)) return { kind: 'done' };
  const step = definition.steps[pointer.step - 1];
  if (state.currentStep !== pointer.step || !step) return { kind: 'skip', reason: 'not-due' };
  return { kind: 'run', step };
}

/** Forward steps count up, compensations count down. */
const isBehind = (currentStep: number, { step, direction }: StepPointer): boolean =>
  direction === 'F' ? step < currentStep : step > currentStep;
