import { html } from 'hono/html';
import { newId } from '../../kernel/ids.ts';
import type { Html } from '../layout.ts';
import { type Content, codeWords, type Frame, inEnglish, say } from './frame.ts';
import { badge, choice, duration, fact, moment, pager, sagaLink, stayLink, table } from './parts.ts';
import type { Word } from './words-en.ts';

/** What programs see and do: events, calls of webhooks, keys, and who asked for what. */

export interface FeedEvent {
  readonly seq: number;
  readonly type: string;
  readonly at: string;
  readonly resource: { readonly type: string; readonly id: string };
  readonly reservationId: string | null;
}
export interface EndpointRow {
  readonly id: string;
  readonly url: string;
  readonly description: string | null;
  readonly types: readonly string[];
  readonly status: string;
  readonly disabledReason: string | null;
  readonly nextSeq: number;
  readonly failedAttempts: number;
}
export interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly scopes: readonly string[];
  readonly createdBy: string;
  readonly expiresAt: string;
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
}
export interface DevelopersView {
  /** Newest first. */
  readonly events: readonly FeedEvent[];
  readonly type: string | undefined;
  readonly types: readonly { readonly type: string; readonly description: string }[];
  readonly endpoints: readonly EndpointRow[];
  /** Null: they are not the reader's to see. */
  readonly keys: readonly KeyRow[] | null;
  readonly mayReadRequests: boolean;
  readonly mayOpenStay: boolean;
}

const at = ({ prefix }: Frame, path: string): string => `${prefix}/console/developers${path}`;
const section = (frame: Frame, name: Word, content: Html): Html =>
  html`<section class="panel" aria-labelledby="${name}"><h2 id="${name}">${say(frame, name)}</h2>${content}</section>`;
const code = (text: string): Html => html`<code dir="ltr">${text}</code>`;

export const developersPage = (frame: Frame, view: DevelopersView): Content => ({
  title: say(frame, 'developers'),
  page: 'developers',
  live: { about: 'developers' },
  body: html`<p class="soft">${say(frame, 'developersText')}</p>
${view.mayReadRequests ? html`<p><a href="${at(frame, '/requests')}">${say(frame, 'requestLog')}</a></p>` : ''}
<form class="filter" method="get" action="${at(frame, '')}">${choice(
    frame,
    'type',
    'eventType',
    view.types.map(({ type }) => type),
    view.type,
  )}<button class="no">${say(frame, 'show')}</button></form>
${section(frame, 'eventFeed', eventsOf(frame, view))}
${section(frame, 'webhooks', endpointsOf(frame, view.endpoints))}
${view.keys === null ? '' : section(frame, 'apiKeys', keysOf(frame, view.keys))}
<section class="panel"><p>${say(frame, 'listenText')}:</p><pre dir="ltr"><code>npx --no roomy listen --to http://localhost:3000/hook</code></pre></section>
${section(
  frame,
  'eventTypes',
  html`<details><summary>${say(frame, 'show')}</summary>${table(
    frame,
    ['eventType', 'meaning'],
    view.types.map(({ type, description }) => [code(type), inEnglish(description)]),
  )}</details>`,
)}`,
});

function eventsOf(frame: Frame, { events, mayOpenStay }: DevelopersView): Html {
  if (events.length === 0) return html`<p class="soft">${say(frame, 'noEvents')}</p>`;
  return table(
    frame,
    ['place', 'eventType', 'when', 'record', 'stay'],
    events.map(({ seq, type, at: when, resource, reservationId }) => [
      seq,
      code(type),
      moment(frame, when),
      resource.type === 'saga' ? sagaLink(frame, resource.id, resource.id) : code(resource.id),
      reservationId === null ? '' : mayOpenStay ? stayLink(frame, reservationId) : code(reservationId),
    ]),
  );
}

function endpointsOf(frame: Frame, endpoints: readonly EndpointRow[]): Html {
  if (endpoints.length === 0) return html`<p class="soft">${say(frame, 'noEndpoints')}</p>`;
  return table(
    frame,
    ['address', 'state', 'nextEvent', 'failedAttempts'],
    endpoints.map(({ id, url, status, nextSeq, failedAttempts }) => [
      html`<a href="${at(frame, `/endpoints/${encodeURIComponent(id)}`)}"><bdi dir="ltr">${url}</bdi></a>`,
      badge(frame, status),
      nextSeq,
      failedAttempts,
    ]),
  );
}

function keysOf(frame: Frame, keys: readonly KeyRow[]): Html {
  if (keys.length === 0) return html`<p class="soft">${say(frame, 'noKeys')}</p>`;
  return table(
    frame,
    ['name', 'beginsWith', 'state', 'lastUsed', 'expires'],
    keys.map((key) => [
      html`<a href="${at(frame, `/keys/${encodeURIComponent(key.id)}`)}"><bdi>${key.name}</bdi></a>`,
      code(key.prefix),
      badge(frame, key.revokedAt === null ? 'ACTIVE' : 'REVOKED'),
      lastUsed(frame, key),
      moment(frame, key.expiresAt),
    ]),
  );
}
const lastUsed = (frame: Frame, { lastUsedAt }: KeyRow): Html | string =>
  lastUsedAt === null ? say(frame, 'never') : moment(frame, lastUsedAt);

/** What an act has answered that is shown once. */
export interface Revealed {
  readonly word: Word;
  readonly secret: string;
}
/** The key of a press, and what is besides asked for. */
const form = (frame: Frame, address: string, word: Word, fields: Html | string = ''): Html =>
  html`<form method="post" action="${address}" class="act"><input type="hidden" name="key" value="${newId('press')}">${fields}<button class="no">${say(frame, word)}</button></form>`;
const revealed = (frame: Frame, told: Revealed | null): Html =>
  told === null
    ? html``
    : html`<section class="panel" aria-labelledby="revealed"><h2 id="revealed">${say(frame, told.word)}</h2><p>${say(frame, 'shownOnce')}: <code class="secret" dir="ltr">${told.secret}</code></p></section>`;

export type EndpointAct = 'test' | 'enable' | 'replay' | 'rotate-secret';
export interface AttemptRow {
  readonly id: number;
  readonly seq: number;
  readonly type: string;
  readonly attempt: number;
  readonly at: string;
  readonly statusCode: number | null;
  readonly reason: string | null;
  readonly ms: number;
}
export interface EndpointPage {
  readonly endpoint: EndpointRow;
  readonly attempts: readonly AttemptRow[];
  readonly next: string | null;
  readonly isFirst: boolean;
  readonly mayAct: (act: EndpointAct) => boolean;
  readonly secret: Revealed | null;
  readonly told: Html | null;
  readonly problem: Html | null;
}

export function endpointPage(frame: Frame, { endpoint, attempts, problem, told, ...view }: EndpointPage): Content {
  const address = at(frame, `/endpoints/${encodeURIComponent(endpoint.id)}`);
  const { url, description, types, status, disabledReason, nextSeq, failedAttempts } = endpoint;
  return {
    title: url,
    titleLanguage: 'en',
    page: 'developers',
    problem,
    told,
    body: html`<dl class="facts panel">${fact(frame, 'state', html`${badge(frame, status)}${disabledReason === null ? '' : html` ${codeWords(frame, disabledReason)}`}`)}
${description === null ? '' : fact(frame, 'notes', html`<bdi>${description}</bdi>`)}
${fact(frame, 'eventType', types.length === 0 ? say(frame, 'all') : code(types.join(', ')))}
${fact(frame, 'nextEvent', String(nextSeq))}${fact(frame, 'failedAttempts', String(failedAttempts))}</dl>
${revealed(frame, view.secret)}${actsOf(frame, address, endpoint, view.mayAct)}
${section(frame, 'deliveries', attempts.length === 0 ? html`<p class="soft">${say(frame, 'noDeliveries')}</p>` : attemptsOf(frame, attempts))}
${pager(frame, address, view.next, view.isFirst)}`,
  };
}

function actsOf(frame: Frame, address: string, endpoint: EndpointRow, mayAct: EndpointPage['mayAct']): Html {
  const acts: readonly (readonly [EndpointAct, Html])[] = [
    ['test', form(frame, `${address}/test`, 'sendTest')],
    ...(endpoint.status === 'DISABLED' || endpoint.failedAttempts > 0
      ? [
          [
            'enable',
            form(frame, `${address}/enable`, endpoint.status === 'DISABLED' ? 'enable' : 'tryEndpoint'),
          ] as const,
        ]
      : []),
    [
      'replay',
      form(
        frame,
        `${address}/replay`,
        'replay',
        html`<label>${say(frame, 'replayAfter')} <input name="afterSeq" inputmode="numeric" pattern="\\d{1,15}" required maxlength="15" dir="ltr"></label>`,
      ),
    ],
    [
      'rotate-secret',
      form(
        frame,
        `${address}/rotate-secret`,
        'rotateSecret',
        html`<p class="soft">${say(frame, 'rotateSecretText')}</p>`,
      ),
    ],
  ];
  const offered = acts.filter(([act]) => mayAct(act));
  if (offered.length === 0) return html``;
  return section(frame, 'actions', html`${offered.map(([, act]) => act)}`);
}

const attemptsOf = (frame: Frame, attempts: readonly AttemptRow[]): Html =>
  table(
    frame,
    ['place', 'eventType', 'when', 'attempts', 'answered', 'took'],
    attempts.map(({ seq, type, at: when, attempt, statusCode, reason, ms }) => [
      seq,
      code(type),
      moment(frame, when),
      attempt,
      html`${statusCode === null ? '' : html`<bdi>${statusCode}</bdi>`}${reason === null ? '' : html` ${codeWords(frame, reason)}`}`,
      html`<bdi>${duration(ms)}</bdi>`,
    ]),
  );

export interface KeyPage {
  readonly key: KeyRow;
  readonly mayRotate: boolean;
  readonly secret: Revealed | null;
  readonly problem: Html | null;
}
export function keyPage(frame: Frame, { key, mayRotate, secret, problem }: KeyPage): Content {
  const address = at(frame, `/keys/${encodeURIComponent(key.id)}`);
  const isOpen = key.revokedAt === null;
  return {
    title: key.name,
    titleLanguage: 'en',
    page: 'developers',
    problem,
    body: html`<dl class="facts panel">${fact(frame, 'state', badge(frame, isOpen ? 'ACTIVE' : 'REVOKED'))}
${fact(frame, 'beginsWith', code(key.prefix))}${fact(frame, 'scopes', code(key.scopes.join(', ')))}
${fact(frame, 'requestedBy', html`<bdi>${key.createdBy}</bdi>`)}
${fact(frame, 'lastUsed', lastUsed(frame, key))}${fact(frame, 'expires', moment(frame, key.expiresAt))}</dl>
<p><a href="${at(frame, `/requests?actor=${encodeURIComponent(`service:${key.id}`)}`)}">${say(frame, 'requestLog')}</a></p>
${revealed(frame, secret)}
${
  mayRotate && isOpen
    ? section(
        frame,
        'actions',
        form(
          frame,
          `${address}/rotate`,
          'rotateKey',
          html`<label>${say(frame, 'validUntil')} <input type="date" name="expiresAt" required></label>`,
        ),
      )
    : ''
}`,
  };
}

export interface RequestRow {
  readonly id: string;
  readonly timestamp: string;
  readonly event: string;
  readonly outcome: string | null;
  readonly actor: { readonly id: string };
  readonly ip: string | null;
  readonly requestId: string | null;
  readonly reservationId: string | null;
  readonly sagaExecutionId: string | null;
}
export interface RequestLog {
  readonly rows: readonly RequestRow[];
  readonly filter: Readonly<Record<'requestId' | 'actor' | 'event' | 'from', string | undefined>>;
  readonly next: string | null;
  readonly isFirst: boolean;
  readonly address: string;
  readonly mayOpenStay: boolean;
  readonly problem: Html | null;
}
export function requestsPage(frame: Frame, { rows, filter, problem, ...list }: RequestLog): Content {
  const field = (name: keyof RequestLog['filter'], word: Word): Html =>
    html`<label>${say(frame, word)} <input name="${name}" value="${filter[name] ?? ''}" maxlength="160" dir="ltr"></label>`;
  return {
    title: say(frame, 'requestLog'),
    page: 'developers',
    problem,
    body: html`<p class="soft">${say(frame, 'requestLogText')}</p>
<form class="filter" method="get" action="${at(frame, '/requests')}">${field('requestId', 'request')}
${field('actor', 'actor')}${field('event', 'kind')}${field('from', 'from')}<button class="no">${say(frame, 'show')}</button></form>
${rows.length === 0 ? html`<p class="empty">${say(frame, 'noRequests')}</p>` : requestsOf(frame, rows, list.mayOpenStay)}
${pager(frame, list.address, list.next, list.isFirst)}
<p><a href="${at(frame, '')}">${say(frame, 'developers')}</a></p>`,
  };
}

/** A request is looked for among what was written within ten minutes: from so long before one of its rows on. */
const before = (timestamp: string): string => new Date(Date.parse(timestamp) - 300_000).toISOString();

const requestsOf = (frame: Frame, rows: readonly RequestRow[], mayOpenStay: boolean): Html =>
  table(
    frame,
    ['when', 'kind', 'outcome', 'actor', 'request', 'record'],
    rows.map(({ timestamp, event, outcome, actor, requestId, reservationId, sagaExecutionId }) => [
      moment(frame, timestamp),
      code(event),
      outcome === null ? '' : codeWords(frame, outcome),
      html`<bdi>${actor.id}</bdi>`,
      requestId === null
        ? ''
        : html`<a href="${at(frame, `/requests?requestId=${encodeURIComponent(requestId)}&from=${encodeURIComponent(before(timestamp))}`)}">${code(requestId)}</a>`,
      html`${sagaExecutionId === null ? '' : sagaLink(frame, sagaExecutionId, sagaExecutionId)} ${
        reservationId === null ? '' : mayOpenStay ? stayLink(frame, reservationId) : code(reservationId)
      }`,
    ]),
  );
