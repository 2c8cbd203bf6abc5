import { createRoute, z } from '@hono/zod-openapi';
import { CONVERSION_GROUPS } from '../../domain/analytics/conversion.ts';
import { WORK_GROUPS } from '../../domain/analytics/on-time-work.ts';
import { PAYMENT_GROUPS } from '../../domain/analytics/payments.ts';
import { PAYOUT_GROUPS } from '../../domain/analytics/payout-times.ts';
import { SATISFACTION_GROUPS } from '../../domain/analytics/satisfaction.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { localDate } from '../../kernel/local-time.ts';
import { metricsPage, REPORTS, type ReportName } from '../../web/console/metrics-page.ts';
import { CHART_FILES } from '../../web/files.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import { ASK_FIRST, cachedText } from '../cached.ts';
import type { AnyContext, Services } from '../context.ts';
import { filtersBy, noReference } from '../references.ts';
import type { Register } from '../route.ts';
import { CalendarDate, Id, IdParam } from '../schemas/common.ts';
import { type ConsoleApi, partOf, queryOf } from './client.ts';
import { answerConsole, type Console, mayReadPage, type Visit } from './frame.ts';

/** The page of metrics, over the reports of the API, and each of them as CSV. */

const PATH = '/console/metrics';
const group = noReference(z.string().max(20), 'a word that names a column').optional();
const Query = z.strictObject({
  from: CalendarDate.optional(),
  to: CalendarDate.optional(),
  propertyId: filtersBy(z.union([z.literal(''), Id]), 'property').optional(),
  conversion: group,
  payments: group,
  tasks: group,
  satisfaction: group,
  payouts: group,
});
const read = createRoute({ ...PAGE_ROUTE, method: 'get', path: PATH, request: { query: Query } });
const CsvQuery = z.strictObject({
  from: CalendarDate.optional(),
  to: CalendarDate.optional(),
  propertyId: filtersBy(z.union([z.literal(''), Id]), 'property').optional(),
  groupBy: group,
});
const csv = createRoute({
  ...PAGE_ROUTE,
  method: 'get',
  path: `${PATH}/{id}`,
  request: { params: IdParam, query: CsvQuery },
  responses: {
    ...PAGE_ROUTE.responses,
    200: { description: 'The report', content: { 'text/csv': { schema: z.string() } } },
  },
});
const file = createRoute({
  hide: true,
  method: 'get',
  path: '/charts/{file}',
  request: { params: z.object({ file: z.string().max(64) }) },
  responses: {
    200: { description: 'A script or a style sheet', content: { 'text/javascript': { schema: z.string() } } },
  },
});

const GROUPINGS: Readonly<Record<ReportName, readonly string[]>> = {
  conversion: CONVERSION_GROUPS,
  payments: PAYMENT_GROUPS,
  tasks: WORK_GROUPS,
  satisfaction: SATISFACTION_GROUPS,
  payouts: PAYOUT_GROUPS,
};
const isReport = (name: string): name is ReportName => REPORTS.some((report) => report === name);

const figure = z.union([z.number(), z.null()]);
const Figures = z.record(z.string(), figure);
const Report = z.object({
  total: Figures,
  groups: z.array(z.object({ key: z.string().nullable() }).catchall(figure)),
});
const Named = z.object({ id: z.string(), name: z.string() });

const DAY_MS = 24 * 60 * 60_000;
const DEFAULT_DAYS = 30;
/** Of a longer period months are shown, where the reader chose nothing. */
const DAYS_BY_DAY = 62;

interface Asked extends Partial<Readonly<Record<ReportName, string | undefined>>> {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly propertyId?: string | undefined;
}

async function showMetrics(c: AnyContext, services: Services, { api, frame }: Visit, asked: Asked): Promise<Response> {
  const now = services.clock.now();
  const to = asked.to ?? localDate(now, services.agencyTimeZone);
  const from = asked.from ?? new Date(Date.parse(to) - (DEFAULT_DAYS - 1) * DAY_MS).toISOString().slice(0, 10);
  const usual = Date.parse(to) - Date.parse(from) > DAYS_BY_DAY * DAY_MS ? 'month' : 'day';
  const period = { from, to, propertyId: asked.propertyId };
  const chosen = Object.fromEntries(REPORTS.map((name) => [name, asked[name]]));
  const properties = await partOf(api, '/properties', () => api.list('/properties?limit=100', Named));
  const reports = await Promise.all(
    REPORTS.filter((name) => api.may('GET', `/analytics/${name}`)).map(async (name) => {
      const groupBy = asked[name] ?? usual;
      const { total, groups } = await api.get(`/analytics/${name}${queryOf({ ...period, groupBy })}`, Report);
      return {
        name,
        groupBy,
        groupings: GROUPINGS[name].map((grouping) => ({
          name: grouping,
          address: `${frame.prefix}${PATH}${queryOf({ ...period, ...chosen, [name]: grouping })}`,
        })),
        csv: `${frame.prefix}${PATH}/${name}${queryOf({ ...period, groupBy })}`,
        total,
        groups: groups.map(({ key, ...figures }) => ({ key, figures })),
      };
    }),
  );
  const view = {
    from,
    to,
    propertyId: asked.propertyId ?? '',
    properties: new Map(properties?.items.map(({ id, name }) => [id, name])),
    reports,
  };
  return answerConsole(c, frame, metricsPage(frame, view));
}

export function registerMetrics(register: Register, services: Services, console: Console): void {
  const mayRead = (api: ConsoleApi): boolean => mayReadPage(api, 'metrics');
  register(read, (c) => console.visit(c, mayRead, (visit) => showMetrics(c, services, visit, c.req.valid('query'))));
  register(csv, (c) => {
    const { id } = c.req.valid('param');
    if (!isReport(id)) throw new RoomyError('ROUTE_NOT_FOUND');
    return console.visit(
      c,
      (api) => api.may('GET', `/analytics/${id}`),
      async ({ api }) => {
        const lines = await api.text(`/analytics/${id}${queryOf({ ...c.req.valid('query'), format: 'csv' })}`);
        c.header('Content-Type', 'text/csv; charset=utf-8');
        c.header('Content-Disposition', `attachment; filename="${id}.csv"`);
        c.header('Cache-Control', 'private, no-store');
        return c.body(lines);
      },
    );
  });
  const files = new Map(
    [...CHART_FILES].map(([name, { type, read: text }]) => [name, cachedText(type, text, ASK_FIRST)]),
  );
  register(file, (c) => {
    const found = files.get(c.req.valid('param').file);
    if (!found) throw new RoomyError('ROUTE_NOT_FOUND');
    return found.answer(c);
  });
}
