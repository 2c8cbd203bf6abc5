import type { Db, Tx } from '../db/client.ts';
import { classifyDbError, retryContention } from '../db/errors.ts';
import { InvariantError, RoomyError } from '../kernel/errors.ts';
import { newId } from '../kernel/ids.ts';
import { canonicalJson, sha256 } from '../kernel/json.ts';
import { noteInLog } from '../kernel/log-context.ts';
import { count } from '../kernel/telemetry/measure.ts';
import { inSpan } from '../kernel/telemetry/tracing.ts';
import { pendingBody } from './answers.ts';
import { heldAt, type SagaDefinition } from './definition.ts';
import type { FlowOrder } from './flow-order.ts';
import { acceptanceOf, findClaim, type InsertSaga, insertSaga, ONE_OPEN_SAGA, openSagaOf } from './store/accept.ts';
import { RELAY_GRACE_SECONDS } from './store/outbox.ts';
import type { AcceptedSaga, SagaAnswer, SagaRequest } from './types.ts';

/**
 * T0 of guarantees.md 2.4, as one statement: the idempotency key, the saga, its audit row and its outbox row commit
 * together or not at all, and with those of the requests that share the statement.
 */
export function acceptSaga<Input>(
  db: Db,
  insert: InsertSaga,
  definition: SagaDefinition<Input>,
  request: SagaRequest<Input>,
): Promise<AcceptedSaga & { readonly flow: FlowOrder | null }> {
  const about = { attributes: { 'roomy.saga.subject': request.subjectId } };
  return inSpan(`accept ${definition.name}`, about, async (span) => {
    const accepted = await acceptOnce(db, insert, definition, request);
    span.set({ 'roomy.saga.id': accepted.sagaId });
    const isStay = definition.subjectType === 'reservation';
    noteInLog({ sagaId: accepted.sagaId, ...(isStay ? { reservationId: request.subjectId } : {}) });
    return accepted;
  });
}

async function acceptOnce<Input>(
  db: Db,
  insert: InsertSaga,
  definition: SagaDefinition<Input>,
  request: SagaRequest<Input>,
): Promise<AcceptedSaga & { readonly flow: FlowOrder | null }> {
  const claim = request.idempotency ?? null;
  if (claim && claim.lookedUp !== true) {
    const earlier = await findClaim(db, request.requester.sub, claim);
    if (earlier) return { ...earlier, flow: null };
  }
  const sagaId = newId('saga');
  const accepted = pendingBody(sagaId);
  const asked = acceptanceOf(definition, request, sagaId, accepted, RELAY_GRACE_SECONDS);
  try {
    const outcome = await retryContention(() => insert(definition.subjectType, asked));
    if (outcome.saga) {
      count('roomy_sagas_started_total', { saga: definition.name });
      return {
        sagaId,
        replayed: false,
        accepted: { status: 202, body: Buffer.from(accepted) },
        flow: {
          outboxId: outcome.outboxId,
          sagaId,
          name: definition.name,
          version: definition.version,
          direction: 'F',
          generation: 1,
          steps: definition.steps.map((step) => step.no),
        },
      };
    }
    if (outcome.crowded) {
      // A repeat, perhaps, of the very request that took the last place.
      const earlier = claim && (await findClaim(db, request.requester.sub, claim));
      if (earlier) return { ...earlier, flow: null };
      throw new RoomyError('TOO_MANY_OPEN', { details: { maxOpen: request.requester.maxOpen ?? 0 } });
    }
    if (!outcome.subject) throw new RoomyError(definition.notFound, { details: { id: request.subjectId } });
  } catch (error) {
    throw (await explainRefusal(db, definition, request, error)) ?? error;
  }
  // The key was taken by a request that committed while this one waited for it.
  const earlier = claim && (await findClaim(db, request.requester.sub, claim));
  if (!earlier) throw new InvariantError('a saga was neither accepted nor found');
  return { ...earlier, flow: null };
}

/**
 * Starts a saga from within a step of another one: both are committed, or neither. Throws when the key or the subject is
 * taken, which for a step that runs once means a bug.
 */
export async function acceptWithin<Input>(
  tx: Tx,
  definition: SagaDefinition<Input>,
  request: Omit<SagaRequest<Input>, 'idempotency'> & { readonly key: string },
): Promise<string> {
  const sagaId = newId('saga');
  const requestHash = sha256(definition.name, request.subjectId, canonicalJson(request.input));
  // Nobody publishes it after the commit: it is the relay's from the start.
  const idempotency = { key: request.key, requestHash };
  const asked = acceptanceOf(definition, { ...request, idempotency }, sagaId, pendingBody(sagaId), 0);
  const started = await insertSaga(tx, definition.subjectType, asked);
  if (!started.saga) throw new InvariantError(`${definition.name} was not started`);
  count('roomy_sagas_started_total', { saga: definition.name });
  return sagaId;
}

/** The 202 answer of a saga that is under way: the same bytes on every repeat. */
export const acceptedAnswer = (sagaId: string): SagaAnswer => ({
  status: 202,
  body: Buffer.from(pendingBody(sagaId)),
});

/** The refusal behind a broken constraint or a lock wait; undefined when it is neither. */
async function explainRefusal<Input>(
  db: Db,
  definition: SagaDefinition<Input>,
  request: SagaRequest<Input>,
  error: unknown,
): Promise<RoomyError | undefined> {
  const failure = classifyDbError(error);
  if (failure.kind === 'contention' && request.idempotency)
    return new RoomyError('IDEMPOTENCY_IN_PROGRESS', { cause: error });
  if (failure.kind !== 'constraint' || !ONE_OPEN_SAGA.some((one) => one === failure.constraint)) return undefined;
  const open = await openSagaOf(db, definition.subjectType, request.subjectId, heldAt(definition, 1));
  return new RoomyError('SAGA_IN_PROGRESS', {
    cause: error,
    ...(open ? { details: { sagaExecutionId: open.id } } : {}),
  });
}
