import type { MiddlewareHandler } from 'hono';
import { RoomyError } from '../../kernel/errors.ts';
import type { Caller, TokenVerifier } from '../auth.ts';
import type { AnyContext, AppEnv, Services } from '../context.ts';
import { admit, admitFailure, type LimitClass } from '../limits.ts';
import { isSteppedUp, type Policy, type PolicyEntry, permits } from '../policy.ts';
import type { RefusalTrail } from '../refusal-trail.ts';
import { assertStillInForce } from '../standing.ts';
import { callerByTicket, takesTicket } from '../stream-ticket.ts';

export interface GuardParts {
  readonly deps: Services;
  readonly verify: TokenVerifier;
  readonly trail: RefusalTrail;
}
interface Guarded {
  readonly pattern: string;
  readonly policy: PolicyEntry;
  readonly limit: LimitClass | null;
}

/** The first thing that a route does: who calls, how often, and may they. Nothing of the request is read before. */
export function guard(parts: GuardParts, guarded: Guarded): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    c.set('route', guarded.pattern);
    try {
      await pass(c, parts, guarded);
    } catch (error) {
      await parts.trail.note(c, error);
      throw error;
    }
    await next();
  };
}

async function pass(c: AnyContext, { deps, verify }: GuardParts, { pattern, policy, limit }: Guarded): Promise<void> {
  if (policy === 'anonymous') return admit(c, deps, limit);
  const caller = await identify(c, deps, verify, pattern);
  c.set('caller', caller);
  // Before the question of rights: trying what one may not do is limited as well.
  await admit(c, deps, limit, caller);
  if (!permits(policy, caller)) {
    throw new RoomyError('FORBIDDEN', {
      text: `You lack the permission ${policy.permission}`,
      details: { permission: policy.permission },
    });
  }
  if (!isSteppedUp(policy, caller, deps.clock.now())) await assertSteppedUp(deps, policy, caller);
}

async function identify(c: AnyContext, deps: Services, verify: TokenVerifier, pattern: string): Promise<Caller> {
  try {
    if (takesTicket(c, pattern)) return await assertStillInForce(deps, await callerByTicket(c, deps.db));
    return await verify(c.req.header('authorization'));
  } catch (error) {
    if (error instanceof RoomyError && error.code === 'UNAUTHENTICATED') await admitFailure(c, deps);
    throw error;
  }
}

/** It may have been given a moment ago, at another process: the books are read before somebody is refused. */
async function assertSteppedUp(deps: Services, policy: Policy, caller: Caller): Promise<void> {
  deps.standing.forget(caller.principal);
  if (isSteppedUp(policy, await deps.standing.inForce(caller), deps.clock.now())) return;
  throw new RoomyError('STEP_UP_REQUIRED', { details: { page: `${deps.publicUrl}/account/second-factor` } });
}
