import { createRoute, z } from '@hono/zod-openapi';
import { localDate } from '../../kernel/local-time.ts';
import { todayPage } from '../../web/console/today-page.ts';
import type { Html } from '../../web/layout.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import type { AnyContext, Services } from '../context.ts';
import { filtersBy } from '../references.ts';
import type { Register } from '../route.ts';
import { CalendarDate, Id } from '../schemas/common.ts';
import { Day } from '../schemas/day.ts';
import { queryOf } from './client.ts';
import { answerConsole, type Console, mayReadPage, type Visit } from './frame.ts';
import { mayAct, toldOf } from './offered-acts.ts';
import { openIncidents } from './open-incidents.ts';
import { mayReadStay } from './stay.ts';

/** The page of a day, over `GET day`. */

const Query = z.strictObject({
  date: CalendarDate.optional(),
  propertyId: filtersBy(Id, 'property').optional(),
  after: filtersBy(Id, 'property').optional(),
  told: z.string().max(20).optional(),
});
const today = createRoute({ ...PAGE_ROUTE, method: 'get', path: '/console/today', request: { query: Query } });

export interface DayShown {
  readonly date?: string | undefined;
  readonly propertyId?: string | undefined;
  readonly after?: string | undefined;
  readonly problem?: Html | null;
  readonly told?: string | undefined;
}

/** More are on a page of their own. */
const SHOWN_PROPERTIES = 50;

/** The page of a day; today's where none is named. */
export async function showDay(
  c: AnyContext,
  { agencyTimeZone, clock }: Services,
  { api, frame }: Visit,
  { date, propertyId, after, problem = null, told }: DayShown,
): Promise<Response> {
  const day = await api.get(`/day${queryOf({ date, propertyId, after, properties: String(SHOWN_PROPERTIES) })}`, Day);
  const view = {
    day,
    today: localDate(clock.now(), agencyTimeZone),
    propertyId: propertyId ?? null,
    isFirst: after === undefined,
    incidents: await openIncidents(api),
    mayAct: mayAct(api),
    mayOpen: mayReadStay(api),
    mayAssign: api.may('PATCH', '/tasks/:id'),
    mayOpenStaff: api.may('GET', '/staff/:id'),
    problem,
    told: toldOf(frame, told),
  };
  return answerConsole(c, frame, todayPage(frame, view));
}

export function registerToday(register: Register, services: Services, console: Console): void {
  register(today, (c) =>
    console.visit(
      c,
      (api) => mayReadPage(api, 'today'),
      (visit) => showDay(c, services, visit, c.req.valid('query')),
    ),
  );
}
