import { RoomyError } from '../kernel/errors.ts';
import { toMajor } from '../kernel/money.ts';

/** The provider is well, but cannot do this yet: to be tried again, and no reason to open its circuit. */
export class NotYetError extends RoomyError {
  constructor(gatewayError: string, retryAfter: Date | null, cause?: unknown) {
    super('GATEWAY_UNAVAILABLE', {
      details: { gatewayError, ...(retryAfter === null ? {} : { retryAfter: retryAfter.toISOString() }) },
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** A retry is of no use before some time has passed, or none at all: null. */
export interface Decline {
  readonly gatewayError: string;
  readonly retryAfter: Date | null;
  readonly advice: string;
  readonly cause?: unknown;
}

export const declined = ({ gatewayError, retryAfter, advice, cause }: Decline): RoomyError =>
  new RoomyError('PAYMENT_DECLINED', {
    details: {
      gatewayError,
      ...(retryAfter === null ? {} : { retryAfter: retryAfter.toISOString() }),
      retryable: retryAfter !== null,
      advice,
    },
    ...(cause === undefined ? {} : { cause }),
  });

/** The gateway's answer is not what was asked for, or it knows no such thing: nothing may be booked. */
export const notVerified = (
  { gatewayId, reference }: { readonly gatewayId: string; readonly reference: string },
  gatewayError: string,
  details: Readonly<Record<string, unknown>> = {},
): RoomyError =>
  new RoomyError('PAYMENT_NOT_VERIFIED', {
    details: { gatewayError, gatewayId, gatewayReference: reference, ...details },
  });

/** Amounts in major units, as in every body that clients see; null for what is no amount of ours. */
export const amountMismatch = (
  request: {
    readonly gatewayId: string;
    readonly reference: string;
    readonly amountMinor: number;
    readonly currency: string;
  },
  reportedMinor: number | null,
): RoomyError => {
  const { amountMinor, currency } = request;
  return notVerified(request, 'AMOUNT_MISMATCH', {
    asked: toMajor({ amountMinor, currency }),
    reported: reportedMinor === null ? null : toMajor({ amountMinor: reportedMinor, currency }),
    currency,
  });
};
