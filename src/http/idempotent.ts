import type { Tx } from '../db/client.ts';
import { RoomyError, required } from '../kernel/errors.ts';
import { canonicalJson, sha256 } from '../kernel/json.ts';
import { type AnyContext, type AppDeps, callerOf, inTransaction } from './context.ts';

/** The caller's key, and a digest of what it stands for: method, path and body (guarantees.md 2.6). */
export function idempotencyClaimOf(c: AnyContext, body: unknown) {
  const key = c.req.header('idempotency-key');
  if (key === undefined) return null;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) throw new RoomyError('INVALID_IDEMPOTENCY_KEY');
  return { key, requestHash: sha256(c.req.method, c.req.path, canonicalJson(body)) };
}

/**
 * A change that is no saga, once for each Idempotency-Key: the answer is kept in the change's own commit, and a repeat
 * gets its bytes. A refusal keeps nothing, so that the same key may be tried again.
 */
export async function answerOnce(
  c: AnyContext,
  deps: AppDeps,
  body: unknown,
  change: (tx: Tx) => Promise<object>,
): Promise<Response> {
  const claim = idempotencyClaimOf(c, body);
  const principal = callerOf(c).principal;
  const { text, replayed } = await inTransaction(deps, async (tx) => {
    if (claim === null) return { text: JSON.stringify(await change(tx)), replayed: false };
    // Waits for a request with the same key that is under way.
    const claimed = await tx
      .insertInto('idempotency_key')
      .values({
        principal,
        key: claim.key,
        request_hash: claim.requestHash,
        accepted_status: 200,
        accepted_body: Buffer.alloc(0),
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning('key')
      .executeTakeFirst();
    const row = tx.selectFrom('idempotency_key').where('principal', '=', principal).where('key', '=', claim.key);
    if (!claimed) {
      const found = await row.select(['request_hash', 'accepted_body', 'saga_id']).executeTakeFirst();
      const known = required(found, 'the key that was taken');
      if (known.saga_id !== null || !known.request_hash.equals(claim.requestHash)) {
        throw new RoomyError('IDEMPOTENCY_KEY_REUSED');
      }
      return { text: known.accepted_body.toString(), replayed: true };
    }
    const answer = JSON.stringify(await change(tx));
    await tx
      .updateTable('idempotency_key')
      .set({ accepted_body: Buffer.from(answer) })
      .where('principal', '=', principal)
      .where('key', '=', claim.key)
      .execute();
    return { text: answer, replayed: false };
  });
  c.header('Content-Type', 'application/json; charset=utf-8');
  if (replayed) c.header('Idempotency-Replayed', 'true');
  return c.body(text, 200);
}
