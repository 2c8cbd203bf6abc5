import type { Direction, HoldScope, Json, SagaStatus } from '../db/schema.ts';
import { effectKey } from '../kernel/ids.ts';
import type { SagaDefinition } from './definition.ts';
import type { ErasedContext, StepDefinition } from './step.ts';

/** What people have paused (table `hold`), as far as it concerns a step that is due. */
export interface Hold {
  readonly scope: HoldScope;
  /** Of the scope: `ALL`, a saga's name, `name.step`, another system's id, a saga's id. */
  readonly subject: string;
}

/** A saga as Postgres has it, with the outputs of its finished steps. */
export interface SagaState {
  readonly id: string;
  readonly name: string;
  readonly definitionVersion: number;
  readonly subjectType: string;
  readonly subjectId: string;
  /** As it was accepted, with what people have amended since. */
  readonly input: Readonly<Record<string, Json>>;
  /** How often it was amended. */
  readonly amendments: number;
  readonly requestedAt: Date;
  readonly requestedBy: string;
  readonly onBehalfOf: string | null;
  readonly requestId: string | null;
  /** W3C, of the request that started it; null: nothing was traced then. */
  readonly traceparent: string | null;
  readonly status: SagaStatus;
  readonly currentStep: number;
  readonly totalSteps: number;
  readonly generation: number;
  readonly errorCode: string | null;
  readonly errorDetail: Json;
  readonly done: Readonly<Record<string, unknown>>;
  /** What is paused at all, as it was when the saga was read. */
  readonly holds: readonly Hold[];
}

/** A step of a saga in one direction, which is believed to be due. */
export interface DueStep {
  readonly state: SagaState;
  readonly definition: SagaDefinition;
  readonly step: StepDefinition;
  readonly direction: Direction;
}

/** The direction in which a saga of this status runs; null when it does not run. */
export function directionOf(status: SagaStatus): Direction | null {
  if (status === 'pending' || status === 'running') return 'F';
  return status === 'compensating' ? 'C' : null;
}

/** The context of a step. A compensation finds the output of the step that it undoes under `done.own`. */
export function contextOf({ state, definition, step, direction }: DueStep): ErasedContext {
  return {
    sagaId: state.id,
    subjectId: state.subjectId,
    key: effectKey(state.id, step.no, direction),
    forwardKey: effectKey(state.id, step.no, 'F'),
    input: definition.input.parse(state.input),
    done: direction === 'F' ? state.done : { ...state.done, own: state.done[step.name] },
    amendments: state.amendments,
    requestedAt: state.requestedAt,
    requestedBy: state.requestedBy,
  };
}

/** Saga, step and direction, as failpoints name them. */
export const placeOf = ({ state, step, direction }: DueStep) => ({ sagaId: state.id, step: step.name, direction });
