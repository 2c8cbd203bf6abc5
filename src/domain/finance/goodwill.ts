import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { RefundBearer } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { formatMajor, toMajor } from '../../kernel/money.ts';
import { isOver, limitsAt } from '../approvals/limits.ts';
import { assertApproved, assertNoQuestion, assertNotDeclined } from '../approvals/of-saga.ts';
import type { Ports } from '../ports.ts';
import { refusalDetails } from '../reservations/actions.ts';
import { refusalOfRefund } from '../reservations/refusals.ts';
import { REFUND_REVIEW } from './cancellation.ts';
import { givenBeyond } from './given-beyond.ts';
import { readPayableStay } from './payable.ts';
import { assertTaken } from './payment-amount.ts';
import { chargesOf, planRefund, type RefundedStay, refundableOf } from './refund-booking.ts';

/** A refund that a person decides, beside any cancellation: of a guest's credit, or as goodwill. */

export const REFUND_BEARERS = ['SPLIT', 'AGENCY', 'OWNER'] as const satisfies readonly RefundBearer[];

const BORNE_BY: Readonly<Record<RefundBearer, string>> = {
  SPLIT: 'owner, agency and referrer by their shares',
  AGENCY: 'the agency',
  OWNER: 'the owner alone',
};

export interface RefundOrder {
  readonly amountMinor: number;
  readonly currency: string;
  readonly reason: string;
  readonly bearer: RefundBearer;
}
export type RefundPlan = RefundedStay & {
  /** The part of the amount, in minor units, that had been divided, and so is borne by a party. The rest is the guest's credit. */
  readonly distributedMinor: number;
};

/**
 * Refuses a refund that cannot be made, before anything is booked. Throws `RESERVATION_NOT_FOUND`, `CURRENCY_MISMATCH`,
 * `NOTHING_TO_REFUND`, `REFUND_EXCEEDS_CAPTURED`, `AMOUNT_PRECISION` for a part that its gateway cannot send,
 * `APPROVAL_REQUIRED` when what is given beyond the policy comes to more than one person may decide (domain.md 4), or the owner is to bear more than the own share of the stay, `APPROVAL_DECLINED`, and
 * `SAGA_IN_PROGRESS` while another question about the stay's money is open.
 */
export async function assertRefundable(
  db: Db,
  ports: Pick<Ports, 'amountStep'>,
  { amountMinor, currency, reason, bearer }: RefundOrder,
  saga: {
    readonly sagaId: string;
    readonly subjectId: string;
    readonly requestedBy: string;
    readonly requestedAt: Date;
  },
): Promise<RefundPlan> {
  assertNoQuestion(await assertNotDeclined(db, saga.subjectId, saga.sagaId));
  const stay = await readPayableStay(db, saga.subjectId, saga.requestedAt);
  if (currency !== stay.currency) throw new RoomyError('CURRENCY_MISMATCH', { details: { currency: stay.currency } });
  const charges = await chargesOf(db, saga.subjectId).execute();
  const refundableMinor = refundableOf(charges);
  const refusal = refusalOfRefund({ refundableMinor });
  if (refusal !== null) {
    throw new RoomyError(refusal, { details: await refusalDetails(db, saga.subjectId, 'refunds') });
  }
  if (amountMinor > refundableMinor) {
    const refundable = toMajor({ amountMinor: refundableMinor, currency });
    throw new RoomyError('REFUND_EXCEEDS_CAPTURED', { details: { refundable, currency } });
  }
  const parts = planRefund(charges, amountMinor);
  for (const part of parts) {
    assertTaken(ports, { amountMinor: part.amountMinor, currency, gatewayId: part.charge.gateway_id });
  }
  const distributedMinor = parts.reduce((sum, part) => sum + part.distributedMinor, 0);
  const givenMinor = distributedMinor === 0 ? 0 : await givenBeyond(db, saga.subjectId, currency);
  const { overrideMinor } = await limitsAt(db, saga.requestedAt);
  // What goes beyond the owner's share of the stay is a cost that the owner was not asked about.
  const isOwnersCost = bearer === 'OWNER' && distributedMinor > (await ownersShareOf(db, saga.subjectId));
  if (isOwnersCost || isOver(overrideMinor, distributedMinor + givenMinor, currency)) {
    const major = (minor: number): string => `${currency} ${formatMajor({ amountMinor: minor, currency })}`;
    const borne = distributedMinor === 0 ? '' : `, ${major(distributedMinor)} of it borne by ${BORNE_BY[bearer]}`;
    const before = givenMinor > 0 ? `; ${major(givenMinor)} were given beyond the policy before` : '';
    const asked = `Refund ${major(amountMinor)} of stay ${saga.subjectId} as goodwill${borne}${before}: ${reason}`;
    const question = { kind: 'GOODWILL', asked, amountMinor, currency, propertyId: stay.propertyId } as const;
    await assertApproved(db, saga.sagaId, question, REFUND_REVIEW);
  }
  return {
    reservationId: stay.reservationId,
    ownerId: stay.ownerId,
    guestId: stay.guestId,
    referringAgentId: stay.referringAgentId,
    currency: stay.currency,
    termsVersion: stay.termsVersion,
    distributedMinor,
  };
}

/** What the owner has got of a stay, payouts left aside, in minor units. */
async function ownersShareOf(db: Db, reservationId: string): Promise<number> {
  const { rows } = await sql<{ minor: number }>`
    SELECT coalesce(-sum(e.amount), 0)::bigint AS minor FROM ledger_tx x JOIN ledger_entry e ON e.tx_id = x.id
      JOIN ledger_account a ON a.id = e.account_id
     WHERE x.reservation_id = ${reservationId} AND x.purpose = 'DISTRIBUTION' AND a.kind = 'OWNER_PAYABLE'`.execute(db);
  return rows[0]?.minor ?? 0;
}

/** The currency of a stay. Throws `RESERVATION_NOT_FOUND`, also for a repair's block in the calendar, which has no money. */
export async function currencyOfStay(db: Db, reservationId: string): Promise<string> {
  const stay = await db
    .selectFrom('reservation')
    .select(['currency'])
    .where('id', '=', reservationId)
    .where('guest_id', 'is not', null)
    .executeTakeFirst();
  if (!stay) throw new RoomyError('RESERVATION_NOT_FOUND', { details: { id: reservationId } });
  return stay.currency;
}
