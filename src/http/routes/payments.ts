import { createRoute } from '@hono/zod-openapi';
import { assertOtherThanPayer } from '../../domain/finance/four-eyes.ts';
import { assessPayment } from '../../domain/finance/fraud.ts';
import { settleRefund } from '../../domain/finance/manual-refund.ts';
import { findPayment, type PaymentOrder } from '../../domain/finance/payable.ts';
import { assertTaken, parsePayment } from '../../domain/finance/payment-amount.ts';
import { getTransaction } from '../../domain/finance/transaction-detail.ts';
import { gatewayUnknown } from '../../domain/ports.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { processOwnerPayout } from '../../sagas/index.ts';
import { found } from '../answers.ts';
import { type AnyContext, authorOf, callerOf, type Services } from '../context.ts';
import { assertOwnStay } from '../own-stay.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, one, StartHeaders } from '../schemas/envelope.ts';
import {
  PAYMENT_EXAMPLE,
  PaymentBody,
  PayoutBody,
  PROCESSED_EXAMPLE,
  ProcessedPayment,
  ProcessedPayout,
  SettlementBody,
} from '../schemas/payments.ts';
import { TransactionDetail } from '../schemas/records.ts';
import { DryRunQuery, withPlan } from '../schemas/rehearsals.ts';
import { ACCEPTED_EXAMPLE, Accepted } from '../schemas/sagas.ts';
import { scopeOf } from './financial.ts';

const API = '/api/production';
const SAGA_REFUSALS = [
  'SAGA_IN_PROGRESS',
  'CARD_DATA_FORBIDDEN',
  'INVALID_IDEMPOTENCY_KEY',
  'IDEMPOTENCY_KEY_REUSED',
  'IDEMPOTENCY_IN_PROGRESS',
  'GATEWAY_UNAVAILABLE',
] as const;

const pay = createRoute({
  method: 'post',
  path: `${API}/reservations/{id}/payment`,
  tags: ['Reservations'],
  summary: 'Take a payment for a reservation: saga processPayment',
  request: {
    params: IdParam,
    query: DryRunQuery,
    headers: StartHeaders,
    body: jsonOf(PaymentBody, PAYMENT_EXAMPLE),
  },
  responses: {
    200: withPlan(answer('Paid', one(ProcessedPayment), PROCESSED_EXAMPLE)),
    202: answer('Accepted; follow Location', one(Accepted), ACCEPTED_EXAMPLE),
    ...bodyRefusals(
      'PAYMENT_DECLINED',
      'PAYMENT_BLOCKED',
      'APPROVAL_DECLINED',
      'RESERVATION_NOT_FOUND',
      'PAYMENT_NOT_VERIFIED',
      'GATEWAY_REFERENCE_REUSED',
      'ALREADY_PAID',
      'RESERVATION_NOT_PAYABLE',
      'AMOUNT_INVALID',
      'AMOUNT_NOT_POSITIVE',
      'AMOUNT_PRECISION',
      'AMOUNT_TOO_LARGE',
      'CURRENCY_INVALID',
      'CURRENCY_MISMATCH',
      'PAYMENT_EXCEEDS_BALANCE',
      'GATEWAY_UNKNOWN',
      ...SAGA_REFUSALS,
    ),
  },
});
const payOut = createRoute({
  method: 'post',
  path: `${API}/transactions/{id}/payout`,
  tags: ['Transactions'],
  summary: 'Pay an owner out now: saga processOwnerPayout',
  request: { params: IdParam, query: DryRunQuery, headers: StartHeaders, body: jsonOf(PayoutBody, {}, false) },
  responses: {
    200: withPlan(answer('Paid out', one(ProcessedPayout))),
    202: answer('Accepted; follow Location', one(Accepted), ACCEPTED_EXAMPLE),
    ...bodyRefusals(
      'NOT_FOUND',
      'NOT_A_PAYOUT',
      'ALREADY_PAID',
      'PAYOUT_NOT_PAYABLE',
      'PAYOUT_BEFORE_SCHEDULE',
      'PAYOUT_EXCEEDS_BALANCE',
      'PAYOUT_REFUSED',
      'SECOND_PERSON_REQUIRED',
      ...SAGA_REFUSALS,
    ),
  },
});

const settle = createRoute({
  method: 'post',
  path: `${API}/transactions/{id}/settlement`,
  tags: ['Transactions'],
  summary: 'Record that a person has sent back what the gateway would not refund',
  request: { params: IdParam, body: jsonOf(SettlementBody, { reference: 'FT24032-7781' }) },
  responses: {
    200: answer('Recorded', one(TransactionDetail)),
    ...bodyRefusals('NOT_FOUND', 'ALREADY_PAID', 'INVALID_STATE_TRANSITION', 'CARD_DATA_FORBIDDEN'),
  },
});

export function registerPayments(register: Register, services: Services): void {
  register.mutation(pay, async (c, once) => {
    const { id } = c.req.valid('param');
    const body = c.req.valid('json');
    await assertOwnStay(c, services.db, id);
    const { amountMinor, currency } = parsePayment(body.amount, body.currency);
    // An unknown gateway is the caller's mistake, refused before anything begins.
    const { gatewayIds } = services.ports;
    if (!gatewayIds.includes(body.gatewayId)) throw gatewayUnknown(body.gatewayId, gatewayIds);
    assertTaken(services.ports, { amountMinor, currency, gatewayId: body.gatewayId });
    const order = {
      reservationId: id,
      amountMinor,
      currency,
      gatewayId: body.gatewayId,
      gatewayReference: body.gatewayReference,
      captured: false,
    };
    const earlier = await replayOf(c, services, order);
    if (earlier !== null) return once.answerOf(earlier);
    const { reservationId, ...charge } = order;
    const input = {
      ...charge,
      paymentMethod: body.paymentMethod ?? null,
      review: await reviewOf(c, services, order),
    };
    const { processedBy, notes } = body;
    return once.reservations.processPayment(reservationId, input, { onBehalfOf: processedBy, notes });
  });
  register.mutation(payOut, async (c, once) => {
    const { id } = c.req.valid('param');
    const body = c.req.valid('json');
    const { netting = false, strict = false } = body;
    // Who took it does not change, so that it may be looked at before anything begins.
    if (services.payoutFourEyes) await assertOtherThanPayer(services.db, id, callerOf(c).principal);
    return once.saga(processOwnerPayout, {
      subjectId: id,
      input: { payoutId: id, also: [], netting, strict },
      onBehalfOf: body.releasedBy,
      notes: body.notes,
    });
  });
  register.mutation(settle, (c, once) => {
    const { id } = c.req.valid('param');
    const { reference, method, notes = null, alreadySent = false } = c.req.valid('json');
    return once.change(async (tx) => {
      await settleRefund(tx, id, { reference, method, notes, alreadySent }, authorOf(c));
      return found(c, await getTransaction(tx, scopeOf(c), id));
    });
  });
}

/**
 * The saga of an earlier request. Without a key of its own, a payment is known by its gateway's reference: the same again gets the first one's answer,
 * another amount under it is refused (domain.md 7).
 */
async function replayOf(c: AnyContext, services: Services, order: PaymentOrder): Promise<string | null> {
  if (c.req.header('idempotency-key') !== undefined) return null;
  const known = await findPayment(services.db, order);
  if (!known) return null;
  const same =
    known.reservation_id === order.reservationId &&
    known.amount_minor === order.amountMinor &&
    known.currency === order.currency;
  if (!same) {
    const { gatewayId, gatewayReference } = order;
    throw new RoomyError('GATEWAY_REFERENCE_REUSED', { details: { gatewayId, gatewayReference } });
  }
  return known.saga_id;
}

/** The result of the fraud rules now, frozen for the saga. Throws `PAYMENT_BLOCKED`. */
async function reviewOf(c: AnyContext, services: Services, order: PaymentOrder) {
  const caller = callerOf(c);
  const { score, verdict, signals } = await assessPayment(services.db, {
    reservationId: order.reservationId,
    amountMinor: order.amountMinor,
    currency: order.currency,
    requestedBy: caller.principal,
    isGuest: caller.kind === 'person' && caller.role === 'GUEST',
    at: services.clock.now(),
  });
  if (verdict === 'BLOCK') throw new RoomyError('PAYMENT_BLOCKED', { details: { score, signals } });
  return verdict === 'REVIEW' ? { score, signals: [...signals] } : null;
}
