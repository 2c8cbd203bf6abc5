import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { recordAudit } from '../audit/record.ts';
import { refundAffectsPayoutMessage } from '../messages/catalogue/refund-affects-payout.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import type { RecordedDispute } from '../ports.ts';
import type { CapturedCharge } from './charge-record.ts';
import { bookDisputeCost } from './dispute-cost.ts';
import { type Dispute, postedFor, takenOf } from './dispute-row.ts';
import { closeDisputeTask, openDisputeTask } from './dispute-task.ts';
import { bookRefundOfWonDispute } from './dispute-won.ts';
import { alertGateway, type EventOutcome, GATEWAY } from './gateway-events.ts';
import { accounts, credit, debit, post, reverseJournal } from './ledger.ts';
import { bookMoneyBack } from './money-back.ts';
import type { PayableStay } from './payable.ts';
import { suspendRefundTasks } from './refund-task.ts';
import {
  changeDisputedAmount,
  DISPUTE_COLUMNS,
  type DisputeMove,
  insertDispute,
  moveDispute,
} from './store/disputes.ts';

/**
 * Brings our books to the state of the gateway's record of a dispute, whichever states it has passed through. `stepMinor`: the
 * gateway sends money back in multiples of it, in minor units. Under the lock of the stay.
 */
export async function bookDispute(
  tx: Tx,
  charge: CapturedCharge,
  stay: PayableStay,
  recorded: RecordedDispute,
  stepMinor: number,
): Promise<EventOutcome> {
  const key = `dispute-${charge.gatewayId}-${recorded.providerId}`;
  if (recorded.currency !== stay.currency) {
    await alertGateway(tx, recorded.providerId, 'DISPUTE_IN_OTHER_CURRENCY', charge.paymentId);
    return 'noted';
  }
  const found = await findDispute(tx, charge, recorded.providerId);
  let dispute: Dispute = { ...(found ?? (await openDispute(tx, charge, stay, recorded))), key };
  const before = found?.status ?? null;
  if (dispute.status === 'PENDING') dispute = await demand(tx, dispute, recorded.amountMinor);
  if (dispute.status === 'PENDING' && isTaken(recorded)) dispute = await withdraw(tx, charge, stay, recorded, dispute);
  if (isOpen(dispute)) dispute = await decide(tx, charge, stay, recorded, dispute);
  if (before !== dispute.status && dispute.status === 'REVERSED') {
    await bookRefundOfWonDispute(tx, charge, stay, dispute, stepMinor);
  }
  const costs = await bookDisputeCost(tx, charge, stay, recorded, dispute);
  if (isOpen(dispute)) {
    if (before === null) await openDisputeTask(tx, stay, dispute.id, recorded);
  } else await closeDisputeTask(tx, dispute.id);
  if (isDecidedAnew(recorded, dispute)) {
    await alertGateway(tx, `${recorded.providerId}-anew`, 'DISPUTE_DECIDED_ANEW', charge.paymentId);
    return 'noted';
  }
  if (before === dispute.status && !costs) return 'known';
  await auditDispute(tx, charge, recorded.providerId, dispute);
  return 'booked';
}

const isOpen = ({ status }: Pick<Dispute, 'status'>): boolean => status === 'PENDING' || status === 'PROCESSING';
const isTaken = ({ status, withdrawn }: RecordedDispute): boolean =>
  status === 'LOST' || (status === 'OPEN' && withdrawn);
/** Ended in our books, and in another way at the gateway, as when a bank takes up a decided dispute again. */
const isDecidedAnew = ({ status }: RecordedDispute, dispute: Dispute): boolean =>
  (status === 'LOST' && !isOpen(dispute) && dispute.status !== 'COMPLETED') ||
  (status !== 'LOST' && dispute.status === 'COMPLETED') ||
  (status === 'OPEN' && !isOpen(dispute));

const findDispute = (tx: Tx, { gatewayId }: CapturedCharge, providerId: string) =>
  tx
    .selectFrom('transaction')
    .select(DISPUTE_COLUMNS)
    .where('gateway_id', '=', gatewayId)
    .where('provider_id', '=', providerId)
    .where('type', '=', literal('DISPUTE'))
    .forUpdate()
    .executeTakeFirst();

const openDispute = (
  tx: Tx,
  { paymentId, gatewayId, reference }: CapturedCharge,
  { reservationId, ownerId, currency, termsVersion }: PayableStay,
  { providerId, amountMinor, reason, respondBy }: RecordedDispute,
) =>
  insertDispute(tx, {
    reservation_id: reservationId,
    owner_id: ownerId,
    amount_minor: amountMinor,
    currency,
    distribution_version: termsVersion,
    payment_id: paymentId,
    gateway_id: gatewayId,
    gateway_reference: reference,
    provider_id: providerId,
    details: JSON.stringify({ reason, respondBy: respondBy?.toISOString() ?? null }),
  });

/** An inquiry may become a dispute about more money. */
async function demand(tx: Tx, dispute: Dispute, amountMinor: number): Promise<Dispute> {
  if (dispute.amount_minor === amountMinor) return dispute;
  return { ...(await changeDisputedAmount(tx, dispute.id, amountMinor)), key: dispute.key };
}

/**
 * Holds no more than the gateway has left of the charge: money that was refunded before, and is disputed all the same, is lost
 * twice, and the second loss is a cost of the dispute.
 */
async function withdraw(
  tx: Tx,
  charge: CapturedCharge,
  stay: PayableStay,
  recorded: RecordedDispute,
  dispute: Dispute,
): Promise<Dispute> {
  const heldMinor = Math.max(0, Math.min(dispute.amount_minor, takenOf(recorded), await leftAtGateway(tx, charge)));
  // The bank may give the guest the money that a person was to send: the dispute decides whether it is still owed.
  await suspendRefundTasks(tx, charge.paymentId);
  await post(tx, {
    ...postedFor(charge, stay, dispute),
    effectKey: `${dispute.key}-withdrawn`,
    kind: 'DISPUTE',
    purpose: 'DISPUTE',
    lines: [
      debit(accounts.disputed(charge.gatewayId, stay.currency), heldMinor),
      credit(accounts.gatewayClearing(charge.gatewayId, stay.currency), heldMinor),
    ],
  });
  return move(tx, dispute, 'withdrawDispute', heldMinor);
}

/** The part of the charge, in minor units, that has neither gone back to the guest nor been taken for another dispute. */
async function leftAtGateway(tx: Tx, { paymentId, reservationId }: CapturedCharge): Promise<number> {
  const { rows } = await sql<{ left: number }>`
    SELECT y.amount_minor - coalesce((SELECT sum(t.settled_minor) FROM transaction t WHERE t.reservation_id = ${reservationId} AND t.payment_id = y.id
             AND (t.type = 'REFUND' AND t.status = 'COMPLETED' OR t.type = 'DISPUTE' AND t.status = 'PROCESSING')), 0)::bigint AS left
      FROM payment y WHERE y.id = ${paymentId}`.execute(tx);
  return rows[0]?.left ?? 0;
}

async function decide(
  tx: Tx,
  charge: CapturedCharge,
  stay: PayableStay,
  recorded: RecordedDispute,
  dispute: Dispute,
): Promise<Dispute> {
  if (recorded.status === 'OPEN') return dispute;
  if (dispute.status === 'PENDING') return move(tx, dispute, 'closeDispute', 0);
  if (recorded.status === 'LOST') return lose(tx, charge, stay, dispute);
  // Closed in some other way, and the money is still gone: not known yet.
  return recorded.status === 'WON' || !recorded.withdrawn ? win(tx, dispute) : dispute;
}

/** The guest has the money for good. */
async function lose(tx: Tx, charge: CapturedCharge, stay: PayableStay, dispute: Dispute): Promise<Dispute> {
  const heldMinor = dispute.settled_minor;
  const lost = await move(tx, dispute, 'loseDispute', heldMinor);
  const back = await bookMoneyBack(tx, stay, {
    paymentId: charge.paymentId,
    amountMinor: heldMinor,
    from: accounts.disputed(charge.gatewayId, stay.currency),
    // It stands in the gateway's record as a dispute, and not as a refund.
    providerId: null,
    gatewayId: null,
    gatewayReference: charge.reference,
    effectKey: `${dispute.key}-lost`,
    details: { origin: 'DISPUTE', disputeId: dispute.id },
  });
  if (back.ownerMinor > 0) {
    const message = refundAffectsPayoutMessage(stay.ownerId, { amountMinor: back.ownerMinor, currency: stay.currency });
    const about = { sagaId: null, reservationId: stay.reservationId };
    await enqueueInTransaction(tx, `${dispute.key}-lost`, [message], about);
  }
  const restMinor = heldMinor - back.bookedMinor;
  if (restMinor === 0) return lost;
  // The guest was paid in another way meanwhile: this part is lost twice, and becomes a cost.
  await post(tx, {
    ...postedFor(charge, stay, dispute),
    effectKey: `${dispute.key}-twice`,
    kind: 'DISPUTE',
    purpose: 'DISPUTE',
    lines: [
      debit(accounts.gatewayClearing(charge.gatewayId, stay.currency), restMinor),
      credit(accounts.disputed(charge.gatewayId, stay.currency), restMinor),
    ],
  });
  return move(tx, lost, 'reduceLostDispute', back.bookedMinor);
}

/** The money is with the gateway again. */
async function win(tx: Tx, dispute: Dispute): Promise<Dispute> {
  const journal = await tx
    .selectFrom('ledger_tx')
    .select('id')
    .where('effect_key', '=', `${dispute.key}-withdrawn`)
    .executeTakeFirst();
  if (journal) {
    await reverseJournal(tx, journal.id, { sagaId: null, postedBy: GATEWAY, effectKey: `${dispute.key}-reinstated` });
  }
  return move(tx, dispute, 'winDispute', dispute.settled_minor);
}

async function move(tx: Tx, dispute: Dispute, by: DisputeMove, settledMinor: number): Promise<Dispute> {
  return { ...(await moveDispute(tx, dispute.id, by, settledMinor)), key: dispute.key };
}

const auditDispute = (tx: Tx, charge: CapturedCharge, providerId: string, { id, status }: Dispute) =>
  recordAudit(tx, {
    streamId: `payment:${charge.paymentId}`,
    event: 'DISPUTE_BOOKED',
    actor: GATEWAY,
    reservationId: charge.reservationId,
    body: {
      outcome: 'success',
      details: { paymentId: charge.paymentId, gatewayId: charge.gatewayId, providerId, disputeId: id, status },
    },
  });
