import { allowedOf } from '../domain/reservations/actions.ts';
import type { ReservationView } from '../domain/reservations/view.ts';
import { CATALOGUE } from '../kernel/errors.ts';
import { type AnyContext, callerOf } from './context.ts';
import { permits, policyOf } from './policy.ts';

/**
 * The stay with what this caller would be let do: an endpoint asks for the permission first, so that is its reason
 * whatever the state of the stay.
 */
export function offeredTo<Stay extends ReservationView>(c: AnyContext, stay: Stay): Stay {
  const caller = callerOf(c);
  const actions = stay.actions.map((offer) => {
    const policy = policyOf('POST', `/api/production/reservations/:id/${offer.action}`);
    if (policy === 'anonymous' || permits(policy, caller)) return offer;
    return { ...offer, allowed: false, reason: { code: 'FORBIDDEN' as const, message: CATALOGUE.FORBIDDEN.text } };
  });
  return { ...stay, actions, allowedActions: allowedOf(actions) };
}
