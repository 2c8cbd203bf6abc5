import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { INSTALLATION } from '../../db/data-keys.ts';
import { sealField } from '../../db/sealed-fields.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId, newSecret } from '../../kernel/ids.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordChange } from '../audit/record.ts';
import { assertEventPatterns, deadPatterns } from '../events/catalogue.ts';
import { assertReached, placeOf } from '../events/feed.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import { assertVersion, type ExpectedVersions } from '../versions.ts';
import { type Endpoint, insertEndpoint, removeEndpoint, rewindEndpoint, updateEndpoint } from './store.ts';

/** Who is called when something happens. The secret is shown once, when it is made. */

export interface EndpointFields {
  readonly url: string;
  readonly description?: string | null | undefined;
  /** `task.assigned`, `task.*`; none: all. */
  readonly types?: string[] | undefined;
}
export type EndpointView = ReturnType<typeof endpointView>;
const endpointView = (row: Endpoint) => ({
  id: row.id,
  url: row.url,
  description: row.description,
  types: row.types,
  /** Entered before types were checked, or of an event that is gone: nothing comes for them. */
  unknownTypes: deadPatterns(row.types),
  status: row.status,
  disabledReason: row.disabled_reason,
  /** The next event that it gets. */
  nextSeq: row.next_seq,
  failedAttempts: row.attempt,
  nextAttemptAt: row.next_attempt_at.toISOString(),
  version: row.version,
  createdAt: row.created_at.toISOString(),
});
export type EndpointWithSecret = EndpointView & { readonly secret: string };

/** Standard Webhooks: `whsec_` and base64. */
const makeSecret = (): string => `whsec_${Buffer.from(newSecret(), 'base64url').toString('base64')}`;
const sealSecret = (tx: Tx, id: string, secret: string): Promise<string> =>
  sealField(tx, 'webhook_endpoint.secret', { row: id, subject: INSTALLATION }, secret);
/** How long the old secret signs as well. */
const OVERLAP = sql<Date>`now() + interval '24 hours'`;

/** It gets what happens from now on. Throws `EVENT_TYPE_UNKNOWN`. */
export async function createEndpoint(tx: Tx, endpoint: EndpointFields, author: Author): Promise<EndpointWithSecret> {
  assertEventPatterns(endpoint.types ?? []);
  const secret = makeSecret();
  const id = newId('webhook');
  const row = await insertEndpoint(tx, {
    id,
    url: endpoint.url,
    description: endpoint.description ?? null,
    types: endpoint.types ?? [],
    secret: await sealSecret(tx, id, secret),
    next_seq: sql<number>`(SELECT last_seq + 1 FROM event_feed)`,
    created_by: author.actor,
  });
  await note(tx, [null, row], 'WEBHOOK_ENDPOINT_CREATED', fieldsOf(endpoint), author);
  return { ...endpointView(row), secret };
}

/** A page of endpoints, newest first, without secrets. */
export async function listEndpoints(db: Db, page: PageRequest): Promise<Page<EndpointView>> {
  let query = db.selectFrom('webhook_endpoint').selectAll().select(exactInstant('created_at').as('position_at'));
  if (page.after) query = query.where(isAfter('created_at', 'id', page.after));
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return cutPage(rows, page.limit, endpointView);
}

/** The public form of an endpoint. Throws `NOT_FOUND`. */
export const getEndpoint = async (db: Db | Tx, id: string): Promise<EndpointView> =>
  endpointView(await readEndpoint(db, id));

/** The row of an endpoint. Throws `NOT_FOUND`. */
export async function readEndpoint(db: Db | Tx, id: string): Promise<Endpoint> {
  const row = await db.selectFrom('webhook_endpoint').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) throw new RoomyError('NOT_FOUND', { text: 'Webhook endpoint not found' });
  return row;
}

export type EndpointChange = { readonly [K in keyof EndpointFields]?: EndpointFields[K] | undefined };

/**
 * Changes the fields that are given. Throws `NOT_FOUND`, `PRECONDITION_FAILED`, and `EVENT_TYPE_UNKNOWN` for types that are
 * set now; those of before stay until then.
 */
export async function changeEndpoint(
  tx: Tx,
  id: string,
  change: EndpointChange,
  expected: ExpectedVersions,
  author: Author,
): Promise<EndpointView> {
  assertEventPatterns(change.types ?? []);
  return write(tx, id, 'WEBHOOK_ENDPOINT_UPDATED', author, expected, {
    fields: fieldsOf(change),
    apply: () => updateEndpoint(tx, id, { url: change.url, description: change.description, types: change.types }),
  });
}

/** Makes an endpoint active again: it goes on where it stopped, at once. Throws `NOT_FOUND`. */
export const enableEndpoint = (tx: Tx, id: string, author: Author): Promise<EndpointView> =>
  write(tx, id, 'WEBHOOK_ENDPOINT_ENABLED', author, null, {
    fields: ['status'],
    apply: () =>
      updateEndpoint(tx, id, {
        status: 'ACTIVE',
        disabled_reason: null,
        attempt: 0,
        next_attempt_at: sql<Date>`now()`,
      }),
  });

/** Gives an endpoint a new secret, shown once; the old one signs beside it for 24 hours. Throws `NOT_FOUND`. */
export async function rotateSecret(tx: Tx, id: string, author: Author): Promise<EndpointWithSecret> {
  const { secret: previous } = await readEndpoint(tx, id);
  const secret = makeSecret();
  const sealed = await sealSecret(tx, id, secret);
  const endpoint = await write(tx, id, 'WEBHOOK_SECRET_ROTATED', author, null, {
    fields: ['secret'],
    apply: () => updateEndpoint(tx, id, { secret: sealed, previous_secret: previous, previous_until: OVERLAP }),
  });
  return { ...endpoint, secret };
}

/**
 * Sends the events after `afterSeq`, or from an instant on, once more, under the same ids. A delivery under way does not count
 * any more, and events that are not delivered yet are not left out: a replay goes back, never forward. Throws
 * `VALIDATION_FAILED` for a position that is still to come.
 */
export async function replay(
  tx: Tx,
  id: string,
  from: { readonly afterSeq?: number | undefined; readonly since?: string | undefined },
  author: Author,
): Promise<EndpointView> {
  // The place before the first event that is sent: one more than the largest integer would be none.
  const { rows } = await sql<{ after: number; newest: number }>`
    SELECT last_seq AS newest, CASE WHEN ${from.since ?? null}::timestamptz IS NULL THEN ${from.afterSeq ?? 0}::bigint
      ELSE coalesce((SELECT min(${placeOf(sql`e.id`)}) FROM domain_event e WHERE e.at >= ${from.since ?? null}::timestamptz) - 1, last_seq) END AS after
      FROM event_feed`.execute(tx);
  const { after = 0, newest = 0 } = rows[0] ?? {};
  assertReached(after, newest);
  return write(tx, id, 'WEBHOOK_REPLAYED', author, null, {
    fields: ['nextSeq'],
    apply: () => rewindEndpoint(tx, id, after),
  });
}

/** Deletes an endpoint, with its audit row. Throws `NOT_FOUND`. */
export async function deleteEndpoint(tx: Tx, id: string, author: Author): Promise<void> {
  const row = await readEndpoint(tx, id);
  await removeEndpoint(tx, id);
  await note(tx, [row, null], 'WEBHOOK_ENDPOINT_DELETED', [], author);
}

export interface AttemptView {
  readonly id: number;
  readonly seq: number;
  readonly type: string;
  readonly attempt: number;
  readonly at: string;
  /** Null: there was no answer; `reason` says why. */
  readonly statusCode: number | null;
  readonly reason: string | null;
  readonly ms: number;
}

/** Newest first, those before an id. Throws `NOT_FOUND`. */
export async function listAttempts(
  db: Db,
  id: string,
  limit: number,
  before: number | null,
): Promise<{ readonly items: readonly AttemptView[]; readonly more: boolean }> {
  await readEndpoint(db, id);
  const rows = await db
    .selectFrom('webhook_attempt')
    .selectAll()
    .where('endpoint_id', '=', id)
    .$if(before !== null, (query) => query.where('id', '<', before))
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  const items = rows.slice(0, limit).map(({ id: attemptId, seq, type, attempt, at, status_code, reason, ms }) => ({
    id: attemptId,
    seq,
    type,
    attempt,
    at: at.toISOString(),
    statusCode: status_code,
    reason,
    ms,
  }));
  return { items, more: rows.length > limit };
}

async function write(
  tx: Tx,
  id: string,
  event: string,
  author: Author,
  expected: ExpectedVersions,
  change: { readonly fields: readonly string[]; readonly apply: () => Promise<Endpoint> },
): Promise<EndpointView> {
  const before = await readEndpoint(tx, id);
  assertVersion(before.version, expected);
  const row = await change.apply();
  await note(tx, [before, row], event, change.fields, author);
  return endpointView(row);
}

type States = readonly [null, Endpoint] | readonly [Endpoint, Endpoint] | readonly [Endpoint, null];
function note(tx: Tx, [before, after]: States, event: string, fields: readonly string[], author: Author) {
  const { id, version } = after ?? before;
  const changes = changesOf('webhook_endpoint', before, after);
  return recordChange(tx, author, { noun: 'webhook-endpoint', id, event, fields, changes, version });
}
