import type { Direction } from '../db/schema.ts';
import type { RunResult } from './runners/result.ts';
import type { DueStep } from './state.ts';
import type { StepPointer } from './types.ts';

/**
 * Sagas that this process remembers having moved, and refusals that it met during run-on. It only spares look-ups, and
 * decides nothing that Postgres has not decided.
 */
export interface RunMemory {
  /** The step that the pointer points at is known to be done. */
  isDone(pointer: StepPointer): boolean;
  advanced(due: DueStep, nextStep: number | null): void;
  /** The step refused during run-on; its own job need not ask again. */
  refused(due: DueStep, result: Failed): void;
  /** The refusal that was remembered, once. */
  takeRefusal(due: DueStep): Failed | undefined;
}
type Failed = Extract<RunResult, { kind: 'failed' }>;

/** Entries, at the most, of each kind. */
const MEMORY_SIZE = 20_000;

/** Memory of one run between its steps; spares look-ups and decides nothing. */
export function createRunMemory(): RunMemory {
  const due = new Map<
    string,
    { readonly generation: number; readonly direction: Direction; readonly dueStep: number | null }
  >();
  const refusals = new Map<string, { readonly key: string; readonly result: Failed }>();
  const keyOf = ({ step, direction, state }: DueStep): string => `${step.no}${direction}${state.generation}`;
  return {
    isDone({ sagaId, step, direction, generation }) {
      const known = due.get(sagaId);
      if (!known || known.generation !== generation || known.direction !== direction) return false;
      if (known.dueStep === null || step === 0) return known.dueStep === null;
      return direction === 'F' ? step < known.dueStep : step > known.dueStep;
    },
    advanced({ state, direction }, dueStep) {
      keep(due, state.id, { generation: state.generation, direction, dueStep });
    },
    refused(at, result) {
      keep(refusals, at.state.id, { key: keyOf(at), result });
    },
    takeRefusal(at) {
      const known = refusals.get(at.state.id);
      if (known?.key !== keyOf(at)) return undefined;
      refusals.delete(at.state.id);
      return known.result;
    },
  };
}

function keep<T>(map: Map<string, T>, key: string, value: T): void {
  map.set(key, value);
  if (map.size > MEMORY_SIZE) map.delete(map.keys().next().value ?? '');
}
