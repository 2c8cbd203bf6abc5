import { createRoute, z } from '@hono/zod-openapi';
import { RoomyError } from '../../kernel/errors.ts';
import { localDate } from '../../kernel/local-time.ts';
import { say } from '../../web/console/frame.ts';
import { staffListPage, staffPage } from '../../web/console/staff-page.ts';
import type { Html } from '../../web/layout.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import type { AnyContext, Services } from '../context.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { Leave, Staff } from '../schemas/people.ts';
import { Task } from '../schemas/tasks.ts';
import { type ConsoleApi, partOf, queryOf } from './client.ts';
import { answerConsole, type Console, keyIn, mayReadPage, problemOf, type Visit } from './frame.ts';

/** Who works here, and who is absent. */

const PATH = '/console/staff';
const field = z.string().max(64).optional();
const ListQuery = z.strictObject({ role: field, active: field, cursor: z.string().max(1024).optional() });
const list = createRoute({ ...PAGE_ROUTE, method: 'get', path: PATH, request: { query: ListQuery } });
const Query = z.strictObject({ told: z.string().max(20).optional(), released: z.string().max(2_000).optional() });
const read = createRoute({
  ...PAGE_ROUTE,
  method: 'get',
  path: `${PATH}/{id}`,
  request: { params: IdParam, query: Query },
});
const act = (name: 'leave' | 'return') =>
  createRoute({ ...PAGE_ROUTE, method: 'post', path: `${PATH}/{id}/${name}`, request: { params: IdParam } });

const DAYS_AHEAD = 7;
/** The page names so many of the tasks that went to others. */
const MAX_RELEASED = 20;

interface Asked {
  readonly id: string;
  readonly told?: string | undefined;
  readonly released?: string | undefined;
  readonly problem?: Html | null;
}

async function showPerson(c: AnyContext, services: Services, { api, frame }: Visit, asked: Asked): Promise<Response> {
  const { id, told, released, problem = null } = asked;
  const at = encodeURIComponent(id);
  const person = await api.get(`/staff/${at}`, Staff);
  const dayIn = (days: number): string =>
    localDate(new Date(services.clock.now().getTime() + days * 86_400_000), services.agencyTimeZone);
  const query = queryOf({ assigneeId: id, from: dayIn(0), to: dayIn(DAYS_AHEAD - 1), limit: '100' });
  const [tasks, leave] = await Promise.all([
    partOf(api, '/tasks', () => api.list(`/tasks${query}`, Task)),
    partOf(api, '/staff/:id/leave', () => leaveOf(api, at)),
  ]);
  const view = {
    person,
    tasks: tasks?.items.toSorted((one, other) => (one.startsAt < other.startsAt ? -1 : 1)) ?? null,
    leave,
    mayEnterLeave: leave !== null && api.may('POST', '/staff/:id/leave'),
    mayTakeBack: leave !== null && api.may('DELETE', '/staff/:id/leave/:leaveId'),
    today: dayIn(0),
    released: told === 'leave' ? await releasedOf(api, released ?? '') : null,
    problem,
    told: told === 'leave' ? say(frame, 'absent') : told === 'return' ? say(frame, 'isBack') : null,
  };
  return answerConsole(c, frame, staffPage(frame, view));
}

/** Null: it is not for this agent to enter. */
async function leaveOf(api: ConsoleApi, at: string) {
  try {
    return (await api.list(`/staff/${at}/leave?limit=20`, Leave)).items;
  } catch (error) {
    if (error instanceof RoomyError && error.code === 'NOT_FOUND') return null;
    throw error;
  }
}

/** As they stand now, so that a later look shows who has them. */
async function releasedOf(api: ConsoleApi, named: string) {
  const ids = named.split(',').filter((id) => id !== '');
  const tasks = await Promise.all(
    ids.slice(0, MAX_RELEASED).map(async (id) => {
      try {
        return [await api.get(`/tasks/${encodeURIComponent(id)}`, Task)];
      } catch (error) {
        if (error instanceof RoomyError && error.status < 500) return [];
        throw error;
      }
    }),
  );
  return { tasks: tasks.flat(), more: ids.length > MAX_RELEASED };
}

const Released = z.object({ releasedTaskIds: z.array(z.string()).default([]) });

export function registerStaffPages(register: Register, services: Services, console: Console): void {
  const mayRead = (api: ConsoleApi): boolean => api.may('GET', '/staff/:id');
  register(list, (c) =>
    console.visit(
      c,
      (api) => mayReadPage(api, 'staff'),
      async ({ api, frame }) => {
        const { cursor, role, active = 'true' } = c.req.valid('query');
        const filter = { role, active };
        const { items, next } = await api.list(`/staff${queryOf({ ...filter, cursor, limit: '50' })}`, Staff);
        const address = `${frame.prefix}${PATH}${queryOf(filter)}`;
        return answerConsole(
          c,
          frame,
          staffListPage(frame, { rows: items, filter, next, isFirst: cursor === undefined, address }),
        );
      },
    ),
  );
  register(read, (c) =>
    console.visit(c, mayRead, (visit) =>
      showPerson(c, services, visit, { ...c.req.valid('query'), id: c.req.valid('param').id }),
    ),
  );
  const acting = (c: AnyContext, id: string, endpoint: Endpoint, work: Work) =>
    console.submit(
      c,
      (api) => mayRead(api) && api.may(...endpoint),
      async (visit, form) => {
        try {
          return c.redirect(`${PATH}/${encodeURIComponent(id)}${await work(visit.api, form)}`, 303);
        } catch (error) {
          return showPerson(c, services, visit, { id, problem: problemOf(visit.frame, error) });
        }
      },
    );
  register.unkeyed(act('leave'), (c) => {
    const { id } = c.req.valid('param');
    return acting(c, id, ['POST', '/staff/:id/leave'], async (api, form) => {
      const [from, to, reason] = ['from', 'to', 'reason'].map((name) => form.get(name)?.trim() ?? '');
      const leave = { from, to, ...(reason === '' ? {} : { reason }) };
      const { data } = await api.act(`/staff/${encodeURIComponent(id)}/leave`, leave, keyIn(form));
      const { releasedTaskIds } = Released.parse(data);
      return queryOf({ told: 'leave', released: releasedTaskIds.slice(0, MAX_RELEASED + 1).join(',') });
    });
  });
  register.unkeyed(act('return'), (c) => {
    const { id } = c.req.valid('param');
    return acting(c, id, ['DELETE', '/staff/:id/leave/:leaveId'], async (api, form) => {
      const leave = encodeURIComponent(form.get('leave') ?? '');
      await api.act(`/staff/${encodeURIComponent(id)}/leave/${leave}`, null, keyIn(form), 'DELETE');
      return '?told=return';
    });
  });
}

type Endpoint = Parameters<ConsoleApi['may']>;
type Work = (api: ConsoleApi, form: URLSearchParams) => Promise<string>;
