import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { SubjectType } from '../../db/schema.ts';
import { auditRows } from '../../domain/audit/record.ts';
import { claimForSaga } from '../../domain/idempotency/store.ts';
import { InvariantError, RoomyError } from '../../kernel/errors.ts';
import { canonicalJson, sha256 } from '../../kernel/json.ts';
import { auditNote } from '../audit-note.ts';
import { heldAt, type SagaDefinition } from '../definition.ts';
import type { LockKind } from '../step.ts';
import type { AcceptedSaga, IdempotencyClaim, SagaRequest } from '../types.ts';
import { flowDedupeKey } from './outbox.ts';

/** The saga of an earlier request with this key; null: there is none. Throws `IDEMPOTENCY_KEY_REUSED` for another request. */
export async function findClaim(db: Db, principal: string, claim: IdempotencyClaim): Promise<AcceptedSaga | null> {
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

/** Which rows there are after the statement: without a subject, or with a key that was taken meanwhile, no saga was made. */
export interface Inserted {
  readonly subject: boolean;
  readonly saga: boolean;
  readonly outboxId: number;
}

/** T0 of guarantees.md 2.4: the idempotency key, the saga, its audit row and its outbox row in one statement. */
export async function insertSaga<Input>(
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
  const held = heldAt(definition, 1);
  const claim = request.idempotency ?? null;
  // Without a key every subject passes; with one, only the request that inserted it.
  const claimed = claim
    ? claimForSaga({ principal: sub, ...claim }, sagaId, Buffer.from(accepted))
    : sql`SELECT ${sagaId}::text AS saga_id FROM subject`;
  // The subject's lock keeps out a change that checked for open sagas before this one was there.
  const { rows } = await sql<{ subject: boolean; saga: boolean; outbox_id: number | null }>`
    WITH subject AS (SELECT FROM ${sql.table(definition.subjectType)} WHERE ${sql.ref(SUBJECT_KEY[definition.subjectType])} = ${request.subjectId}::text FOR KEY SHARE),
    claimed AS (${claimed}),
    accepted AS (
      INSERT INTO saga (id, name, definition_ver, subject_type, subject_id, input, input_hash, requested_by, on_behalf_of, request_id, notes,
        total_steps, deadline_at, holds_state, holds_money)
      SELECT claimed.saga_id, ${definition.name}::text, ${definition.version}::int, ${definition.subjectType}::text, ${request.subjectId}::text,
        ${input}::jsonb, ${sha256(input)}::bytea, ${sub}::text, ${subject.onBehalfOf}::text, ${requestId}::text, ${request.notes ?? null}::text,
        ${definition.steps.length}::int, now() + ${definition.deadlineMs}::int * interval '1 millisecond',
        ${held.includes('state')}::boolean, ${held.includes('money')}::boolean
        FROM claimed RETURNING id),
    noted AS (
      ${auditRows(sql`(SELECT id AS stream_id, ${note.event}::text AS event, false AS ends, ${note.actor}::text AS actor, id AS saga_id,
          ${note.reservation_id}::text AS reservation_id, ${note.request_id}::text AS request_id, ${note.body}::text AS body
        FROM accepted) x`)}),
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

/** The unique indexes that keep a second open saga from a subject, by the kind that it would hold as well. */
export const ONE_OPEN_SAGA = ['one_open_state', 'one_open_money'] as const;

/** The open saga of a subject that holds one of these kinds; undefined when there is none. */
export const openSagaOf = (db: Db, subjectType: SubjectType, subjectId: string, kinds: readonly LockKind[]) =>
  db
    .selectFrom('saga')
    .select('id')
    .where('subject_type', '=', subjectType)
    .where('subject_id', '=', subjectId)
    .where('finished_at', 'is', null)
    .where((eb) => eb.or(kinds.map((kind) => eb(`holds_${kind}`, '=', literal(true)))))
    .executeTakeFirst();
