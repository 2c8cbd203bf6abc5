import { createRoute, z } from '@hono/zod-openapi';
import { mayDo } from '../../domain/assignment/candidates.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { sureForm } from '../../web/console/acts.ts';
import { say } from '../../web/console/frame.ts';
import { planPage } from '../../web/console/plan-page.ts';
import { assignAddress, taskPage } from '../../web/console/task-page.ts';
import type { Html } from '../../web/layout.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import type { AnyContext } from '../context.ts';
import type { Register } from '../route.ts';
import { CalendarDate, IdParam } from '../schemas/common.ts';
import { Staff } from '../schemas/people.ts';
import { SagaPlan } from '../schemas/rehearsals.ts';
import { Assignment, Task } from '../schemas/tasks.ts';
import { type ConsoleApi, type Listed, partOf, queryOf } from './client.ts';
import { answerConsole, type Console, keyIn, problemOf, type Visit } from './frame.ts';
import { toldOf } from './offered-acts.ts';
import { mayReadStay } from './stay.ts';

/** The page of a task, on which somebody gets it. */

const PATH = '/console/tasks/{id}';
const Query = z.strictObject({ date: CalendarDate.optional(), told: z.string().max(20).optional() });
const read = createRoute({ ...PAGE_ROUTE, method: 'get', path: PATH, request: { params: IdParam, query: Query } });
const assign = createRoute({ ...PAGE_ROUTE, method: 'post', path: `${PATH}/assign`, request: { params: IdParam } });

const Place = z.object({ name: z.string(), timeZone: z.string() });

interface Asked {
  readonly id: string;
  readonly date?: string | undefined;
  readonly told?: string | undefined;
  readonly problem?: Html | null;
}

async function showTask(c: AnyContext, { api, frame }: Visit, { id, date, told, problem = null }: Asked) {
  const task = await api.get(`/tasks/${encodeURIComponent(id)}`, Task);
  const [place, assignment, people] = await Promise.all([
    placeOf(api, task.propertyId),
    partOf(api, '/tasks/:id/assignment', () => api.get(`/tasks/${encodeURIComponent(id)}/assignment`, Assignment)),
    partOf(api, '/staff', () => peopleFor(api, task.type)),
  ]);
  const there = place === null ? frame : { ...frame, timeZone: place.timeZone };
  const view = {
    task,
    propertyName: place?.name ?? null,
    choice: assignment?.explanation ?? null,
    refusals: assignment?.refusals ?? [],
    people,
    mayAssign: api.may('PATCH', '/tasks/:id'),
    mayOpenStay: mayReadStay(api),
    date: date ?? null,
    problem,
    told: toldOf(frame, told),
  };
  return answerConsole(c, there, taskPage(there, view));
}

/** What it would do that somebody gets the task, or nobody, with the button that does it. */
async function planAssign(
  c: AnyContext,
  { api, frame }: Visit,
  { id, date, change }: Pick<Asked, 'id' | 'date'> & { readonly change: { readonly assigneeId: string | null } },
): Promise<Response> {
  const at = encodeURIComponent(id);
  const plan = await api.rehearse(`/tasks/${at}`, change, SagaPlan, 'PATCH');
  const task = await api.get(`/tasks/${at}`, Task);
  const { assigneeId } = change;
  const person =
    assigneeId === null
      ? null
      : await partOf(api, '/staff/:id', () => api.get(`/staff/${encodeURIComponent(assigneeId)}`, Staff));
  const place = await placeOf(api, task.propertyId);
  const there = place === null ? frame : { ...frame, timeZone: place.timeZone };
  const dated = date === undefined ? {} : { date };
  const sure = sureForm(there, {
    action: assignAddress(there, id),
    word: 'assign',
    input: { assigneeId: assigneeId ?? '', ...dated },
  });
  const view = {
    act: 'assign',
    about: [task.title, place?.name].filter((text) => text !== undefined).join(', '),
    input: { assignTo: person?.name ?? assigneeId ?? say(frame, 'nobody') },
    plan,
    sure,
    back: `/console/tasks/${at}${queryOf(dated)}`,
  } as const;
  return answerConsole(c, there, planPage(there, view));
}

/** Null for who may not see it, and for who only works there. */
const placeOf = (api: ConsoleApi, propertyId: string) =>
  partOf(api, '/properties/:id', () => api.get(`/properties/${encodeURIComponent(propertyId)}`, Place)).catch(
    nullIfAbsent,
  );

/** Who works on a task may not see the whole property. */
function nullIfAbsent(error: unknown): null {
  if (error instanceof RoomyError && error.status === 404) return null;
  throw error;
}

/** More than these are no choice for a list; the best for the task stand above them anyway. */
const MAX_PAGES_OF_STAFF = 3;
async function peopleFor(api: ConsoleApi, type: z.output<typeof Task>['type']) {
  const people: { readonly id: string; readonly name: string }[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES_OF_STAFF; page += 1) {
    const staff: Listed<z.output<typeof Staff>> = await api.list(
      `/staff${queryOf({ active: 'true', limit: '100', cursor })}`,
      Staff,
    );
    people.push(...staff.items.filter(({ role }) => mayDo(type, role)));
    if (staff.next === null) break;
    cursor = staff.next;
  }
  return people.toSorted((one, other) => one.name.localeCompare(other.name));
}

export function registerTaskPages(register: Register, console: Console): void {
  const mayRead = (api: ConsoleApi): boolean => api.may('GET', '/tasks/:id');
  register(read, (c) =>
    console.visit(c, mayRead, (visit) => showTask(c, visit, { ...c.req.valid('query'), id: c.req.valid('param').id })),
  );
  register.unkeyed(assign, (c) =>
    console.submit(
      c,
      (api) => mayRead(api) && api.may('PATCH', '/tasks/:id'),
      async (visit, form) => {
        const { id } = c.req.valid('param');
        const at = encodeURIComponent(id);
        const date = CalendarDate.safeParse(form.get('date')).data;
        const chosen = form.get('assigneeId') ?? '';
        const change = { assigneeId: chosen === '' ? null : chosen };
        try {
          if (form.get('plan') === 'first') return await planAssign(c, visit, { id, date, change });
          await visit.api.act(`/tasks/${at}`, change, keyIn(form), 'PATCH');
        } catch (error) {
          return showTask(c, visit, { id, date, problem: problemOf(visit.frame, error) });
        }
        return c.redirect(
          date === undefined ? `/console/tasks/${at}?told=assign` : `/console/today?date=${date}&told=assign`,
          303,
        );
      },
    ),
  );
}
