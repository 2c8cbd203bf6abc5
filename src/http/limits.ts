import { RoomyError } from '../kernel/errors.ts';
import {
  type AddressLimit,
  type CallerLimit,
  limitOfCaller,
  networkOf,
  type RateLimiter,
} from '../kernel/rate-limits.ts';
import { count as countMeasured } from '../kernel/telemetry/measure.ts';
import { WEBHOOKS_PATH } from '../kernel/webhook-path.ts';
import type { Caller } from './auth.ts';
import type { AnyContext, AppDeps } from './context.ts';
import type { PolicyEntry } from './policy.ts';

/**
 * Which limit an endpoint counts by (security.md Q1, Q2). It follows from the table of rights, so that no endpoint can be
 * without one: a caller that is known counts by itself, any other by its address.
 */

export type LimitClass =
  | { readonly by: 'caller'; readonly name: Extract<CallerLimit, 'reads' | 'writes' | 'payments'> }
  | { readonly by: 'address'; readonly name: Exclude<AddressLimit, 'failures'> };

const WINDOW_SECONDS = 60;
/** Asked every few seconds, and they answer one word. */
const PROBES = new Set(['/health/live', '/health/ready', '/healthz', '/readyz']);
/** Permissions by which money moves, or may move. */
const MONEY = /^(?:payments|payouts|refunds|differences|charges|approvals):/;
const SIGNED_LINK = /\/:token(?:\/|$)|^\/calendar\//;
/** Whose forms are answers to a question, and make nobody known. */
const ASKED_BY_LINK = /^\/(?:approvals|offers)\//;

/** Null: it is not limited. */
export function limitClassOf(method: string, pattern: string, policy: PolicyEntry): LimitClass | null {
  const reads = method.toUpperCase() === 'GET';
  if (policy !== 'anonymous') {
    const name = reads ? 'reads' : MONEY.test(policy.permission) ? 'payments' : 'writes';
    return { by: 'caller', name };
  }
  if (PROBES.has(pattern)) return null;
  if (pattern.startsWith(WEBHOOKS_PATH)) return { by: 'address', name: 'webhooks' };
  if ((reads ? SIGNED_LINK : ASKED_BY_LINK).test(pattern)) return { by: 'address', name: 'links' };
  // Forms of people who are signed in; what they act on is counted once more by who they are.
  if (pattern.startsWith('/console')) return { by: 'address', name: 'pages' };
  // Whatever else changes something for nobody in particular tries to become somebody.
  return { by: 'address', name: reads ? 'pages' : 'sign-in' };
}

/** Counts the request, by its caller if that is known; throws `RATE_LIMITED` when it is one too many. */
export async function admit(c: AnyContext, deps: AppDeps, limit: LimitClass | null, caller?: Caller): Promise<void> {
  if (limit === null || deps.limits === undefined) return;
  const { limiter, numbers } = deps.limits;
  if (limit.by === 'caller' && caller !== undefined)
    await count(c, limiter, limit.name, limitOfCaller(numbers, caller, limit.name), caller.principal);
  else if (limit.by === 'address')
    await count(c, limiter, limit.name, numbers.general[limit.name], networkOf(c.get('ip')));
}

/** Counts a request that did not prove who sends it. Who sends too many of them is told to wait, and no more than that. */
export async function admitFailure(c: AnyContext, { limits }: AppDeps): Promise<void> {
  if (limits === undefined) return;
  await count(c, limits.limiter, 'failures', limits.numbers.general.failures, networkOf(c.get('ip')));
}

async function count(c: AnyContext, limiter: RateLimiter, name: string, times: number, who: string): Promise<void> {
  const taken = await limiter.take({ name, times, windowSeconds: WINDOW_SECONDS }, who);
  c.set('counted', { ...taken, name, windowSeconds: WINDOW_SECONDS });
  if (taken.isAllowed) return;
  countMeasured('roomy_rate_limited_total', { limit: name });
  throw new RoomyError('RATE_LIMITED', {
    details: { limit: name, retryAfterSeconds: Math.max(1, secondsOf(taken.resetMs)) },
  });
}

/** Never earlier than the window's end. */
export const secondsOf = (ms: number): number => Math.ceil(ms / 1000);
