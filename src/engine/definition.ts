import type { QueryCreator } from 'kysely';
import type { z } from 'zod';
import type { Db, Tx } from '../db/client.ts';
import type { FusedDatabase, FusedQuery, ValueRefs } from '../db/fused.ts';
import type { Json, StepClass, SubjectType } from '../db/schema.ts';
import type { Ports } from '../domain/ports.ts';
import type { ErrorCode, RoomyError } from '../kernel/errors.ts';

/**
 * A saga as data. Steps are declared in the order in which they run, each with its undo beside it:
 *
 * - `read`       looks, and changes nothing; it may ask the outside, for no transaction is open;
 * - `statement`  changes the database by one set-based statement, which the orchestrator fuses with its guard and record;
 * - `tx`         changes the database by free TypeScript in a transaction, where a step must look and think;
 * - `call`       speaks to the outside with an idempotency key, and no transaction.
 *
 * `pivot()` marks the next step as the point of no return. Before it, a step without `compensate` does not compile;
 * after it, a step with one does not. `retriable()` says the same of a saga without a pivot: what follows is only tried
 * again, never undone.
 */

export type Output = { readonly [key: string]: Json | undefined };

/** What every step is given. `input` is frozen at acceptance; `done` holds the earlier steps' outputs, from Postgres. */
export interface StepContext<Input, Done> {
  readonly sagaId: string;
  readonly subjectId: string;
  /** `<sagaId>-<step>-<F|C>`: the same on every attempt. */
  readonly key: string;
  /** The key of the forward effect; in a compensation, what is to be undone. */
  readonly forwardKey: string;
  readonly input: Input;
  readonly done: Done;
  /** When the request was accepted, by Postgres's clock: the only time that a step may decide by. */
  readonly requestedAt: Date;
  readonly requestedBy: string;
}

/**
 * One set-based statement over `guard`. It must select from or join `guard`, so that it touches nothing when the step
 * is not due; it returns `subject_id` and the step's output.
 */
export interface FusedEffect<Input, Done, V, Row> {
  /** Per execution: what TypeScript knows better than SQL (local times, ids, texts). */
  values?(context: StepContext<Input, Done>): V;
  /** Built once per process. */
  run(db: QueryCreator<FusedDatabase>, value: ValueRefs<V>): FusedQuery<Row>;
  /** A second change in the same commit, over `guard` as well. */
  also?(db: QueryCreator<FusedDatabase>, value: ValueRefs<V>): FusedQuery<unknown>;
  /** Refuse with this code when the statement found no row. Without it, any number of rows is fine and the output is their count. */
  readonly onNoRow?: ErrorCode;
}

export interface RetryPolicy {
  readonly attempts: number;
  readonly baseMs: number;
  readonly maxMs: number;
}
export interface StepOptions<Input, Done> {
  readonly retry?: Partial<RetryPolicy>;
  readonly timeoutMs?: number;
  /** Fields of the output that later steps need and that no answer shows. */
  readonly conceals?: readonly string[];
  /** What to do when retries are used up: undo (default), or wait for a person. Refusals always undo. */
  readonly onExhausted?: 'compensate' | 'park';
  /** Refusals that are not final: a person decides, by a retry or by closing the saga. */
  readonly parksOn?: readonly ErrorCode[];
  /** Refusals that are everyday business: the saga is undone without an alert. */
  readonly everyday?: readonly ErrorCode[];
  /** Of a call whose circuit is open and of which nothing can have come yet: wait (default), or refuse at once. */
  readonly whenOpen?: 'wait' | 'refuse';
  /**
   * Turns a broken constraint or an empty statement into the refusal that the caller understands, or says more of one
   * that the step threw. The step's transaction is rolled back by then; what is written here is no part of the saga.
   */
  explain?(
    context: StepContext<Input, Done> & { readonly db: Db; readonly failure: Failure },
  ): Promise<RoomyError | undefined>;
  /** What else is written when the saga comes to wait for a person at this step, beside the System Alert. */
  whenParked?(context: StepContext<Input, Done> & { readonly tx: Tx; readonly code: string }): Promise<void>;
}
export type Failure = { readonly constraint: string } | { readonly code: ErrorCode } | { readonly refusal: RoomyError };

export type Phase = 'before' | 'pivot' | 'after';
/** Before the pivot an undo is required; after it there is none; the pivot's own settles what may have been sent. */
type WithUndo<P extends Phase, Undo> = P extends 'before'
  ? { readonly compensate: Undo }
  : P extends 'pivot'
    ? { readonly compensate?: Undo }
    : { readonly compensate?: never };

interface ReadSpec<Input, Done, Out> extends StepOptions<Input, Done> {
  run(context: StepContext<Input, Done> & Looking): Promise<Out>;
}
/** What a read is given besides. It bounds what it asks of the outside in time by itself. */
interface Looking {
  readonly db: Db;
  readonly ports: Ports;
}
type TxWork<Input, Done, Out> = (context: StepContext<Input, Done> & { readonly tx: Tx }) => Promise<Out>;
/** What a call is given besides: the outside, and how long it may take. */
interface Calling extends Doubt {
  readonly ports: Ports;
  readonly signal: AbortSignal;
}
interface Doubt {
  /** Something may have come of an earlier attempt, or of the step that is being undone. */
  readonly inDoubt: boolean;
}
/**
 * A call with what it writes here: `prepare` in the claim's transaction, on every attempt and before anything is sent;
 * `book` in the commit that records the step, whose return is the step's output. What `prepare` returns must be the
 * same on every attempt: it goes out under the same key.
 */
interface CallParts<Input, Done, Prepared, Answer, Out> {
  prepare?(context: StepContext<Input, Done> & Doubt & { readonly tx: Tx }): Promise<Prepared>;
  run(context: StepContext<Input, Done> & Calling & { readonly prepared: Prepared }): Promise<Answer>;
  book(context: StepContext<Input, Done> & { readonly tx: Tx; readonly answer: Answer }): Promise<Out>;
}
type CallWork<Input, Done, Out> = (context: StepContext<Input, Done> & Calling) => Promise<Out>;

/** The thinking form of a statement step, for executions that need it; same record, same undo. */
interface Thinking<Input, Done, Out> {
  when(context: StepContext<Input, Done>): boolean;
  run: TxWork<Input, Done, Out>;
}
type StatementSpec<Input, Done, V, Row, UndoValues, P extends Phase> = StepOptions<Input, Done> &
  FusedEffect<Input, Done, V, Row> & { readonly thinking?: Thinking<Input, Done, Omit<Row, 'subject_id'>> } & WithUndo<
    P,
    FusedEffect<Input, Done & { readonly own?: Omit<Row, 'subject_id'> }, UndoValues, unknown>
  >;
type TxSpec<Input, Done, Out, P extends Phase> = StepOptions<Input, Done> & {
  readonly run: TxWork<Input, Done, Out>;
} & WithUndo<P, TxWork<Input, Done & { readonly own?: Out }, void>>;
/** A call's undo is always required before the point of no return, the pivot's included: its answer may have been lost. */
type WithCallUndo<P extends Phase, Undo> = P extends 'after'
  ? { readonly compensate?: never }
  : { readonly compensate: Undo };
type CallSpec<Input, Done, Out, P extends Phase> = StepOptions<Input, Done> & {
  readonly run: CallWork<Input, Done, Out>;
  readonly book?: never;
} & WithCallUndo<P, CallWork<Input, Done & { readonly own?: Out }, Output>>;
type BookedCallSpec<Input, Done, Prepared, Answer, Out, Undone, P extends Phase> = StepOptions<Input, Done> &
  CallParts<Input, Done, Prepared, Answer, Out> &
  WithCallUndo<P, CallParts<Input, Done & { readonly own?: Out }, undefined, Undone, Output>>;

/** How a completed saga answers and what its audit row says; built before the last step runs, committed with it. */
export interface Ending {
  readonly event: string;
  readonly message: string;
  readonly data: unknown;
  /** Goes into the audit row: ids and counts, no guest data. */
  readonly details: Output;
}

/** A step with its types erased; the builder is the only place that makes one. */
export interface StepDefinition {
  readonly name: string;
  readonly no: number;
  readonly kind: 'read' | 'statement' | 'tx' | 'call';
  readonly class: StepClass;
  readonly maxAttempts: number;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
  readonly conceals: readonly string[];
  readonly onExhausted: 'compensate' | 'park';
  readonly parksOn: readonly ErrorCode[];
  readonly everyday: readonly ErrorCode[];
  readonly whenOpen: 'wait' | 'refuse';
  readonly forward: Work;
  readonly thinking: ErasedThinking | undefined;
  readonly compensation: Work | undefined;
  explain?(context: ErasedContext & { readonly db: Db; readonly failure: Failure }): Promise<RoomyError | undefined>;
  whenParked?(context: ErasedContext & { readonly tx: Tx; readonly code: string }): Promise<void>;
}
export type ErasedContext = StepContext<unknown, Readonly<Record<string, unknown>>>;
// Declared as methods: a step's own, narrower context is sound because the orchestrator builds it from the same definition.
export type Work =
  | { readonly kind: 'read'; run(context: ErasedContext & Looking): Promise<unknown> }
  | ({ readonly kind: 'statement' } & ErasedFused)
  | { readonly kind: 'tx'; run(context: ErasedContext & { readonly tx: Tx }): Promise<unknown> }
  | ({ readonly kind: 'call' } & ErasedCall);
export interface ErasedCall {
  prepare?(context: ErasedContext & Doubt & { readonly tx: Tx }): Promise<unknown>;
  run(context: ErasedContext & Calling & { readonly prepared: unknown }): Promise<unknown>;
  book?(context: ErasedContext & { readonly tx: Tx; readonly answer: unknown }): Promise<unknown>;
}
export interface ErasedFused {
  values?(context: ErasedContext): unknown;
  run(db: QueryCreator<FusedDatabase>, value: ValueRefs<Record<string, unknown>>): FusedQuery<unknown>;
  also?(db: QueryCreator<FusedDatabase>, value: ValueRefs<Record<string, unknown>>): FusedQuery<unknown>;
  readonly onNoRow?: ErrorCode | undefined;
}
interface ErasedThinking {
  when(context: ErasedContext): boolean;
  run(context: ErasedContext & { readonly tx: Tx }): Promise<unknown>;
}

export interface SagaDefinition<Input = unknown> {
  readonly name: string;
  readonly version: number;
  readonly subjectType: SubjectType;
  /** The refusal when the subject does not exist. */
  readonly notFound: ErrorCode;
  readonly deadlineMs: number;
  readonly input: { parse(value: unknown): Input };
  readonly steps: readonly StepDefinition[];
  end(context: ErasedContext & { readonly db: Db | Tx }): Promise<Ending>;
}

export interface SagaOptions {
  readonly version: number;
  readonly subjectType: SubjectType;
  readonly notFound: ErrorCode;
  /** From acceptance; then the reconciler undoes it, or parks it once the pivot is passed. */
  readonly deadlineMs?: number;
}

const FORWARD_RETRY: RetryPolicy = { attempts: 8, baseMs: 200, maxMs: 30_000 };
/** domain.md 16. */
export const COMPENSATION_RETRY: RetryPolicy = { attempts: 20, baseMs: 200, maxMs: 30_000 };
const LOCAL_TIMEOUT_MS = 10_000;
/** Shorter than the lease of a claimed call, so that a late answer cannot meet a second attempt (guarantees.md 2.4). */
const CALL_TIMEOUT_MS = 8_000;
const DEADLINE_MS = 15 * 60_000;

type Named<Name extends string, Out> = { readonly [K in Name]: Out };

/** Grows by one step a call. `Before` is what was done before the step declared last. */
export interface SagaBuilder<Input, Done, Before, P extends Phase> {
  read<Name extends string, Out extends Output>(
    name: Name,
    spec: ReadSpec<Input, Done, Out>,
  ): SagaBuilder<Input, Done & Named<Name, Out>, Done, P>;
  statement<Name extends string, V, Row extends { subject_id: string }, UndoValues>(
    name: Name,
    spec: StatementSpec<Input, Done, V, Row, UndoValues, P>,
  ): SagaBuilder<Input, Done & Named<Name, Omit<Row, 'subject_id'>>, Done, P extends 'before' ? 'before' : 'after'>;
  tx<Name extends string, Out extends Output>(
    name: Name,
    spec: TxSpec<Input, Done, Out, P>,
  ): SagaBuilder<Input, Done & Named<Name, Out>, Done, P extends 'before' ? 'before' : 'after'>;
  call<Name extends string, Prepared, Answer, Out extends Output, Undone>(
    name: Name,
    spec: BookedCallSpec<Input, Done, Prepared, Answer, Out, Undone, P>,
  ): SagaBuilder<Input, Done & Named<Name, Out>, Done, P extends 'before' ? 'before' : 'after'>;
  call<Name extends string, Out extends Output>(
    name: Name,
    spec: CallSpec<Input, Done, Out, P>,
  ): SagaBuilder<Input, Done & Named<Name, Out>, Done, P extends 'before' ? 'before' : 'after'>;
  /** The next step is the point of no return. */
  pivot(): P extends 'before' ? SagaBuilder<Input, Done, Before, 'pivot'> : never;
  /** Without a pivot: what has been done by now stays done. */
  retriable(): P extends 'before' ? SagaBuilder<Input, Done, Before, 'after'> : never;
  /** The answer sees everything but the last step's output, because it commits together with that step. */
  ends(end: (context: StepContext<Input, Before> & { readonly db: Db | Tx }) => Promise<Ending>): SagaDefinition<Input>;
}

export function saga<Schema extends z.ZodType>(
  name: string,
  input: Schema,
  options: SagaOptions,
): SagaBuilder<z.output<Schema>, unknown, unknown, 'before'> {
  const steps: StepDefinition[] = [];
  let phase: Phase = 'before';

  function add(stepName: string, kind: StepDefinition['kind'], spec: ErasedSpec): unknown {
    const retry = { ...FORWARD_RETRY, ...spec.retry };
    steps.push({
      name: stepName,
      no: steps.length + 1,
      kind,
      class: classOf(kind, phase),
      maxAttempts: retry.attempts,
      retry,
      timeoutMs: spec.timeoutMs ?? (kind === 'call' ? CALL_TIMEOUT_MS : LOCAL_TIMEOUT_MS),
      conceals: spec.conceals ?? [],
      onExhausted: spec.onExhausted ?? 'compensate',
      parksOn: spec.parksOn ?? [],
      everyday: spec.everyday ?? [],
      whenOpen: spec.whenOpen ?? 'wait',
      forward: workOf(kind, spec),
      thinking: spec.thinking,
      compensation: spec.compensate === undefined ? undefined : workOf(kind, asSpec(spec.compensate)),
      ...(spec.explain ? { explain: spec.explain.bind(spec) } : {}),
      ...(spec.whenParked ? { whenParked: spec.whenParked.bind(spec) } : {}),
    });
    if (phase === 'pivot' && kind !== 'read') phase = 'after';
    return builder;
  }

  const builder = {
    read: (stepName: string, spec: ErasedSpec) => add(stepName, 'read', spec),
    statement: (stepName: string, spec: ErasedSpec) => add(stepName, 'statement', spec),
    tx: (stepName: string, spec: ErasedSpec) => add(stepName, 'tx', spec),
    call: (stepName: string, spec: ErasedSpec) => add(stepName, 'call', spec),
    pivot: () => {
      phase = 'pivot';
      return builder;
    },
    retriable: () => {
      phase = 'after';
      return builder;
    },
    ends: (end: SagaDefinition['end']): SagaDefinition<z.output<Schema>> => ({
      name,
      version: options.version,
      subjectType: options.subjectType,
      notFound: options.notFound,
      deadlineMs: options.deadlineMs ?? DEADLINE_MS,
      input: { parse: (value) => input.parse(value) },
      steps: Object.freeze(steps),
      end,
    }),
  };
  // The one place where the typed surface meets the erased steps behind it.
  return builder as unknown as SagaBuilder<z.output<Schema>, unknown, unknown, 'before'>;
}

interface ErasedSpec extends StepOptions<unknown, Readonly<Record<string, unknown>>> {
  readonly run: unknown;
  readonly thinking?: ErasedThinking;
  readonly compensate?: unknown;
}
const asSpec = (undo: unknown): ErasedSpec => (typeof undo === 'function' ? { run: undo } : (undo as ErasedSpec));

function workOf(kind: StepDefinition['kind'], spec: ErasedSpec): Work {
  return { ...spec, kind } as unknown as Work;
}

function classOf(kind: StepDefinition['kind'], phase: Phase): StepClass {
  if (kind === 'read') return 'READ';
  if (phase === 'pivot') return 'PIVOT';
  return phase === 'before' ? 'COMPENSABLE' : 'RETRIABLE';
}

/** What cannot be said in types; called for every definition at boot. Throws with everything that is wrong. */
export function checkDefinition(definition: SagaDefinition): void {
  const problems: string[] = [];
  const { steps } = definition;
  if (steps.length < 2 || steps.length > 32) problems.push('has 2 to 32 steps');
  if (new Set(steps.map((step) => step.name)).size !== steps.length) problems.push('names each step once');
  if (steps.filter((step) => step.class === 'PIVOT').length > 1) problems.push('has one pivot at the most');
  for (const step of steps) {
    if (step.class === 'COMPENSABLE' && !step.compensation) problems.push(`says how to undo ${step.name}`);
    if (step.class === 'RETRIABLE' && step.compensation) problems.push(`does not undo ${step.name} after the pivot`);
    if (step.maxAttempts < 1 || step.maxAttempts > 50) problems.push(`bounds the attempts of ${step.name} by 1 and 50`);
  }
  if (steps.at(-1)?.kind === 'read') problems.push('does not end with a read');
  if (problems.length > 0) throw new Error(`saga ${definition.name}: it must be one that ${problems.join('; ')}`);
}
