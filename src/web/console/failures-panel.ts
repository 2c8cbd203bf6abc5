import { html } from 'hono/html';
import type { Html } from '../layout.ts';
import { type Frame, inEnglish, say } from './frame.ts';
import { badge, moment, sagaLink, stayLink, table } from './parts.ts';

/** What keeps sagas from coming on, by its fingerprint: each with the way to its sagas, their stays, and its incident. */

export interface FailureRow {
  readonly name: string;
  readonly step: string;
  readonly code: string;
  readonly isUndoing: boolean;
  readonly isParked: boolean;
  readonly system: string | null;
  readonly count: number;
  readonly since: string;
  readonly last: string;
  readonly examples: readonly { readonly sagaId: string; readonly reservationId: string | null }[];
  readonly incidents: readonly { readonly id: string; readonly kind: string; readonly status: 'OPEN' | 'CLOSED' }[];
  /** Of the API: the list of its sagas has the same filter here. */
  readonly links: { readonly sagas: string };
}
export interface FailuresShown {
  readonly sagas: number;
  readonly groups: number;
  readonly shown: readonly FailureRow[];
}

/** Nothing where nothing stands still. */
export function failuresPanel(
  frame: Frame,
  { sagas, groups, shown }: FailuresShown,
  { mayOpenStay, mayOpenIncident }: { readonly mayOpenStay: boolean; readonly mayOpenIncident: boolean },
): Html {
  if (shown.length === 0) return html``;
  const rows = shown.map((group) => [
    html`<a href="${frame.prefix}/console/sagas${group.links.sagas.slice(group.links.sagas.indexOf('?'))}"><bdi lang="en">${group.name}.${group.step}</bdi></a> <code>${group.code}</code>`,
    html`${badge(frame, group.isParked ? 'parked' : 'retrying')}${group.isUndoing ? html` ${badge(frame, 'compensating')}` : ''}`,
    group.system === null ? '' : html`<bdi>${group.system}</bdi>`,
    html`<span class="number">${group.count}</span>`,
    moment(frame, group.since),
    moment(frame, group.last),
    html`${group.examples.map(
      ({ sagaId, reservationId }, n) =>
        html`${n === 0 ? '' : ', '}${sagaLink(frame, sagaId, sagaId)}${reservationId !== null && mayOpenStay ? html` (${stayLink(frame, reservationId)})` : ''}`,
    )}`,
    mayOpenIncident
      ? html`${group.incidents.map((incident, n) => html`${n === 0 ? '' : ', '}${incidentLink(frame, incident)}`)}`
      : '',
  ]);
  return html`<section class="panel" aria-labelledby="failures"><h2 id="failures">${say(frame, 'failures')} <span class="number">(${sagas})</span></h2>
${table(frame, ['saga', 'state', 'toBlame', 'howMany', 'since', 'lastFailed', 'examples', 'incidents'], rows)}
${groups > shown.length ? html`<p class="soft">${say(frame, 'notAllGroups')} ${shown.length} / ${groups}</p>` : ''}</section>`;
}

const incidentLink = (frame: Frame, { id, kind, status }: FailureRow['incidents'][number]): Html =>
  html`<a href="${frame.prefix}/console/incidents/${encodeURIComponent(id)}">${inEnglish(kind)}</a>${status === 'CLOSED' ? html` (${say(frame, 'over')})` : ''}`;
