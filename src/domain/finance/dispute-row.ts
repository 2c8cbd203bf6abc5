import type { RecordedDispute } from '../ports.ts';
import type { CapturedCharge } from './charge-record.ts';
import { GATEWAY } from './gateway-events.ts';
import type { PayableStay } from './payable.ts';
import type { DisputeRow } from './store/disputes.ts';

export interface Dispute extends DisputeRow {
  /** The keys of everything that is booked for it begin with this. */
  readonly key: string;
}

/**
 * The money that the gateway has taken for a dispute, in minor units, including the part that has come back since. Of a dispute
 * that is lost it is the disputed amount, even where the record shows no line of it.
 */
export const takenOf = ({ takenMinor, amountMinor }: RecordedDispute): number => takenMinor ?? amountMinor;

/** The fields that every journal of a dispute shares. */
export const postedFor = (charge: CapturedCharge, stay: PayableStay, { id }: Pick<Dispute, 'id'>) => ({
  sagaId: null,
  postedBy: GATEWAY,
  currency: stay.currency,
  transactionId: id,
  reservationId: stay.reservationId,
  paymentId: charge.paymentId,
});
