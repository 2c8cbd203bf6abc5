import type { AccountRole } from '../domain/people/accounts.ts';
import { createStandingBook, type Standing } from '../domain/people/standing.ts';
import type { Clock } from '../kernel/clock.ts';
import { type ApiKeyVerifier, type Caller, type TokenVerifier, unauthenticated } from './auth.ts';
import type { AppDeps } from './context.ts';

/**
 * A token says who somebody was when it was signed. Here it is compared with the books: who is deactivated, has another role
 * or has ended the session is refused, on every path that a token opens.
 */
export interface StandingGuard {
  /** The caller with what the books know. Throws `UNAUTHENTICATED` for one who is not in force any more. */
  inForce(caller: Caller): Promise<Caller>;
  /** The next look at this principal goes to the books. */
  forget(principal: string): void;
  /** Something about these principals was committed: this process looks anew, and the others are told. */
  changed(...principals: readonly string[]): void;
}

/** How processes tell each other that somebody's standing has changed. A hint: without it, half a minute decides. */
export interface StandingNews {
  tell(principals: readonly string[]): void;
  /** `listener` gets null when something may have been missed. */
  hear(listener: (principals: readonly string[] | null) => void): void;
}

type Deps = Pick<AppDeps, 'db' | 'clock' | 'isProduction' | 'standingNews'>;

/** One for each process: what is committed here is known here at once. */
export function createStandingGuard({ db, clock, isProduction = false, standingNews }: Deps): StandingGuard {
  const book = createStandingBook(db, clock);
  standingNews?.hear((principals) => book.forget(principals));
  return {
    async inForce(caller) {
      if (caller.kind === 'service') return caller;
      const sessionId = caller.session?.id ?? null;
      const standing = await book.of(caller.principal, sessionId);
      if (standing === null) return unknownTo(caller, isProduction);
      return known(caller, standing);
    },
    forget: (principal) => book.forget([principal]),
    changed(...principals) {
      book.forget(principals);
      standingNews?.tell(principals);
    },
  };
}

/** A subject without an account: pasted from a shell, which is for development. A session always has one. */
function unknownTo(caller: Caller & { readonly kind: 'person' }, isProduction: boolean): Caller {
  if (isProduction || caller.session) throw unauthenticated('unknown_subject');
  return caller;
}

function known(caller: Caller & { readonly kind: 'person' }, { accountId, role, isActive, session }: Standing): Caller {
  if (!isActive) throw unauthenticated('account_inactive');
  if (!isSame(role, caller.role)) throw unauthenticated('role_changed');
  if (session !== null && !session.isOpen) throw unauthenticated('session_ended');
  return {
    ...caller,
    accountId,
    session: caller.session && session ? { id: caller.session.id, mfaAt: session.mfaAt } : null,
  };
}
const isSame = (role: AccountRole, claimed: string | null): boolean => role === claimed;

/**
 * For what outlives the request that it began with: streams, tickets and links. Throws `UNAUTHENTICATED` for a person, a session, a
 * token or a key that does not count any more.
 */
export async function assertStillInForce(services: StillInForce, caller: Caller): Promise<Caller> {
  if (caller.validUntil !== undefined && caller.validUntil <= services.clock.now())
    throw unauthenticated('jwt_expired');
  await services.apiKeys.assertInForce(caller);
  return services.standing.inForce(caller);
}
interface StillInForce {
  readonly clock: Clock;
  readonly standing: StandingGuard;
  readonly apiKeys: Pick<ApiKeyVerifier, 'assertInForce'>;
}

/** The verifier whose answer has been compared with the books. */
export const verifierInForce =
  (verify: TokenVerifier, standing: StandingGuard): TokenVerifier =>
  async (authorization) =>
    standing.inForce(await verify(authorization));
