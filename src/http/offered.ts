import type { MiddlewareHandler } from 'hono';
import { type ActionView, allowedOf } from '../domain/reservations/actions.ts';
import { CATALOGUE } from '../kernel/errors.ts';
import type { Caller } from './auth.ts';
import type { AnyContext, AppEnv } from './context.ts';
import { permits, policyOf } from './policy.ts';

/**
 * What a caller is told that could be done with a stay is what they would be let do: an endpoint asks for the permission
 * first, so that is its reason whatever the state of the stay. Stays, refusals of every kind and what is kept of a refused
 * saga go through `ownOffers`.
 */
interface Offers {
  readonly actions: readonly ActionView[];
}

/** The same with the caller's own `actions` and `allowedActions`; what offers nothing, and what nobody asks for, stays as it is. */
export function ownOffers<T>(caller: Caller | undefined, told: T): T {
  if (caller === undefined || !isOffers(told)) return told;
  const actions = told.actions.map((offer) => {
    const policy = policyOf('POST', `/api/production/reservations/:id/${offer.action}`);
    if (policy === 'anonymous' || permits(policy, caller)) return offer;
    return { ...offer, allowed: false, reason: { code: 'FORBIDDEN' as const, message: CATALOGUE.FORBIDDEN.text } };
  });
  return { ...told, actions, allowedActions: allowedOf(actions) };
}

export const offeredTo = <T>(c: AnyContext, told: T): T => ownOffers(c.get('caller'), told);

const isOffers = (told: unknown): told is Offers =>
  typeof told === 'object' &&
  told !== null &&
  'allowedActions' in told &&
  'actions' in told &&
  Array.isArray(told.actions);

/** Refusals, whether thrown, or stored as the answer of a saga that knew no caller's permissions. */
export const ownOffersInRefusals: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next();
  const { status, headers } = c.res;
  const caller = c.get('caller');
  if (status < 400 || caller === undefined || headers.get('content-type')?.startsWith('application/json') !== true)
    return;
  const text = await c.res.clone().text();
  if (!text.includes('"allowedActions"')) return;
  const refusal = JSON.parse(text) as { readonly details?: unknown };
  const own = new Headers(headers);
  own.delete('Content-Length');
  // Undefined first: setting it over another one would merge the old headers back in.
  c.res = undefined;
  c.res = new Response(JSON.stringify({ ...refusal, details: ownOffers(caller, refusal.details) }), {
    status,
    headers: own,
  });
};
