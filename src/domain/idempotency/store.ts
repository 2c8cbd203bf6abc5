import { type RawBuilder, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { compiledOnce } from '../../db/compiled-once.ts';
import { isUnreachable } from '../../db/errors.ts';
import { createBatcher } from '../../kernel/batcher.ts';
import { RoomyError } from '../../kernel/errors.ts';

/**
 * The rows of Idempotency-Keys (guarantees.md 2.6): a claim, and what was answered to the first request. All writes of
 * the table are here; the engine and the pruning take theirs as a part of a statement.
 */

/** A caller's key, and a digest of the request that it stands for. */
export interface KeyClaim {
  readonly principal: string;
  readonly key: string;
  readonly requestHash: Buffer;
}
export interface KeptAnswer {
  readonly kind: 'answer';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}
/**
 * Keeps answers that hold a secret unreadable in the table: AES-256-GCM under a key that HKDF derives from the keys of seals.
 * After a rotation an answer opens as long as its key is still configured; afterwards it is lost, and a repeat is refused
 * (`IDEMPOTENT_ANSWER_LOST`) instead of being carried out a second time.
 */
export interface AnswerSeal {
  /** `context` names whose answer it is; it must be the same when the answer is opened. */
  seal(context: string, plain: Uint8Array): { readonly sealedBy: string; readonly bytes: Buffer };
  /** Null when the key is not configured any more. Throws for bytes that were changed. */
  open(context: string, sealedBy: string, bytes: Buffer): Buffer | null;
}
/** What an earlier request with the same key has left. */
export type Earlier = KeptAnswer | { readonly kind: 'saga'; readonly sagaId: string };

/** `statement_timeout` and the caller's patience are shorter than this; what is older was cut short by a crash. */
const LEASE_SECONDS = 60;
const LOCK_NOT_AVAILABLE = '55P03';

/** One reader a database, so that keys asked for at once are read together. */
const readers = new WeakMap<Db, ReturnType<typeof createReader>>();
function readerOf(db: Db) {
  const known = readers.get(db) ?? createReader(db);
  readers.set(db, known);
  return known;
}

/** The keys of a JSON array of numbered `principal` and `key`. */
const selectKeys = compiledOnce((db, asked: RawBuilder<string>) =>
  db
    .selectFrom(
      sql<{
        n: number;
        principal: string;
        key: string;
      }>`(SELECT (i ->> 'n')::int AS n, i ->> 'principal' AS principal, i ->> 'key' AS key
        FROM few_items(${asked}::jsonb) AS i)`.as('asked'),
    )
    .innerJoin('idempotency_key as k', (join) =>
      join.onRef('k.principal', '=', 'asked.principal').onRef('k.key', '=', 'asked.key'),
    )
    .select([
      'asked.n',
      'k.request_hash',
      'k.saga_id',
      'k.accepted_status',
      'k.accepted_body',
      'k.answer_headers',
      'k.sealed_by',
    ])
    .select(sql<boolean | null>`k.lease_until > clock_timestamp()`.as('in_progress'))
    .compile(),
);

function createReader(db: Db) {
  return createBatcher(
    async (claims: readonly KeyClaim[]) => {
      const asked = JSON.stringify(claims.map(({ principal, key }, n) => ({ n, principal, key })));
      const rows = await selectKeys(db, asked);
      const byNumber = new Map(rows.map((row) => [row.n, row]));
      return claims.map((_claim, n) => byNumber.get(n) ?? null);
    },
    { maxBatch: 32, maxInFlight: 2, failTogether: isUnreachable },
  );
}

/**
 * Null when the key is free, or when what held it was cut short and its time is over. Throws `IDEMPOTENCY_KEY_REUSED` for
 * another request under the key, `IDEMPOTENCY_IN_PROGRESS` and `IDEMPOTENT_ANSWER_LOST`.
 */
export async function findEarlier(db: Db, seal: AnswerSeal, claim: KeyClaim): Promise<Earlier | null> {
  const row = await readerOf(db)(claim);
  if (!row) return null;
  if (!row.request_hash.equals(claim.requestHash)) throw new RoomyError('IDEMPOTENCY_KEY_REUSED');
  if (row.saga_id !== null) return { kind: 'saga', sagaId: row.saga_id };
  if (row.in_progress === true) throw new RoomyError('IDEMPOTENCY_IN_PROGRESS');
  if (row.in_progress === false) return null;
  const body =
    row.sealed_by === null ? row.accepted_body : seal.open(contextOf(claim), row.sealed_by, row.accepted_body);
  if (body === null) throw new RoomyError('IDEMPOTENT_ANSWER_LOST');
  return { kind: 'answer', status: row.accepted_status, headers: row.answer_headers ?? {}, body };
}

/** Binds a sealed answer to its caller, its key and its request. */
const contextOf = ({ principal, key, requestHash }: KeyClaim): string =>
  `${principal}\n${key}\n${requestHash.toString('hex')}`;

/**
 * Claims the key in the transaction of the change. False when another request has it, which has committed by then: the
 * statement waits for one that is under way, for `lock_timeout` at the most (`IDEMPOTENCY_IN_PROGRESS`).
 */
export async function claimKey(tx: Tx, claim: KeyClaim): Promise<boolean> {
  try {
    const claimed = await tx
      .insertInto('idempotency_key')
      .values(unanswered(claim))
      .onConflict((conflict) => conflict.doNothing())
      .returning('key')
      .executeTakeFirst();
    return claimed !== undefined;
  } catch (error) {
    throw inProgress(error);
  }
}

/**
 * Claims the key for a call to the outside, which no transaction may span: it is taken until the answer, or for 60 seconds.
 * False when another request has it. Throws `IDEMPOTENCY_IN_PROGRESS` like `claimKey`.
 */
export async function leaseKey(db: Db, claim: KeyClaim): Promise<boolean> {
  const until = sql<Date>`clock_timestamp() + ${LEASE_SECONDS}::int * interval '1 second'`;
  try {
    const claimed = await db
      .insertInto('idempotency_key')
      .values({ ...unanswered(claim), lease_until: until })
      .onConflict((conflict) =>
        conflict
          .columns(['principal', 'key'])
          .doUpdateSet({ lease_until: until })
          .where('idempotency_key.request_hash', '=', claim.requestHash)
          .where(sql<boolean>`idempotency_key.lease_until <= clock_timestamp()`),
      )
      .returning('key')
      .executeTakeFirst();
    return claimed !== undefined;
  } catch (error) {
    throw inProgress(error);
  }
}

const inProgress = (error: unknown): unknown =>
  error instanceof Error && Reflect.get(error, 'code') === LOCK_NOT_AVAILABLE
    ? new RoomyError('IDEMPOTENCY_IN_PROGRESS', { cause: error })
    : error;

const unanswered = ({ principal, key, requestHash }: KeyClaim) => ({
  principal,
  key,
  request_hash: requestHash,
  accepted_status: 0,
  accepted_body: Buffer.alloc(0),
});

/** Keeps the answer of a key that this request has claimed; sealed, when it holds a secret. */
export async function keepAnswer(
  db: Db | Tx,
  claim: KeyClaim,
  answer: Omit<KeptAnswer, 'kind'>,
  seal: AnswerSeal | null,
): Promise<void> {
  const sealed = seal?.seal(contextOf(claim), answer.body) ?? null;
  await db
    .updateTable('idempotency_key')
    .set({
      accepted_status: answer.status,
      accepted_body: sealed?.bytes ?? answer.body,
      answer_headers: JSON.stringify(answer.headers),
      sealed_by: sealed?.sealedBy ?? null,
      lease_until: null,
    })
    .where('principal', '=', claim.principal)
    .where('key', '=', claim.key)
    .execute();
}

/**
 * Part of the statement that accepts sagas: claims the keys of `from`, which has `principal`, `key`, `request_hash`,
 * `saga_id` and `answer` (bytes, kept as 202), in the order of the keys, and returns `saga_id`. No row: another request
 * has the key.
 */
export const claimForSagas = (from: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`INSERT INTO idempotency_key (principal, key, request_hash, saga_id, accepted_status, accepted_body)
        SELECT principal, key, request_hash, saga_id, 202, answer FROM ${from} ORDER BY principal, key ON CONFLICT DO NOTHING RETURNING saga_id`;

/** Statement that deletes the keys of `old`, which has `principal`, `key` and `id`; returns each `id`. */
export const deleteKeys = (old: RawBuilder<unknown>): RawBuilder<{ readonly id: string }> =>
  sql`DELETE FROM idempotency_key k USING ${old} o WHERE k.principal = o.principal AND k.key = o.key RETURNING o.id`;

/** A call to the outside was refused: the key is free again. */
export async function freeKey(db: Db, { principal, key }: KeyClaim): Promise<void> {
  await db
    .deleteFrom('idempotency_key')
    .where('principal', '=', principal)
    .where('key', '=', key)
    .where('lease_until', 'is not', null)
    .execute();
}
