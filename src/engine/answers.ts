import type { Direction, Json } from '../db/schema.ts';
import type { AuditNote } from '../domain/audit/record.ts';
import { CATALOGUE, type ErrorCode, isErrorCode, kindOfError, RoomyError } from '../kernel/errors.ts';
import { executionPath } from '../kernel/links.ts';
import { packed } from '../kernel/packed.ts';
import { auditNote } from './audit-note.ts';
import type { Ending, SagaDefinition } from './definition.ts';
import type { SagaState } from './state.ts';
import type { StepDefinition } from './step.ts';

/**
 * The bytes that a saga answers with and the audit row that closes it, built before the commit that they are part of,
 * so that every repeat of the request gets the same bytes.
 */

/** The stored form of an error: public text and details, and a bounded technical cause for operators. */
export interface RecordedError {
  readonly code: ErrorCode;
  readonly text: string;
  readonly failedStep: string;
  readonly step: number;
  readonly attempt?: number;
  readonly retryable: boolean;
  readonly details?: Json;
  readonly cause?: string;
}

/** An error of a step as the saga keeps it; an error without a code becomes `STEP_FAILED`. */
export function recordError(error: unknown, step: StepDefinition): RecordedError {
  const known = error instanceof RoomyError ? error : new RoomyError('STEP_FAILED', { cause: error });
  return {
    code: known.code,
    text: known.message,
    failedStep: step.name,
    step: step.no,
    retryable: known.kind !== 'refusal',
    ...(known.details === undefined ? {} : { details: known.details as Json }),
    ...(error instanceof RoomyError && error.cause === undefined ? {} : { cause: kindOfError(known.cause ?? error) }),
  };
}

/** The final answer of a saga and the audit row that closes it. */
export interface PreparedEnd {
  readonly response_status: number;
  /** Base64 of what is kept of it (`packed`). */
  readonly response_body: string;
  readonly audit: AuditNote;
}

const kept = (answer: object): string => packed(JSON.stringify(answer)).toString('base64');

/** Answer and audit note of a saga whose steps have all succeeded; status 200. */
export function completedEnd(state: SagaState, ending: Ending, definition: SagaDefinition): PreparedEnd {
  return {
    response_status: 200,
    response_body: kept({ success: true, data: ending.data, message: ending.message }),
    audit: auditNote(state, ending.event, {
      outcome: 'completed',
      details: { stepsCompleted: definition.steps.length, ...ending.details },
    }),
  };
}

/** Answer and audit note of a saga that was undone; the status is that of the error's code. */
export function compensatedEnd(state: SagaState, error: RecordedError): PreparedEnd {
  return {
    response_status: CATALOGUE[error.code].status,
    response_body: kept({
      success: false,
      error: error.text,
      code: error.code,
      requestId: state.requestId,
      ...(error.details === undefined ? {} : { details: error.details }),
      sagaExecutionId: state.id,
      failedStep: error.failedStep,
      compensated: true,
    }),
    audit: auditNote(state, 'SAGA_COMPENSATED', {
      outcome: 'compensated',
      details: { code: error.code, failedStep: error.failedStep },
    }),
  };
}

const selfOf = (sagaId: string) => ({ self: executionPath(sagaId) });

/** The 202 of a saga that is under way: constant for a saga, so that every such answer of one key is the same bytes. */
export const pendingBody = (sagaId: string): string =>
  JSON.stringify({
    success: true,
    data: { sagaExecutionId: sagaId, status: 'pending', links: selfOf(sagaId) },
    message: 'Accepted',
  });

/**
 * The 202 of a saga that waits for a person, with the step and its error's public code and text; never its details or
 * cause. Stored when the saga first parks and kept from then on (guarantees.md 2.6); the link leads to the rest.
 */
export const parkedBody = (sagaId: string, step: StepDefinition, direction: Direction, error: RecordedError): string =>
  JSON.stringify({
    success: true,
    data: {
      sagaExecutionId: sagaId,
      status: 'parked',
      links: selfOf(sagaId),
      waitsFor: {
        step: step.name,
        direction: direction === 'F' ? 'forward' : 'compensation',
        code: error.code,
        message: error.text,
      },
    },
    message: 'Accepted; waits for a person',
  });

/** The error that a saga carries while it is undone. */
export function errorOf(state: SagaState): RecordedError {
  const detail = state.errorDetail as Partial<RecordedError> | null;
  const code = state.errorCode !== null && isErrorCode(state.errorCode) ? state.errorCode : 'STEP_FAILED';
  return { text: CATALOGUE[code].text, failedStep: '', step: 0, retryable: false, ...detail, code };
}
