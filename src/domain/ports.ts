import type { Channel, MovementKind } from '../db/schema.ts';
import { RoomyError } from '../kernel/errors.ts';
import { nearest } from '../kernel/nearest.ts';

/** What the domain needs of the outside. Adapters are in `gateways`; the programs wire them. */

/** A rendered message to one recipient. Values in it are escaped for their place already; an adapter checks again. */
export interface OutgoingMessage {
  /** Stable over every attempt, so that a receiver can tell a repeat: `<effectKey@roomy>`. */
  readonly messageId: string;
  readonly channel: Channel;
  /** One e-mail address, or one phone number. */
  readonly to: string;
  /** Null for SMS. */
  readonly subject: string | null;
  readonly text: string;
  /** Null for SMS. */
  readonly html: string | null;
  /** What `html` was put together from, for what keeps mails: the frame's id, the language (BCP 47), and the mail's own content. */
  readonly parts?: { readonly frame: string; readonly locale: string; readonly content: string } | null;
}

export type SendOutcome =
  | { readonly sent: true; readonly providerId: string }
  /** `reason` is a code, never a provider's text: that may quote the recipient. */
  | { readonly sent: false; readonly permanent: boolean; readonly reason: string }
  /** It may have been sent, and sending it again may send it twice. */
  | {
      readonly sent: false;
      readonly unknown: true;
      readonly reason: string;
      /** Ids of the provider's messages that it may be, oldest first; another message of ours may own some. */
      readonly candidates?: readonly string[];
    }
  /** It was not tried: ask again then. */
  | { readonly sent: false; readonly waitUntil: Date; readonly reason: string };

export interface Messenger {
  /** Messages that one call surely finishes within 20 s, well under the lease of a claimed notification (30 s); a caller gives no more at once. */
  readonly maxBatch: number;
  /** Whether sending a message again is harmless, as the receiver can tell, or costs money. Default: harmless. */
  readonly repeats?: 'HARMLESS' | 'COST';
  /** The provider's ids of what may be this message, made since then, oldest first. Only where repeats cost. */
  find?(message: OutgoingMessage, since: Date): Promise<readonly string[]>;
  /** One outcome per message, in the same order. A throw means that none may be counted as sent. */
  send(messages: readonly OutgoingMessage[]): Promise<readonly SendOutcome[]>;
  close(): Promise<void>;
}

/** What money needs of the outside. Amounts are integer minor units; keys are the orchestrator's effect keys. */
export interface ChargeRequest {
  /** Idempotency key: the same on every attempt; the gateway answers a repeat as it did the first time. */
  readonly key: string;
  readonly gatewayId: string;
  /** The caller's reference of what is to be captured or was captured: a token, never a card number. */
  readonly reference: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly reservationId: string;
  /** The gateway has told that it is captured. What has gone back of it since is no reason to refuse it: it is booked next. */
  readonly isCaptured?: boolean;
}
export interface Charge {
  /** The gateway's own id of the captured money. */
  readonly providerId: string;
  readonly amountMinor: number;
  readonly currency: string;
  /** What the gateway keeps of it. */
  readonly feeMinor: number;
}
export interface UndoChargeRequest extends ChargeRequest {
  /** The key under which the charge was, or may have been, asked for; `key` is this request's own. */
  readonly chargeKey: string;
}
export interface RefundRequest {
  readonly key: string;
  readonly gatewayId: string;
  readonly reference: string;
  /** `Charge.providerId`. */
  readonly chargeId: string;
  readonly amountMinor: number;
  readonly currency: string;
}
export interface RecordRequest {
  readonly gatewayId: string;
  readonly reference: string;
  /** `Charge.providerId`. */
  readonly chargeId: string;
}
/** One refund of a charge, whoever has made it: this system, or a person in the provider's own dashboard. */
export interface RecordedRefund {
  readonly providerId: string;
  readonly amountMinor: number;
  readonly currency: string;
  /** Why the money is with the provider again, as an upper-snake code: it failed, or was withdrawn. Null: it has left. */
  readonly cameBack: string | null;
}
/** A guest's bank demands the money of a charge back. */
export interface RecordedDispute {
  readonly providerId: string;
  /** What is demanded, in the currency of the charge. */
  readonly amountMinor: number;
  readonly currency: string;
  /** `CLOSED`: it ended without being decided. */
  readonly status: 'OPEN' | 'WON' | 'LOST' | 'CLOSED';
  /** The provider has taken the amount from what it holds for us, and has not given it back. */
  readonly withdrawn: boolean;
  /** What it has taken by its own lines, in the currency of the charge. Default: all that is demanded. */
  readonly takenMinor?: number;
  /** Of what it has taken: what has come back. Default: nothing is said, and a dispute that is won gives all of it back. */
  readonly returnedMinor?: number;
  /** What the provider keeps for the dispute itself, less what it has given back of that. */
  readonly feeMinor: number;
  /** An upper-snake code. */
  readonly reason: string | null;
  /** Until when evidence is taken; null: none is asked for any more. */
  readonly respondBy: Date | null;
}
/** What has become of one charge by its provider's own record. */
export interface ChargeRecord {
  /** Both oldest first. */
  readonly refunds: readonly RecordedRefund[];
  readonly disputes: readonly RecordedDispute[];
}
/** A dispute in a provider's record: of which charge. */
export interface DisputedCharge {
  readonly providerId: string;
  readonly chargeId: string;
}
export type CardRequest = Pick<ChargeRequest, 'gatewayId' | 'reference'>;
export interface PayoutRequest {
  readonly key: string;
  /** The owner's account at the gateway or bank. */
  readonly account: string;
  readonly amountMinor: number;
  readonly currency: string;
}
export type MoneyOutcome =
  | { readonly done: true; readonly providerId: string }
  /** Refused for good; `reason` is an upper-snake code, never a provider's text. */
  | { readonly done: false; readonly reason: string };

/** One movement in a gateway's own record, for reconciliation. */
export interface GatewayMovement {
  readonly kind: MovementKind;
  /** A charge's or refund's gateway reference; a payout's provider id. */
  readonly reference: string;
  readonly providerId: string;
  readonly amountMinor: number;
  readonly feeMinor: number;
  readonly currency: string;
  readonly at: Date;
  /** `Charge.providerId` of the charge that it is of, where the record says it. */
  readonly chargeId?: string;
  /** The money is at our disposal, less its fee: in the bank, or in the balance that owners are paid out of. */
  readonly settled: boolean;
  /** It came back, or never left: the record shows it, and it counts for nothing. */
  readonly failed: boolean;
}

/**
 * A payment provider. Every call is idempotent by `key`. What may pass is thrown as `GATEWAY_UNAVAILABLE` (transient;
 * `unsent` when the request certainly never arrived) or `CircuitOpenError`; a timeout after sending is `STEP_TIMEOUT`.
 */
export interface PaymentGateway {
  /** What it will keep of a charge, in minor units; absent: nobody knows before. */
  feeOf?(amountMinor: number): number;
  /**
   * Captures the reference, or finds it captured. Throws `PAYMENT_DECLINED` (details: gatewayError, retryAfter?) and
   * `PAYMENT_NOT_VERIFIED` when the gateway reports another amount or currency, something already refunded, or does
   * not know the reference.
   */
  charge(request: ChargeRequest, signal: AbortSignal): Promise<Charge>;
  /** Takes back whatever came of `chargeKey`, and sees to it that nothing can come of it any more (guarantees.md 2.5.3). */
  undoCharge(
    request: UndoChargeRequest,
    signal: AbortSignal,
  ): Promise<{ readonly outcome: 'nothing' | 'voided' | 'refunded' }>;
  refund(request: RefundRequest, signal: AbortSignal): Promise<MoneyOutcome>;
  payOut(request: PayoutRequest, signal: AbortSignal): Promise<MoneyOutcome>;
  /**
   * The provider's own fingerprint of the card behind a reference: the same for the same card, whatever reference and
   * guest it comes with. It is no card number, and tells nothing of one. Null: the provider knows no card behind it.
   */
  cardOf(request: CardRequest, signal: AbortSignal): Promise<string | null>;
  /** What has become of a charge since, as it stands now. */
  recordOf(request: RecordRequest, signal: AbortSignal): Promise<ChargeRecord>;
  /** Disputes that were opened in `[from, to)`; at most `limit`. */
  disputes(gatewayId: string, from: Date, to: Date, limit: number): Promise<readonly DisputedCharge[]>;
  /** The gateway's record of one gateway id in `[from, to)`; at most `limit` movements, oldest first. */
  movements(gatewayId: string, from: Date, to: Date, limit: number): Promise<readonly GatewayMovement[]>;
}

/** What is asked of a property's devices for a stay. Instants are ISO 8601 in UTC. */
export interface ActivateRequest {
  /** Idempotency key: the same on every attempt; a repeat gets the first answer. */
  readonly key: string;
  /** `property.amenityDevice`. */
  readonly device: string;
  readonly propertyId: string;
  readonly reservationId: string;
  readonly from: string;
  readonly until: string;
}
export interface Activation {
  /** The device's own id of what it has granted. */
  readonly providerId: string;
  /** What opens the door; null where the device has none. A secret: it goes to the guest and nowhere else. */
  readonly accessCode: string | null;
}
export interface DeactivateRequest {
  readonly key: string;
  readonly device: string;
  readonly propertyId: string;
  readonly reservationId: string;
  /** The key under which the activation was, or may have been, asked for. */
  readonly activationKey: string;
}
/** Another time for what came of an activation; its code stays the same. */
export interface ChangePeriodRequest extends ActivateRequest {
  /** The key under which the activation was asked for. */
  readonly activationKey: string;
}
/** One stay's grant in a device's own record. */
export interface DeviceGrant {
  readonly providerId: string;
  readonly reservationId: string;
  readonly activationKey: string;
  readonly from: string;
  readonly until: string;
  readonly active: boolean;
}

/**
 * Locks, heating, Wi-Fi: whatever a property switches on for a guest. Every call is idempotent by `key`. What may pass
 * is thrown as `AMENITIES_UNAVAILABLE` (transient; `unsent` when the request certainly never arrived) or
 * `CircuitOpenError`; a lost answer is `STEP_TIMEOUT`; a device that says no for good is `AMENITIES_REFUSED`.
 */
export interface Amenities {
  activate(request: ActivateRequest, signal: AbortSignal): Promise<Activation>;
  /**
   * Has what came of `activationKey` serve from and until other instants. `AMENITIES_REFUSED` where there is nothing, or
   * it was taken back, and where the device has kept the time that it had.
   */
  changePeriod(request: ChangePeriodRequest, signal: AbortSignal): Promise<void>;
  /** Takes back whatever came of `activationKey`, and sees to it that nothing can come of it any more. */
  deactivate(request: DeactivateRequest, signal: AbortSignal): Promise<{ readonly outcome: 'nothing' | 'deactivated' }>;
  /** The device's own record, newest first; for people and for tests. */
  grantsOf(device: string, signal: AbortSignal): Promise<readonly DeviceGrant[]>;
}

/** What `call` steps speak to. */
export interface Ports {
  readonly amenities: Amenities;
  /** Of every gateway that takes payments. No id falls to a default one: money would go, or seem to go, elsewhere. */
  readonly gatewayIds: readonly string[];
  /** One of those, or `PAYOUT_BANK`. Throws `GATEWAY_UNKNOWN`. */
  gateway(gatewayId: string): PaymentGateway;
  /** The provider that pays owners out. Throws `GATEWAY_UNKNOWN` for an account that no provider here has. */
  payouts(account: string): PaymentGateway;
  /**
   * The least part of an amount, in minor units, that a gateway or an owner's account takes: every amount sent there is
   * a multiple of it. 1 where no provider here has the gateway or account: the call to it says so.
   */
  amountStep(at: MoneyPlace, currency: string): number;
}
/** Where an amount is to be sent. */
export type MoneyPlace = { readonly gatewayId: string } | { readonly account: string };

/** Under this gateway id stand the payouts in a record of movements: they leave from the bank. `DEVICES` stands for those of properties. */
export const PAYOUT_BANK = 'bank';
export const DEVICES = 'devices';

/** 422, with the ids there are and those that may have been meant. */
export function gatewayUnknown(gatewayId: string, known: readonly string[]): RoomyError {
  const near = nearest(gatewayId, known);
  const hint = near.length > 0 ? `did you mean ${near.join(' or ')}? ` : '';
  return new RoomyError('GATEWAY_UNKNOWN', {
    text: `There is no payment gateway ${gatewayId}: ${hint}${known.length > 0 ? `There is ${known.join(', ')}` : 'There is none'}`,
    details: { gatewayId, known, near },
    unsent: true,
  });
}

/** What a gateway tells us unasked, as far as we act on it. */
export type GatewayEvent =
  | {
      readonly kind: 'charge-succeeded';
      readonly reference: string;
      /** Null: the payment is not one for a stay. */
      readonly reservationId: string | null;
      readonly amountMinor: number;
      readonly currency: string;
    }
  /** Money of a charge has gone back, or has come again: what exactly, the gateway's record says. */
  | { readonly kind: 'charge-changed'; readonly reference: string; readonly chargeId: string | null }
  | { readonly kind: 'payout-failed'; readonly providerId: string; readonly reason: string }
  | { readonly kind: 'ignored' };
export interface ReceivedEvent {
  readonly gatewayId: string;
  /** A repeat has the same. */
  readonly eventId: string;
  readonly type: string;
  readonly event: GatewayEvent;
}

export interface WebhookRequest {
  readonly url: string;
  /** The same on every attempt, so that a consumer can tell a repeat. */
  readonly id: string;
  /** JSON. */
  readonly body: string;
  /** Each signs; the newest first. */
  readonly secrets: readonly string[];
}
export interface WebhookOutcome {
  /** A 2xx. */
  readonly taken: boolean;
  /** Null: there was no answer. */
  readonly statusCode: number | null;
  /** A code; null where the answer says enough. */
  readonly reason: string | null;
  readonly ms: number;
}
/** Calls addresses that customers name. It never throws, follows no redirect, and calls nothing that is not public. */
export interface WebhookSender {
  send(request: WebhookRequest): Promise<WebhookOutcome>;
  /** Why the address may not be called, found out without calling it; null: it may. */
  refusalOf(url: string): Promise<string | null>;
}

/** What a provider of SMS tells of a message that it took. */
export interface Receipt {
  readonly providerId: string;
  /** `DELIVERED`, `FAILED`, or null for what is only on its way. */
  readonly outcome: 'DELIVERED' | 'FAILED' | null;
  readonly reason: string | null;
}

/** What a provider's call said, verified: news of a payment provider, or a receipt of a message. */
export type ReceivedCall = { readonly payment: ReceivedEvent } | { readonly receipt: Receipt };
/** How one provider calls `webhooks/<id>`. */
export interface WebhookReceiver {
  /** In lower case. */
  readonly signatureHeader: string;
  readonly maxKib: number;
  /** Of the body as it came, byte by byte. Throws `INVALID_SIGNATURE`, and `MALFORMED_REQUEST` for a body that the provider would not send. */
  receive(rawBody: Buffer, signature: string): ReceivedCall;
}
