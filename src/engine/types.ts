import type { Tx } from '../db/client.ts';
import type { Direction, HoldScope, SagaStatus, StepClass, StepStatus } from '../db/schema.ts';
import type { Origin } from '../domain/audit/record.ts';
import type { ErrorCode } from '../kernel/errors.ts';
import type { StepKind } from './step.ts';

/** Who asks, as the audit trail will name them. */
export interface Requester extends Origin {
  /** The token's `sub`; namespace of idempotency keys. */
  readonly sub: string;
  /** How many sagas of this `sub` may be open at a time; absent: any number. */
  readonly maxOpen?: number;
}

export interface IdempotencyClaim {
  /** The caller has looked already, and found no earlier request with the key. */
  readonly lookedUp?: boolean;
  readonly key: string;
  /** sha256 over method, path and canonical body. */
  readonly requestHash: Buffer;
}

/** Whose subjects a requester may name, in the words of the database's `is_subject_of`. */
export type SubjectScope = { readonly guestId: string } | { readonly agentId: string };

/** A request to run a saga. */
export interface SagaRequest<Input> {
  readonly subjectId: string;
  readonly input: Input;
  readonly requester: Requester;
  /** Decided on the locked subject, where the saga is accepted: any other is as absent as one that does not exist. Null: anybody's. */
  readonly within?: SubjectScope | null;
  readonly onBehalfOf?: string | null;
  /** Free text for people; no step reads it, and it is in no job and no audit row. */
  readonly notes?: string | null;
  readonly idempotency?: IdempotencyClaim | null;
}

/** The stored answer of a saga that has ended: the exact bytes, the same for every repeat. */
export interface SagaAnswer {
  readonly status: number;
  readonly body: Buffer;
}

export interface AcceptedSaga {
  readonly sagaId: string;
  /** The request's idempotency key had been used with the same request before. */
  readonly replayed: boolean;
  /** The 202 answer, the same bytes on every repeat. */
  readonly accepted: SagaAnswer;
}

/** A step of an execution, done or to come, as people see it. */
export interface StepView {
  readonly step: number;
  readonly name: string;
  readonly direction: 'forward' | 'compensation';
  readonly kind: StepKind;
  readonly class: Lowercase<StepClass>;
  readonly status: StepStatus;
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly effectKey: string;
  readonly output: unknown;
  readonly error: unknown;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly durationMs: number | null;
  /** Of a step that has begun to wait: when its time is up, or was. */
  readonly waitsUntil: string | null;
  /** Of a step that a person has skipped. */
  readonly skipped: { readonly by: string; readonly reason: string | null } | null;
  /** What follows when a person skips it, in a sentence; null: it is not skipped. */
  readonly ifSkipped: string | null;
  /** A retry may begin with it again, as long as nothing but such steps is done behind it. */
  readonly readsAgain: boolean;
}

/** What a person has paused, as an execution shows it. */
export interface PauseView {
  readonly holdId: string;
  readonly scope: HoldScope;
  readonly subject: string;
  readonly by: string;
  readonly since: string;
  readonly reason: string | null;
}

export interface ExecutionView {
  readonly id: string;
  readonly name: string;
  readonly definitionVersion: number;
  readonly subjectType: string;
  readonly subjectId: string;
  readonly status: SagaStatus;
  readonly currentStep: number;
  readonly currentStepName: string;
  readonly stepsCompleted: number;
  readonly totalSteps: number;
  readonly generation: number;
  readonly requestedBy: string;
  readonly onBehalfOf: string | null;
  readonly notes: string | null;
  readonly requestId: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly finishedAt: string | null;
  readonly deadlineAt: string;
  readonly error: { readonly code: string; readonly details: unknown } | null;
  /** The wait that it stands at; null when it does not wait. */
  readonly waiting: { readonly step: string; readonly since: string; readonly until: string } | null;
  /** What keeps it from going on, though it is open; null: nothing. */
  readonly pausedBy: PauseView | null;
  readonly responseStatus: number | null;
  readonly retryOf: string | null;
  /** Ids that the finished steps put out (domain.md T7). */
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a person has changed of the input of an execution. */
export interface AmendmentView {
  readonly no: number;
  /** Name of the step at which it was parked: that one and those behind it read the new values. */
  readonly step: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly by: string;
  readonly at: string;
  readonly reason: string | null;
}
/** One execution, as a page of its own shows it. */
export interface ExecutionDetail extends ExecutionView {
  readonly steps: readonly StepView[];
  readonly amendments: readonly AmendmentView[];
  /** Fields of its input that may be amended while it is parked. */
  readonly amendable: readonly string[];
  /** What resolving it would do; null: it is not parked. */
  readonly ifResolved: Resolution | null;
}
/** What a person's resolve of a parked saga does and leaves. */
export interface Resolution {
  /** Why it is not resolved where it stands, and what to do instead, in a sentence; null: it may be. */
  readonly refused: string | null;
  /** What counts as seen to by a person, step by step, and what that leaves to do by hand. */
  readonly byHand: readonly { readonly step: string; readonly follows: string }[];
  /** Names of the steps that are done in the same act. */
  readonly runs: readonly string[];
}

/** An operator's act on a parked saga. */
export interface Intervention extends Origin {
  readonly sagaId: string;
  /** Name of the person, as the audit trail will have it. */
  readonly by: string;
  /** Through which door: the API, Bull Board's retry, or an approval, without which a saga that waits for one does not go on. */
  readonly via: 'api' | 'bull-board' | 'approval';
  readonly reason?: string;
  /** Of a retry: the name of the step from which it goes on; absent: where it stopped. */
  readonly from?: string;
  /** Of an approval that was not given: the saga goes on only to be refused, and takes no locks for that. */
  readonly refused?: boolean;
}
/** A person's wish that a parked saga goes on behind a step. */
export interface SkipAct extends Intervention {
  readonly reason: string;
  /** The name of the step at which it is parked, as the person saw it. */
  readonly step: string;
}
/** A person's change of the input of a parked saga. */
export interface AmendAct extends Intervention {
  readonly reason: string;
  /** The fields with their new values. */
  readonly input: Readonly<Record<string, unknown>>;
}
/** `needs-approval`: it waits for an approval, and stays as it is. */
export type RetryOutcome = 'resumed' | 'stale' | 'needs-approval';

/** An answer that a saga waits for, or will. */
export interface Signal {
  readonly sagaId: string;
  /** Of the step that waits. */
  readonly name: string;
  readonly payload: unknown;
  /** The sender's, 1 to 255 characters: the same on every repeat. */
  readonly key: string;
  /** As the audit trail will name the sender. */
  readonly by: string;
  readonly requestId: string | null;
}
/** `kept`: the saga has not arrived yet. `repeated`: the same signal was there before. */
export type SignalOutcome = 'taken' | 'kept' | 'repeated';

/** Points at the step that may be due; an untrusted hint, never an order (guarantees.md 2.1). */
export interface StepPointer {
  readonly sagaId: string;
  readonly step: number;
  readonly direction: Direction;
  readonly generation: number;
}

/** The outcome of a job. */
export type StepOutcome =
  | { readonly outcome: 'done'; readonly steps: number }
  | { readonly outcome: 'skipped'; readonly reason: string }
  | { readonly outcome: 'later'; readonly at: Date }
  /** `refused`: the saga was asked for what cannot be, and is undone. No fault, and nothing that a retry could help. */
  | { readonly outcome: 'ended'; readonly code: ErrorCode; readonly refused: boolean };

/** The orchestrator as the edges (HTTP, ops, workers) know it. */
export interface SagaOrchestrator {
  /**
   * Accepts a saga in one transaction: idempotency key, saga, audit row, outbox row. Throws `RoomyError`:
   * the subject's not-found code, `SAGA_IN_PROGRESS` (details.sagaExecutionId), `IDEMPOTENCY_KEY_REUSED`,
   * `IDEMPOTENCY_IN_PROGRESS`; a database failure is thrown as it came.
   */
  accept<Input>(definition: StartableSaga<Input>, request: SagaRequest<Input>): Promise<AcceptedSaga>;
  /**
   * The stored answer as soon as the saga ends, or its 202 as soon as it is parked; null when it has done neither
   * within `waitMs`.
   */
  waitForAnswer(sagaId: string, waitMs: number, signal?: AbortSignal): Promise<SagaAnswer | null>;
  /**
   * Resumes a parked saga where it stopped; `stale` (audited as STALE_RETRY) when it is not parked, `needs-approval` (audited as
   * RETRY_WITHOUT_APPROVAL) when it waits for an approval and this is none. Throws `SAGA_NOT_FOUND`, and `SAGA_IN_PROGRESS` when it
   * had let go of its locks and another saga has them, and `INVALID_STATE_TRANSITION` when `from` is a step that is not done once more.
   */
  retry(intervention: Intervention): Promise<RetryOutcome>;
  /** `retry` in the caller's transaction; `announce` is to be called once that is committed. */
  retryWithin(tx: Tx, intervention: Intervention): Promise<{ readonly outcome: RetryOutcome; announce(): void }>;
  /** `resolve` in the caller's transaction, which throws the same; the function that it returns is to be called once that is committed. */
  resolveWithin(tx: Tx, intervention: Intervention & { readonly reason: string }): Promise<() => void>;
  /**
   * Gives a wait of a saga what it waits for. Throws `SAGA_NOT_FOUND`, `SAGA_NOT_WAITING`, `VALIDATION_FAILED`,
   * `IDEMPOTENCY_KEY_REUSED`, `SERVICE_UNAVAILABLE`.
   */
  signal(signal: Signal): Promise<SignalOutcome>;
  /**
   * Makes the next attempt of a step that backs off now, in the caller's transaction; the function that it returns is to be called once
   * that is committed. Throws `SAGA_NOT_FOUND`, `INVALID_STATE_TRANSITION`, `SERVICE_UNAVAILABLE`.
   */
  retryNowWithin(tx: Tx, intervention: Intervention): Promise<() => void>;
  /** Stops a saga before its point of no return and has it undone, in the same way; throws the same. */
  cancelWithin(tx: Tx, intervention: Intervention & { readonly reason: string }): Promise<() => void>;
  /**
   * Lets a parked saga go on behind the step at which it stopped, in the same way. Throws `SAGA_NOT_FOUND`, `SAGA_NOT_PARKED`,
   * `INVALID_STATE_TRANSITION`, `SERVICE_UNAVAILABLE`.
   */
  skipWithin(tx: Tx, act: SkipAct): Promise<() => void>;
  /**
   * Amends the input of a parked saga and resumes it, in the same way. Throws `SAGA_NOT_FOUND`, `SAGA_NOT_PARKED`, `VALIDATION_FAILED`,
   * `INVALID_STATE_TRANSITION`, `APPROVAL_REQUIRED`, `SAGA_IN_PROGRESS`, `SERVICE_UNAVAILABLE`.
   */
  amendWithin(tx: Tx, act: AmendAct): Promise<() => void>;
  /**
   * Closes a parked saga with a reason, and finishes the state where something is left. Throws `SAGA_NOT_FOUND`, `SAGA_NOT_PARKED`,
   * `INVALID_STATE_TRANSITION` (another hand is right), `SERVICE_UNAVAILABLE`.
   */
  resolve(intervention: Intervention & { readonly reason: string }): Promise<SagaAnswer>;
}

/** As much of a definition as starting it needs. `Input` is the frozen input's type. */
export interface StartableSaga<Input> {
  readonly name: string;
  readonly version: number;
  readonly steps: readonly StepSummary[];
  readonly input: { parse(value: unknown): Input };
}
/** What is known of a saga before its step: the frozen input, and what earlier steps put out. */
export interface Known {
  readonly input: Readonly<Record<string, unknown>>;
  readonly done: Readonly<Record<string, unknown>>;
}
export interface StepSummary {
  readonly name: string;
  readonly kind: StepKind;
  readonly class: StepClass;
  readonly maxAttempts: number;
  readonly conceals: readonly string[];
  readonly parksUnlocked: boolean;
  readonly ifResolved?: { readonly follows: string };
  readonly skippable?: { readonly follows: string };
  readonly skippableUndo?: { readonly follows: string };
  readonly readsAgain?: true;
  speaksTo?(known: Known): string | undefined;
}
