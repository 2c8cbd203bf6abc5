import { createRoute, z } from '@hono/zod-openapi';
import { assertEventPatterns, EVENT_CATALOGUE } from '../../domain/events/catalogue.ts';
import { type EventFilter, numberEvents, readEvents } from '../../domain/events/feed.ts';
import { issueTicket } from '../../domain/events/stream-tickets.ts';
import type { Position } from '../../domain/paging.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { found, json } from '../answers.ts';
import type { Caller } from '../auth.ts';
import { authorOf, callerOf, type Services } from '../context.ts';
import { answerSocket, asksForSocket, assertHandshake, assertOwnOrigin } from '../live/socket.ts';
import { answerEvents } from '../live/sse.ts';
import { eventShown } from '../masks.ts';
import { permits, policyOf } from '../policy.ts';
import type { Register } from '../route.ts';
import { answer, many, one, refusals } from '../schemas/envelope.ts';
import { DomainEvent, EventKind, EventQuery, PLACE, StreamQuery, StreamTicket } from '../schemas/events.ts';
import { keptCaller, STREAM_PATH } from '../stream-ticket.ts';

const PATH = '/api/production/events';
const tags = ['Events'];

const feed = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'What happened after a place in the feed, in order and without gaps',
  request: { query: EventQuery },
  responses: {
    200: answer(
      'Events. With `nextCursor` there are more by now; a later look goes on after `nextAfter`',
      many(DomainEvent, { nextAfter: z.int() }),
    ),
    ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR', 'EVENT_TYPE_UNKNOWN', 'EVENTS_EXPIRED', 'EVENTS_NOT_REACHED'),
  },
});
const types = createRoute({
  method: 'get',
  path: '/api/production/event-types',
  tags,
  summary: 'List every type of event, with an example of what a webhook gets',
  responses: { 200: answer('All types', one(EventKind.array())), ...refusals() },
});
const stream = createRoute({
  method: 'get',
  path: STREAM_PATH,
  tags,
  summary: 'The same as server-sent events or over a WebSocket; goes on after `Last-Event-ID`, else from now on',
  request: {
    query: StreamQuery,
    headers: z.object({ 'Last-Event-ID': z.string().optional().openapi({ description: 'The last `id` that came' }) }),
  },
  responses: {
    200: { description: 'Events', content: { 'text/event-stream': { schema: z.string() } } },
    ...refusals('VALIDATION_FAILED', 'EVENT_TYPE_UNKNOWN', 'EVENTS_EXPIRED', 'EVENTS_NOT_REACHED', 'TOO_MANY_STREAMS'),
  },
});
const ticket = createRoute({
  method: 'post',
  path: `${PATH}/tickets`,
  tags,
  summary: 'Get a ticket with which a browser opens the stream, once and within a minute',
  responses: { 200: answer('A ticket', one(StreamTicket)), ...refusals() },
});

export function registerEvents(register: Register, services: Services): void {
  const { db } = services;

  register(feed, async (c) => {
    const { limit, cursor, ...asked } = c.req.valid('query');
    const { cursors } = services;
    const after = cursor === undefined ? asked.after : placeOf(cursors.open('events', asked, cursor));
    const { events, last, more } = await readEvents(db, after, limit, filterOf(asked.type, asked.reservationId));
    const nextCursor = more ? cursors.seal('events', asked, { at: '', id: String(last) }) : null;
    const data = events.map((event) => eventShown(c, event));
    return json(c, 200, { success: true, data, nextCursor, nextAfter: last });
  });

  register(types, (c) => found(c, EVENT_CATALOGUE));
  register.mutation(ticket, (c, once) =>
    once.change(async (tx) => found(c, await issueTicket(tx, keptCaller(callerOf(c)), authorOf(c)))),
  );
  register(stream, async (c) => {
    const { after, type, reservationId, steps } = c.req.valid('query');
    const filter = filterOf(type, reservationId);
    const caller = callerOf(c);
    if (steps) assertMayReadSteps(caller);
    const isSocket = asksForSocket(c);
    if (isSocket) {
      assertOwnOrigin(c, services);
      assertHandshake(c);
    }
    const release = services.streams.open(caller);
    try {
      const start = lastEventId(c.req.header('last-event-id')) ?? after ?? (await numberEvents(db));
      // A position that has been deleted is refused before the stream begins.
      await readEvents(db, start, 1, filter);
      const wanted = { caller, start, filter, steps };
      if (isSocket) return await answerSocket(c, services, wanted, release);
      return answerEvents(c, services, wanted, release);
    } catch (error) {
      release();
      throw error;
    }
  });
}

/** Who may not read an execution does not hear of its steps. Throws `FORBIDDEN`. */
function assertMayReadSteps(caller: Caller): void {
  const policy = policyOf('GET', '/api/production/sagas/executions/:id');
  if (policy === 'anonymous' || permits(policy, caller)) return;
  throw new RoomyError('FORBIDDEN', {
    text: `You lack the permission ${policy.permission}`,
    details: { permission: policy.permission },
  });
}

/** A cursor of the feed holds a place in it. */
const placeOf = ({ id }: Position): number => Number(id);

/** Throws `EVENT_TYPE_UNKNOWN`. */
function filterOf(type: string | undefined, reservationId: string | undefined): EventFilter {
  if (type !== undefined) assertEventPatterns([type]);
  return {
    ...(type === undefined ? {} : { types: [type] }),
    ...(reservationId === undefined ? {} : { reservationId }),
  };
}

function lastEventId(header: string | undefined): number | null {
  if (header === undefined || header === '') return null;
  if (!PLACE.test(header)) {
    const issues = [{ path: 'Last-Event-ID', message: 'must be an id of this stream' }];
    throw new RoomyError('VALIDATION_FAILED', { details: { issues } });
  }
  return Number(header);
}
