import { type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { Database } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId, newSecret } from '../../kernel/ids.ts';
import { sha256OfBytes } from '../../kernel/json.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordChange } from '../audit/record.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import type { AccountRole } from './accounts.ts';

/**
 * Keys of machines: named, scoped, ending, and kept as a digest only. The key itself is shown once, when it is made. These are
 * the only statements that write `api_key`.
 */

/**
 * `rk_live_`, 256 random bits and a checksum of six characters. The prefix and the checksum let scanners of source code find a key
 * that was left there, and let us refuse what cannot be a key (a mistyped one, a guess) without asking the database.
 */
export const API_KEY_PREFIX = 'rk_live_';
const API_KEY = /^rk_live_([A-Za-z0-9_-]{43})([A-Za-z0-9_-]{6})$/;
/** Of the key, shown in lists: 24 of its 256 bits. */
const SHOWN_CHARS = API_KEY_PREFIX.length + 4;
const CHECKSUM_CHARS = 6;

const digest = (text: string): Buffer => sha256OfBytes(Buffer.from(text));
const checksumOf = (random: string): string =>
  digest(`${API_KEY_PREFIX}${random}`).toString('base64url').slice(0, CHECKSUM_CHARS);

function newApiKey(): string {
  const random = newSecret();
  return `${API_KEY_PREFIX}${random}${checksumOf(random)}`;
}

/**
 * What a key is looked up by; null: it cannot be one of ours. A digest is found or not: no comparison takes longer the more
 * of a guess is right.
 */
export function apiKeyDigest(text: string): Buffer | null {
  const [, random = '', checksum = ''] = API_KEY.exec(text) ?? [];
  return checksum !== '' && checksumOf(random) === checksum ? digest(text) : null;
}

export interface ApiKeyFields {
  readonly name: string;
  readonly scopes: readonly string[];
  /** An instant: no key lives on unseen. */
  readonly expiresAt: string;
}
export type ApiKeyView = ReturnType<typeof apiKeyView>;
export type ApiKeyWithSecret = ApiKeyView & { readonly key: string };

/** Who made a key, as they stand now: the key is the agency's and goes on without them. Null: nobody with an account. */
interface Maker {
  readonly role: AccountRole;
  readonly isActive: boolean;
}
const maker =
  sql<Maker | null>`(SELECT json_build_object('role', a.role, 'isActive', a.status = 'ACTIVE' AND coalesce(m.active, true))
  FROM account a LEFT JOIN staff m ON m.id = a.staff_id WHERE a.principal = api_key.created_by)`.as('maker');

const apiKeyView = (row: Selectable<Database['api_key']> & { readonly maker: Maker | null }) => ({
  id: row.id,
  name: row.name,
  prefix: row.prefix,
  scopes: row.scopes,
  createdBy: row.created_by,
  maker: row.maker,
  createdAt: row.created_at.toISOString(),
  expiresAt: row.expires_at.toISOString(),
  lastUsedAt: row.last_used_at?.toISOString() ?? null,
  revokedAt: row.revoked_at?.toISOString() ?? null,
  version: row.version,
});

/** Adds a key, with its audit row, and answers it with the key itself. Throws `VALIDATION_FAILED` for an end that is not in the year to come. */
export async function createApiKey(tx: Tx, fields: ApiKeyFields, now: Date, author: Author): Promise<ApiKeyWithSecret> {
  assertEnd(fields.expiresAt, now);
  const key = newApiKey();
  const row = await tx
    .insertInto('api_key')
    .values({
      id: newId('key'),
      name: fields.name,
      ...columnsOf(key),
      scopes: [...new Set(fields.scopes)].toSorted(),
      created_by: author.actor,
      expires_at: new Date(fields.expiresAt),
    })
    .returningAll()
    .returning(maker)
    .executeTakeFirstOrThrow();
  await note(tx, [null, row], 'API_KEY_CREATED', fieldsOf(fields), author);
  return { ...apiKeyView(row), key };
}

/** A page of keys, newest first, those that have ended too. */
export async function listApiKeys(db: Db, page: PageRequest): Promise<Page<ApiKeyView>> {
  let query = db
    .selectFrom('api_key')
    .selectAll()
    .select([maker, exactInstant('created_at').as('position_at')]);
  if (page.after) query = query.where(isAfter('created_at', 'id', page.after));
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return cutPage(rows, page.limit, apiKeyView);
}

/** The key without what it is. Throws `NOT_FOUND`. */
export async function getApiKey(db: Db, id: string): Promise<ApiKeyView> {
  const row = await db.selectFrom('api_key').selectAll().select(maker).where('id', '=', id).executeTakeFirst();
  if (!row) throw notFound();
  return apiKeyView(row);
}

/** Ends a key for good, with its audit row; one that has been revoked stays so. Throws `NOT_FOUND`. */
export async function revokeApiKey(tx: Tx, id: string, author: Author): Promise<void> {
  const before = await locked(tx, id);
  if (before.revoked_at !== null) return;
  const row = await tx
    .updateTable('api_key')
    .set({ revoked_at: sql<Date>`now()`, version: before.version + 1 })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
  await note(tx, [before, row], 'API_KEY_REVOKED', ['revokedAt'], author);
}

/**
 * Puts a new key and a new end in the place of the old ones: whoever has the old key is out, and what was done under the id
 * stays one caller's. Throws `NOT_FOUND`, `INVALID_STATE_TRANSITION` for a revoked key, and `VALIDATION_FAILED` as `createApiKey` does.
 */
export async function rotateApiKey(
  tx: Tx,
  id: string,
  { expiresAt, now }: { readonly expiresAt: string; readonly now: Date },
  author: Author,
): Promise<ApiKeyWithSecret> {
  const before = await locked(tx, id);
  if (before.revoked_at !== null)
    throw new RoomyError('INVALID_STATE_TRANSITION', { text: 'A key that was revoked stays so: make a new one' });
  assertEnd(expiresAt, now);
  const key = newApiKey();
  const row = await tx
    .updateTable('api_key')
    .set({
      ...columnsOf(key),
      expires_at: new Date(expiresAt),
      last_used_at: null,
      rotated_by: sql<string[]>`array_append(array_remove(rotated_by, ${author.actor}), ${author.actor})`,
      version: before.version + 1,
    })
    .where('id', '=', id)
    .returningAll()
    .returning(maker)
    .executeTakeFirstOrThrow();
  await note(tx, [before, row], 'API_KEY_ROTATED', ['expiresAt', 'key'], author);
  return { ...apiKeyView(row), key };
}

/** A key as its use is checked. */
export interface KnownApiKey {
  readonly id: string;
  readonly scopes: readonly string[];
  readonly expiresAt: Date;
  readonly isRevoked: boolean;
}

/** By the digest of the key; null: there is none, or another has taken its place. */
export async function findApiKey(db: Db, keyHash: Buffer): Promise<KnownApiKey | null> {
  const row = await db
    .selectFrom('api_key')
    .select(['id', 'scopes', 'expires_at', 'revoked_at'])
    .where('key_hash', '=', keyHash)
    .executeTakeFirst();
  if (!row) return null;
  return { id: row.id, scopes: row.scopes, expiresAt: row.expires_at, isRevoked: row.revoked_at !== null };
}

/** Notes that a key was used, unless that was noted in the last minute: the row would be written by each request. */
export async function noteApiKeyUse(db: Db, id: string): Promise<void> {
  await db
    .updateTable('api_key')
    .set({ last_used_at: sql<Date>`now()` })
    .where('id', '=', id)
    .where(sql<boolean>`(last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`)
    .execute();
}

const columnsOf = (key: string) => ({ key_hash: digest(key), prefix: key.slice(0, SHOWN_CHARS) });

async function locked(tx: Tx, id: string) {
  const row = await tx.selectFrom('api_key').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  if (!row) throw notFound();
  return row;
}

/** A year at the most, by the calendar. */
function assertEnd(expiresAt: string, now: Date): void {
  const end = new Date(expiresAt);
  const latest = new Date(now);
  latest.setUTCFullYear(latest.getUTCFullYear() + 1);
  if (end > now && end <= latest) return;
  const issues = [{ path: 'expiresAt', message: 'must be in the future, and a year from now at the latest' }];
  throw new RoomyError('VALIDATION_FAILED', { details: { issues } });
}

const notFound = (): RoomyError => new RoomyError('NOT_FOUND', { text: 'API key not found' });

const note = (
  tx: Tx,
  [before, row]: readonly [before: Row | null, after: Row],
  event: string,
  fields: readonly string[],
  author: Author,
) =>
  recordChange(tx, author, {
    noun: 'api-key',
    id: row.id,
    event,
    fields,
    changes: changesOf('api_key', before, row),
    version: row.version,
  });
type Row = Selectable<Database['api_key']>;
