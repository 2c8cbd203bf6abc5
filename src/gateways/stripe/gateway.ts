import type { PaymentGateway } from '../../domain/ports.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Logger } from '../../kernel/log.ts';
import { notVerified } from '../failures.ts';
import { cardOf } from './card.ts';
import { type Charging, charge } from './charge.ts';
import { type ClientSettings, createClient, LIST_REPLY_BYTES, openExchange, REPLY_BYTES } from './client.ts';
import { declineOf } from './errors.ts';
import { movements } from './movements.ts';
import { disputes, recordOf } from './record.ts';
import type { Intent } from './replies.ts';
import { payOut, refund } from './transfers.ts';
import { undoCharge } from './undo.ts';

export type StripeSettings = ClientSettings;

/** Stripe, by its official SDK. References are PaymentIntents or PaymentMethods; owners are connected accounts. */
export function createStripeGateway(
  settings: StripeSettings,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): PaymentGateway {
  const client = createClient(settings, REPLY_BYTES);
  const lister = createClient(settings, LIST_REPLY_BYTES);
  const open = (signal: AbortSignal | null) => ({
    exchange: openExchange(client, clock, signal),
    listing: openExchange(lister, clock, signal),
  });
  return {
    charge(request, signal) {
      const { exchange, listing } = open(signal);
      const charging: Charging = {
        exchange,
        searching: listing,
        signal,
        now: clock.now(),
        refuse: (intent) => refusalOf(intent, request, clock),
        onUnknownFee: ({ id }) => log.warn({ paymentIntent: id }, 'the gateway does not know its fee yet'),
      };
      return charge(charging, request);
    },
    undoCharge(request, signal) {
      const { exchange, listing } = open(signal);
      return undoCharge({ exchange, searching: listing, now: clock.now() }, request);
    },
    refund: (request, signal) => refund(open(signal), request),
    payOut: (request, signal) => payOut(open(signal), request),
    cardOf: ({ reference }, signal) => cardOf(open(signal).exchange, reference),
    recordOf: (request, signal) => recordOf(open(signal).listing, request),
    disputes: (_gatewayId, from, to, limit) => disputes(open(null).listing, { from, to, limit }),
    movements: (gatewayId, from, to, limit) => movements(open(null).listing, { gatewayId, from, to, limit }),
  };
}

/** Of a PaymentIntent that nothing can be captured on. */
function refusalOf(
  { status, last_payment_error: failure }: Intent,
  request: { readonly gatewayId: string; readonly reference: string },
  clock: Clock,
): Error {
  if (status === 'requires_action') return declineOf('authentication_required', null, clock);
  if (status !== 'requires_payment_method') {
    return notVerified(request, status === 'canceled' ? 'CANCELLED' : 'UNEXPECTED_STATE');
  }
  return declineOf(failure?.decline_code ?? failure?.code ?? 'payment_method_required', null, clock);
}
