import { html } from 'hono/html';
import type { Hit, SearchKind } from '../../domain/search/hits.ts';
import type { Html } from '../layout.ts';
import { type Content, codeWords, type Frame, inEnglish, say } from './frame.ts';
import { badge, moment, money, stayLink } from './parts.ts';

/** What was found, kind by kind; under a stay what was done and paid for it. */

interface FoundHit extends Hit {
  /** The path of its page, without the prefix; null: there is none for this reader. */
  readonly path: string | null;
}
export interface FindView {
  readonly text: string;
  readonly from: string;
  readonly to: string;
  /** Null: nothing was asked. */
  readonly kinds:
    | readonly {
        readonly kind: SearchKind;
        readonly hasMore: boolean;
        readonly hits: readonly (FoundHit & { readonly related: readonly FoundHit[] })[];
      }[]
    | null;
  readonly mayOpenStay: boolean;
  readonly problem: Html | null;
}

export const findPage = (frame: Frame, { text, from, to, kinds, mayOpenStay, problem }: FindView): Content => ({
  title: say(frame, 'find'),
  page: null,
  problem,
  body: html`<form class="filter" method="get" action="${frame.prefix}/console/find">
<label>${say(frame, 'findWhat')} <input type="search" name="q" value="${text}" maxlength="200" dir="auto" aria-describedby="find-hint"></label>
<label>${say(frame, 'from')} <input type="date" name="from" value="${from}"></label><label>${say(frame, 'to')} <input type="date" name="to" value="${to}"></label>
<button>${say(frame, 'find')}</button></form>
<p class="soft" id="find-hint">${say(frame, 'findHint')}</p>
${kinds?.length === 0 ? html`<p class="empty" role="status">${say(frame, 'findNothing')}</p>` : ''}
${(kinds ?? []).map(
  ({ kind, hits, hasMore }) =>
    html`<section class="panel" aria-labelledby="found-${kind}"><h2 id="found-${kind}">${say(frame, `of${kind}`)}</h2>
<ul class="rows hits">${hits.map((hit) => html`<li>${hitOf(frame, hit, mayOpenStay)}${relatedOf(frame, hit.related)}</li>`)}</ul>${hasMore ? html`<p class="soft">${say(frame, 'findMore')}</p>` : ''}</section>`,
)}`,
});

const relatedOf = (frame: Frame, related: readonly FoundHit[]): Html =>
  related.length === 0
    ? html``
    : html`<details><summary>${say(frame, 'findRelated')} (${related.length})</summary><ul>${related.map((hit) => html`<li>${hitOf(frame, hit, false)}</li>`)}</ul></details>`;

/** Of these the title is a code; of all others it was written by people. */
const CODED: ReadonlySet<SearchKind> = new Set(['TRANSACTION', 'MESSAGE', 'INCIDENT', 'REQUEST', 'TEXT']);

function hitOf(frame: Frame, hit: FoundHit, mayOpenStay: boolean): Html {
  const { kind, id, title, detail, state, at, path, reservationId, checkInDate, checkOutDate, amount, currency } = hit;
  const called = CODED.has(kind) ? codeWords(frame, title) : html`<bdi>${title}</bdi>`;
  const name = path === null ? html`<strong>${called}</strong>` : html`<a href="${frame.prefix}${path}">${called}</a>`;
  const nights =
    checkInDate === null || checkOutDate === null
      ? ''
      : html` <bdi><time datetime="${checkInDate}">${checkInDate}</time> – <time datetime="${checkOutDate}">${checkOutDate}</time></bdi>`;
  const stay =
    mayOpenStay && reservationId !== null && kind !== 'RESERVATION'
      ? html` <span class="soft">${say(frame, 'ofStay')} ${stayLink(frame, reservationId)}</span>`
      : '';
  return html`<div class="hit">${name}${nights}${state === null ? '' : html` ${badge(frame, state)}`}${
    amount === null || currency === null ? '' : html` ${money(amount, currency)}`
  }${detail === null ? '' : html` <span>${kind === 'INCIDENT' ? inEnglish(detail) : html`<bdi>${detail}</bdi>`}</span>`}${
    at === null || kind === 'RESERVATION' ? '' : html` <span class="soft">${moment(frame, at)}</span>`
  }${stay} <code class="soft">${id}</code></div>`;
}
