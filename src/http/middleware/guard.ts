import type { MiddlewareHandler } from 'hono';
import { recordAudit } from '../../domain/audit/record.ts';
import { RoomyError } from '../../kernel/errors.ts';
import type { Caller, TokenVerifier } from '../auth.ts';
import type { AnyContext, AppDeps, AppEnv } from '../context.ts';
import { type Policy, type PolicyEntry, permits } from '../policy.ts';

/** The first thing that a route does: who calls, and may they. Nothing of the request is read before. */
export function guard(
  deps: AppDeps,
  verify: TokenVerifier,
  pattern: string,
  policy: PolicyEntry,
): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    c.set('route', pattern);
    if (policy !== 'anonymous') {
      const caller = await verify(c.req.header('authorization'));
      c.set('caller', caller);
      if (!permits(policy, caller)) {
        await auditDenial(deps, c, caller, policy, pattern);
        throw new RoomyError('FORBIDDEN', {
          text: `You lack the permission ${policy.permission}`,
          details: { permission: policy.permission },
        });
      }
    }
    await next();
  };
}

/** A refusal stands even when it cannot be written down; the log has it anyway. */
async function auditDenial(
  deps: AppDeps,
  c: AnyContext,
  caller: Caller,
  policy: Policy,
  pattern: string,
): Promise<void> {
  try {
    await recordAudit(deps.db, {
      streamId: `denied:${caller.principal}`,
      event: 'ACCESS_DENIED',
      actor: caller.principal,
      requestId: c.get('requestId'),
      ip: c.get('ip'),
      body: { outcome: 'denied', details: { permission: policy.permission, method: c.req.method, route: pattern } },
    });
  } catch (error) {
    deps.log.warn({ err: error, requestId: c.get('requestId') }, 'denial not audited');
  }
}
