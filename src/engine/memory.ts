import type { Direction } from '../db/schema.ts';
import type { ErrorCode } from '../kernel/errors.ts';
import type { RunResult } from './runners/result.ts';
import type { DueStep } from './state.ts';
import type { StepOutcome, StepPointer } from './types.ts';

/**
 * Sagas that this process remembers having moved, and refusals that it met during run-on. It only spares look-ups, and
 * decides nothing that Postgres has not decided.
 */
export interface RunMemory {
  /** The outcome of a job that points there, if it is known; else Postgres has to be asked. */
  outcomeOf(pointer: StepPointer): StepOutcome | undefined;
  advanced(due: DueStep, nextStep: number | null): void;
  /** The step has refused for good, and the saga goes the other way. */
  turned(due: DueStep, code: ErrorCode): void;
  /** The step refused during run-on; its own job need not ask again. */
  refused(due: DueStep, result: Failed): void;
  /** The refusal that was remembered, once. */
  takeRefusal(due: DueStep): Failed | undefined;
}
type Failed = Extract<RunResult, { kind: 'failed' }>;

interface Known {
  readonly generation: number;
  readonly direction: Direction;
  /** Null: it has ended. */
  readonly dueStep: number | null;
  /** The step that turned it round, in the generation before. */
  readonly failed: { readonly generation: number; readonly step: number; readonly code: ErrorCode } | undefined;
}

const DONE: StepOutcome = { outcome: 'done', steps: 0 };

/** Entries, at the most, of each kind. */
const MEMORY_SIZE = 20_000;

/** Memory of one run between its steps; spares look-ups and decides nothing. */
export function createRunMemory(): RunMemory {
  const known = new Map<string, Known>();
  const refusals = new Map<string, { readonly key: string; readonly result: Failed }>();
  const keyOf = ({ step, direction, state }: DueStep): string => `${step.no}${direction}${state.generation}`;
  return {
    outcomeOf({ sagaId, step, direction, generation }) {
      const saga = known.get(sagaId);
      if (!saga) return undefined;
      if (direction === 'F' && saga.direction === 'C') {
        const outcome = outcomeBehindTurn(saga, step, generation);
        // Once: whoever has that job tried again gets to know how the saga stands.
        if (outcome?.outcome === 'ended') keep(known, sagaId, { ...saga, failed: undefined });
        return outcome;
      }
      if (saga.generation !== generation || saga.direction !== direction) return undefined;
      const { dueStep } = saga;
      if (dueStep === null) return DONE;
      if (step === 0) return undefined;
      return (direction === 'F' ? step < dueStep : step > dueStep) ? DONE : undefined;
    },
    advanced({ state, direction }, dueStep) {
      const failed = direction === 'C' ? known.get(state.id)?.failed : undefined;
      keep(known, state.id, { generation: state.generation, direction, dueStep, failed });
    },
    turned({ state, step }, code) {
      const { generation } = state;
      // No compensation has a higher number.
      const failed = { generation, step: step.no, code };
      keep(known, state.id, { generation: generation + 1, direction: 'C', dueStep: step.no, failed });
    },
    refused(at, result) {
      keep(refusals, at.state.id, { key: keyOf(at), result });
    },
    takeRefusal(at) {
      const kept = refusals.get(at.state.id);
      if (kept?.key !== keyOf(at)) return undefined;
      refusals.delete(at.state.id);
      return kept.result;
    },
  };
}

/** A job that points forward in a saga that goes back, and never forward again. */
function outcomeBehindTurn({ failed }: Known, step: number, generation: number): StepOutcome | undefined {
  if (step === 0) return DONE;
  if (failed?.generation !== generation || step > failed.step) return undefined;
  // Like a job that has met the refusal itself.
  return step === failed.step ? { outcome: 'ended', code: failed.code, refused: true } : DONE;
}

function keep<T>(map: Map<string, T>, key: string, value: T): void {
  map.set(key, value);
  if (map.size > MEMORY_SIZE) map.delete(map.keys().next().value ?? '');
}
