import { sql } from 'kysely';
import type { Db, Tx } from '../db/client.ts';
import { classifyDbError, retryContention } from '../db/errors.ts';
import type { SubjectType } from '../db/schema.ts';
import { InvariantError, RoomyError } from '../kernel/errors.ts';
import { newId } from '../kernel/ids.ts';
import { canonicalJson, sha256 } from '../kernel/json.ts';
import type { SagaDefinition } from './definition.ts';
import { auditNote, pendingBody } from './ending.ts';
import { type FlowOrder, flowDedupeKey, RELAY_GRACE_SECONDS } from './outbox.ts';
import type { AcceptedSaga, IdempotencyClaim, SagaAnswer, SagaRequest } from './types.ts';

/**
 * T0 of guarantees.md 2.4, as one statement: the idempotency key, the saga, its audit row and its outbox row commit
 * together or not at all.
 */
export async function acceptSaga<Input>(
  db: Db,
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
  try {
    const outcome = await retryContention(() =>
      insertSaga(db, definition, request, sagaId, accepted, RELAY_GRACE_SECONDS),
    );
    if (outcome.saga) {
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
  const started = await insertSaga(
    tx,
    definition,
    { ...request, idempotency: { key: request.key, requestHash } },
    sagaId,
    pendingBody(sagaId),
    // Nobody publishes it after the commit: it is the relay's from the start.
    0,
  );
  if (!started.saga) throw new InvariantError(`${definition.name} was not started`);
  return sagaId;
}

/** The 202 answer of a saga that is under way: the same bytes on every repeat. */
export const acceptedAnswer = (sagaId: string): SagaAnswer => ({
  status: 202,
  body: Buffer.from(pendingBody(sagaId)),
});

async function findClaim(db: Db, principal: string, claim: IdempotencyClaim): Promise<AcceptedSaga | null> {
  const row = await db
    .selectFrom('idempotency_key')
    .select(['request_hash', 'saga_id', 'accepted_status', 'accepted_body'])
    .where('principal', '=', principal)
    .where('key', '=', claim.key)
    .executeTakeFirst();
  if (!row) return null;
  if (!row.request_hash.equals(claim.requestHash) || row.saga_id === null)
    throw new RoomyError('IDEMPOTENCY_KEY_REUSED');
  return { sagaId: row.saga_id, replayed: true, accepted: { status: row.accepted_status, body: row.accepted_body } };
}

/** The column that names a subject; each has one row of its own. */
const SUBJECT_KEY: Readonly<Record<SubjectType, string>> = {
  reservation: 'id',
  transaction: 'id',
  amenity_grant: 'reservation_id',
};

interface Inserted {
  readonly subject: boolean;
  readonly saga: boolean;
  readonly outboxId: number;
}

async function insertSaga<Input>(
  db: Db | Tx,
  definition: SagaDefinition<Input>,
  request: SagaRequest<Input>,
  sagaId: string,
  accepted: string,
  graceSeconds: number,
): Promise<Inserted> {
  const input = canonicalJson(definition.input.parse(request.input));
  const { sub, requestId, ip } = request.requester;
  const subject = {
    name: definition.name,
    subjectType: definition.subjectType,
    subjectId: request.subjectId,
    requestedBy: sub,
    onBehalfOf: request.onBehalfOf ?? null,
    requestId,
  };
  const note = auditNote(subject, 'SAGA_ACCEPTED', {
    outcome: 'accepted',
    ...(ip ? { ip } : {}),
    details: { sagaExecutionId: sagaId },
  });
  const claim = request.idempotency ?? null;
  // Without a key every subject passes; with one, only the request that inserted it.
  const claimed = claim
    ? sql`INSERT INTO idempotency_key (principal, key, request_hash, saga_id, accepted_status, accepted_body)
        SELECT ${sub}::text, ${claim.key}::text, ${claim.requestHash}::bytea, ${sagaId}::text, 202, ${Buffer.from(accepted)}::bytea
          FROM subject ON CONFLICT DO NOTHING RETURNING saga_id`
    : sql`SELECT ${sagaId}::text AS saga_id FROM subject`;
  // The subject's lock keeps out a change that checked for open sagas before this one was there.
  const { rows } = await sql<{ subject: boolean; saga: boolean; outbox_id: number | null }>`
    WITH subject AS (SELECT FROM ${sql.table(definition.subjectType)} WHERE ${sql.ref(SUBJECT_KEY[definition.subjectType])} = ${request.subjectId}::text FOR KEY SHARE),
    claimed AS (${claimed}),
    accepted AS (
      INSERT INTO saga (id, name, definition_ver, subject_type, subject_id, input, input_hash, requested_by, on_behalf_of, request_id, notes,
        total_steps, deadline_at)
      SELECT claimed.saga_id, ${definition.name}::text, ${definition.version}::int, ${definition.subjectType}::text, ${request.subjectId}::text,
        ${input}::jsonb, ${sha256(input)}::bytea, ${sub}::text, ${subject.onBehalfOf}::text, ${requestId}::text, ${request.notes ?? null}::text,
        ${definition.steps.length}::int, now() + ${definition.deadlineMs}::int * interval '1 millisecond'
        FROM claimed RETURNING id),
    noted AS (
      INSERT INTO audit_log (stream_id, event, actor, saga_id, reservation_id, request_id, body)
      SELECT id, ${note.event}::text, ${note.actor}::text, id, ${note.reservation_id}::text, ${note.request_id}::text, ${note.body}::text
        FROM accepted),
    sent AS (
      INSERT INTO outbox (kind, dedupe_key, saga_id, payload, available_at)
      SELECT 'FLOW_F', ${flowDedupeKey(sagaId, 'F', 1)}::text, id, '{}', now() + ${graceSeconds}::int * interval '1 second'
        FROM accepted RETURNING id)
    SELECT EXISTS (SELECT FROM subject) AS subject, EXISTS (SELECT FROM accepted) AS saga, (SELECT id FROM sent) AS outbox_id`.execute(
    db,
  );
  const [row] = rows;
  if (!row) throw new InvariantError('acceptance returned no row');
  return { subject: row.subject, saga: row.saga, outboxId: row.outbox_id ?? 0 };
}

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
  if (failure.kind !== 'constraint' || failure.constraint !== 'one_open_saga') return undefined;
  const open = await db
    .selectFrom('saga')
    .select('id')
    .where('subject_type', '=', definition.subjectType)
    .where('subject_id', '=', request.subjectId)
    .where('finished_at', 'is', null)
    .executeTakeFirst();
  return new RoomyError('SAGA_IN_PROGRESS', {
    cause: error,
    ...(open ? { details: { sagaExecutionId: open.id } } : {}),
  });
}
