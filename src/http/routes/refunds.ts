import { createRoute } from '@hono/zod-openapi';
import { currencyOfStay } from '../../domain/finance/goodwill.ts';
import { parsePayment } from '../../domain/finance/payment-amount.ts';
import type { Services } from '../context.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, one, StartHeaders } from '../schemas/envelope.ts';
import { REFUND_EXAMPLE, RefundBody, StartedRefund } from '../schemas/refunds.ts';
import { DryRunQuery, withPlan } from '../schemas/rehearsals.ts';
import { ACCEPTED_EXAMPLE, Accepted } from '../schemas/sagas.ts';

const refund = createRoute({
  method: 'post',
  path: '/api/production/reservations/{id}/refunds',
  tags: ['Reservations'],
  summary: 'Give a guest money back beside any cancellation: saga refundReservation',
  request: { params: IdParam, query: DryRunQuery, headers: StartHeaders, body: jsonOf(RefundBody, REFUND_EXAMPLE) },
  responses: {
    200: withPlan(answer('Booked, and sent to the gateway', one(StartedRefund))),
    202: answer('Accepted; follow Location', one(Accepted), ACCEPTED_EXAMPLE),
    ...bodyRefusals(
      'RESERVATION_NOT_FOUND',
      'NOTHING_TO_REFUND',
      'REFUND_EXCEEDS_CAPTURED',
      'AMOUNT_INVALID',
      'AMOUNT_NOT_POSITIVE',
      'AMOUNT_PRECISION',
      'AMOUNT_TOO_LARGE',
      'CURRENCY_INVALID',
      'CURRENCY_MISMATCH',
      'APPROVAL_DECLINED',
      'SAGA_IN_PROGRESS',
      'CARD_DATA_FORBIDDEN',
      'INVALID_IDEMPOTENCY_KEY',
      'IDEMPOTENCY_KEY_REUSED',
      'IDEMPOTENCY_IN_PROGRESS',
    ),
  },
});

export function registerRefunds(register: Register, { db }: Services): void {
  register.mutation(refund, async (c, once) => {
    const { id } = c.req.valid('param');
    const { amount, currency, reason, bearer = 'SPLIT', notes, refundedBy } = c.req.valid('json');
    const money = parsePayment(amount, currency ?? (await currencyOfStay(db, id)));
    return once.reservations.refundReservation(id, { ...money, reason, bearer }, { onBehalfOf: refundedBy, notes });
  });
}
