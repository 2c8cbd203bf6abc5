import { html } from 'hono/html';
import type { Html } from '../layout.ts';
import { type FailuresShown, failuresPanel } from './failures-panel.ts';
import { type Content, codeWords, type Frame, say } from './frame.ts';
import { badge, choice, moment, pager, sagaLink, stayLink } from './parts.ts';

/** The list of sagas with the filters of the API. */

export interface SagaListRow {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly subjectType: string;
  readonly subjectId: string;
  readonly requestedBy: string;
  readonly createdAt: string;
  readonly currentStepName: string;
  readonly error?: { readonly code: string } | null;
}
/** The filters of the page, which are those of the API. */
export const SAGA_FILTER = [
  ...(['status', 'name', 'reservationId', 'from', 'to'] as const),
  ...(['step', 'errorCode', 'isUndoing', 'isParked', 'system'] as const),
];
export type SagaFilterField = (typeof SAGA_FILTER)[number];

export interface SagaList {
  readonly rows: readonly SagaListRow[];
  readonly counts: Readonly<Record<string, number>>;
  readonly names: readonly string[];
  readonly filter: Readonly<Record<SagaFilterField, string | undefined>>;
  readonly next: string | null;
  readonly isFirst: boolean;
  /** With the filter, without the cursor. */
  readonly address: string;
  readonly mayOpenStay: boolean;
  readonly mayOpenIncident: boolean;
  /** Of what the filter lets through. */
  /** Null beyond the first page. */
  readonly failures: FailuresShown | null;
}

const STATES = ['pending', 'running', 'compensating', 'parked', 'completed', 'compensated', 'resolved'] as const;

/** They come with the link of a group. */
const KEPT = ['isUndoing', 'isParked', 'system'] as const;

export function sagasPage(frame: Frame, list: SagaList): Content {
  const { rows, counts, filter, address, next, isFirst } = list;
  return {
    title: say(frame, 'sagas'),
    page: 'sagas',
    body: html`<dl class="counts">${STATES.map(
      (status) =>
        html`<div class="${status === 'parked' && (counts[status] ?? 0) > 0 ? 'bad' : ''}"><dt>${codeWords(frame, status)}</dt><dd class="number">${counts[status] ?? 0}</dd></div>`,
    )}</dl>
<form class="filter" method="get" action="${frame.prefix}/console/sagas">${choice(frame, 'status', 'state', STATES, filter.status)}
<label>${say(frame, 'name')} <select name="name"><option value="">${say(frame, 'all')}</option>${list.names.map(
      (name) => html`<option${name === filter.name ? html` selected` : ''}>${name}</option>`,
    )}</select></label>
<label>${say(frame, 'reservation')} <input name="reservationId" value="${filter.reservationId ?? ''}" maxlength="64"></label>
<label>${say(frame, 'from')} <input type="date" name="from" value="${filter.from ?? ''}"></label><label>${say(frame, 'to')} <input type="date" name="to" value="${filter.to ?? ''}"></label>
<label>${say(frame, 'step')} <input name="step" value="${filter.step ?? ''}" maxlength="64"></label><label>${say(frame, 'errorCode')} <input name="errorCode" value="${filter.errorCode ?? ''}" maxlength="100"></label>
${KEPT.map((name) => (filter[name] ? html`<input type="hidden" name="${name}" value="${filter[name]}">` : ''))}<button class="no">${say(frame, 'show')}</button>${KEPT.some((name) => filter[name]) ? html` <a href="${frame.prefix}/console/sagas">${say(frame, 'allOfThem')}</a>` : ''}</form>
${list.failures === null ? '' : failuresPanel(frame, list.failures, list)}
${rows.length === 0 ? html`<p class="empty">${say(frame, 'noSagas')}</p>` : tableOf(frame, list)}${pager(frame, address, next, isFirst)}`,
  };
}

const tableOf = (frame: Frame, { rows, mayOpenStay }: SagaList): Html =>
  html`<table><thead><tr><th scope="col">${say(frame, 'name')}</th><th scope="col">${say(frame, 'state')}</th><th scope="col">${say(frame, 'subject')}</th><th scope="col">${say(frame, 'requestedBy')}</th><th scope="col">${say(frame, 'started')}</th></tr></thead>
<tbody>${rows.map((row) => rowOf(frame, row, mayOpenStay))}</tbody></table>`;

function rowOf(frame: Frame, saga: SagaListRow, mayOpenStay: boolean): Html {
  const { id, name, status, subjectType, subjectId, currentStepName, error } = saga;
  const subject =
    subjectType === 'reservation' && mayOpenStay ? stayLink(frame, subjectId) : html`<code>${subjectId}</code>`;
  const where = status === 'parked' || status === 'running' ? html` <code>${currentStepName}</code>` : '';
  return html`<tr><td data-label="${say(frame, 'name')}">${sagaLink(frame, id, name)}</td><td data-label="${say(frame, 'state')}"><span>${badge(frame, status)}${where}${error ? html` <code>${error.code}</code>` : ''}</span></td>
<td data-label="${say(frame, 'subject')}">${subject}</td><td data-label="${say(frame, 'requestedBy')}"><bdi>${saga.requestedBy}</bdi></td><td data-label="${say(frame, 'started')}">${moment(frame, saga.createdAt)}</td></tr>`;
}
