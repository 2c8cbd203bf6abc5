import type { SagaDefinition } from './definition.ts';
import { directionOf, type SagaState } from './state.ts';
import type { StepDefinition } from './step.ts';
import type { StepPointer } from './types.ts';

/** The effect that a pointer may have. Pure: the whole of "Postgres decides, Redis only hints" for one job. */
export type Decision =
  | { readonly kind: 'run'; readonly step: StepDefinition }
  | { readonly kind: 'done' }
  | { readonly kind: 'skip'; readonly reason: SkipReason };
export type SkipReason = 'unknown-saga' | 'ended' | 'parked' | 'old-generation' | 'other-direction' | 'not-due';

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
