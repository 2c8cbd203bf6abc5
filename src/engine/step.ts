import type { QueryCreator, RawBuilder } from 'kysely';
import type { z } from 'zod';
import type { Db, Tx } from '../db/client.ts';
import type { FusedDatabase, FusedQuery, ValueRefs } from '../db/fused.ts';
import type { Json, StepClass } from '../db/schema.ts';
import type { Ports } from '../domain/ports.ts';
import type { ErrorCode, RoomyError } from '../kernel/errors.ts';

/** The parts of a step by its kind, with types for the one who writes it, and without, as the engine runs it. */

export type Output = { readonly [key: string]: Json | undefined };

/** The context of every step. `input` is frozen at acceptance, but for what a person has amended; `done` holds the earlier steps' outputs, from Postgres. */
export interface StepContext<Input, Done> {
  readonly sagaId: string;
  readonly subjectId: string;
  /** `<sagaId>-<step>-<F|C>`: the same on every attempt. */
  readonly key: string;
  /** The key of the forward effect; in a compensation, the effect that is to be undone. */
  readonly forwardKey: string;
  readonly input: Input;
  /** How often people have amended the input: a call whose content may change so makes this a part of its key. */
  readonly amendments: number;
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
  /** Computed for each execution: local times, ids, texts and the like, which are simpler in TypeScript than in SQL. */
  values?(context: StepContext<Input, Done>): V;
  /** Built once per process. */
  run(db: QueryCreator<FusedDatabase>, value: ValueRefs<V>): FusedQuery<Row>;
  /** A second change in the same commit, over `guard` as well. */
  secondEffect?(db: QueryCreator<FusedDatabase>, value: ValueRefs<V>): FusedQuery<unknown>;
  /** Refuse with this code when the statement found no row. Without it, any number of rows is fine and the output is their count. */
  readonly onNoRow?: ErrorCode;
}

/**
 * A change that is no step of its own: it is made in the statement of the step that follows it, and commits with it. No undo
 * takes it back, so what it does has to be right whether the saga completes or not. `run` joins `guard`. `onRows` is a further
 * change over the rows that `run` has returned; `rows` is the table that holds them.
 */
export interface SharedEffect {
  readonly name: string;
  run(db: QueryCreator<FusedDatabase>): FusedQuery<unknown>;
  onRows?(db: QueryCreator<FusedDatabase>, rows: RawBuilder<unknown>): FusedQuery<unknown>;
}

/**
 * The parts of a subject that a step reads or changes: `state`, its status and everything that follows from it, and `money`.
 * While a saga has such a step ahead of it, no other saga of the subject that has one can be accepted (guarantees.md G7).
 */
export type LockKind = 'state' | 'money';
export const LOCK_KINDS: readonly LockKind[] = ['state', 'money'];

export interface RetryPolicy {
  readonly attempts: number;
  readonly baseMs: number;
  readonly maxMs: number;
}
export interface StepOptions<Input, Done> {
  /** Default: those of the saga. */
  readonly locks?: readonly LockKind[];
  readonly retry?: Partial<RetryPolicy>;
  readonly timeoutMs?: number;
  /** Fields of the output that later steps need and that no answer shows. */
  readonly conceals?: readonly string[];
  /** When the retries are used up: undo (default), or wait for a person. Refusals always undo. */
  readonly onExhausted?: 'compensate' | 'park';
  /** Refusals that are not final: a person decides, by an approval (`APPROVAL_REQUIRED`), a retry, or by closing the saga. */
  readonly parksOn?: readonly ErrorCode[];
  /**
   * While it is parked here, the saga holds none of its locks; resuming takes them again. For a read before which nothing has
   * taken effect, so that it decides anew whatever has happened meanwhile.
   */
  readonly parksUnlocked?: true;
  /** Refusals that belong to normal business, such as a declined card: the saga is undone without an alert. */
  readonly expectedRefusals?: readonly ErrorCode[];
  /** A call whose circuit is open, and whose earlier attempts certainly had no effect: wait (default), or refuse at once. */
  readonly onOpenCircuit?: 'wait' | 'refuse';
  /** The id of the other system that the step speaks to: a gateway, `bank`, `devices`. People pause the steps of one system together. */
  speaksTo?(known: Pick<StepContext<Input, Done>, 'input' | 'done'>): string;
  /**
   * Turns a broken constraint or an empty statement into the refusal that the caller understands, or says more of one
   * that the step threw. The step's transaction is rolled back by then; writes here are no part of the saga.
   */
  explain?(
    context: StepContext<Input, Done> & { readonly db: Db; readonly failure: Failure },
  ): Promise<RoomyError | undefined>;
  /**
   * What a person's resolve means while the saga is parked at this step, where it is not as skipping it: nothing is written then, here and
   * behind it, but that it was resolved. Absent: as `skippable` says, or it is refused.
   */
  readonly ifResolved?: Resolvable;
  /** Further writes when the saga comes to wait for a person at this step, beside the System Alert. */
  whenParked?(context: StepContext<Input, Done> & Parked): Promise<void>;
  /** `whenParked` tells operations itself: no System Alert is sent of it. */
  readonly tellsWhenParked?: true;
}
export interface Resolvable {
  /** What a resolve does and does not do here, and what is left to the person, in a sentence or two. */
  readonly follows: string;
}
/** Of a step, or its undo, that a person may skip while the saga is parked at it. One without this is not skipped. */
export interface Skippable<Context, Out> {
  /** What does not happen then, and what the person has to do by hand, in a sentence or two. */
  readonly follows: string;
  /**
   * In the transaction that skips it, instead of its work: notes here what the person has seen to, and gives the steps behind it the
   * output that they need. Behind such a step nothing is undone any more, so that a skipped one never has to be; behind such an undo the
   * undoing goes on.
   */
  instead(context: Context & { readonly tx: Tx }): Promise<Out>;
}
export interface Parked {
  readonly tx: Tx;
  readonly code: string;
  /** Of the refusal; with `ask`, what a person is asked, which no reader of the execution is shown. */
  readonly details: Json | undefined;
}
export type Failure = { readonly constraint: string } | { readonly code: ErrorCode } | { readonly refusal: RoomyError };

export type Phase = 'before' | 'pivot' | 'after';
/** Before the pivot an undo is required; after it there is none; the pivot's own settles what may have been sent. */
type WithUndo<P extends Phase, Undo> = P extends 'before'
  ? { readonly compensate: Undo }
  : P extends 'pivot'
    ? { readonly compensate?: Undo }
    : { readonly compensate?: never };

/** The output of a statement that may find any number of rows. One that must find its row is not skipped. */
interface Counted {
  readonly count: number;
}
/** A read is not skipped: what it finds out is needed behind it. */
interface MaySkip<Input, Done, Out> {
  readonly skippable?: Skippable<StepContext<Input, Done>, Out>;
}

export interface ReadSpec<Input, Done, Out> extends StepOptions<Input, Done> {
  /**
   * A person may have it read once more by a retry, while the saga is parked at a step before which nothing but reads was done since. A call
   * that tells another system what was read has a key of its own for each reading: it says the same under the same key on every attempt.
   */
  readonly readsAgain?: true;
  run(context: StepContext<Input, Done> & ReadContext): Promise<Out>;
}
/** Only a call's undo may park for the sake of another system; all others are undone here, and a person cannot do that by hand. */
interface MaySkipUndo<Input, Done, Out> {
  /** A person may skip it while the saga is parked at it, being undone, and the undoing goes on: somebody has seen to it by hand. */
  readonly skippable?: Skippable<StepContext<Input, Done>, Out>;
}
/** Given to a read in addition. The read itself bounds the time of its requests to other systems. */
interface ReadContext {
  readonly db: Db;
  readonly ports: Ports;
}
type TxWork<Input, Done, Out> = (context: StepContext<Input, Done> & { readonly tx: Tx }) => Promise<Out>;
/** Given to a call in addition: the other systems, and a signal that ends at the step's time limit. */
interface CallContext extends Doubt {
  readonly ports: Ports;
  readonly signal: AbortSignal;
}
interface Doubt {
  /** Something may have come of an earlier attempt, or of the step that is being undone. */
  readonly inDoubt: boolean;
}
/**
 * A call with its writes to this database: `prepare` in the claim's transaction, on every attempt and before anything is
 * sent; `book` in the commit that records the step, and its return value is the step's output. `prepare` must return the
 * same on every attempt, because the request goes out under the same key.
 */
interface CallParts<Input, Done, Prepared, Answer, Out> {
  prepare?(context: StepContext<Input, Done> & Doubt & { readonly tx: Tx }): Promise<Prepared>;
  run(context: StepContext<Input, Done> & CallContext & { readonly prepared: Prepared }): Promise<Answer>;
  book(context: StepContext<Input, Done> & { readonly tx: Tx; readonly answer: Answer }): Promise<Out>;
}
type CallWork<Input, Done, Out> = (context: StepContext<Input, Done> & CallContext) => Promise<Out>;

/**
 * What a rehearsal (`rehearse.ts`) takes for the answer of a call. `'ports'`: `run` speaks to nobody but through `ports`, so it
 * runs as it is, against ports that note what they are asked and answer as when all goes well. Anything else that it speaks to
 * cannot be foreseen by them: then a function that answers in its place, and changes nothing.
 */
export type Foresees<Context, Answer> = 'ports' | ((context: Context) => Answer);

/** The form of a statement step in free TypeScript, for the executions that need it; same record, same undo. */
interface Imperative<Input, Done, Out> {
  when(context: StepContext<Input, Done>): boolean;
  run: TxWork<Input, Done, Out>;
}
export type StatementSpec<Input, Done, V, Row, UndoValues, P extends Phase> = StepOptions<Input, Done> &
  MaySkip<Input, Done, Counted> &
  FusedEffect<Input, Done, V, Row> & {
    readonly imperative?: Imperative<Input, Done, Omit<Row, 'subject_id'>>;
  } & WithUndo<P, FusedEffect<Input, Done & { readonly own?: Omit<Row, 'subject_id'> }, UndoValues, unknown>>;
export type TxSpec<Input, Done, Out, P extends Phase> = StepOptions<Input, Done> &
  MaySkip<Input, Done, NoInfer<Out>> & {
    readonly run: TxWork<Input, Done, Out>;
  } & WithUndo<P, TxWork<Input, Done & { readonly own?: Out }, void>>;
/** A call's undo is always required before the point of no return, the pivot's included: its answer may have been lost. */
type WithCallUndo<P extends Phase, Undo> = P extends 'after'
  ? { readonly compensate?: never }
  : { readonly compensate: Undo };
export type CallSpec<Input, Done, Out, P extends Phase> = StepOptions<Input, Done> &
  MaySkip<Input, Done, NoInfer<Out>> & {
    readonly run: CallWork<Input, Done, Out>;
    readonly foresees: Foresees<StepContext<Input, Done>, Out>;
    readonly book?: never;
  } & WithCallUndo<P, CallWork<Input, Done & { readonly own?: Out }, Output>>;
export type BookedCallSpec<Input, Done, Prepared, Answer, Out, Undone, P extends Phase> = StepOptions<Input, Done> &
  MaySkip<Input, Done, NoInfer<Out>> &
  CallParts<Input, Done, Prepared, Answer, Out> & {
    readonly foresees: Foresees<StepContext<Input, Done> & { readonly prepared: Prepared }, Answer>;
  } & WithCallUndo<
    P,
    CallParts<Input, Done & { readonly own?: Out }, undefined, Undone, Output> &
      MaySkipUndo<Input, Done & { readonly own?: Out }, Output>
  >;

/**
 * A wait for a signal or a time. It changes nothing and needs no undo; its output is `{ signal }`. It needs no kind of lock
 * of its own: by default the saga holds those of the steps that may still run.
 */
export interface WaitSpec<Input, Done, Payload extends Json, T extends OnTimeout>
  extends Pick<StepOptions<Input, Done>, 'locks' | 'conceals' | 'parksOn' | 'expectedRefusals' | 'whenParked'> {
  /** From the arrival at the step, by Postgres's clock; 90 days at the most. */
  readonly timeoutMs: number;
  /** `fail` with `WAIT_TIMED_OUT`, a refusal; `continue` with the output `{ signal: null }`. */
  readonly onTimeout: T;
  /** A signal's payload: small JSON, ids and codes, 16 KiB at the most; no guest data. */
  readonly payload: z.ZodType<Payload>;
  /** The payload that a rehearsal goes on with. */
  readonly foresees: NoInfer<Payload>;
}
export type OnTimeout = 'fail' | 'continue';
/** The signal's payload; null: the time was up. */
export interface WaitOutput<Payload, T extends OnTimeout> {
  readonly signal: T extends 'continue' ? Payload | null : Payload;
}

export type StepKind = 'read' | 'statement' | 'tx' | 'call' | 'wait';

/** A step with its types erased; the builder is the only place that makes one. */
export interface StepDefinition {
  readonly name: string;
  readonly no: number;
  readonly kind: StepKind;
  readonly class: StepClass;
  readonly locks: readonly LockKind[];
  readonly maxAttempts: number;
  readonly retry: RetryPolicy;
  /** Of a wait: how long it waits. */
  readonly timeoutMs: number;
  readonly conceals: readonly string[];
  readonly onExhausted: 'compensate' | 'park';
  readonly parksOn: readonly ErrorCode[];
  readonly parksUnlocked: boolean;
  readonly ifResolved?: Resolvable;
  readonly expectedRefusals: readonly ErrorCode[];
  readonly onOpenCircuit: 'wait' | 'refuse';
  readonly forward: Work;
  /** Made in the statement of this step, before its own. */
  readonly effects: readonly SharedEffect[];
  readonly imperative: ErasedImperative | undefined;
  readonly compensation: Work | undefined;
  readonly skippable?: Skippable<ErasedContext, unknown>;
  /** The same of its undo. */
  readonly skippableUndo?: Skippable<ErasedContext, unknown>;
  readonly readsAgain?: true;
  explain?(context: ErasedContext & { readonly db: Db; readonly failure: Failure }): Promise<RoomyError | undefined>;
  whenParked?(context: ErasedContext & Parked): Promise<void>;
  readonly tellsWhenParked?: true;
  speaksTo?(known: Pick<ErasedContext, 'input' | 'done'>): string;
}
export type ErasedContext = StepContext<unknown, Readonly<Record<string, unknown>>>;
// Declared as methods: a step's own, narrower context is sound because the orchestrator builds it from the same definition.
export type Work =
  | { readonly kind: 'read'; run(context: ErasedContext & ReadContext): Promise<unknown> }
  | ({ readonly kind: 'statement' } & ErasedFused)
  | { readonly kind: 'tx'; run(context: ErasedContext & { readonly tx: Tx }): Promise<unknown> }
  | ({ readonly kind: 'call' } & ErasedCall)
  | WaitWork;
export interface WaitWork {
  readonly kind: 'wait';
  readonly timeoutMs: number;
  readonly onTimeout: OnTimeout;
  readonly payload: z.ZodType<Json>;
  readonly foresees: Json;
}
export interface ErasedCall {
  prepare?(context: ErasedContext & Doubt & { readonly tx: Tx }): Promise<unknown>;
  run(context: ErasedContext & CallContext & { readonly prepared: unknown }): Promise<unknown>;
  book?(context: ErasedContext & { readonly tx: Tx; readonly answer: unknown }): Promise<unknown>;
  /** Absent: of an undo, which is never rehearsed. */
  readonly foresees?: 'ports' | ErasedForesight;
}
type ErasedForesight = { foresee(context: ErasedContext & { readonly prepared: unknown }): unknown }['foresee'];
export interface ErasedFused {
  values?(context: ErasedContext): unknown;
  run(db: QueryCreator<FusedDatabase>, value: ValueRefs<Record<string, unknown>>): FusedQuery<unknown>;
  secondEffect?(db: QueryCreator<FusedDatabase>, value: ValueRefs<Record<string, unknown>>): FusedQuery<unknown>;
  readonly onNoRow?: ErrorCode | undefined;
}
export interface ErasedImperative {
  when(context: ErasedContext): boolean;
  run(context: ErasedContext & { readonly tx: Tx }): Promise<unknown>;
}
