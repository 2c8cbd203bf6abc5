import { type Selectable, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { DifferenceTable } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import type { Author } from '../audit/record.ts';
import { reducePayouts } from './distribution.ts';
import { financialService } from './financial-service.ts';
import { accounts, credit, debit, post } from './ledger.ts';
import { type PayableStay, readPayableStay } from './payable.ts';
import type { Shares, ShareTerms } from './shares.ts';
import { readTerms } from './terms.ts';

/**
 * What a gateway kept is borne by those who bear gateway fees under the stay's terms (domain.md 9.4), also when it turns out
 * to be another fee than was booked: the difference is posted beside what stands, and nothing is changed or taken back.
 */

type Difference = Selectable<DifferenceTable>;
/** Minor units: what is booked by now, and what the gateway kept. */
interface Fees {
  readonly ledger: number;
  readonly gateway: number;
}

/** Null: something else differs too, or nothing that a gateway's fee could be. */
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
  // Its own steps book the fee that was told first, and may yet take all of it back.
  if (payment.saga_open) throw new RoomyError('SAGA_IN_PROGRESS', { details: { sagaExecutionId: payment.saga_id } });
  const standing = payment.status === 'COMPLETED';
  const isCharge = difference.movement === 'CHARGE';
  if (isCharge && fees.gateway > payment.amount_minor) throw notBookable(difference);
  const booked = await bookedFee(tx, difference, { ...payment, isCharge });
  const bookedMinor = booked.ownerMinor + booked.agencyMinor + booked.referralMinor;
  if (bookedMinor !== fees.ledger) throw new RoomyError('SUPERSEDED', { details: { id: difference.id } });
  const stay = await readPayableStay(tx, payment.reservation_id, payment.created_at);
  const terms = await readTerms(tx, stay.termsVersion);
  // Nobody else bears what was kept of a payment that came to nothing.
  const bearing: ShareTerms = standing ? terms : { ...terms, gatewayFeeBearer: 'AGENCY' };
  const target = financialService.shareGatewayFee(bearing, fees.gateway, stay.referringAgentId !== null);
  const more = {
    ownerMinor: target.ownerMinor - booked.ownerMinor,
    agencyMinor: target.agencyMinor - booked.agencyMinor,
    referralMinor: target.referralMinor - booked.referralMinor,
  };
  const correction = { difference, payment, stay, more };
  const id = await postCorrection(tx, correction, author);
  if (isCharge && standing) {
    await tx.updateTable('payment').set({ fee_minor: fees.gateway }).where('id', '=', payment.id).execute();
  }
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

/** Of the charge, or of the refund whose fee it is: the same journals that the comparison counts. */
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
  /** What each bears more than is booked; signed. */
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
  const id = newId('transaction');
  const effectKey = `${difference.id}-${difference.version}-fee`;
  await tx
    .insertInto('transaction')
    .values({
      id,
      type: 'GATEWAY_FEE',
      status: 'COMPLETED',
      reservation_id: reservationId,
      owner_id: stay.ownerId,
      parent_id: difference.transaction_id,
      amount_minor: amountMinor,
      settled_minor: amountMinor,
      outstanding_minor: 0,
      currency,
      distribution_version: stay.termsVersion,
      // The fee of a refund is no part of the fee of its charge.
      payment_id: isCharge ? payment.id : null,
      gateway_id: payment.gateway_id,
      effect_key: effectKey,
      completed_at: sql<Date>`now()`,
      details: JSON.stringify({ reason: 'FEE_DIFFERENCE', differenceId: difference.id }),
    })
    .execute();
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

/** What the owner bears more is taken off what is still to be paid out, or owed; what it bears less is paid out. */
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
  await tx
    .insertInto('transaction')
    .values({
      id: newId('transaction'),
      type: 'OWNER_PAYOUT',
      status: 'PENDING',
      reservation_id: reservationId,
      owner_id: stay.ownerId,
      parent_id: difference.transaction_id,
      amount_minor: amountMinor,
      outstanding_minor: amountMinor,
      currency,
      distribution_version: stay.termsVersion,
      payment_id: payment.id,
      scheduled_for: planned?.scheduled_for ?? sql<Date>`now()`,
      effect_key: `${difference.id}-${difference.version}-payout`,
    })
    .execute();
}
