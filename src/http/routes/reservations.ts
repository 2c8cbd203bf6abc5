import { createRoute } from '@hono/zod-openapi';
import { transactionsOfReservation } from '../../domain/finance/resource.ts';
import { notificationsOfReservation } from '../../domain/messages/resource.ts';
import {
  createReservation,
  getReservation,
  listReservations,
  type ReservationDetail,
} from '../../domain/reservations/resource.ts';
import { changeReservation } from '../../domain/stays/change-reservation.ts';
import { tasksOfReservation } from '../../domain/tasks/resource.ts';
import { executionsOfReservation } from '../../engine/read/executions.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { type Money, parseAnswerable } from '../../kernel/money.ts';
import { created, expectedVersions, foundVersion, page } from '../answers.ts';
import { type AnyContext, authorOf, callerOf, type Services } from '../context.ts';
import { executionsShown } from '../masks.ts';
import { offeredTo } from '../offered.ts';
import { assertOwnStay, lockOwnStay } from '../own-stay.ts';
import { tasksFor } from '../own-task.ts';
import { withDays } from '../period.ts';
import { permits, policyOf } from '../policy.ts';
import { holderOf } from '../portfolio.ts';
import { readerOf } from '../reader.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import {
  answer,
  bodyRefusals,
  ChangeHeaders,
  jsonOf,
  MONEY_REFUSALS,
  many,
  one,
  refusals,
  StartHeaders,
} from '../schemas/envelope.ts';
import { DryRunQuery, withPlan } from '../schemas/rehearsals.ts';
import {
  ChangedReservation,
  CONFIRM_EXAMPLE,
  CONFIRMED_EXAMPLE,
  ConfirmBody,
  ConfirmedReservation,
  IncludeQuery,
  NEW_RESERVATION_EXAMPLE,
  NewReservation,
  Reservation,
  ReservationChange,
  ReservationQuery,
  ReservationWithIncludes,
} from '../schemas/reservations.ts';
import { ACCEPTED_EXAMPLE, Accepted } from '../schemas/sagas.ts';

const PATH = '/api/production/reservations';
const tags = ['Reservations'];

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List reservations, newest first',
  request: { query: ReservationQuery },
  responses: {
    200: answer('A page of reservations', many(Reservation)),
    ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR'),
  },
});
const create = createRoute({
  method: 'post',
  path: PATH,
  tags,
  summary: 'Add a reservation; it begins PENDING',
  request: { body: jsonOf(NewReservation, NEW_RESERVATION_EXAMPLE) },
  responses: {
    201: answer('Added', one(Reservation)),
    ...bodyRefusals('ALREADY_EXISTS', 'REFERENCE_NOT_FOUND', ...MONEY_REFUSALS),
  },
});
const read = createRoute({
  method: 'get',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Get a reservation, and what belongs to it',
  request: { params: IdParam, query: IncludeQuery },
  responses: {
    200: answer('The reservation', one(ReservationWithIncludes)),
    ...refusals('VALIDATION_FAILED', 'RESERVATION_NOT_FOUND'),
  },
});
const change = createRoute({
  method: 'patch',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Change a reservation; honours If-Match. Dates, price and parties only while it is PENDING',
  request: { params: IdParam, headers: ChangeHeaders, body: jsonOf(ReservationChange, { guestCount: 3 }) },
  responses: {
    200: answer('Changed', one(ChangedReservation)),
    ...bodyRefusals(
      'RESERVATION_NOT_FOUND',
      'PRECONDITION_FAILED',
      'SAGA_IN_PROGRESS',
      'INVALID_STATE_TRANSITION',
      'REFERENCE_NOT_FOUND',
      ...MONEY_REFUSALS,
    ),
  },
});
const confirm = createRoute({
  method: 'post',
  path: `${PATH}/{id}/confirm`,
  tags,
  summary: 'Confirm a reservation: saga confirmReservation',
  request: {
    params: IdParam,
    query: DryRunQuery,
    headers: StartHeaders,
    body: jsonOf(ConfirmBody, CONFIRM_EXAMPLE, false),
  },
  responses: {
    200: withPlan(answer('Confirmed', one(ConfirmedReservation), CONFIRMED_EXAMPLE)),
    202: answer('Accepted; follow Location', one(Accepted), ACCEPTED_EXAMPLE),
    ...bodyRefusals(
      'RESERVATION_NOT_FOUND',
      'RESERVATION_CONFLICT',
      'INVALID_STATE_TRANSITION',
      'NO_STAFF_AVAILABLE',
      'SAGA_IN_PROGRESS',
      'INVALID_IDEMPOTENCY_KEY',
      'IDEMPOTENCY_KEY_REUSED',
      'IDEMPOTENCY_IN_PROGRESS',
    ),
  },
});

export function registerReservations(register: Register, services: Services): void {
  const { db } = services;
  register(list, async (c) =>
    page(c, services, 'reservations', await withDays(c, services, c.req.valid('query')), async (filter, at) => {
      const { items, ...rest } = await listReservations(db, filter, holderOf(c), at);
      return { ...rest, items: items.map((stay) => shownTo(c, stay)) };
    }),
  );
  register.mutation(create, (c, once) => {
    const { totalAmount, currency, ...stay } = c.req.valid('json');
    const total = moneyOf(totalAmount, currency);
    return once.change(async (tx) =>
      created(c, offeredTo(c, await createReservation(tx, { ...stay, total }, authorOf(c))), 'Reservation created'),
    );
  });
  register(read, async (c) => {
    const { id } = c.req.valid('param');
    const include = new Set(c.req.valid('query').include);
    assertMayInclude(c, include);
    await assertOwnStay(c, db, id);
    const stay = await getReservation(db, id);
    return foundVersion(c, {
      ...shownTo(c, stay),
      ...(include.has('tasks') ? { tasks: tasksFor(c, await tasksOfReservation(db, id)) } : {}),
      ...(include.has('transactions') ? { transactions: await transactionsOfReservation(db, id) } : {}),
      ...(include.has('notifications') ? { notifications: await notificationsOfReservation(db, id) } : {}),
      ...(include.has('sagas')
        ? { sagas: await executionsShown(c, executionsOfReservation(db, id, readerOf(c))) }
        : {}),
    });
  });
  register.mutation(change, async (c, once) => {
    const { id } = c.req.valid('param');
    const { totalAmount, currency, ...changes } = c.req.valid('json');
    // Before what the body names is looked at: a foreign stay is absent whatever is asked of it.
    await assertOwnStay(c, db, id);
    return once.change(async (tx) => {
      await lockOwnStay(c, tx, id);
      // A new amount without a currency is in the currency that the stay has.
      const total =
        totalAmount === undefined
          ? undefined
          : moneyOf(totalAmount, currency ?? (await getReservation(tx, id)).currency);
      const changed = await changeReservation(tx, id, { ...changes, total }, expectedVersions(c), authorOf(c));
      return foundVersion(c, offeredTo(c, changed));
    });
  });
  register.mutation(confirm, async (c, once) => {
    const { id } = c.req.valid('param');
    const body = c.req.valid('json');
    await assertOwnStay(c, db, id);
    const { requireAssignment = false, taskTimes, holdAlternatives, holdId } = body;
    const chosen = {
      ...(taskTimes ? { taskTimes: givenTimes(taskTimes) } : {}),
      ...(holdAlternatives === undefined ? {} : { holdAlternatives }),
      ...(holdId === undefined ? {} : { holdId }),
    };
    return once.reservations.confirmReservation(
      id,
      { requireAssignment, ...chosen },
      { onBehalfOf: body.confirmedBy, notes: body.notes },
    );
  });
}

/** An owner sees the stay, and nothing of the guest. */
function shownTo<T extends ReservationDetail>(c: AnyContext, stay: T): T {
  const caller = callerOf(c);
  const offered = offeredTo(c, stay);
  const isOwner = caller.kind === 'person' && caller.role === 'OWNER';
  const ofGuest = { guestId: null, notes: null, plannedArrival: null, plannedDeparture: null, cancelReason: null };
  return isOwner ? { ...offered, ...ofGuest } : offered;
}

/** What belongs to a stay is shown with it to whoever may list it. */
function assertMayInclude(c: AnyContext, include: ReadonlySet<string>): void {
  for (const name of include) {
    const policy = policyOf('GET', `/api/production/${name}`);
    if (policy === 'anonymous' || permits(policy, callerOf(c))) continue;
    throw new RoomyError('FORBIDDEN', { details: { field: 'include', permission: policy.permission } });
  }
}

const givenTimes = (times: Readonly<Record<string, string | undefined>>): Record<string, string> =>
  Object.fromEntries(Object.entries(times).flatMap(([name, at]) => (at === undefined ? [] : [[name, at]])));

/** A wrong amount is refused like any other wrong field. */
function moneyOf(amount: number | string, currency: string): Money {
  try {
    return parseAnswerable(amount, currency);
  } catch (error) {
    if (!(error instanceof RoomyError) || error.code !== 'VALIDATION_FAILED') throw error;
    throw new RoomyError('VALIDATION_FAILED', {
      details: { issues: [{ path: 'totalAmount', message: error.message }] },
    });
  }
}
