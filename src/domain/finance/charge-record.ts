import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { recordAudit } from '../audit/record.ts';
import { refundAffectsPayoutMessage } from '../messages/catalogue/refund-affects-payout.ts';
import { refundProcessedMessage } from '../messages/catalogue/refund-processed.ts';
import type { AlertCode } from '../notifications/alert-codes.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import type { ChargeRecord, Ports, RecordedRefund } from '../ports.ts';
import { rederivePaymentStatus } from '../reservations/store.ts';
import { takenOf } from './dispute-row.ts';
import { bookDispute } from './disputes.ts';
import { alertGateway, bookReturned, type EventOutcome, GATEWAY } from './gateway-events.ts';
import { accounts } from './ledger.ts';
import { bookMoneyBack } from './money-back.ts';
import { type PayableStay, readPayableStay } from './payable.ts';
import { resumeRefusedRefunds } from './refund-task.ts';

/** A captured charge, as its gateway knows it. */
export interface CapturedCharge {
  readonly paymentId: string;
  readonly reservationId: string;
  readonly gatewayId: string;
  readonly reference: string;
  readonly chargeId: string;
}

/**
 * Books the entries of a gateway's record of a charge that our books do not have yet. The record is the truth about the charge,
 * in whatever order and however often events reported it: a refund that this system has requested is in the books under the
 * gateway's own id, and so is one that was booked from the record before. Under the lock of the stay, with no saga of it open.
 */
export async function bookRecord(
  tx: Tx,
  charge: CapturedCharge,
  record: ChargeRecord,
  at: Date,
  ports: Pick<Ports, 'amountStep'>,
): Promise<EventOutcome> {
  const stay = await readPayableStay(tx, charge.reservationId, at);
  const stepMinor = ports.amountStep({ gatewayId: charge.gatewayId }, stay.currency);
  const found: EventOutcome[] = [];
  for (const refund of record.refunds) found.push(await bookRecordedRefund(tx, charge, stay, refund));
  for (const dispute of record.disputes) found.push(await bookDispute(tx, charge, stay, dispute, stepMinor));
  const { amount_minor: capturedMinor } = await tx
    .selectFrom('payment')
    .select('amount_minor')
    .where('id', '=', charge.paymentId)
    .executeTakeFirstOrThrow();
  await resumeRefusedRefunds(tx, charge.paymentId, capturedMinor - goneOf(record));
  return REPORTED_FIRST.find((outcome) => found.includes(outcome)) ?? 'known';
}

/** The part of a charge that its gateway does not hold any more, by its own record; minor units. */
export const goneOf = ({ refunds, disputes }: ChargeRecord): number =>
  refunds.reduce((sum, { amountMinor, cameBack }) => sum + (cameBack === null ? amountMinor : 0), 0) +
  disputes.reduce(
    (sum, dispute) =>
      sum + (dispute.withdrawn || dispute.status === 'LOST' ? takenOf(dispute) - (dispute.returnedMinor ?? 0) : 0),
    0,
  );

const REPORTED_FIRST: readonly EventOutcome[] = ['noted', 'booked', 'reversed'];

async function bookRecordedRefund(
  tx: Tx,
  charge: CapturedCharge,
  stay: PayableStay,
  refund: RecordedRefund,
): Promise<EventOutcome> {
  const { providerId, currency, cameBack } = refund;
  const key = `gateway-refund-${charge.gatewayId}-${providerId}`;
  const bookedMinor = await bookedAs(tx, charge.paymentId, providerId);
  if (cameBack !== null) return bookReturnedRefund(tx, charge, refund, key);
  if (refund.amountMinor <= bookedMinor) return 'known';
  if (currency !== stay.currency) return alertPerson(tx, charge, providerId, 'REFUND_IN_OTHER_CURRENCY');
  const amountMinor = refund.amountMinor - bookedMinor;
  const booked = await bookMoneyBack(tx, stay, {
    paymentId: charge.paymentId,
    amountMinor,
    from: accounts.gatewayClearing(charge.gatewayId, currency),
    providerId,
    gatewayId: charge.gatewayId,
    gatewayReference: charge.reference,
    effectKey: `${key}-${bookedMinor}`,
    details: { origin: 'GATEWAY' },
  });
  if (booked.bookedMinor > 0) await notifyOfRefund(tx, `${key}-${bookedMinor}`, stay, booked);
  await auditRefund(tx, charge, 'REFUND_BOOKED_FROM_GATEWAY', { providerId, refundIds: booked.refundIds });
  // Sent by hand and by the gateway as well: a person must find out where the money is.
  if (booked.bookedMinor < amountMinor) return alertPerson(tx, charge, providerId, 'REFUNDED_MORE_THAN_CAPTURED');
  return 'booked';
}

async function bookedAs(tx: Tx, paymentId: string, providerId: string): Promise<number> {
  const { rows } = await sql<{ minor: number }>`
    SELECT coalesce(sum(settled_minor), 0)::bigint AS minor FROM transaction
     WHERE provider_id = ${providerId} AND payment_id = ${paymentId} AND type = 'REFUND' AND status = 'COMPLETED'`.execute(
    tx,
  );
  return rows[0]?.minor ?? 0;
}

/** A refund has come back to the gateway: the guest is still owed the money. */
async function bookReturnedRefund(
  tx: Tx,
  charge: CapturedCharge,
  { providerId, cameBack }: RecordedRefund,
  key: string,
): Promise<EventOutcome> {
  const refundIds = await bookReturned(tx, {
    type: 'REFUND',
    providerId,
    reason: cameBack ?? 'REFUND_FAILED',
    key: `${key}-back`,
  });
  if (refundIds.length === 0) return 'known';
  await rederivePaymentStatus(tx, charge.reservationId);
  await auditRefund(tx, charge, 'REFUND_CAME_BACK', { providerId, refundIds });
  return 'reversed';
}

/** The messages are those of a refund that this system has sent: to the guest, and to the owner who bears a part of it. */
const notifyOfRefund = (
  tx: Tx,
  key: string,
  { guestId, ownerId, reservationId, currency }: PayableStay,
  { bookedMinor, ownerMinor }: { readonly bookedMinor: number; readonly ownerMinor: number },
) =>
  enqueueInTransaction(
    tx,
    key,
    [
      refundProcessedMessage({ guestId }, { amountMinor: bookedMinor, currency }),
      ...(ownerMinor > 0 ? [refundAffectsPayoutMessage(ownerId, { amountMinor: ownerMinor, currency })] : []),
    ],
    { sagaId: null, reservationId },
  );

async function alertPerson(tx: Tx, charge: CapturedCharge, providerId: string, code: AlertCode): Promise<EventOutcome> {
  await alertGateway(tx, providerId, code, charge.paymentId);
  return 'noted';
}

const auditRefund = (
  tx: Tx,
  { paymentId, reservationId, gatewayId }: CapturedCharge,
  event: string,
  { providerId, refundIds }: { readonly providerId: string; readonly refundIds: readonly string[] },
) =>
  recordAudit(tx, {
    streamId: `payment:${paymentId}`,
    event,
    actor: GATEWAY,
    reservationId,
    body: { outcome: 'success', details: { paymentId, gatewayId, providerId, refundIds: [...refundIds] } },
  });
