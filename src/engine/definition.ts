import type { z } from 'zod';
import type { Db, Tx } from '../db/client.ts';
import type { Json, StepClass, SubjectType } from '../db/schema.ts';
import { type ErrorCode, InvariantError } from '../kernel/errors.ts';
import {
  type BookedCallSpec,
  type CallSpec,
  type ErasedContext,
  type ErasedImperative,
  LOCK_KINDS,
  type LockKind,
  type OnTimeout,
  type Output,
  type Phase,
  type ReadSpec,
  type RetryPolicy,
  type SharedEffect,
  type Skippable,
  type StatementSpec,
  type StepContext,
  type StepDefinition,
  type StepOptions,
  type TxSpec,
  type WaitOutput,
  type WaitSpec,
  type Work,
} from './step.ts';

/**
 * A saga as data. Steps are declared in the order in which they run, each with its undo beside it:
 *
 * - `read`       changes nothing; it may ask other systems, because no transaction is open;
 * - `statement`  changes the database by one set-based statement, which the orchestrator fuses with its guard and record;
 * - `tx`         changes the database by free TypeScript in a transaction, for a step that must read before it writes;
 * - `call`       speaks to another system with an idempotency key, and no transaction;
 * - `wait`       stands still until a signal comes or a time is up.
 *
 * `effect()` names a change that is no step: it is made in the statement of the step that follows it.
 *
 * `pivot()` marks the next step as the point of no return. Before it, a step without `compensate` does not compile;
 * after it, a step with one does not. `retriable()` does the same in a saga without a pivot: the steps behind it are only
 * tried again, never undone.
 */

/** How a completed saga answers and what its audit row says; built before the last step runs, committed with it. */
export interface Ending {
  readonly event: string;
  readonly message: string;
  readonly data: unknown;
  /** Goes into the audit row: ids and counts, no guest data. */
  readonly details: Output;
}

/** The input of a parked saga as it is, and as a person would have it. */
export interface Amendment<Input = Readonly<Record<string, Json>>> {
  readonly before: Input;
  readonly after: Input;
  readonly now: Date;
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
  /** Fields of the input that a person may amend while the saga is parked, each with what it may be. Default: none. */
  readonly amendable?: Readonly<Record<string, z.ZodType<Json>>>;
  mayAmend?(change: Amendment): string | null;
  /** Why nobody can cancel it, as a sentence; absent: before its point of no return it can be cancelled. */
  readonly notCancelled?: string;
  end(context: ErasedContext & EndContext): Promise<Ending>;
  whenUndone?(undone: Undone): Promise<void>;
}

/** Given to the ending in addition. */
export interface EndContext {
  readonly db: Db | Tx;
  /** It waits for nothing: in a rehearsal nobody else is at work, and whoever skips the last step holds the saga's lock. */
  readonly isAtOnce?: true;
  /** A person has skipped the last step: what it would have done is not counted. Of earlier steps their outputs say so. */
  readonly isLastSkipped?: true;
}

/** In the transaction in which a saga ends undone; `code`: why. */
export interface Undone {
  readonly tx: Tx;
  readonly sagaId: string;
  readonly code: string;
}

export interface SagaOptions<Input = unknown> {
  readonly version: number;
  readonly subjectType: SubjectType;
  readonly notFound: ErrorCode;
  /** Of each step that does not say otherwise. Default: all kinds. */
  readonly locks?: readonly LockKind[];
  /**
   * Fields of the input that a person may amend while the saga is parked, each with the schema of its new value. Never an amount, a payee or
   * the id of a record: those are what was asked for, and approved.
   */
  readonly amendable?: { readonly [Field in keyof Input]?: z.ZodType<Input[Field] & Json> };
  /** Why the input may not become so, as a sentence; null: it may. */
  mayAmend?(change: Amendment<Input>): string | null;
  /** Further writes when the saga ends undone. The step that is undone last is no `statement`, which many sagas end in at once. */
  readonly whenUndone?: (undone: Undone) => Promise<void>;
  /** From acceptance; then the reconciler undoes it, or parks it once the pivot is passed. */
  readonly deadlineMs?: number;
  /** Of a saga that sends what is owed, and would only be asked for again: why it is not cancelled, and what to do instead. */
  readonly notCancelled?: string;
}

const FORWARD_RETRY: RetryPolicy = { attempts: 8, baseMs: 200, maxMs: 30_000 };
/** domain.md 16. */
export const COMPENSATION_RETRY: RetryPolicy = { attempts: 20, baseMs: 200, maxMs: 30_000 };
const LOCAL_TIMEOUT_MS = 10_000;
/** Shorter than the lease of a claimed call, so that a late answer cannot meet a second attempt (guarantees.md 2.4). */
const CALL_TIMEOUT_MS = 8_000;
const DEADLINE_MS = 15 * 60_000;
const MAX_WAIT_MS = 90 * 24 * 3_600_000;

type Named<Name extends string, Out> = { readonly [K in Name]: Out };

/** Grows by one step with each call. `Before` has the outputs of all steps but the last. */
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
  wait<Name extends string, Payload extends Json, T extends OnTimeout>(
    name: Name,
    spec: WaitSpec<Input, Done, Payload, T>,
  ): SagaBuilder<Input, Done & Named<Name, WaitOutput<Payload, T>>, Done, P>;
  /** A change that belongs to none of the steps; the next step, whose statement makes it, is a `statement`. */
  effect(
    name: string,
    spec: Omit<SharedEffect, 'name'>,
  ): Pick<SagaBuilder<Input, Done, Before, P>, 'effect' | 'statement'>;
  /** The next step is the point of no return. */
  pivot(): P extends 'before' ? SagaBuilder<Input, Done, Before, 'pivot'> : never;
  /** Without a pivot: the steps so far are not undone any more. */
  retriable(): P extends 'before' ? SagaBuilder<Input, Done, Before, 'after'> : never;
  /** The answer sees everything but the last step's output, because it commits together with that step. */
  ends(end: (context: StepContext<Input, Before> & EndContext) => Promise<Ending>): SagaDefinition<Input>;
}

const whenParkedOf = (spec: ErasedSpec): Pick<StepDefinition, 'whenParked' | 'tellsWhenParked'> => ({
  ...(spec.tellsWhenParked ? { tellsWhenParked: spec.tellsWhenParked } : {}),
  ...(spec.whenParked ? { whenParked: spec.whenParked.bind(spec) } : {}),
});

/** Begins the definition of a saga; steps are added in the order in which they run. */
export function saga<Schema extends z.ZodType>(
  name: string,
  input: Schema,
  options: SagaOptions<z.output<Schema>>,
): SagaBuilder<z.output<Schema>, unknown, unknown, 'before'> {
  const steps: StepDefinition[] = [];
  let phase: Phase = 'before';
  let effects: readonly SharedEffect[] = [];

  function add(stepName: string, kind: StepDefinition['kind'], spec: ErasedSpec): unknown {
    const retry = { ...FORWARD_RETRY, ...spec.retry };
    steps.push({
      name: stepName,
      no: steps.length + 1,
      kind,
      class: classOf(kind, phase),
      locks: spec.locks ?? options.locks ?? LOCK_KINDS,
      maxAttempts: retry.attempts,
      retry,
      timeoutMs: spec.timeoutMs ?? (kind === 'call' ? CALL_TIMEOUT_MS : LOCAL_TIMEOUT_MS),
      conceals: spec.conceals ?? [],
      onExhausted: spec.onExhausted ?? 'compensate',
      parksOn: spec.parksOn ?? [],
      parksUnlocked: spec.parksUnlocked ?? false,
      expectedRefusals: spec.expectedRefusals ?? [],
      onOpenCircuit: spec.onOpenCircuit ?? 'wait',
      forward: workOf(kind, spec),
      effects,
      imperative: spec.imperative,
      compensation: spec.compensate === undefined ? undefined : workOf(kind, asSpec(spec.compensate)),
      ...(spec.readsAgain ? { readsAgain: spec.readsAgain } : {}),
      ...handsOf(spec),
      ...(spec.explain ? { explain: spec.explain.bind(spec) } : {}),
      ...(spec.speaksTo ? { speaksTo: spec.speaksTo.bind(spec) } : {}),
      ...whenParkedOf(spec),
    });
    effects = [];
    if (phase === 'pivot' && kind !== 'read' && kind !== 'wait') phase = 'after';
    return builder;
  }

  const builder = {
    read: (stepName: string, spec: ErasedSpec) => add(stepName, 'read', spec),
    statement: (stepName: string, spec: ErasedSpec) => add(stepName, 'statement', spec),
    tx: (stepName: string, spec: ErasedSpec) => add(stepName, 'tx', spec),
    call: (stepName: string, spec: ErasedSpec) => add(stepName, 'call', spec),
    wait: (stepName: string, spec: ErasedSpec) => add(stepName, 'wait', { locks: [], ...spec }),
    effect: (effectName: string, spec: Omit<SharedEffect, 'name'>) => {
      effects = [...effects, { ...spec, name: effectName }];
      return builder;
    },
    pivot: () => {
      phase = 'pivot';
      return builder;
    },
    retriable: () => {
      phase = 'after';
      return builder;
    },
    ends: (end: SagaDefinition['end']): SagaDefinition<z.output<Schema>> => ({
      ...undoneWith(options, steps),
      ...(options.mayAmend
        ? { mayAmend: options.mayAmend.bind(options) as NonNullable<SagaDefinition['mayAmend']> }
        : {}),
      ...(options.amendable ? { amendable: options.amendable as NonNullable<SagaDefinition['amendable']> } : {}),
      ...(options.notCancelled === undefined ? {} : { notCancelled: options.notCancelled }),
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

function undoneWith({ whenUndone }: SagaOptions, steps: readonly StepDefinition[]): Pick<SagaOptions, 'whenUndone'> {
  if (whenUndone === undefined) return {};
  const last = steps.find(({ compensation }) => compensation !== undefined);
  if (last?.kind === 'statement') throw new InvariantError(`${last.name} is undone last, and cannot call whenUndone`);
  return { whenUndone };
}

interface ErasedSpec extends StepOptions<unknown, Readonly<Record<string, unknown>>> {
  readonly run: unknown;
  readonly imperative?: ErasedImperative;
  readonly skippable?: Skippable<ErasedContext, unknown>;
  readonly readsAgain?: true;
  readonly compensate?: unknown;
}
/** What a person may do with it. */
function handsOf({ compensate, ifResolved, skippable }: ErasedSpec) {
  const undo = compensate === undefined ? undefined : asSpec(compensate).skippable;
  return { ...(ifResolved && { ifResolved }), ...(skippable && { skippable }), ...(undo && { skippableUndo: undo }) };
}
const asSpec = (undo: unknown): ErasedSpec => (typeof undo === 'function' ? { run: undo } : (undo as ErasedSpec));

const workOf = (kind: StepDefinition['kind'], spec: ErasedSpec): Work => ({ ...spec, kind }) as unknown as Work;

function classOf(kind: StepDefinition['kind'], phase: Phase): StepClass {
  // A wait has as little to undo as a read.
  if (kind === 'read' || kind === 'wait') return 'READ';
  if (phase === 'pivot') return 'PIVOT';
  return phase === 'before' ? 'COMPENSABLE' : 'RETRIABLE';
}

/**
 * The kinds that an execution holds while this step is due: those of the steps that may still run, forward or as an undo.
 * So it gives none back before its point of no return, and later never needs one that it has given back.
 */
export function heldAt({ steps }: Pick<SagaDefinition, 'steps'>, stepNo: number): readonly LockKind[] {
  const isPast =
    steps.some((step) => isPointOfNoReturn(step) && step.no < stepNo) || steps[stepNo - 1]?.class === 'RETRIABLE';
  const mayRun = isPast ? steps.slice(stepNo - 1) : steps;
  return LOCK_KINDS.filter((kind) => mayRun.some((step) => step.locks.includes(kind)));
}
/** Whether the saga may come to wait for a person at this step, on its way forward. */
export const mayPark = ({ steps }: Pick<SagaDefinition, 'steps'>, step: StepDefinition): boolean =>
  step.class === 'RETRIABLE' ||
  step.onExhausted === 'park' ||
  step.parksOn.length > 0 ||
  steps.some((one) => one.class === 'PIVOT' && one.no < step.no);

const isPointOfNoReturn = (step: StepDefinition): boolean => step.class === 'PIVOT' || step.class === 'RETRIABLE';

/** Checks the rules that types cannot express; called for every definition at start. Throws with all problems at once. */
export function checkDefinition(definition: SagaDefinition): void {
  const problems: string[] = [];
  const { steps } = definition;
  if (steps.length < 2 || steps.length > 32) problems.push('has 2 to 32 steps');
  if (new Set(steps.map((step) => step.name)).size !== steps.length) problems.push('names each step once');
  if (steps.filter((step) => step.class === 'PIVOT').length > 1) problems.push('has one pivot at the most');
  for (const step of steps) {
    if (step.class === 'COMPENSABLE' && !step.compensation) problems.push(`says how to undo ${step.name}`);
    if (step.class === 'RETRIABLE' && step.compensation) problems.push(`does not undo ${step.name} after the pivot`);
    if (step.kind === 'wait' && !(step.timeoutMs >= 1 && step.timeoutMs <= MAX_WAIT_MS))
      problems.push(`bounds the time of ${step.name} by 90 days`);
    if (step.parksUnlocked && steps.slice(0, step.no).some(({ class: kind }) => kind !== 'READ'))
      problems.push(`has nothing done yet where ${step.name} parks without locks`);
    if (step.effects.length > 0 && (step.imperative || step.kind !== 'statement'))
      problems.push(`makes ${step.effects[0]?.name} with a step that is always a statement`);
    if (step.skippable) problems.push(...againstSkipping(definition, step));
    if (step.skippableUndo && (step.kind !== 'call' || step.class === 'PIVOT'))
      problems.push(`skips no undo but of a call before the pivot, as at ${step.name}`);
    if (step.maxAttempts < 1 || step.maxAttempts > 50) problems.push(`bounds the attempts of ${step.name} by 1 and 50`);
  }
  for (const field of Object.keys(definition.amendable ?? {}).filter((name) => ASKED_FOR.test(name)))
    problems.push(`does not amend ${field}, which is what was asked for`);
  if (heldAt(definition, 1).length === 0) problems.push('locks something');
  if (steps.at(-1)?.class === 'READ') problems.push('does not end with a read or a wait');
  if (problems.length > 0) throw new Error(`saga ${definition.name}: it must be one that ${problems.join('; ')}`);
}

/** Amounts, those who get them, and ids of records. */
const ASKED_FOR = /(?:^id|Ids?|Minor|amount|currency|percent\w*|bearer|account|also|reference|captured|review)$/i;

/** Nobody skips what the rest stands on, or what never waits for anybody. */
function againstSkipping(definition: SagaDefinition, step: StepDefinition): readonly string[] {
  const problems: string[] = [];
  if (!mayPark(definition, step)) problems.push(`parks at ${step.name}, which may be skipped`);
  const next = definition.steps[step.no];
  const isLast = next === undefined || next.class === 'RETRIABLE';
  if (!isLast && !definition.steps.some((one) => one.class === 'PIVOT' && one.no < step.no))
    problems.push(`undoes nothing behind ${step.name}, which may be skipped`);
  if (step.class === 'READ' || step.class === 'PIVOT') problems.push(`does not skip ${step.name}, a ${step.class}`);
  if (step.forward.kind === 'statement' && step.forward.onNoRow !== undefined)
    problems.push(`does not skip ${step.name}, which must find its row`);
  if (step.effects.length > 0) problems.push(`does not skip ${step.effects[0]?.name} with ${step.name}`);
  return problems;
}
