import type { LogContext } from '../kernel/log-context.ts';
import { codeLabel, count, observe, secondsSince } from '../kernel/telemetry/measure.ts';
import type { SpanAbout } from '../kernel/telemetry/tracing.ts';
import { isRefusal } from './errors.ts';
import type { FailOutcome } from './fail-outcome.ts';
import type { DueStep } from './state.ts';

/** What the engine counts, each after the commit that made it true. */

/** How the run of a step ended, as far as it is measured. */
interface Ended {
  readonly kind: string;
  readonly error?: unknown;
}

/** Times a step that was run, and answers its outcome. `beganMs`: of `performance.now()`. */
export function measureStep({ definition, step, direction }: DueStep, result: Ended, beganMs: number): string {
  const outcome = result.kind === 'failed' && isRefusal(result.error) ? 'refused' : result.kind;
  const labels = { saga: definition.name, step: step.name, direction, outcome };
  observe('roomy_step_duration_seconds', secondsSince(beganMs), labels);
  return outcome;
}

/** Name and content of the span of a step. Whose it is says the run's, which is around it: there are many of these. */
export const stepSpan = ({ definition, step, direction }: DueStep): [string, SpanAbout] => [
  `step ${definition.name}.${step.name}`,
  { attributes: { 'roomy.step': step.no, ...(direction === 'C' && { 'roomy.step.direction': direction }) } },
];

/** Name and content of the span of a run of steps: within the trace of the request that started the saga. */
export const runSpan = ({ definition, state, direction }: DueStep): [string, SpanAbout] => [
  `saga ${definition.name}`,
  {
    kind: 'consumer',
    parent: state.traceparent,
    attributes: {
      'roomy.saga.id': state.id,
      'roomy.saga.subject': state.subjectId,
      'roomy.step.direction': direction,
      ...(state.requestId === null ? {} : { 'roomy.request.id': state.requestId }),
    },
  },
];

/** Ids of a saga, for the log. */
export const logContextOf = ({ id: sagaId, subjectType, subjectId, requestId }: DueStep['state']): LogContext => ({
  sagaId,
  ...(requestId === null ? {} : { requestId }),
  ...(subjectType === 'reservation' ? { reservationId: subjectId } : {}),
});

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
