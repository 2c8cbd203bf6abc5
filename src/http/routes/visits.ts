import { createRoute, z } from '@hono/zod-openapi';
import type { Db } from '../../db/client.ts';
import { readCheckOutReport, type StoredReport } from '../../domain/stays/report.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { REPORT_POLICY } from '../../web/layout.ts';
import { reportPage } from '../../web/report-page.ts';
import { found } from '../answers.ts';
import type { Caller } from '../caller.ts';
import { type AnyContext, callerOf, type Services } from '../context.ts';
import { lifetimeOf, makerOf, textOf } from '../link-maker.ts';
import { seesMoney } from '../masks.ts';
import { assertOwnStay, assertStayOf } from '../own-stay.ts';
import { PAGE_HEADERS, prefersPage } from '../page.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, one, refusals, StartHeaders } from '../schemas/envelope.ts';
import { DryRunQuery, withPlan } from '../schemas/rehearsals.ts';
import { ACCEPTED_EXAMPLE, Accepted } from '../schemas/sagas.ts';
import {
  CHECK_IN_EXAMPLE,
  CHECK_OUT_EXAMPLE,
  CheckedInReservation,
  CheckedOutReservation,
  CheckInBody,
  CheckOutBody,
  CheckOutReport,
  ReportLink,
} from '../schemas/visits.ts';
import { assertStillInForce } from '../standing.ts';

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
  request: {
    params: IdParam,
    query: DryRunQuery,
    headers: StartHeaders,
    body: jsonOf(CheckInBody, CHECK_IN_EXAMPLE, false),
  },
  responses: {
    200: withPlan(answer('Checked in', one(CheckedInReservation))),
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
  request: {
    params: IdParam,
    query: DryRunQuery,
    headers: StartHeaders,
    body: jsonOf(CheckOutBody, CHECK_OUT_EXAMPLE, false),
  },
  responses: {
    200: withPlan(answer('Checked out', one(CheckedOutReservation))),
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

const link = createRoute({
  method: 'get',
  path: `${PATH}/check-out-report/link`,
  tags,
  summary: 'An address that opens the report as a page to print for ten minutes, in any browser and without a token',
  request: { params: IdParam },
  responses: {
    200: answer('The address', one(ReportLink)),
    ...refusals('VALIDATION_FAILED', 'RESERVATION_NOT_FOUND', 'NOT_FOUND'),
  },
});
const printed = createRoute({
  method: 'get',
  path: '/reports/{token}',
  tags,
  summary: 'A report to print; whoever has the address may read it until it ends',
  request: { params: z.strictObject({ token: z.string().max(500) }) },
  responses: {
    200: { description: 'A page', content: { 'text/html': { schema: { type: 'string' as const } } } },
    ...refusals('NOT_FOUND', 'RESERVATION_NOT_FOUND', 'VALIDATION_FAILED'),
  },
});
const LINK_KIND = 'check-out-report';
const LINK_LIFETIME_SECONDS = 600;

export function registerVisits(register: Register, services: Services): void {
  const { db } = services;
  register.mutation(arrive, async (c, once) => {
    const { id } = c.req.valid('param');
    const body = c.req.valid('json');
    await assertOwnStay(c, db, id);
    const { checkedInBy, actualTime = null, notes, strict = false } = body;
    return once.reservations.checkIn(id, { actualTime, strict }, { onBehalfOf: checkedInBy, notes });
  });
  register.mutation(depart, async (c, once) => {
    const { id } = c.req.valid('param');
    const body = c.req.valid('json');
    await assertOwnStay(c, db, id);
    const { checkedOutBy, actualTime = null, notes, strict = false } = body;
    return once.reservations.checkOut(id, { actualTime, strict }, { onBehalfOf: checkedOutBy, notes });
  });
  register(report, async (c) => {
    const { id } = c.req.valid('param');
    await assertOwnStay(c, db, id);
    const stored = await readCheckOutReport(db, id);
    c.header('Vary', 'Accept');
    if (prefersPage(c)) {
      assertSeesMoney(c);
      return answerReport(c, db, stored);
    }
    if (seesMoney(c)) return found(c, stored);
    return found(c, { ...stored, report: { ...stored.report, money: null, payments: null } });
  });
  register(link, async (c) => {
    const { id } = c.req.valid('param');
    await assertOwnStay(c, db, id);
    await readCheckOutReport(db, id);
    assertSeesMoney(c);
    const maker = callerOf(c);
    const seconds = lifetimeOf(maker, LINK_LIFETIME_SECONDS, services.clock.now());
    const { token, expiresAt } = services.links.seal(LINK_KIND, id, seconds, textOf(maker));
    return found(c, { url: `${services.publicUrl}/reports/${token}`, expiresAt: expiresAt.toISOString() });
  });
  register(printed, async (c) => {
    const { id, holder } = services.links.open(LINK_KIND, c.req.valid('param').token);
    const maker = makerOf(holder);
    await assertMakerInForce(services, maker);
    await assertStayOf(maker, db, id);
    return answerReport(c, db, await readCheckOutReport(db, id));
  });
}

/** The page shows who gets what of the money. */
function assertSeesMoney(c: AnyContext): void {
  if (!seesMoney(c)) throw new RoomyError('FORBIDDEN', { details: { permission: 'finance:read' } });
}

/** A link of somebody who may not call any more is as one that never was. */
async function assertMakerInForce(services: Services, madeBy: Caller): Promise<void> {
  try {
    await assertStillInForce(services, madeBy);
  } catch (error) {
    if (error instanceof RoomyError && error.code === 'UNAUTHENTICATED') throw new RoomyError('NOT_FOUND');
    throw error;
  }
}

async function answerReport(c: AnyContext, db: Db, stored: StoredReport): Promise<Response> {
  const { propertyId, guestId } = stored.report;
  const names = await db
    .selectFrom('property as p')
    .leftJoin('guest as g', (join) => join.on('g.id', '=', guestId))
    .where('p.id', '=', propertyId)
    .select(['p.name as property', 'g.name as guest'])
    .executeTakeFirst();
  for (const [name, value] of Object.entries(PAGE_HEADERS)) c.header(name, value);
  c.header('Content-Security-Policy', REPORT_POLICY);
  return c.html(reportPage(stored, names?.property ?? propertyId, names?.guest ?? guestId));
}
