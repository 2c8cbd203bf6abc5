import type { Db, Tx } from '../../db/client.ts';
import { toMajor } from '../../kernel/money.ts';
import type { BookedFees, BookedShare, Distribution } from './distribution.ts';
import type { PayableStay } from './payable.ts';
import type { BookedPayment } from './payment.ts';

interface Processed {
  readonly stay: PayableStay;
  readonly payment: BookedPayment;
  readonly share: BookedShare;
  readonly fees: BookedFees;
  readonly distribution: Distribution;
}

/** The answer to a completed payment, in major units: its transactions, the nullable `referralFee` (domain.md T4), and the balance. */
export async function paymentOutcome(db: Db | Tx, { stay, payment, share, fees, distribution }: Processed) {
  const { currency } = stay;
  const major = (amountMinor: number): number => toMajor({ amountMinor, currency });
  const { payment_status } = await db
    .selectFrom('reservation')
    .select('payment_status')
    .where('id', '=', stay.reservationId)
    .executeTakeFirstOrThrow();
  const ids = [payment.guestPaymentId, share.transactionId, fees.agencyFeeId, fees.referralFeeId, fees.gatewayFeeId];
  return {
    guestPayment: { id: payment.guestPaymentId, amount: major(payment.amountMinor), currency, status: 'COMPLETED' },
    ownerPayout: share.transactionId && {
      id: share.transactionId,
      amount: major(share.amountMinor),
      currency,
      status: 'PENDING',
      scheduledFor: distribution.scheduledFor,
    },
    agencyFee: fees.agencyFeeId && { id: fees.agencyFeeId, amount: major(fees.agencyFeeMinor), currency },
    referralFee: fees.referralFeeId && {
      id: fees.referralFeeId,
      amount: major(fees.referralFeeMinor),
      currency,
      beneficiary: stay.referringAgentId,
      retainedBy: stay.referringAgentId === null ? 'AGENCY' : null,
    },
    gatewayFee: fees.gatewayFeeId && { id: fees.gatewayFeeId, amount: major(payment.feeMinor), currency },
    incomeDistribution: distribution.incomeDistribution,
    paymentStatus: payment_status,
    amountOutstanding: major(payment.outstandingMinor),
    creditAmount: major(payment.excessMinor),
    transactionsCreated: ids.filter((id) => id !== null).length,
  };
}
