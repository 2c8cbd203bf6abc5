import { listAudit } from '../domain/audit/resource.ts';
import { TEMPLATES } from '../domain/messages/templates.ts';
import {
  type Asked,
  cut,
  type Found,
  type Hit,
  hitOf,
  LOOKED_AT,
  NOTHING,
  type Scope,
  SEARCH_KINDS,
  type SearchKind,
} from '../domain/search/hits.ts';
import { findPayments, findTransactions, transactionsOfStays } from '../domain/search/money.ts';
import { findGuests, findOwners, findProperties, findStaff } from '../domain/search/names.ts';
import { findStays, sagasOfStays, staysOfTransactions } from '../domain/search/stays.ts';
import { findIncidents, findMessages, findTasks } from '../domain/search/work.ts';
import { type FoundSaga, findSagas, sagasByIds } from '../engine/read/search.ts';
import { localDate } from '../kernel/local-time.ts';
import { type AnyContext, callerOf, type Services } from './context.ts';
import { isOperator } from './masks.ts';
import { onlyTypeOf, titledFor } from './own-task.ts';
import { agentOf, holderOf } from './portfolio.ts';
import { readerOf } from './reader.ts';
import { scopeOf } from './routes/financial.ts';
import { areaOf } from './routes/incidents.ts';
import { mayRead } from './timeline.ts';

/**
 * A search over everything that the caller may list: of each kind what its list would show, by the same scopes, and of a kind whose
 * list is not the caller's nothing at all, not even that there is something.
 */

/** The GETs that show records of a kind: who may ask one of them finds these. */
const LISTS: Readonly<Record<SearchKind, readonly string[]>> = {
  // Who runs the system sees stays without guests and amounts, day by day.
  RESERVATION: ['reservations', 'day'],
  GUEST: ['guests'],
  PROPERTY: ['properties'],
  OWNER: ['owners'],
  STAFF: ['staff'],
  SAGA: ['sagas'],
  TRANSACTION: ['transactions'],
  PAYMENT: ['transactions'],
  TASK: ['tasks'],
  MESSAGE: ['notifications'],
  INCIDENT: ['incidents'],
  REQUEST: ['audit'],
  TEXT: ['templates'],
};

/** The page of the console for a hit, and the GET that decides who may open it. */
const PAGES: Readonly<Record<SearchKind, { readonly asks: string; readonly page: (hit: Hit) => string | null }>> = {
  RESERVATION: { asks: 'reservations/:id/timeline', page: ({ id }) => `/stays/${at(id)}` },
  GUEST: { asks: 'notifications', page: ({ id }) => `/messages?recipientId=${at(id)}` },
  PROPERTY: { asks: 'day', page: ({ id }) => `/today?propertyId=${at(id)}` },
  OWNER: { asks: 'notifications', page: ({ id }) => `/messages?recipientId=${at(id)}` },
  STAFF: { asks: 'staff/:id', page: ({ id }) => `/staff/${at(id)}` },
  SAGA: { asks: 'sagas', page: ({ id }) => `/sagas/${at(id)}` },
  TRANSACTION: { asks: 'reservations/:id/timeline', page: (hit) => stayPage(hit) },
  PAYMENT: { asks: 'reservations/:id/timeline', page: (hit) => stayPage(hit) },
  TASK: { asks: 'tasks/:id', page: ({ id }) => `/tasks/${at(id)}` },
  MESSAGE: { asks: 'notifications', page: ({ id }) => `/messages/${at(id)}` },
  INCIDENT: { asks: 'incidents', page: ({ id }) => `/incidents/${at(id)}` },
  REQUEST: { asks: 'audit', page: ({ id }) => `/developers/requests?requestId=${at(id)}` },
  TEXT: { asks: 'templates', page: ({ id }) => `/texts/${at(id)}` },
};
const at = encodeURIComponent;
const stayPage = ({ reservationId }: Hit): string | null =>
  reservationId === null ? null : `/stays/${at(reservationId)}`;

/** A hit with its page, and of a stay with what was done and paid for it. */
export interface ShownHit extends Hit {
  readonly link: string | null;
  readonly related: readonly (Hit & { readonly link: string | null })[];
}
export interface SearchAnswer {
  readonly text: string;
  readonly kinds: readonly {
    readonly kind: SearchKind;
    readonly hasMore: boolean;
    readonly hits: readonly ShownHit[];
  }[];
}

export async function search(c: AnyContext, services: Services, asked: Asked): Promise<SearchAnswer> {
  if (asked.text === '') return { text: '', kinds: [] };
  const may = (kind: SearchKind): boolean => LISTS[kind].some((path) => mayRead(c, path));
  const found = new Map<SearchKind, Found>();
  const finders = findersOf(c, services, asked);
  const only = async (kind: Exclude<SearchKind, 'RESERVATION'>): Promise<void> => {
    found.set(kind, may(kind) ? await finders[kind]() : NOTHING);
  };
  // Their stays are found with them.
  await Promise.all([only('GUEST'), only('PROPERTY')]);
  const idsOf = (kind: SearchKind): readonly string[] => found.get(kind)?.hits.map(({ id }) => id) ?? [];
  const stays = may('RESERVATION') ? await findersOfStays(c, services, asked, idsOf) : NOTHING;
  found.set('RESERVATION', stays);
  const related = await relatedTo(c, services, stays.hits, may);
  for (const kind of SEARCH_KINDS) if (!found.has(kind) && kind !== 'RESERVATION') await only(kind);
  const kinds = SEARCH_KINDS.map((kind) => ({
    kind,
    hasMore: found.get(kind)?.hasMore ?? false,
    hits: (found.get(kind)?.hits ?? []).map((hit) => ({
      ...linked(c, services, hit),
      related: (kind === 'RESERVATION' ? (related.get(hit.id) ?? []) : []).map((one) => linked(c, services, one)),
    })),
  }));
  return { text: asked.text, kinds: kinds.filter(({ hits }) => hits.length > 0) };
}

function linked(c: AnyContext, { publicUrl }: Services, hit: Hit): Hit & { readonly link: string | null } {
  const { asks, page } = PAGES[hit.kind];
  const path = callerOf(c).kind === 'person' && mayRead(c, asks) ? page(hit) : null;
  return { ...hit, link: path === null ? null : `${publicUrl}/console${path}` };
}

const scopeFor = (c: AnyContext): Scope => ({ holder: isOperator(c) ? null : holderOf(c), agentId: agentOf(c) });

function findersOfStays(
  c: AnyContext,
  { db, clock, agencyTimeZone }: Services,
  asked: Asked,
  idsOf: (kind: SearchKind) => readonly string[],
): Promise<Found> {
  const caller = callerOf(c);
  // An owner sees stays without their guests, and who runs the system does.
  const seesGuests = mayRead(c, 'reservations') && !(caller.kind === 'person' && caller.role === 'OWNER');
  const byId = seesGuests && asked.id !== null ? [asked.id] : [];
  return findStays(db, asked, {
    ...scopeFor(c),
    guestIds: seesGuests ? [...new Set([...idsOf('GUEST'), ...byId])] : [],
    propertyIds: idsOf('PROPERTY'),
    seesNames: mayRead(c, 'guests'),
    today: localDate(clock.now(), agencyTimeZone),
  });
}

type Finders = Readonly<Record<Exclude<SearchKind, 'RESERVATION'>, () => Promise<Found>>>;
function findersOf(c: AnyContext, services: Services, asked: Asked): Finders {
  const { db } = services;
  const scope = scopeFor(c);
  return {
    GUEST: () => findGuests(db, asked, scope),
    PROPERTY: () => findProperties(db, asked, scope),
    OWNER: () => findOwners(db, asked, scope),
    STAFF: () => findStaff(db, asked, scope),
    SAGA: async () => {
      const { startedBy, part } = readerOf(c);
      const rows = await findSagas(db, { ...asked, lookedAt: LOOKED_AT }, { startedBy, part });
      return { hits: await sagaHits(services, rows.slice(0, asked.limit)), hasMore: rows.length > asked.limit };
    },
    TRANSACTION: () => findTransactions(db, asked, scopeOf(c)),
    PAYMENT: () => findPayments(db, asked, scope.agentId),
    TASK: () => findTasks(db, asked, { ...scope, onlyType: onlyTypeOf(c), titled: (task) => titledFor(c, task) }),
    MESSAGE: () => findMessages(db, asked, scope),
    INCIDENT: () => findIncidents(db, asked, areaOf(c)),
    REQUEST: () => findRequests(services, asked),
    TEXT: async () => findTexts(asked),
  };
}

/** What was asked of the API: by the id of a request, by who asked, or by what was written of it. */
async function findRequests({ db }: Services, asked: Asked): Promise<Found> {
  const { id, codes, from, to, limit } = asked;
  if (id === null || asked.propertyId !== undefined) return NOTHING;
  const period = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  const pages = await Promise.all(
    [{ requestId: id }, { actor: id }, ...codes.map((event) => ({ event }))].map((filter) =>
      listAudit(db, { ...filter, ...period }, { after: null, limit: LOOKED_ROWS }),
    ),
  );
  const rows = pages.flatMap(({ items }) => items).toSorted((one, other) => (one.timestamp < other.timestamp ? 1 : -1));
  // The row that was written first says what was asked.
  const byRequest = new Map(rows.flatMap((row) => (row.requestId === null ? [] : [[row.requestId, row] as const])));
  return cut([...byRequest], limit, ([request, { event, actor, timestamp, reservationId }]) =>
    hitOf({ kind: 'REQUEST', id: request, title: event, detail: actor.id, at: timestamp, reservationId }),
  );
}
const LOOKED_ROWS = 200;

/** Texts of messages by a part of their key. */
function findTexts({ text, propertyId, limit }: Asked): Found {
  const part = text.toLowerCase().replaceAll(/[\s_]+/g, '-');
  const keys =
    part.length < 3 || propertyId !== undefined ? [] : Object.keys(TEMPLATES).filter((key) => key.includes(part));
  return cut(keys.slice(0, limit + 1), limit, (key) =>
    hitOf({ kind: 'TEXT', id: key, title: TEMPLATES[key]?.event ?? key, detail: key }),
  );
}

async function sagaHits({ db }: Services, rows: readonly FoundSaga[]): Promise<readonly Hit[]> {
  const isOfMoney = ({ subject_type: type }: FoundSaga): boolean => type === 'transaction';
  const stays = await staysOfTransactions(
    db,
    rows.filter(isOfMoney).map(({ subject_id: id }) => id),
  );
  return rows.map((row) =>
    hitOf({
      kind: 'SAGA',
      id: row.id,
      title: row.name,
      detail: row.error_code ?? row.requested_by,
      state: row.status,
      at: row.requested_at.toISOString(),
      reservationId: isOfMoney(row) ? (stays.get(row.subject_id) ?? null) : row.subject_id,
      propertyId: row.property_id,
    }),
  );
}

/** Of each stay its sagas, refunds and payouts, as far as the caller may list them, the newest first. */
async function relatedTo(
  c: AnyContext,
  services: Services,
  stays: readonly Hit[],
  may: (kind: SearchKind) => boolean,
): Promise<ReadonlyMap<string, readonly Hit[]>> {
  const { db } = services;
  const ids = stays.map(({ id }) => id);
  const pairs = may('SAGA') ? await sagasOfStays(db, ids) : [];
  const { startedBy, part } = readerOf(c);
  const sagas = await sagaHits(
    services,
    await sagasByIds(db, [...new Set(pairs.map(({ saga }) => saga))], { startedBy, part }),
  );
  const money = may('TRANSACTION') ? await transactionsOfStays(db, ids, scopeOf(c)) : [];
  return new Map(
    ids.map((stay) => {
      const own = new Set(pairs.flatMap((pair) => (pair.stay === stay ? [pair.saga] : [])));
      return [
        stay,
        [...sagas.filter(({ id }) => own.has(id)), ...money.filter(({ reservationId }) => reservationId === stay)],
      ];
    }),
  );
}
