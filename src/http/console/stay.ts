import { createRoute, z } from '@hono/zod-openapi';
import { type StayView, stayPage } from '../../web/console/stay-page.ts';
import type { Html } from '../../web/layout.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import type { AnyContext, Services } from '../context.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { Notification, Transaction } from '../schemas/records.ts';
import { Reservation } from '../schemas/reservations.ts';
import { Execution } from '../schemas/sagas.ts';
import { Task } from '../schemas/tasks.ts';
import { type ConsoleApi, partOf, queryOf } from './client.ts';
import { answerConsole, type Console, type Visit } from './frame.ts';
import { mayAct, toldOf } from './offered-acts.ts';

/** The page of a stay: each part of it is an answer of the API, and left out where the API does not give it to the reader. */

const Query = z.strictObject({ cursor: z.string().max(1024).optional(), told: z.string().max(20).optional() });
const stay = createRoute({
  ...PAGE_ROUTE,
  method: 'get',
  path: '/console/stays/{id}',
  request: { params: IdParam, query: Query },
});

/** What the page shows of a stay. */
const WithMoney = Reservation.extend({ transactions: z.array(Transaction).optional() });
const Named = z.object({ name: z.string() });
const Place = Named.extend({ timeZone: z.string() });
const Quote = z.object({ currency: z.string(), today: z.object({ amount: z.number(), percent: z.number() }) });
const Entry = z.object({
  at: z.string(),
  kind: z.string(),
  id: z.string(),
  sentence: z.string(),
  cause: z.object({ kind: z.string(), id: z.string() }).nullable(),
  details: z.record(z.string(), z.unknown()),
});
const Beside = z.object({
  now: z.string(),
  forecast: z
    .array(
      z.object({
        at: z.string().nullable(),
        kind: z.string(),
        sentence: z.string(),
        status: z.string(),
        why: z.string().nullable(),
      }),
    )
    .optional(),
});

const SHOWN = 50;
/** Whether somebody may open the pages of stays at all. */
export const mayReadStay = (api: ConsoleApi): boolean => api.may('GET', '/reservations/:id/timeline');

interface Asked {
  readonly id: string;
  readonly cursor?: string | undefined;
  readonly told?: string | undefined;
  readonly problem?: Html | null;
}

/** Throws `RESERVATION_NOT_FOUND` for a stay that is not the reader's to see. */
export async function showStay(
  c: AnyContext,
  { ports }: Services,
  { api, frame }: Visit,
  asked: Asked,
): Promise<Response> {
  const { id, cursor, told, problem = null } = asked;
  const at = encodeURIComponent(id);
  // Together, for the page is as slow as the slowest. A foreign stay is refused by its timeline, which every reader asks for.
  const [timeline, { facts, place, guest, quote }, tasks, messages, sagas] = await Promise.all([
    timelineAt(api, at, cursor),
    headOf(api, id),
    partOf(api, '/tasks', () => api.list(`/tasks${queryOf({ reservationId: id, limit: '50' })}`, Task)),
    partOf(api, '/notifications', () =>
      api.list(`/notifications${queryOf({ reservationId: id, limit: '50' })}`, Notification),
    ),
    partOf(api, '/sagas', () => api.list(`/sagas${queryOf({ reservationId: id, limit: '50' })}`, Execution)),
  ]);
  const there = place === null ? frame : { ...frame, timeZone: place.timeZone };
  const view: StayView = {
    id,
    facts,
    propertyName: place?.name ?? null,
    guestName: guest?.name ?? null,
    balanceDue: facts === null ? null : balanceOf(facts),
    quote: quote && { ...quote.today, currency: quote.currency },
    ...timeline,
    cursor: cursor ?? null,
    money: facts?.transactions ?? null,
    tasks: tasks?.items ?? null,
    messages: messages?.items ?? null,
    sagas: sagas?.items ?? null,
    mayOpenTask: api.may('GET', '/tasks/:id'),
    gateways: ports.gatewayIds,
    mayAct: mayAct(api),
    problem,
    told: toldOf(frame, told),
  };
  return answerConsole(c, there, stayPage(there, view));
}

/** The stay, where it is, whose it is, and what a cancellation gives back; each null for who may not ask for it. */
export async function headOf(api: ConsoleApi, id: string) {
  const facts = await partOf(api, '/reservations/:id', () => {
    const beside = api.may('GET', '/transactions') ? '?include=transactions' : '';
    return api.get(`/reservations/${encodeURIComponent(id)}${beside}`, WithMoney);
  });
  const [place, guest, quote] = await Promise.all([
    facts &&
      partOf(api, '/properties/:id', () => api.get(`/properties/${encodeURIComponent(facts.propertyId)}`, Place)),
    guestOf(api, facts?.guestId ?? null),
    facts?.allowedActions.includes('cancel') ? quoteOf(api, encodeURIComponent(id)) : null,
  ]);
  return { facts, place, guest, quote };
}

const guestOf = (api: ConsoleApi, guestId: string | null) =>
  guestId === null ? null : partOf(api, '/guests/:id', () => api.get(`/guests/${encodeURIComponent(guestId)}`, Named));

const quoteOf = (api: ConsoleApi, at: string) =>
  partOf(api, '/reservations/:id/cancellation-quote', () => api.get(`/reservations/${at}/cancellation-quote`, Quote));

async function timelineAt(api: ConsoleApi, at: string, cursor: string | undefined) {
  const forecast = api.may('GET', '/reservations/:id/forecast') ? 'true' : undefined;
  const query = queryOf({ limit: String(SHOWN), cursor, forecast });
  const { items, next, rest } = await api.list(`/reservations/${at}/timeline${query}`, Entry);
  const beside = Beside.parse(rest);
  return { entries: items, next, now: beside.now, ahead: beside.forecast ?? null };
}

const IS_OVER: ReadonlySet<string> = new Set(['FAILED', 'CANCELLED', 'REVERSED']);

/** As everywhere: what the stay's payment still asks for, or all of it where none was asked for; null: nothing, or nobody tells. */
function balanceOf({ transactions, status, totalAmount }: z.output<typeof WithMoney>): number | null {
  if (transactions === undefined || status === 'CANCELLED' || status === 'NO_SHOW') return null;
  const payment = transactions.find(
    (row) => row.type === 'GUEST_PAYMENT' && row.parentId === null && !IS_OVER.has(row.status),
  );
  return payment?.amountOutstanding ?? totalAmount;
}

export function registerStay(register: Register, services: Services, console: Console): void {
  register(stay, (c) =>
    console.visit(c, mayReadStay, (visit) =>
      showStay(c, services, visit, { ...c.req.valid('query'), id: c.req.valid('param').id }),
    ),
  );
}
