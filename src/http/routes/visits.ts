import { createRoute } from '@hono/zod-openapi';
import { accepts } from 'hono/accepts';
import { readCheckOutReport } from '../../domain/reservations/report.ts';
import { checkIn, checkOut } from '../../sagas/index.ts';
import { found } from '../answers.ts';
import type { AnyContext, Services } from '../context.ts';
import { assertOwnStay } from '../own-stay.ts';
import { reportPage } from '../report-page.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, one, refusals, StartHeaders } from '../schemas/envelope.ts';
import { ACCEPTED_EXAMPLE, Accepted } from '../schemas/sagas.ts';
import {
  CHECK_IN_EXAMPLE,
  CHECK_OUT_EXAMPLE,
  CheckedInReservation,
  CheckedOutReservation,
  CheckInBody,
  CheckOutBody,
  CheckOutReport,
} from '../schemas/visits.ts';

const PATH = '/api/production/reservations/{id}';
const tags = ['Reservations'];
const SAGA_REFUSALS = [
  'RESERVATION_NOT_FOUND',
  'INVALID_STATE_TRANSITION',
  'BALANCE_DUE',
  'SAGA_IN_PROGRESS',
  'INVALID_IDEMPOTENCY_KEY',
  'IDEMPOTENCY_KEY_REUSED',
  'IDEMPOTENCY_IN_PROGRESS',
] as const;

const arrive = createRoute({
  method: 'post',
  path: `${PATH}/check-in`,
  tags,
  summary: 'Check a guest in: saga checkIn',
  request: { params: IdParam, headers: StartHeaders, body: jsonOf(CheckInBody, CHECK_IN_EXAMPLE, false) },
  responses: {
    200: answer('Checked in', one(CheckedInReservation)),
    202: answer('Accepted; follow Location', one(Accepted), ACCEPTED_EXAMPLE),
    ...bodyRefusals(
      'CHECK_IN_TOO_EARLY',
      'PROPERTY_NOT_READY',
      'AMENITIES_REFUSED',
      'AMENITIES_UNAVAILABLE',
      ...SAGA_REFUSALS,
    ),
  },
});
const depart = createRoute({
  method: 'post',
  path: `${PATH}/check-out`,
  tags,
  summary: 'Check a guest out: saga checkOut. Nights that are left are free at once',
  request: { params: IdParam, headers: StartHeaders, body: jsonOf(CheckOutBody, CHECK_OUT_EXAMPLE, false) },
  responses: {
    200: answer('Checked out', one(CheckedOutReservation)),
    202: answer('Accepted; follow Location', one(Accepted), ACCEPTED_EXAMPLE),
    ...bodyRefusals(...SAGA_REFUSALS),
  },
});
const report = createRoute({
  method: 'get',
  path: `${PATH}/check-out-report`,
  tags,
  summary: 'The report of a departure as it was written then; as a page to print with `Accept: text/html`',
  request: { params: IdParam },
  responses: {
    200: answer('The report', one(CheckOutReport)),
    ...refusals('VALIDATION_FAILED', 'RESERVATION_NOT_FOUND', 'NOT_FOUND'),
  },
});

export function registerVisits(register: Register, services: Services): void {
  const { db } = services;
  register.mutation(arrive, async (c, once) => {
    const { id } = c.req.valid('param');
    const body = c.req.valid('json');
    await assertOwnStay(c, db, id);
    const { checkedInBy, actualTime = null, notes, strict = false } = body;
    const input = { reservationId: id, actualTime, strict };
    return once.saga(checkIn, { subjectId: id, input, onBehalfOf: checkedInBy, notes });
  });
  register.mutation(depart, async (c, once) => {
    const { id } = c.req.valid('param');
    const body = c.req.valid('json');
    await assertOwnStay(c, db, id);
    const { checkedOutBy, actualTime = null, notes, strict = false } = body;
    const input = { reservationId: id, actualTime, strict };
    return once.saga(checkOut, { subjectId: id, input, onBehalfOf: checkedOutBy, notes });
  });
  register(report, async (c) => {
    const { id } = c.req.valid('param');
    await assertOwnStay(c, db, id);
    const stored = await readCheckOutReport(db, id);
    c.header('Vary', 'Accept');
    return prefersPage(c) ? reportPage(c, db, stored) : found(c, stored);
  });
}

/** By the weights of RFC 9110 12.5.1; a type of weight zero is not wanted at all. */
const prefersPage = (c: AnyContext): boolean =>
  accepts(c, {
    header: 'Accept',
    supports: ['application/json', 'text/html'],
    default: 'application/json',
    match: (types, { supports, default: otherwise }) =>
      types
        .filter(({ type, q }) => q > 0 && supports.includes(type))
        .toSorted((a, b) => b.q - a.q)
        .at(0)?.type ?? otherwise,
  }) === 'text/html';
