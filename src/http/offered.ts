import type { MiddlewareHandler } from 'hono';
import { type ActionView, allowedOf } from '../domain/reservations/actions.ts';
import { CATALOGUE } from '../kernel/errors.ts';
import type { Caller } from './auth.ts';
import type { AnyContext, AppEnv } from './context.ts';
import { permits, policyOf } from './policy.ts';

/**
 * An answer offers a caller only actions that its role permits: an endpoint checks the permission first, so a missing one is the
 * reason whatever the state of the stay. Stays, refusals of every kind and the kept answer of a refused saga go through
 * `ownOffers`.
 */
interface Offers {
  readonly actions: readonly ActionView[];
}

/** The same with the caller's own `actions` and `allowedActions`; an answer that offers nothing, or has no caller, stays as it is. */
export function ownOffers<T>(caller: Caller | undefined, body: T): T {
  if (caller === undefined || !isOffers(body)) return body;
  const actions = body.actions.map((offer) => {
    const policy = policyOf('POST', `/api/production/reservations/:id/${offer.action}`);
    if (policy === 'anonymous' || permits(policy, caller)) return offer;
    return { ...offer, allowed: false, reason: { code: 'FORBIDDEN' as const, message: CATALOGUE.FORBIDDEN.text } };
  });
  return { ...body, actions, allowedActions: allowedOf(actions) };
}

/** What names another stay at the same property: that is for whoever sees the stay, and of these only the office and the property's agents ask (security.md Z7). */
const OTHER_STAYS = ['conflictingReservation', 'conflict', 'occupiedBy'] as const;

/** The details of a refusal, as far as the caller may know of what they name. */
export function ownDetails<T>(caller: Caller | undefined, details: T): T {
  const own = ownOffers(caller, details);
  if (caller === undefined || typeof own !== 'object' || own === null) return own;
  if (caller.kind === 'person' && (caller.role === 'ADMIN' || caller.role === 'AGENT')) return own;
  const left = Object.entries(own).filter(([name]) => !OTHER_STAYS.some((other) => other === name));
  return Object.fromEntries(left) as T;
}

export const offeredTo = <T>(c: AnyContext, body: T): T => ownOffers(c.get('caller'), body);

const isOffers = (body: unknown): body is Offers =>
  typeof body === 'object' &&
  body !== null &&
  'allowedActions' in body &&
  'actions' in body &&
  Array.isArray(body.actions);

/** Refusals, whether thrown, or stored as the answer of a saga that knew no caller's permissions. */
export const ownOffersInRefusals: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next();
  const { status, headers } = c.res;
  const caller = c.get('caller');
  if (status < 400 || caller === undefined || headers.get('content-type')?.startsWith('application/json') !== true)
    return;
  const text = await c.res.clone().text();
  if (![...OTHER_STAYS, 'allowedActions'].some((name) => text.includes(`"${name}"`))) return;
  const refusal = JSON.parse(text) as { readonly details?: unknown };
  const own = new Headers(headers);
  own.delete('Content-Length');
  // Undefined first: setting it over another one would merge the old headers back in.
  c.res = undefined;
  c.res = new Response(JSON.stringify({ ...refusal, details: ownDetails(caller, refusal.details) }), {
    status,
    headers: own,
  });
};
