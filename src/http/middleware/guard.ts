import type { MiddlewareHandler } from 'hono';
import { RoomyError } from '../../kernel/errors.ts';
import type { Caller, TokenVerifier } from '../auth.ts';
import { type AnyContext, type AppEnv, callerOf, type Services } from '../context.ts';
import { admit, admitFailure, type LimitClass } from '../limits.ts';
import { type PolicyEntry, permits } from '../policy.ts';
import type { RefusalTrail } from '../refusal-trail.ts';
import { assertStillInForce } from '../standing.ts';
import { alwaysNeedsStepUp, isSteppedUp, needsStepUpFor } from '../step-up.ts';
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
  if (alwaysNeedsStepUp(policy)) await assertSteppedUp(deps, caller);
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

/** For the routes whose body says whether they are an act that needs a fresh second factor. Throws `STEP_UP_REQUIRED`. */
export async function assertSteppedUpFor(
  c: AnyContext,
  deps: Services,
  policy: PolicyEntry,
  body: unknown,
): Promise<void> {
  if (policy !== 'anonymous' && needsStepUpFor(policy, body)) await assertSteppedUp(deps, callerOf(c));
}

/** It may have been given a moment ago, at another process: the books are read before somebody is refused. */
async function assertSteppedUp(deps: Services, caller: Caller): Promise<void> {
  if (isSteppedUp(caller, deps.clock.now())) return;
  deps.standing.forget(caller.principal);
  if (isSteppedUp(await deps.standing.inForce(caller), deps.clock.now())) return;
  // Where somebody else signs people in, it is there that they give it.
  const isOurs = caller.kind === 'person' && caller.provider === undefined;
  throw new RoomyError('STEP_UP_REQUIRED', {
    ...(isOurs ? { details: { page: `${deps.publicUrl}/account/second-factor` } } : {}),
  });
}
