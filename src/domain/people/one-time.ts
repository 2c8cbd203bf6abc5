import { type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { Database, Json } from '../../db/schema.ts';
import { newSecret } from '../../kernel/ids.ts';
import { sha256OfBytes } from '../../kernel/json.ts';
import { lockAccount } from './accounts.ts';

/**
 * What counts once and until its end: the link of a mail, an invitation, the state of a sign-in elsewhere. The only statements
 * that write `one_time`. The secret is 256 random bits, of which a digest alone is kept.
 */

export type OneTimeKind = Database['one_time']['kind'];

export interface OneTime {
  readonly accountId: string | null;
  readonly data: Json;
}
export interface NewOneTime {
  readonly kind: OneTimeKind;
  readonly accountId: string | null;
  /** No secrets: it lies in clear. */
  readonly data?: Readonly<Record<string, Json>>;
  readonly lifetimeSeconds: number;
}

const digestOf = (secret: string): Buffer => sha256OfBytes(Buffer.from(secret, 'utf8'));

const isOpen = sql<SqlBool>`consumed_at IS NULL AND expires_at > now()`;

/** Answers the secret, which is shown to nobody again. */
export async function issueOneTime(
  tx: Db | Tx,
  { kind, accountId, data, lifetimeSeconds }: NewOneTime,
): Promise<string> {
  const secret = newSecret();
  await tx
    .insertInto('one_time')
    .values({
      hash: digestOf(secret),
      kind,
      account_id: accountId,
      data: JSON.stringify(data ?? {}),
      expires_at: sql<Date>`now() + make_interval(secs => ${lifetimeSeconds})`,
    })
    .execute();
  return secret;
}

/** How many of a kind an account got in the last hour, and how many of the last `seconds` are unused. */
export async function recentOneTimes(
  tx: Tx,
  accountId: string,
  kind: OneTimeKind,
  seconds: number,
): Promise<{ readonly issued: number; readonly unused: number }> {
  return tx
    .selectFrom('one_time')
    .select([
      sql<number>`(count(*) FILTER (WHERE created_at > now() - interval '1 hour'))::int`.as('issued'),
      sql<number>`(count(*) FILTER (WHERE ${isOpen} AND created_at > now() - make_interval(secs => ${seconds})))::int`.as(
        'unused',
      ),
    ])
    .where('account_id', '=', accountId)
    .where('kind', '=', kind)
    .where('created_at', '>', sql<Date>`now() - greatest(interval '1 hour', make_interval(secs => ${seconds}))`)
    .executeTakeFirstOrThrow();
}

/** Looks without using it up, as a page does before its button. Null: unknown, used or past its end. */
export async function peekOneTime(db: Db | Tx, kind: OneTimeKind, secret: string): Promise<OneTime | null> {
  const row = await db
    .selectFrom('one_time')
    .select(['account_id', 'data'])
    .where('hash', '=', digestOf(secret))
    .where('kind', '=', kind)
    .where(isOpen)
    .executeTakeFirst();
  return row ? { accountId: row.account_id, data: row.data } : null;
}

/**
 * Uses it up. Of any number of callers at once, one gets the answer and the others null. The account is locked first, as by
 * whoever ends its sessions (`endSessionsOf`): what has ended by then is seen to have ended, and neither waits for the other.
 */
export async function consumeOneTime(tx: Db | Tx, kind: OneTimeKind, secret: string): Promise<OneTime | null> {
  const accountId = (await peekOneTime(tx, kind, secret))?.accountId ?? null;
  if (accountId !== null) await lockAccount(tx, accountId);
  const row = await tx
    .updateTable('one_time')
    .set({ consumed_at: sql<Date>`now()` })
    .where('hash', '=', digestOf(secret))
    .where('kind', '=', kind)
    .where(isOpen)
    .returning(['account_id', 'data'])
    .executeTakeFirst();
  return row ? { accountId: row.account_id, data: row.data } : null;
}

/** Ends what is open of these kinds for an account, which is locked: a newer link, or a deactivation, takes the older ones back. */
export async function withdrawOneTimes(tx: Tx, accountId: string, kinds: readonly OneTimeKind[]): Promise<void> {
  await tx
    .updateTable('one_time')
    .set({ consumed_at: sql<Date>`now()` })
    .where('account_id', '=', accountId)
    .where('kind', 'in', kinds)
    .where(isOpen)
    .execute();
}

/** Ends what is open of all kinds for everybody, as a restore does; answers how many. */
export async function withdrawAllOneTimes(tx: Tx): Promise<number> {
  const { numUpdatedRows } = await tx
    .updateTable('one_time')
    .set({ consumed_at: sql<Date>`now()` })
    .where(isOpen)
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

/** After their end. */
export const ONE_TIMES_KEPT_DAYS = 7;

/** Deletes some that have ended a week ago; answers how many. */
export async function pruneOneTimes(db: Db, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    DELETE FROM one_time WHERE hash IN (SELECT o.hash FROM one_time o
      WHERE o.expires_at < now() - ${ONE_TIMES_KEPT_DAYS}::int * interval '1 day' ORDER BY o.expires_at LIMIT ${limit}::int)`.execute(
    db,
  );
  return Number(numAffectedRows ?? 0n);
}
