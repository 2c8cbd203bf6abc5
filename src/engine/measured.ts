import { codeLabel, count, observe, secondsSince } from '../kernel/telemetry/measure.ts';
import { isRefusal } from './errors.ts';
import type { FailOutcome } from './fail-outcome.ts';
import type { DueStep } from './state.ts';

/** What the engine counts, each after the commit that made it true. */

/** How the run of a step ended, as far as it is measured. */
interface Ended {
  readonly kind: string;
  readonly error?: unknown;
}

/** Times a step that was run. `beganMs`: of `performance.now()`. */
export function measureStep({ definition, step, direction }: DueStep, result: Ended, beganMs: number): void {
  const outcome = result.kind === 'failed' && isRefusal(result.error) ? 'refused' : result.kind;
  const labels = { saga: definition.name, step: step.name, direction, outcome };
  observe('roomy_step_duration_seconds', secondsSince(beganMs), labels);
}

/** Counts a saga whose last step was done, in either direction. */
export function measureEnd({ definition, state, direction }: DueStep): void {
  const saga = definition.name;
  if (direction === 'F') count('roomy_sagas_completed_total', { saga });
  else count('roomy_sagas_compensated_total', { saga, code: codeLabel(state.errorCode) });
}

/** Counts a saga that ended, or was parked, because a step failed. */
export function measureFailure({ definition }: DueStep, { kind }: Pick<FailOutcome, 'kind'>, code: string): void {
  const labels = { saga: definition.name, code: codeLabel(code) };
  if (kind === 'parked') count('roomy_sagas_parked_total', labels);
  else if (kind === 'compensated') count('roomy_sagas_compensated_total', labels);
}

/** Counts an attempt that will be repeated. */
export function measureRetry({ definition, step }: DueStep, code: string): void {
  count('roomy_step_retries_total', { saga: definition.name, step: step.name, code: codeLabel(code) });
}
