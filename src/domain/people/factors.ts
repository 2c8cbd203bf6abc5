import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { RoomyError } from '../../kernel/errors.ts';

/** How long a sign-in, or a second factor that was given, is fresh enough to change by what somebody signs in. */
const FRESH_MINUTES = 15;

interface Freshness {
  readonly gaveFactor: boolean;
  readonly isNew: boolean;
  readonly hasFactor: boolean;
}
const isFreshEnough = ({ gaveFactor, isNew, hasFactor }: Freshness): boolean => gaveFactor || (isNew && !hasFactor);

/** Whether `assertMayChangeFactors` would let it pass. */
export async function mayChangeFactors(db: Db | Tx, sessionId: string): Promise<boolean> {
  const freshness = await freshnessOf(db, sessionId);
  return freshness !== undefined && isFreshEnough(freshness);
}

/**
 * Whether the factors of an account may be added to or taken away in this session: with a second factor of the last minutes,
 * or, where the account has none yet, soon after the sign-in. Else whoever can read somebody's mail could sign in by a link,
 * add a passkey of their own, and would have two factors (security.md S6). Throws `UNAUTHENTICATED` for a session that has ended, and
 * `STEP_UP_REQUIRED`.
 */
export async function assertMayChangeFactors(tx: Db | Tx, sessionId: string): Promise<void> {
  const freshness = await freshnessOf(tx, sessionId);
  if (freshness === undefined) throw new RoomyError('UNAUTHENTICATED', { cause: 'session_ended' });
  if (!isFreshEnough(freshness)) throw new RoomyError('STEP_UP_REQUIRED');
}

function freshnessOf(db: Db | Tx, sessionId: string): Promise<Freshness | undefined> {
  const minutes = literal(FRESH_MINUTES);
  return db
    .selectFrom('session as s')
    .innerJoin('account as a', 'a.id', 's.account_id')
    .select([
      sql<boolean>`coalesce(s.mfa_at > now() - make_interval(mins => ${minutes}), false)`.as('gaveFactor'),
      sql<boolean>`s.created_at > now() - make_interval(mins => ${minutes})`.as('isNew'),
      sql<boolean>`a.totp_secret IS NOT NULL OR EXISTS (SELECT FROM passkey p WHERE p.account_id = a.id)`.as(
        'hasFactor',
      ),
    ])
    .where('s.id', '=', sessionId)
    .where('s.ended_at', 'is', null)
    .where('s.expires_at', '>', sql<Date>`now()`)
    .where('a.status', '=', literal('ACTIVE'))
    .executeTakeFirst();
}
