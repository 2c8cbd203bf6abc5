import { createRoute } from '@hono/zod-openapi';
import { myStay, myStays } from '../../domain/stays/my-stays.ts';
import { closeFeed, openFeed, staffOfFeed } from '../../domain/tasks/calendar-feed.ts';
import { calendarTasks, myTasks } from '../../domain/tasks/my-tasks.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { sha256OfBytes } from '../../kernel/json.ts';
import { found, page } from '../answers.ts';
import { calendarOf } from '../calendar.ts';
import { type AnyContext, authorOf, callerOf, type Services } from '../context.ts';
import { withPeriod } from '../period.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, many, one, refusals } from '../schemas/envelope.ts';
import { MyStay, MyStayQuery } from '../schemas/my-stays.ts';
import { Feed, FeedParams, MyTask, MyTaskQuery } from '../schemas/my-work.ts';

const PATH = '/api/production/me';
const tags = ['My work'];

const stays = createRoute({
  method: 'get',
  path: `${PATH}/stays`,
  tags: ['Reservations'],
  summary: 'My stays, as a guest: what is paid and due, where it is, and the code of the door while it opens',
  request: { query: MyStayQuery },
  responses: { 200: answer('A page of stays', many(MyStay)), ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR') },
});
const stay = createRoute({
  method: 'get',
  path: `${PATH}/stays/{id}`,
  tags: ['Reservations'],
  summary: 'One of my stays, as a guest',
  request: { params: IdParam },
  responses: { 200: answer('The stay', one(MyStay)), ...refusals('VALIDATION_FAILED', 'RESERVATION_NOT_FOUND') },
});
const list = createRoute({
  method: 'get',
  path: `${PATH}/tasks`,
  tags,
  summary: 'What I have to do, in the order of the work',
  request: { query: MyTaskQuery },
  responses: { 200: answer('A page of tasks', many(MyTask)), ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR') },
});
const open = createRoute({
  method: 'post',
  path: `${PATH}/calendar`,
  tags,
  summary: 'An address by which a calendar program reads my tasks; it ends the one before',
  responses: { 200: answer('The address, shown once', one(Feed)), ...refusals('NOT_FOUND') },
});
const close = createRoute({
  method: 'delete',
  path: `${PATH}/calendar`,
  tags,
  summary: 'Take the address of my calendar back',
  responses: { 204: { description: 'Nobody reads it any more' }, ...refusals() },
});
/** To ask for it again with. */
const SAID = {
  ETag: { description: 'What it says, to be sent as `If-None-Match`', schema: { type: 'string' as const } },
};
const feed = createRoute({
  method: 'get',
  path: '/calendar/{file}',
  tags,
  summary: 'A calendar (iCalendar); whoever has the address may read it',
  request: { params: FeedParams },
  responses: {
    200: {
      description: 'The calendar',
      headers: SAID,
      content: { 'text/calendar': { schema: { type: 'string' as const } } },
    },
    304: { description: 'It says what `If-None-Match` names', headers: SAID },
    ...refusals('NOT_FOUND', 'VALIDATION_FAILED'),
  },
});

export function registerMyWork(register: Register, services: Services): void {
  const { db } = services;
  register(stays, (c) =>
    page(c, services, 'my-stays', c.req.valid('query'), (_filter, at) => myStays(db, callerOf(c).principal, at)),
  );
  register(stay, async (c) => found(c, await myStay(db, callerOf(c).principal, c.req.valid('param').id)));
  register(list, async (c) => {
    const caller = callerOf(c);
    const worker = { staffId: caller.principal, seesTitles: caller.kind === 'person' && caller.role === 'AGENT' };
    const query = await withPeriod(c, services, c.req.valid('query'));
    return page(c, services, 'my-tasks', query, (filter, at) => myTasks(db, worker, filter, at));
  });
  register.mutation(open, (c, once) =>
    once.change(async (tx) => {
      const { token } = await openFeed(tx, callerOf(c).principal, authorOf(c));
      c.header('Cache-Control', 'no-store');
      return found(c, { url: `${services.publicUrl}/calendar/${token}.ics` });
    }),
  );
  register.mutation(close, (c, once) =>
    once.change(async (tx) => {
      await closeFeed(tx, callerOf(c).principal, authorOf(c));
      return c.body(null, 204);
    }),
  );
  register(feed, async (c) => {
    const token = /^([\w-]{43})\.ics$/.exec(c.req.valid('param').file)?.[1];
    if (token === undefined) throw new RoomyError('NOT_FOUND');
    return calendarAnswer(c, calendarOf(await calendarTasks(db, await staffOfFeed(db, token)), services.clock.now()));
  });
}

function calendarAnswer(c: AnyContext, text: string): Response {
  // Weak, and without the time at which it was made: what it says is the same.
  const said = text.replaceAll(/^DTSTAMP:.*\r\n/gm, '');
  const tag = `W/"${sha256OfBytes(Buffer.from(said)).toString('hex').slice(0, 32)}"`;
  c.header('ETag', tag);
  c.header('Cache-Control', 'private, max-age=300');
  if (c.req.header('if-none-match') === tag) return c.body(null, 304);
  c.header('Content-Type', 'text/calendar; charset=utf-8');
  c.header('Content-Disposition', 'inline; filename="roomy-tasks.ics"');
  return c.body(text);
}
