import { sql } from 'kysely';
import type { Db, Tx } from '../db/client.ts';
import { classifyDbError, isCanceled, retryContention } from '../db/errors.ts';
import { inRehearsal } from '../db/rehearsal.ts';
import type { Ports } from '../domain/ports.ts';
import { InvariantError, RoomyError, required } from '../kernel/errors.ts';
import type { Logger } from '../kernel/log.ts';
import { unmeasured } from '../kernel/telemetry/measure.ts';
import { acceptSaga } from './accept.ts';
import { errorOf } from './answers.ts';
import type { SagaDefinition } from './definition.ts';
import { StepDeferred, StepRetry } from './errors.ts';
import { noFailpoint } from './failpoint.ts';
import { holdOf } from './holds.ts';
import { type ForeseenCall, type Noted, rehearsalPorts } from './rehearsal-ports.ts';
import { createExecutor, type ExecuteStep } from './run.ts';
import { directionOf, type SagaState } from './state.ts';
import type { StepDefinition, StepKind } from './step.ts';
import { createInsertSaga } from './store/accept.ts';
import { createStateLoader, type LoadState } from './store/load.ts';
import { insertSignal } from './store/waits.ts';
import type { SagaRequest, StartableSaga } from './types.ts';

/**
 * A saga before it is started: it is accepted and executed like any other, by the same code, on a database that takes all of it
 * back (`db/rehearsal.ts`), against ports that ask nobody (`rehearsal-ports.ts`). So what it would do is not described a second
 * time, but read from what it has done, before that is gone. Sagas that it starts are executed behind it.
 */

export interface RehearsalParts {
  readonly db: Db;
  /** The real ones. They are asked which gateways there are, and nothing else. */
  readonly ports: Ports;
  readonly definitionOf: (name: string, version: number) => SagaDefinition | undefined;
  readonly log: Logger;
  /** Who asks for it: one person's plans come one after the other. */
  readonly asker: string;
}
/** What is read of the changes, on the database that has them. */
export type ReadChanges<Changes> = (db: Db, ran: RanSagas) => Promise<Changes>;
export interface RanSagas {
  /** The rehearsed one first, and those that it has started. */
  readonly sagaIds: readonly string[];
  readonly subjectId: string;
}
export interface PlannedStep {
  readonly saga: string;
  readonly step: string;
  readonly kind: StepKind;
  /** `waits-for-person`: the saga would come to this step, and go on only when somebody has decided. `open`: it is behind such a step. */
  readonly outcome: 'done' | 'waits-for-person' | 'open';
}
export interface Rehearsed<Changes> {
  readonly steps: readonly PlannedStep[];
  readonly calls: readonly ForeseenCall[];
  /** Codes: of the saga's own answer, of what was foreseen, and of why it would wait for a person. */
  readonly warnings: readonly string[];
  readonly changes: Changes;
}

/** More than a saga can have, with those that it starts. */
const MAX_TURNS = 500;
/** Longer than any saga needs that waits for nobody; locks are held as long. */
const MAX_MS = 5_000;

/**
 * Answers what the saga would do, and what `read` makes of the changes. Throws `RoomyError`: the refusal that the saga would be
 * refused or undone with, and `SERVICE_UNAVAILABLE` while somebody works on the same rows. Nothing is left behind.
 */
export async function rehearseSaga<Input, Changes>(
  parts: RehearsalParts,
  startable: StartableSaga<Input>,
  request: Omit<SagaRequest<Input>, 'idempotency'>,
  read: ReadChanges<Changes>,
): Promise<Rehearsed<Changes>> {
  const found = required(parts.definitionOf(startable.name, startable.version), 'a registered saga');
  const definition = { ...found, input: startable.input };
  const accept = async (db: Db): Promise<string> => {
    const accepted = await acceptSaga(db, createInsertSaga(db), definition, { ...request, idempotency: null });
    return accepted.sagaId;
  };
  return rehearse(parts, request.subjectId, accept, read);
}

/** The same for a change that is no saga, and for those that it starts. Throws what `work` throws as well. */
export const rehearseChange = <Changes>(
  parts: RehearsalParts,
  subjectId: string,
  work: (tx: Tx) => Promise<unknown>,
  read: ReadChanges<Changes>,
): Promise<Rehearsed<Changes>> =>
  rehearse(
    parts,
    subjectId,
    async (db) => {
      await retryContention(() => db.transaction().execute(work));
      return null;
    },
    read,
  );

/** `begin` answers the saga whose refusal is that of the whole; null: there is none. */
async function rehearse<Changes>(
  parts: RehearsalParts,
  subjectId: string,
  begin: (db: Db) => Promise<string | null>,
  read: ReadChanges<Changes>,
): Promise<Rehearsed<Changes>> {
  try {
    return await unmeasured(() =>
      // What lost a lock to others has left nothing behind.
      retryContention(() =>
        inRehearsal(parts.db, { asker: parts.asker, subject: subjectId }, async (db) => {
          const { sagaIds, ...rehearsed } = await runAll({ ...parts, db }, begin);
          return { ...rehearsed, changes: await read(db, { sagaIds, subjectId }) };
        }),
      ),
    );
  } catch (thrown) {
    throw refusalOf(thrown);
  }
}

async function runAll(
  { db, ports, definitionOf, log }: RehearsalParts,
  begin: (db: Db) => Promise<string | null>,
): Promise<Omit<Rehearsed<unknown>, 'changes'> & { readonly sagaIds: readonly string[] }> {
  const calls: ForeseenCall[] = [];
  const warnings = new Set<string>();
  const noted: Noted = {
    call: (call) => void calls.push(call),
    warn: (code) => void warnings.add(code),
  };
  const known: RehearsalParts['definitionOf'] = (name, version) => {
    const found = definitionOf(name, version);
    return found && rehearsed(found, noted);
  };
  const load = unheld(createStateLoader(db), known, noted);
  const stage: Stage = {
    db,
    noted,
    definitionOf: known,
    load,
    until: performance.now() + MAX_MS,
    execute: createExecutor({
      db,
      ports: rehearsalPorts(ports, noted),
      definitionOf: known,
      workerId: 'rehearsal',
      failpoint: noFailpoint,
      log,
      load,
      publish: () => undefined,
      onAnswer: () => undefined,
    }),
  };
  const first = await begin(db);
  const steps: PlannedStep[] = [];
  const sagaIds: string[] = [];
  let next = first ?? (await startedBehind(db, sagaIds));
  for (; next !== undefined; next = await startedBehind(db, sagaIds)) {
    const { refusal, waitsFor, ...ran } = await runToRest(stage, next);
    if (refusal && next === first) throw refusal;
    const code = refusal?.code ?? waitsFor;
    if (code !== undefined) warnings.add(code);
    steps.push(...ran.steps);
    sagaIds.push(next);
  }
  return { steps, calls, warnings: [...warnings], sagaIds };
}

/** What is paused would be done once it is resumed: the plan is of that, with a warning. */
const unheld =
  (load: LoadState, definitionOf: RehearsalParts['definitionOf'], noted: Noted): LoadState =>
  async (sagaId) => {
    const state = await load(sagaId);
    if (!state || state.holds.length === 0) return state;
    const steps = definitionOf(state.name, state.definitionVersion)?.steps ?? [];
    if (steps.some((step) => holdOf(state.holds, { state, step }))) noted.warn('PAUSED');
    return { ...state, holds: [] };
  };

/** A saga that a step has started, and that was not executed yet. All have begun with this transaction. */
async function startedBehind(db: Db, sagaIds: readonly string[]): Promise<string | undefined> {
  const row = await db
    .selectFrom('saga')
    .select('id')
    .where('requested_at', '=', sql<Date>`now()`)
    .where('id', '<>', sql<string>`ALL(${[...sagaIds]}::text[])`)
    .limit(1)
    .executeTakeFirst();
  return row?.id;
}

interface Stage {
  readonly db: Db;
  readonly noted: Noted;
  readonly definitionOf: RehearsalParts['definitionOf'];
  readonly load: LoadState;
  readonly execute: ExecuteStep;
  /** In `performance.now()` milliseconds. */
  readonly until: number;
}
interface RanToRest {
  readonly steps: readonly PlannedStep[];
  readonly refusal?: RoomyError;
  /** Why it waits for a person. */
  readonly waitsFor?: string;
}

/** Executes a saga until it ends, turns round, or waits for a person. It is not undone: that would only be taken back again. */
async function runToRest(stage: Stage, sagaId: string): Promise<RanToRest> {
  const first = required(await stage.load(sagaId), 'a saga that was accepted');
  const definition = required(stage.definitionOf(first.name, first.definitionVersion), 'its definition');
  await answerWaits(stage, sagaId, definition);
  for (let turn = 0; turn < MAX_TURNS; turn += 1) {
    const state = required(await stage.load(sagaId), 'a saga that was accepted');
    const steps = definition.steps.map((step): PlannedStep => {
      const isHere = state.status === 'parked' && step.no === state.currentStep;
      const outcome = step.name in state.done ? 'done' : isHere ? 'waits-for-person' : 'open';
      return { saga: state.name, step: step.name, kind: step.kind, outcome };
    });
    if (state.status === 'completed') return { steps };
    if (state.status === 'parked') return { steps, waitsFor: state.errorCode ?? 'STEP_FAILED' };
    if (directionOf(state.status) !== 'F') return { steps, refusal: refusalIn(state) };
    const timeLeftMs = Math.max(1, stage.until - performance.now());
    const pointer = { sagaId, step: state.currentStep, direction: 'F', generation: state.generation } as const;
    await stage.execute(pointer, AbortSignal.timeout(Math.ceil(timeLeftMs))).catch(unlessOwn);
    if (performance.now() > stage.until) throw new RoomyError('SERVICE_UNAVAILABLE');
  }
  throw new InvariantError(`the rehearsal of ${definition.name} does not get on`);
}

/** An attempt has failed by the step's own fault: there are others, the last of which decides, as of an act. Throws what others are at fault of. */
function unlessOwn(thrown: unknown): void {
  if (!(thrown instanceof StepRetry) || isOfOthers(thrown.cause)) throw thrown;
}
const isOfOthers = (error: unknown): boolean =>
  ['contention', 'unreachable'].includes(classifyDbError(error).kind) || isCanceled(error);

/** Before it comes to them, as a signal may. */
async function answerWaits({ db, noted }: Stage, sagaId: string, { steps }: SagaDefinition): Promise<void> {
  for (const { name, forward } of steps) {
    if (forward.kind !== 'wait') continue;
    noted.warn('WAIT_FORESEEN');
    const signal = { sagaId, name, key: 'rehearsal', payload: forward.foresees, by: 'rehearsal' };
    await db.transaction().execute((tx) => insertSignal(tx, signal));
  }
}

/** What the saga would be answered with once it is undone. */
function refusalIn(state: SagaState): RoomyError {
  const { code, text, details } = errorOf(state);
  return new RoomyError(code, { text, ...(details instanceof Object ? { details: { ...details } } : {}) });
}

/** The same saga, of which calls that speak past the ports are foreseen, and whose answer is looked through for warnings. */
function rehearsed(definition: SagaDefinition, noted: Noted): SagaDefinition {
  return {
    ...definition,
    steps: definition.steps.map((step) => foreseen(step, noted)),
    end: async (context) => {
      const ending = await definition.end({ ...context, isAtOnce: true });
      for (const warning of warningsIn(ending.data)) noted.warn(warning);
      return ending;
    },
  };
}

function foreseen(step: StepDefinition, noted: Noted): StepDefinition {
  const { forward } = step;
  if (forward.kind !== 'call' || forward.foresees === undefined || forward.foresees === 'ports') return step;
  const { foresees } = forward;
  const run: typeof forward.run = async (context) => {
    noted.call({ to: step.name, act: 'call', amount: null, currency: null, about: null });
    return foresees(context);
  };
  return { ...step, forward: { ...forward, run } };
}

function warningsIn(data: unknown): readonly string[] {
  const found: unknown = data instanceof Object ? Reflect.get(data, 'warnings') : [];
  return Array.isArray(found) ? found.filter((one) => typeof one === 'string') : [];
}

const HELD_UP = 'Somebody is at work on the same things just now: ask for the plan again';

/** What a caller is told who asked for a rehearsal that did not come to its end. */
function refusalOf(thrown: unknown): unknown {
  const error = (thrown instanceof StepRetry || thrown instanceof StepDeferred) && thrown.cause ? thrown.cause : thrown;
  if (error instanceof RoomyError) return error;
  const isHeldUp = classifyDbError(error).kind === 'contention' || isCanceled(error);
  return isHeldUp ? new RoomyError('SERVICE_UNAVAILABLE', { cause: error, text: HELD_UP }) : error;
}
