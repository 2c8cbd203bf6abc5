import { createRoute } from '@hono/zod-openapi';
import { getOwner } from '../../domain/people/owners.ts';
import { getStaff } from '../../domain/people/staff.ts';
import { getProperty } from '../../domain/properties/resource.ts';
import { getReservation } from '../../domain/reservations/resource.ts';
import { stayAhead } from '../../domain/stays/ahead.ts';
import type { TimelineSources } from '../../domain/stays/timeline-places.ts';
import {
  sourcesOfOwner,
  sourcesOfProperty,
  sourcesOfStaff,
  sourcesOfStay,
  type TimelineReader,
} from '../../domain/stays/timeline-sources.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { page } from '../answers.ts';
import { type AnyContext, callerOf, type Services } from '../context.ts';
import { assertOwnStay } from '../own-stay.ts';
import { agentOf, holderOf } from '../portfolio.ts';
import type { Register, RouteContext } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, many, refusals } from '../schemas/envelope.ts';
import { ahead, StayTimelineQuery, TIMELINE_EXAMPLE, TimelineEntry, TimelineQuery } from '../schemas/timeline.ts';
import { mayRead, readTimeline, timelineReaderOf } from '../timeline.ts';

const API = '/api/production';
const entries = many(TimelineEntry);

const ofStay = createRoute({
  method: 'get',
  path: `${API}/reservations/{id}/timeline`,
  tags: ['Reservations'],
  summary: 'List what happened about a reservation, and why, oldest first',
  request: { params: IdParam, query: StayTimelineQuery },
  responses: {
    200: answer('A page of the timeline', many(TimelineEntry, ahead), {
      ...TIMELINE_EXAMPLE,
      now: '2024-01-15T12:00:00.000Z',
    }),
    ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR', 'RESERVATION_NOT_FOUND'),
  },
});
const timelineOf = (noun: string, tag: string, what: string) =>
  createRoute({
    method: 'get',
    path: `${API}/${noun}/{id}/timeline`,
    tags: [tag],
    summary: `List what happened about ${what}, oldest first`,
    request: { params: IdParam, query: TimelineQuery },
    responses: {
      200: answer('A page of the timeline', entries, TIMELINE_EXAMPLE),
      ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR', 'NOT_FOUND'),
    },
  });
const ofProperty = timelineOf('properties', 'Properties', 'a property');
const ofOwner = timelineOf('owners', 'Owners', 'an owner');
const ofStaff = timelineOf('staff', 'Staff', 'a staff member');

export function registerTimelines(register: Register, services: Services): void {
  const { db, clock } = services;
  register(ofStay, async (c) => {
    const { id } = c.req.valid('param');
    const { forecast, ...query } = c.req.valid('query');
    assertMayForecast(c, forecast === true);
    // Operators see every process and message, whoever’s stay it is about.
    if (!isOperator(c)) await assertOwnStay(c, db, id);
    await getReservation(db, id);
    const reader = timelineReaderOf(c);
    const beside = {
      now: clock.now().toISOString(),
      ...(forecast === true ? { forecast: await stayAhead(db, id, reader) } : {}),
    };
    return page(
      c,
      services,
      `timeline of stay ${id}`,
      query,
      (_filter, at) => readTimeline(c, services, sourcesOfStay(id, reader), id, at),
      beside,
    );
  });
  const about =
    (
      noun: string,
      find: (c: AnyContext, id: string) => Promise<unknown>,
      sourcesOf: (id: string, reader: TimelineReader) => TimelineSources,
    ) =>
    async (c: RouteContext<typeof ofProperty>): Promise<Response> => {
      const { id } = c.req.valid('param');
      await find(c, id);
      return page(c, services, `timeline of ${noun} ${id}`, c.req.valid('query'), (_filter, at) =>
        readTimeline(c, services, sourcesOf(id, timelineReaderOf(c)), null, at),
      );
    };
  register(
    ofProperty,
    about('property', (c, id) => getProperty(db, id, holderOf(c)), sourcesOfProperty),
  );
  register(
    ofOwner,
    about('owner', (c, id) => getOwner(db, id, agentOf(c)), sourcesOfOwner),
  );
  register(
    ofStaff,
    about('staff', (c, id) => getStaff(db, id, agentOf(c)), sourcesOfStaff),
  );
}

const FORECAST = 'reservations/:id/forecast';
/** What will happen is told to whoever may ask for the forecast. */
function assertMayForecast(c: AnyContext, isAsked: boolean): void {
  if (isAsked && !mayRead(c, FORECAST)) throw new RoomyError('FORBIDDEN', { details: { field: 'forecast' } });
}

const isOperator = (c: AnyContext): boolean => {
  const caller = callerOf(c);
  return caller.kind === 'person' && caller.role === 'OPS';
};
