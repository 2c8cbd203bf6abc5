import { createRoute } from '@hono/zod-openapi';
import { conversion } from '../../domain/analytics/conversion.ts';
import type { Asked, Measured } from '../../domain/analytics/grouping.ts';
import { onTimeWork } from '../../domain/analytics/on-time-work.ts';
import { paymentSuccess } from '../../domain/analytics/payments.ts';
import { payoutTimes } from '../../domain/analytics/payout-times.ts';
import { satisfaction } from '../../domain/analytics/satisfaction.ts';
import { csvLine } from '../../domain/finance/settlement-file.ts';
import { getProperty } from '../../domain/properties/resource.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { found } from '../answers.ts';
import type { AnyContext, Services } from '../context.ts';
import { isOperator } from '../masks.ts';
import { namedZoneOf, type PeriodQuery, reportPeriodOf } from '../period.ts';
import { holderOf } from '../portfolio.ts';
import type { Register } from '../route.ts';
import {
  ConversionQuery,
  ConversionReport,
  OnTimeQuery,
  OnTimeReport,
  PaymentsQuery,
  PaymentsReport,
  PayoutTimesQuery,
  PayoutTimesReport,
  SatisfactionQuery,
  SatisfactionReport,
} from '../schemas/analytics.ts';
import { answer, one, refusals } from '../schemas/envelope.ts';

/** How the business does, by the formulas of domain.md 15. Read from the rows themselves, so that a figure is never late. */

const PATH = '/api/production/analytics';
const tags = ['Analytics'];
const REFUSALS = refusals('VALIDATION_FAILED', 'NOT_FOUND');

const conversions = createRoute({
  method: 'get',
  path: `${PATH}/conversion`,
  tags,
  summary: 'How many of the stays that were entered were confirmed',
  request: { query: ConversionQuery },
  responses: { 200: answer('The report', one(ConversionReport)), ...REFUSALS },
});
const payments = createRoute({
  method: 'get',
  path: `${PATH}/payments`,
  tags,
  summary: 'How many payments succeeded, by gateway and by code of refusal',
  request: { query: PaymentsQuery },
  responses: { 200: answer('The report', one(PaymentsReport)), ...REFUSALS },
});
const tasks = createRoute({
  method: 'get',
  path: `${PATH}/tasks`,
  tags,
  summary: 'How much of the work was done in time',
  request: { query: OnTimeQuery },
  responses: { 200: answer('The report', one(OnTimeReport)), ...REFUSALS },
});
const ratings = createRoute({
  method: 'get',
  path: `${PATH}/satisfaction`,
  tags,
  summary: 'What guests think of their stays, and how many say so',
  request: { query: SatisfactionQuery },
  responses: { 200: answer('The report', one(SatisfactionReport)), ...REFUSALS },
});
const payouts = createRoute({
  method: 'get',
  path: `${PATH}/payouts`,
  tags,
  summary: 'How long owners waited for their money, against what they were promised',
  request: { query: PayoutTimesQuery },
  responses: { 200: answer('The report', one(PayoutTimesReport)), ...REFUSALS },
});

/** Three years and a leap day: a report reads the rows of its period. */
const MAX_DAYS = 3 * 365 + 1;
const DAY_MS = 24 * 60 * 60_000;

export function registerAnalytics(register: Register, services: Services): void {
  const { db } = services;
  register(conversions, (c) => {
    const query = c.req.valid('query');
    return report(c, services, query, (asked) => conversion(db, asked, query.groupBy));
  });
  register(payments, (c) => {
    const query = c.req.valid('query');
    return report(c, services, query, (asked) => paymentSuccess(db, asked, query.groupBy));
  });
  register(tasks, (c) => {
    const query = c.req.valid('query');
    return report(c, services, query, (asked) => onTimeWork(db, asked, query.groupBy));
  });
  register(ratings, (c) => {
    const query = c.req.valid('query');
    return report(c, services, query, (asked) => satisfaction(db, asked, query.groupBy));
  });
  register(payouts, (c) => {
    const query = c.req.valid('query');
    return report(c, services, query, (asked) => payoutTimes(db, asked, query.groupBy));
  });
}

interface ReportQuery extends PeriodQuery {
  readonly groupBy?: string | undefined;
  readonly format: 'json' | 'csv';
}
type Cells = Readonly<Record<string, number | string | null>>;

async function report<Figures extends object>(
  c: AnyContext,
  services: Services,
  query: ReportQuery,
  measure: (asked: Asked) => Promise<Measured<Figures>>,
): Promise<Response> {
  const holder = isOperator(c) ? null : holderOf(c);
  const { propertyId, groupBy = null } = query;
  if (propertyId !== undefined) await getProperty(services.db, propertyId, holder);
  const period = await reportPeriodOf(c, services, query);
  if (Date.parse(period.to) - Date.parse(period.from) > MAX_DAYS * DAY_MS) {
    const issues = [{ path: 'from', message: `must be at most ${MAX_DAYS} days before the end` }];
    throw new RoomyError('VALIDATION_FAILED', { details: { issues } });
  }
  const zone = await namedZoneOf(c, services, query);
  const { total, groups } = await measure({ ...period, propertyId, holder, zone });
  const shown = groupBy === null ? [] : groups;
  if (query.format === 'json') return found(c, { ...period, groupBy, total, groups: shown });
  return csvOf(c, { key: 'TOTAL', ...total }, shown);
}

function csvOf(c: AnyContext, total: Cells, groups: readonly object[]): Response {
  const columns = Object.keys(total);
  const lines = [total, ...groups].map((row) => {
    const cells: Cells = { ...row };
    return csvLine(columns.map((column) => cells[column] ?? null));
  });
  c.header('Content-Type', 'text/csv; charset=utf-8');
  c.header('Content-Disposition', `attachment; filename="${c.req.path.split('/').at(-1)}.csv"`);
  c.header('X-Content-Type-Options', 'nosniff');
  return c.body(csvLine(columns) + lines.join(''), 200);
}
