import { type CompiledQuery, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { isUnreachable } from '../../db/errors.ts';
import { literal } from '../../db/literal.ts';
import type { SubjectType } from '../../db/schema.ts';
import { type AuditNote, auditRows, originIn } from '../../domain/audit/record.ts';
import { claimForSagas } from '../../domain/idempotency/store.ts';
import { createBatcher } from '../../kernel/batcher.ts';
import { RoomyError, required } from '../../kernel/errors.ts';
import { canonicalJson, sha256 } from '../../kernel/json.ts';
import { createRunSlots } from '../../kernel/run-slots.ts';
import { currentTraceparent } from '../../kernel/telemetry/tracing.ts';
import { auditNote } from '../audit-note.ts';
import { heldAt, type SagaDefinition } from '../definition.ts';
import type { LockKind } from '../step.ts';
import type { AcceptedSaga, IdempotencyClaim, SagaRequest, SubjectScope } from '../types.ts';
import { flowDedupeKey } from './outbox.ts';
import { STATEMENT_SLOTS } from './slots.ts';

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
  /** Its requester has as many open sagas as it may have: nothing was made, and no key was taken. */
  readonly crowded: boolean;
  readonly saga: boolean;
  readonly outboxId: number;
}

/** A request for a saga in the form in which the statement takes it. */
export interface Acceptance {
  readonly saga_id: string;
  readonly name: string;
  readonly version: number;
  readonly subject_id: string;
  /** Null: whoever asks may name any subject. */
  readonly scope: SubjectScope | null;
  /** Canonical JSON. */
  readonly input: string;
  /** Hexadecimal. */
  readonly input_hash: string;
  /** Null: the request has no Idempotency-Key. `request_hash` in hexadecimal. */
  readonly claim: { readonly key: string; readonly request_hash: string; readonly answer: string } | null;
  readonly requested_by: string;
  /** Null: any number. */
  readonly max_open: number | null;
  readonly on_behalf_of: string | null;
  readonly request_id: string | null;
  readonly notes: string | null;
  /** Absent: nothing is traced. */
  readonly traceparent?: string;
  readonly total_steps: number;
  readonly deadline_ms: number;
  readonly holds_state: boolean;
  readonly holds_money: boolean;
  readonly note: AuditNote;
  readonly dedupe_key: string;
  /** Until the relay takes the order. */
  readonly grace_seconds: number;
}

/** `answer`: the body of the 202 that a repeat gets. Throws for an input that the definition does not take. */
export function acceptanceOf<Input>(
  definition: SagaDefinition<Input>,
  request: SagaRequest<Input>,
  sagaId: string,
  answer: string,
  graceSeconds: number,
): Acceptance {
  const input = canonicalJson(definition.input.parse(request.input));
  const { sub, maxOpen, ...origin } = request.requester;
  const subject = {
    name: definition.name,
    subjectType: definition.subjectType,
    subjectId: request.subjectId,
    requestedBy: sub,
    onBehalfOf: request.onBehalfOf ?? null,
    requestId: origin.requestId,
  };
  const traceparent = currentTraceparent();
  const held = heldAt(definition, 1);
  const claim = request.idempotency ?? null;
  return {
    saga_id: sagaId,
    name: definition.name,
    version: definition.version,
    subject_id: request.subjectId,
    scope: request.within ?? null,
    input,
    input_hash: sha256(input).toString('hex'),
    claim: claim && { key: claim.key, request_hash: claim.requestHash.toString('hex'), answer },
    requested_by: sub,
    max_open: maxOpen ?? null,
    on_behalf_of: subject.onBehalfOf,
    request_id: origin.requestId,
    notes: request.notes ?? null,
    ...(traceparent === null ? {} : { traceparent }),
    total_steps: definition.steps.length,
    deadline_ms: definition.deadlineMs,
    holds_state: held.includes('state'),
    holds_money: held.includes('money'),
    note: auditNote(subject, 'SAGA_ACCEPTED', {
      outcome: 'accepted',
      ...originIn(origin),
      details: { sagaExecutionId: sagaId },
    }),
    dedupe_key: flowDedupeKey(sagaId, 'F', 1),
    grace_seconds: graceSeconds,
  };
}

interface InsertedRow {
  readonly saga_id: string;
  /** `locked`: it is there, and a transaction of somebody else holds it. `none`: absent, or not within the scope. `crowded`: it was not looked at. */
  readonly subject: 'taken' | 'locked' | 'none' | 'crowded';
  readonly outbox_id: number | null;
}

/**
 * T0 of guarantees.md 2.4: the idempotency key, the saga, its audit row and its outbox row in one statement. Waits for a
 * subject that somebody else has locked.
 */
export async function insertSaga(db: Db | Tx, subjectType: SubjectType, asked: Acceptance): Promise<Inserted> {
  const [inserted] = await insertSagas(db, subjectType, [asked], 'waits');
  return required(inserted ?? undefined, 'the only saga');
}

/** The same for any number of requests about one kind of subject. Null: the subject is locked, and was not to be waited for. */
async function insertSagas(
  db: Db | Tx,
  subjectType: SubjectType,
  asked: readonly Acceptance[],
  locked: 'waits' | 'skips',
): Promise<readonly (Inserted | null)[]> {
  const { rows } = await db.executeQuery<InsertedRow>(statementOf(db, subjectType, asked, locked));
  const byId = new Map(rows.map((row) => [row.saga_id, row]));
  return asked.map(({ saga_id }) => {
    const { subject, outbox_id } = required(byId.get(saga_id), 'the row of an accepted saga');
    if (subject === 'locked') return null;
    const crowded = subject === 'crowded';
    return { subject: crowded || subject === 'taken', crowded, saga: outbox_id !== null, outboxId: outbox_id ?? 0 };
  });
}

/** Accepts a saga, together with others that are asked for at the same time. */
export type InsertSaga = (subjectType: SubjectType, asked: Acceptance) => Promise<Inserted>;

const MAX_BATCH = 32;

/**
 * Makes the function that accepts sagas; one for each process, as what it joins is its own state. A request about a subject
 * that somebody has locked waits alone, so that it keeps none of the others waiting.
 */
export function createInsertSaga(db: Db): InsertSaga {
  const slots = createRunSlots(STATEMENT_SLOTS);
  const own = { maxInFlight: 1, slots, failTogether: isUnreachable };
  const batchers = new Map<SubjectType, InsertSaga>();
  const createFor = (subjectType: SubjectType): InsertSaga => {
    const together = createBatcher<Acceptance, Inserted | null>((all) => insertSagas(db, subjectType, all, 'skips'), {
      ...own,
      maxBatch: MAX_BATCH,
    });
    const alone = createBatcher<Acceptance, Inserted>(
      (all) => Promise.all(all.map((one) => insertSaga(db, subjectType, one))),
      { ...own, maxBatch: 1 },
    );
    return async (_type, asked) => (await together(asked)) ?? alone(asked);
  };
  return (subjectType, asked) => {
    const insert = batchers.get(subjectType) ?? createFor(subjectType);
    batchers.set(subjectType, insert);
    return insert(subjectType, asked);
  };
}

/** Stands for the requests' JSON in the compiled parameters. */
const ASKED = Object.freeze({ marker: 'asked' });
interface Compiled {
  readonly query: CompiledQuery<InsertedRow>;
  /** Index, from 0, of the parameter that carries the requests. */
  readonly askedAt: number;
}
const compiled = new Map<string, Compiled>();

function statementOf(
  db: Db | Tx,
  subjectType: SubjectType,
  asked: readonly Acceptance[],
  locked: 'waits' | 'skips',
): CompiledQuery<InsertedRow> {
  const id = `${subjectType} ${locked}`;
  const known = compiled.get(id) ?? compile(db, subjectType, locked);
  compiled.set(id, known);
  return { ...known.query, parameters: known.query.parameters.with(known.askedAt, JSON.stringify(asked)) };
}

function compile(db: Db | Tx, subjectType: SubjectType, locked: 'waits' | 'skips'): Compiled {
  const key = sql.ref(SUBJECT_KEY[subjectType]);
  // The subject's lock keeps out a change that checked for open sagas before this one was there. Whose the subject is, is asked with
  // the lock held: the function is volatile, so it sees what was committed while the statement waited. What a requester has open is
  // counted once for all of its requests, no further than it matters, and when subjects are locked: who waits for one holds up nobody.
  const query = sql<InsertedRow>`WITH wanted AS (
    SELECT a.*, row_number() OVER (PARTITION BY a.requested_by ORDER BY a.saga_id) AS turn
      FROM few_items(${ASKED}::jsonb) AS i, jsonb_to_record(i) AS a(saga_id text, name text, version int, subject_id text,
      scope jsonb, input text, input_hash text, claim jsonb, requested_by text, max_open int, on_behalf_of text,
      request_id text, notes text, total_steps int, deadline_ms int, holds_state boolean, holds_money boolean, note jsonb,
      dedupe_key text, grace_seconds int, traceparent text)),
    subject AS (
      SELECT s.${key} AS id FROM ${sql.table(subjectType)} s WHERE s.${key} IN (SELECT subject_id FROM wanted) ORDER BY s.${key}
         FOR KEY SHARE${locked === 'skips' ? sql` SKIP LOCKED` : sql``}),
    opened AS (
      SELECT r.requested_by, open_sagas_of(r.requested_by, r.max_open) AS sagas
        FROM (SELECT requested_by, max(max_open) AS max_open FROM wanted WHERE max_open IS NOT NULL GROUP BY requested_by
           ORDER BY requested_by) r, (SELECT count(*) FROM subject) AS locked),
    asked AS (
      SELECT w.* FROM wanted w LEFT JOIN opened USING (requested_by) WHERE w.max_open IS NULL OR opened.sagas + w.turn <= w.max_open),
    allowed AS (
      SELECT a.* FROM asked a JOIN subject s ON s.id = a.subject_id
       WHERE CASE WHEN jsonb_typeof(a.scope) = 'object' THEN is_subject_of(${subjectType}::text, s.id, a.scope) ELSE true END),
    claimed AS (
      ${claimForSagas(sql`(SELECT a.requested_by AS principal, a.claim ->> 'key' AS key, decode(a.claim ->> 'request_hash', 'hex') AS request_hash,
          a.saga_id, convert_to(a.claim ->> 'answer', 'UTF8') AS answer
        FROM allowed a WHERE jsonb_typeof(a.claim) = 'object') x`)}),
    accepted AS (
      INSERT INTO saga (id, name, definition_ver, subject_type, subject_id, input, input_hash, requested_by, on_behalf_of, request_id, notes,
        total_steps, deadline_at, holds_state, holds_money, traceparent)
      SELECT a.saga_id, a.name, a.version, ${subjectType}::text, a.subject_id, a.input::jsonb, decode(a.input_hash, 'hex'), a.requested_by,
        a.on_behalf_of, a.request_id, a.notes, a.total_steps, now() + a.deadline_ms * interval '1 millisecond', a.holds_state, a.holds_money, a.traceparent
        FROM allowed a
       WHERE a.claim IS NULL OR jsonb_typeof(a.claim) = 'null' OR a.saga_id IN (SELECT saga_id FROM claimed)
       ORDER BY a.subject_id
      RETURNING id),
    noted AS (
      ${auditRows(sql`(SELECT a.saga_id AS stream_id, n.event, false AS ends, n.actor, a.saga_id, n.reservation_id, n.request_id, n.body
        FROM asked a JOIN accepted ON accepted.id = a.saga_id,
          jsonb_to_record(a.note) AS n(event text, actor text, reservation_id text, request_id text, body text)) x`)}),
    sent AS (
      INSERT INTO outbox (kind, dedupe_key, saga_id, payload, available_at)
      SELECT 'FLOW_F', a.dedupe_key, a.saga_id, '{}', now() + a.grace_seconds * interval '1 second'
        FROM asked a JOIN accepted ON accepted.id = a.saga_id RETURNING id, saga_id)
    SELECT a.saga_id, CASE WHEN NOT EXISTS (SELECT FROM asked WHERE asked.saga_id = a.saga_id) THEN 'crowded'
        WHEN EXISTS (SELECT FROM allowed WHERE allowed.saga_id = a.saga_id) THEN 'taken'
        WHEN EXISTS (SELECT FROM subject WHERE subject.id = a.subject_id) THEN 'none'
        WHEN EXISTS (SELECT FROM ${sql.table(subjectType)} s WHERE s.${key} = a.subject_id) THEN 'locked' ELSE 'none' END AS subject, sent.id AS outbox_id
      FROM wanted a LEFT JOIN sent ON sent.saga_id = a.saga_id`.compile(db);
  return { query, askedAt: query.parameters.indexOf(ASKED) };
}

/** The unique indexes that keep a second open saga from a subject, by the kind that it would hold as well. */
export const ONE_OPEN_SAGA = ['one_open_state', 'one_open_money'] as const;

/** The open saga of a subject that holds one of these kinds; undefined when there is none. */
export const openSagaOf = (db: Db | Tx, subjectType: SubjectType, subjectId: string, kinds: readonly LockKind[]) =>
  db
    .selectFrom('saga')
    .select('id')
    .where('subject_type', '=', subjectType)
    .where('subject_id', '=', subjectId)
    .where('finished_at', 'is', null)
    .where((eb) => eb.or(kinds.map((kind) => eb(`holds_${kind}`, '=', literal(true)))))
    .executeTakeFirst();
