import type { Db, Tx } from '../db/client.ts';
import { retryContention } from '../db/errors.ts';
import type { Json } from '../db/schema.ts';
import { RoomyError } from '../kernel/errors.ts';
import { canonicalJson } from '../kernel/json.ts';
import { auditNote } from './audit-note.ts';
import type { SagaDefinition } from './definition.ts';
import type { FlowOrder } from './flow-order.ts';
import type { DueStep, SagaState } from './state.ts';
import { writeAudit } from './store/audit.ts';
import { createStateLoader } from './store/load.ts';
import { type LockedSaga, lockSaga } from './store/sagas.ts';
import { insertSignal, isUndone, readSignal, readWait } from './store/waits.ts';
import type { Signal, SignalOutcome } from './types.ts';
import { endWait, waitOf } from './wait.ts';

export interface Signalled {
  readonly outcome: SignalOutcome;
  /** To be published once the transaction is committed. */
  readonly flow: FlowOrder | null;
}

/**
 * Sends a signal to a wait of a saga (guarantees.md 2.10). One signal counts for each wait: the same `key` and payload again
 * is `repeated`, whatever has become of the saga. Before the saga arrives at the wait, the signal is `kept` for it. Throws
 * `SAGA_NOT_FOUND`, `SAGA_NOT_WAITING`, `VALIDATION_FAILED` (the payload), `IDEMPOTENCY_KEY_REUSED` (the key with another
 * payload), `SERVICE_UNAVAILABLE` (this build does not know the saga's version).
 */
export const signalSaga = (
  db: Db,
  definitionOf: (name: string, version: number) => SagaDefinition | undefined,
  signal: Signal,
): Promise<Signalled> =>
  retryContention(() =>
    db.transaction().execute(async (tx): Promise<Signalled> => {
      const saga = await lockSaga(tx, signal.sagaId);
      // Loaded under the lock: what is decided on does not change any more.
      const state = saga && (await createStateLoader(tx)(signal.sagaId));
      if (!saga || !state) throw new RoomyError('SAGA_NOT_FOUND');
      const definition = definitionOf(state.name, state.definitionVersion);
      if (!definition) throw new RoomyError('SERVICE_UNAVAILABLE');
      const step = definition.steps.find(({ name, kind }) => kind === 'wait' && name === signal.name);
      if (!step) throw notWaiting(state);
      const due: DueStep = { state, definition, step, direction: 'F' };
      const payload = parsePayload(due, signal.payload);
      const earlier = await readSignal(tx, state.id, step.name);
      if (earlier) return { outcome: repeated(state, signal, payload, earlier), flow: null };
      return deliver(tx, due, saga, { ...signal, payload });
    }),
  );

/** Takes the signal where its step waits, and keeps it where the saga may still arrive there. */
async function deliver(
  tx: Tx,
  due: DueStep,
  saga: LockedSaga,
  signal: Signal & { readonly payload: Json },
): Promise<Signalled> {
  const { state, step } = due;
  const wait = await readWait(tx, state.id, step.no);
  const waits = wait?.status === 'waiting';
  const mayArrive = OPEN.has(saga.status) && saga.current_step <= step.no && !(await isUndone(tx, state.id));
  if (!mayArrive || wait?.status === 'done') throw notWaiting(state);
  await insertSignal(tx, signal);
  const note = auditNote(
    { ...state, requestId: signal.requestId },
    'SAGA_SIGNALLED',
    { outcome: waits ? 'taken' : 'kept', details: { step: step.name } },
    signal.by,
  );
  await writeAudit(tx, state.id, note);
  if (!waits) return { outcome: 'kept', flow: null };
  return { outcome: 'taken', flow: await endWait(tx, due, saga, { signal: signal.payload }) };
}

/** A saga that is parked on its way forward may be resumed, and arrive. */
const OPEN: ReadonlySet<string> = new Set(['pending', 'running', 'parked']);

function repeated(
  state: SagaState,
  { key }: Signal,
  payload: Json,
  earlier: { readonly key: string; readonly payload: Json },
): SignalOutcome {
  if (earlier.key !== key) throw notWaiting(state);
  if (canonicalJson(earlier.payload) !== canonicalJson(payload)) throw new RoomyError('IDEMPOTENCY_KEY_REUSED');
  return 'repeated';
}

function parsePayload(due: DueStep, payload: unknown): Json {
  const parsed = waitOf(due).payload.safeParse(payload);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.map(String).join('.'), message }));
  throw new RoomyError('VALIDATION_FAILED', { details: { issues } });
}

const notWaiting = ({ status, currentStep }: SagaState): RoomyError =>
  new RoomyError('SAGA_NOT_WAITING', { details: { status, currentStep } });
