import type { Selectable } from 'kysely';
import type { TransactionTable } from '../../db/schema.ts';
import type { RecordedDispute } from '../ports.ts';
import type { CapturedCharge } from './charge-record.ts';
import { GATEWAY } from './gateway-events.ts';
import type { PayableStay } from './payable.ts';

/**
 * A dispute is a transaction of its own. PENDING: opened, and its money is still with the gateway. PROCESSING: the gateway
 * has taken the money from what it holds for us, and it is nobody's yet: shares stand, payouts of the stay are held, and it
 * cannot be refunded. COMPLETED: lost, the guest has it: booked like a refund (domain.md 9). REVERSED: won, it is back.
 * CANCELLED: it ended before any money moved. What the gateway keeps for it is a fee of its own.
 */
export interface Dispute extends DisputeRow {
  /** All that is booked of it has keys of their own from this. */
  readonly key: string;
}
export type DisputeRow = Pick<Selectable<TransactionTable>, 'id' | 'status' | 'amount_minor' | 'settled_minor'>;

export const COLUMNS = ['id', 'status', 'amount_minor', 'settled_minor'] as const;

/** Minor units, whatever of it has come back. A dispute that is lost has taken the money, whether or not the record shows how. */
export const takenOf = ({ takenMinor, amountMinor }: RecordedDispute): number => takenMinor ?? amountMinor;

/** What every journal of a dispute says of itself. */
export const postedFor = (charge: CapturedCharge, stay: PayableStay, { id }: Pick<Dispute, 'id'>) => ({
  sagaId: null,
  postedBy: GATEWAY,
  currency: stay.currency,
  transactionId: id,
  reservationId: stay.reservationId,
  paymentId: charge.paymentId,
});
