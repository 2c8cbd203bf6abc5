import { type Selectable, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { DifferenceTable } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import type { Author } from '../audit/record.ts';
import { financialService } from './financial-service.ts';
import { accounts, credit, debit, post } from './ledger.ts';
import { type PayableStay, readPayableStay } from './payable.ts';
import { reducePayouts } from './planned-payouts.ts';
import type { Shares, ShareTerms } from './shares.ts';
import { insertBooked } from './store/booked.ts';
import { correctFee } from './store/payments.ts';
import { insertPayout } from './store/payouts.ts';
import { readTerms } from './terms.ts';

/**
 * A gateway's fee is borne by those who bear gateway fees under the stay's terms (domain.md 9.4), also when it turns out to be
 * another fee than was booked: the difference is posted beside the booked fee, which is neither changed nor taken back.
 */

type Difference = Selectable<DifferenceTable>;
/** A fee in minor units, as it is booked and as the gateway reports it. */
interface Fees {
  readonly ledger: number;
  readonly gateway: number;
}

/** The two fees of a difference that is one of the fee alone; null: something else differs, or one of them is not known. */
export function bookableFee({ movement, differs }: Pick<Difference, 'movement' | 'differs'>): Fees | null {
  const [fee] = differs;
  if (movement === 'PAYOUT' || differs.length !== 1 || fee?.what !== 'FEE') return null;
  return fee.ledger === null || fee.gateway === null ? null : { ledger: fee.ledger, gateway: fee.gateway };
}

/**
 * Posts the correction of a difference that the caller has locked, and answers with its transaction. Throws
 * `DIFFERENCE_NOT_BOOKABLE`, `SAGA_IN_PROGRESS` while the payment's own saga is not over, and `SUPERSEDED` when other fees are
 * booked by now than the difference says.
 */
export async function bookFeeDifference(tx: Tx, difference: Difference, author: Author): Promise<string> {
  const fees = bookableFee(difference);
  const payment = await lockPayment(tx, difference.payment_id);
  if (fees === null || payment === null) throw notBookable(difference);
  // Its own steps book the fee that the gateway reported first, and may still reverse all of it.
  if (payment.saga_open) throw new RoomyError('SAGA_IN_PROGRESS', { details: { sagaExecutionId: payment.saga_id } });
  const standing = payment.status === 'COMPLETED';
  const isCharge = difference.movement === 'CHARGE';
  if (isCharge && fees.gateway > payment.amount_minor) throw notBookable(difference);
  const booked = await bookedFee(tx, difference, { ...payment, isCharge });
  const bookedMinor = booked.ownerMinor + booked.agencyMinor + booked.referralMinor;
  if (bookedMinor !== fees.ledger) throw new RoomyError('SUPERSEDED', { details: { id: difference.id } });
  const stay = await readPayableStay(tx, payment.reservation_id, payment.created_at);
  const terms = await readTerms(tx, stay.termsVersion);
  // The fee of a payment that came to nothing is the agency's alone.
  const bearing: ShareTerms = standing ? terms : { ...terms, gatewayFeeBearer: 'AGENCY' };
  const target = financialService.shareGatewayFee(bearing, fees.gateway, stay.referringAgentId !== null);
  const more = {
    ownerMinor: target.ownerMinor - booked.ownerMinor,
    agencyMinor: target.agencyMinor - booked.agencyMinor,
    referralMinor: target.referralMinor - booked.referralMinor,
  };
  const correction = { difference, payment, stay, more };
  const id = await postCorrection(tx, correction, author);
  if (isCharge && standing) await correctFee(tx, payment.id, fees.gateway);
  await correctPayouts(tx, correction);
  return id;
}

const notBookable = ({ id, kind }: Difference): RoomyError =>
  new RoomyError('DIFFERENCE_NOT_BOOKABLE', { details: { id, kind } });

type PaymentRow = NonNullable<Awaited<ReturnType<typeof lockPayment>>>;
async function lockPayment(tx: Tx, paymentId: string | null) {
  if (paymentId === null) return null;
  const row = await tx
    .selectFrom('payment as y')
    .innerJoin('saga as s', 's.id', 'y.saga_id')
    .select([
      'y.id',
      'y.saga_id',
      'y.status',
      'y.amount_minor',
      'y.currency',
      'y.gateway_id',
      'y.reservation_id',
      'y.created_at',
      sql<boolean>`s.finished_at IS NULL`.as('saga_open'),
    ])
    .where('y.id', '=', paymentId)
    .forUpdate('y')
    .executeTakeFirst();
  return row ?? null;
}

/** The booked fee of the charge, or of the refund: the sum of the journals that the comparison counts. */
async function bookedFee(
  tx: Tx,
  difference: Difference,
  {
    id,
    reservation_id,
    isCharge,
  }: { readonly id: string; readonly reservation_id: string; readonly isCharge: boolean },
): Promise<Shares> {
  const of = isCharge ? sql`x.payment_id = ${id}` : sql`t.parent_id = ${difference.transaction_id}`;
  const { rows } = await sql<Shares>`
    SELECT coalesce(sum(e.amount) FILTER (WHERE a.kind = 'OWNER_PAYABLE'), 0)::bigint AS "ownerMinor",
           coalesce(sum(e.amount) FILTER (WHERE a.kind = 'GATEWAY_FEE'), 0)::bigint AS "agencyMinor",
           coalesce(sum(e.amount) FILTER (WHERE a.kind IN ('AGENT_PAYABLE', 'REFERRAL_RETAINED')), 0)::bigint AS "referralMinor"
      FROM ledger_tx x JOIN ledger_entry e ON e.tx_id = x.id JOIN ledger_account a ON a.id = e.account_id
      LEFT JOIN transaction t ON t.id = x.transaction_id LEFT JOIN ledger_tx o ON o.id = x.reverses
     WHERE x.reservation_id = ${reservation_id} AND coalesce(o.kind, x.kind) = 'GATEWAY_FEE' AND ${of}`.execute(tx);
  return rows[0] ?? { ownerMinor: 0, agencyMinor: 0, referralMinor: 0 };
}

interface Correction {
  readonly difference: Difference;
  readonly payment: PaymentRow;
  readonly stay: PayableStay;
  /** The increase of each party's part, in signed minor units. */
  readonly more: Shares;
}

async function postCorrection(
  tx: Tx,
  { difference, payment, stay, more }: Correction,
  author: Author,
): Promise<string> {
  const { currency, reservationId } = stay;
  const amountMinor = more.ownerMinor + more.agencyMinor + more.referralMinor;
  const isCharge = difference.movement === 'CHARGE';
  const effectKey = `${difference.id}-${difference.version}-fee`;
  const id = await insertBooked(tx, {
    type: 'GATEWAY_FEE',
    reservation_id: reservationId,
    owner_id: stay.ownerId,
    parent_id: difference.transaction_id,
    amount_minor: amountMinor,
    currency,
    distribution_version: stay.termsVersion,
    // The fee of a refund is no part of the fee of its charge.
    payment_id: isCharge ? payment.id : null,
    gateway_id: payment.gateway_id,
    effect_key: effectKey,
    details: JSON.stringify({ reason: 'FEE_DIFFERENCE', differenceId: difference.id }),
  });
  await post(tx, {
    sagaId: null,
    postedBy: author.actor,
    effectKey,
    kind: 'GATEWAY_FEE',
    purpose: 'FEE',
    currency,
    transactionId: id,
    reservationId,
    paymentId: isCharge ? payment.id : null,
    lines: [
      debit(accounts.gatewayFee(currency), more.agencyMinor),
      debit(accounts.ownerPayable(stay.ownerId, currency), more.ownerMinor),
      debit(accounts.referral(stay.referringAgentId, currency), more.referralMinor),
      credit(accounts.gatewayClearing(payment.gateway_id, currency), amountMinor),
    ],
  });
  return id;
}

/** An increase of the owner's part is taken off the payouts to come, or owed; a decrease becomes a payout. */
async function correctPayouts(tx: Tx, { difference, payment, stay, more }: Correction): Promise<void> {
  const { reservationId, currency } = stay;
  if (more.ownerMinor > 0) await reducePayouts(tx, reservationId, more.ownerMinor);
  if (more.ownerMinor >= 0) return;
  const amountMinor = -more.ownerMinor;
  const planned = await tx
    .selectFrom('transaction')
    .select('scheduled_for')
    .where('reservation_id', '=', reservationId)
    .where('type', '=', literal('OWNER_PAYOUT'))
    .where('scheduled_for', 'is not', null)
    .orderBy('scheduled_for', 'desc')
    .limit(1)
    .executeTakeFirst();
  await insertPayout(tx, {
    reservation_id: reservationId,
    owner_id: stay.ownerId,
    parent_id: difference.transaction_id,
    amount_minor: amountMinor,
    currency,
    distribution_version: stay.termsVersion,
    payment_id: payment.id,
    scheduled_for: planned?.scheduled_for ?? sql<Date>`now()`,
    effect_key: `${difference.id}-${difference.version}-payout`,
  });
}
