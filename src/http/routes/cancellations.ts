import { createRoute } from '@hono/zod-openapi';
import type { z } from 'zod';
import {
  assertCancellable,
  type CancellableStay,
  type CancellationOrder,
  decideRefund,
  type RefundDecision,
  readRefundFacts,
} from '../../domain/finance/cancellation.ts';
import { financialService } from '../../domain/finance/financial-service.ts';
import { openTasksOf } from '../../domain/stay-tasks/cancel-tasks.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { toMajor } from '../../kernel/money.ts';
import { cancelReservation } from '../../sagas/index.ts';
import { found } from '../answers.ts';
import { type AnyContext, callerOf, type Services } from '../context.ts';
import { assertOwnStay } from '../own-stay.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, one, refusals, StartHeaders } from '../schemas/envelope.ts';
import {
  CANCEL_EXAMPLE,
  CANCELLED_EXAMPLE,
  CancelBody,
  CancellationPlan,
  CancellationQuote,
  CancelledReservation,
} from '../schemas/payments.ts';
import { DryRunQuery, withPlan } from '../schemas/rehearsals.ts';
import { ACCEPTED_EXAMPLE, Accepted } from '../schemas/sagas.ts';

const PATH = '/api/production/reservations/{id}';
const tags = ['Reservations'];

const cancel = createRoute({
  method: 'post',
  path: `${PATH}/cancel`,
  tags,
  summary: 'Cancel a reservation and refund by its policy: saga cancelReservation',
  request: {
    params: IdParam,
    query: DryRunQuery,
    headers: StartHeaders,
    body: jsonOf(CancelBody, CANCEL_EXAMPLE, false),
  },
  responses: {
    200: withPlan(answer('Cancelled', one(CancelledReservation), CANCELLED_EXAMPLE), CancellationPlan),
    202: answer('Accepted; follow Location', one(Accepted), ACCEPTED_EXAMPLE),
    ...bodyRefusals(
      'RESERVATION_NOT_FOUND',
      'RESERVATION_IN_HOUSE',
      'INVALID_STATE_TRANSITION',
      'APPROVAL_DECLINED',
      'SAGA_IN_PROGRESS',
      'CARD_DATA_FORBIDDEN',
      'INVALID_IDEMPOTENCY_KEY',
      'IDEMPOTENCY_KEY_REUSED',
      'IDEMPOTENCY_IN_PROGRESS',
    ),
  },
});
const quote = createRoute({
  method: 'get',
  path: `${PATH}/cancellation-quote`,
  tags,
  summary: 'What a cancellation would give back now, and until when',
  request: { params: IdParam },
  responses: {
    200: answer('The quote', one(CancellationQuote)),
    ...refusals('VALIDATION_FAILED', 'RESERVATION_NOT_FOUND', 'RESERVATION_IN_HOUSE', 'INVALID_STATE_TRANSITION'),
  },
});

export function registerCancellations(register: Register, services: Services): void {
  const { db, clock, ports } = services;
  register.mutation(cancel, async (c, once) => {
    const { id } = c.req.valid('param');
    const body = c.req.valid('json');
    await assertOwnStay(c, db, id);
    const order = orderOf(c, body);
    const { cancelledBy, notes, reason } = body;
    const input = { reason: reason ?? null, ...order };
    const besidePlan = () => besideCancellation(services, id, order);
    return once.reservations.cancelReservation(id, input, { onBehalfOf: cancelledBy, notes, besidePlan });
  });
  register(quote, async (c) => {
    const { id } = c.req.valid('param');
    await assertOwnStay(c, db, id);
    const now = clock.now();
    const stay = await assertCancellable(db, id, now);
    const major = (amountMinor: number) => toMajor({ amountMinor, currency: stay.currency });
    const { basis, receipts } = await readRefundFacts(db, ports, stay);
    const { capturedMinor, excessMinor, refundedMinor, disputedMinor } = receipts;
    const schedule = financialService.refundSchedule(basis, now);
    return found(c, {
      reservationId: id,
      status: stay.status,
      requestedAt: now.toISOString(),
      timeZone: stay.timeZone,
      paid: major(capturedMinor + excessMinor - refundedMinor),
      disputed: major(disputedMinor),
      currency: stay.currency,
      today: refundView(stay, await decideRefund(db, ports, stay, { initiator: 'GUEST', percentOverride: null }, now)),
      schedule: schedule.map(({ percent, amountMinor, until }) => ({
        percent,
        amount: major(amountMinor + excessMinor),
        until: until?.toISOString() ?? null,
      })),
    });
  });
}

/** Whatever may give more than the policy is for those alone who answer for the money (domain.md 4). */
function orderOf(c: AnyContext, body: z.output<typeof CancelBody>): CancellationOrder {
  const caller = callerOf(c);
  const role = caller.kind === 'person' ? caller.role : null;
  const initiator = body.initiator ?? 'GUEST';
  const fields = [
    ...(initiator === 'GUEST' ? [] : ['initiator']),
    ...(body.refundPercentOverride === undefined ? [] : ['refundPercentOverride']),
  ];
  const [field] = fields;
  if (field !== undefined && role !== 'ADMIN' && role !== 'FINANCE') {
    throw new RoomyError('FORBIDDEN', { details: { field, permission: 'refunds:override' } });
  }
  return { initiator, percentOverride: body.refundPercentOverride ?? null };
}

const refundView = (stay: CancellableStay, refund: RefundDecision) => ({
  percent: refund.percent,
  amount: toMajor({ amountMinor: refund.amountMinor + refund.excessMinor, currency: stay.currency }),
  currency: stay.currency,
  rule: refund.rule,
  daysBeforeCheckIn: refund.daysBeforeCheckIn,
});

/** What the plan of a cancellation tells besides: the refund by its rule, the tasks that go on, and a sentence for each step, which it had before others had plans. */
async function besideCancellation(
  { db, clock, ports }: Pick<Services, 'db' | 'clock' | 'ports'>,
  id: string,
  order: CancellationOrder,
) {
  const now = clock.now();
  const stay = await assertCancellable(db, id, now);
  const refund = await decideRefund(db, ports, stay, order, now);
  const tasks = await openTasksOf(db, id);
  const open = tasks.filter((task) => task.status !== 'IN_PROGRESS');
  return {
    reservation: { id, status: stay.status },
    refund: refundView(stay, refund),
    tasksInProgress: tasks.filter((task) => task.status === 'IN_PROGRESS').map((task) => task.id),
    plan: cancelReservation.steps.map(({ name }) => ({ step: name, effect: effectOf(name, refund, open.length) })),
  };
}

function effectOf(step: string, refund: RefundDecision, openTasks: number): string {
  if (step === 'cancelRelatedTasks') return `${openTasks} tasks would be cancelled`;
  if (step === 'createRefundTransaction') {
    return refund.amountMinor + refund.excessMinor === 0
      ? 'nothing to refund'
      : `${refund.percent} % would be refunded`;
  }
  if (step === 'updateReservationStatus') return 'the reservation would be CANCELLED and its dates free';
  return step.startsWith('send') ? 'guest, owner and assigned staff would be told' : 'checked';
}
