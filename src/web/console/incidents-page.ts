import { html } from 'hono/html';
import type { IncidentDetail, IncidentView } from '../../domain/incidents/resource.ts';
import type { Html } from '../layout.ts';
import { type Content, type Frame, inEnglish, say } from './frame.ts';
import { fact, moment, sagaLink, stayLink } from './parts.ts';

/** Incidents for people: what stands still, and what can be done about it. */

/** What the reader may do with an example. */
export interface SagaActs {
  readonly sagaId: string;
  readonly mayRetry: boolean;
  readonly mayResolve: boolean;
}

export const incidentsPage = (
  frame: Frame,
  { open, closed }: { readonly open: readonly IncidentView[]; readonly closed: readonly IncidentView[] },
): Content => ({
  title: say(frame, 'incidents'),
  page: 'incidents',
  live: { about: 'incidents' },
  body: html`<p class="soft">${say(frame, 'incidentsText')}</p>
${open.length === 0 ? html`<p role="status">${say(frame, 'allWell')}</p>` : incidentList(frame, open)}
${closed.length === 0 ? '' : html`<h2>${say(frame, 'over')}</h2>${incidentList(frame, closed)}`}`,
});

/** What a list shows of an incident. */
export type ListedIncident = Omit<IncidentView, 'examples'>;

/** Each with how grave it is, in words, and since when. */
export const incidentList = (frame: Frame, incidents: readonly ListedIncident[]): Html =>
  html`<ul class="rows">${incidents.map(
    (incident) =>
      html`<li class="${incident.status === 'OPEN' ? (incident.severity === 'CRITICAL' ? 'bad' : 'warn') : ''}"><strong>${gravity(frame, incident)}</strong> <a href="${frame.prefix}/console/incidents/${incident.id}">${inEnglish(incident.summary)}</a>
<span class="soft">${say(frame, 'sinceText')} ${moment(frame, incident.since)}${
        isMuted(incident, frame.now)
          ? html`, ${say(frame, 'mutedUntil')} ${moment(frame, incident.mutedUntil ?? '')}`
          : ''
      }</span></li>`,
  )}</ul>`;

const isMuted = ({ status, mutedUntil }: ListedIncident, now: Date): boolean =>
  status === 'OPEN' && mutedUntil !== null && new Date(mutedUntil) > now;

const gravity = (frame: Frame, { status, severity }: ListedIncident): string => {
  if (status === 'CLOSED') return `${say(frame, 'over')}:`;
  return `${say(frame, severity === 'CRITICAL' ? 'critical' : 'warning')}:`;
};

/** One incident with its forms. `problem`: why the last act did nothing. */
export function incidentPage(
  frame: Frame,
  incident: IncidentDetail,
  acts: readonly SagaActs[],
  problem: Html | null,
): Content {
  const at = `${frame.prefix}/console/incidents/${incident.id}`;
  return {
    title: incident.summary,
    titleLanguage: 'en',
    page: 'incidents',
    live: { about: 'incidents' },
    problem,
    body: html`<dl class="facts panel">${fact(frame, 'state', stateOf(frame, incident))}
${fact(frame, 'kind', html`<code>${incident.kind}</code> <bdi>${incident.subject}</bdi>`)}
${fact(frame, 'since', moment(frame, incident.since))}${fact(frame, 'lastFound', moment(frame, incident.lastAt))}
${fact(frame, 'howMany', html`${incident.count}${incident.most > incident.count ? html`, ${say(frame, 'atMost')} ${incident.most}` : ''}`)}
${fact(frame, 'byItself', inEnglish(incident.next))}
${fact(frame, 'hands', inEnglish(incident.remedy))}</dl>
${incident.examples.length === 0 ? '' : html`<h2>${say(frame, 'isAbout')}</h2><ul class="rows">${incident.examples.map((example) => exampleOf(frame, at, example, acts))}</ul>`}
${incident.status === 'OPEN' ? formsOf(frame, at) : ''}
<h2>${say(frame, 'whoWasTold')}</h2>
${
  incident.told.length === 0
    ? html`<p>${say(frame, 'nobodyYet')}</p>`
    : html`<ul class="rows">${incident.told.map((told) => toldOf(frame, told))}</ul>`
}
<p><a href="${frame.prefix}/console/incidents">${say(frame, 'allIncidents')}</a></p>`,
  };
}

const toldOf = (frame: Frame, { what, target, toldAt, attempts, lastError }: IncidentDetail['told'][number]): Html =>
  html`<li>${say(frame, what === 'CLOSED' ? 'toldOver' : 'toldBegan')}: <bdi>${target}</bdi>, ${
    toldAt === null
      ? html`${say(frame, 'notYetTried')} ${attempts}${lastError === null ? '' : html` (<bdi>${lastError}</bdi>)`}`
      : moment(frame, toldAt)
  }</li>`;

function stateOf(frame: Frame, incident: IncidentView): Html {
  const { status, severity, closedAt, closedBy, reason } = incident;
  if (status === 'CLOSED')
    return html`${say(frame, 'overSince')} ${moment(frame, closedAt ?? '')}${closedBy === null ? '' : html`, ${say(frame, 'closedBy')} ${closedBy}: <bdi>${reason ?? ''}</bdi>`}`;
  return html`${say(frame, severity === 'CRITICAL' ? 'openCritical' : 'openWarning')}${
    isMuted(incident, frame.now)
      ? html`; ${say(frame, 'mutedUntil')} ${moment(frame, incident.mutedUntil ?? '')} (<bdi>${incident.mutedBy ?? ''}</bdi>)`
      : ''
  }`;
}

function exampleOf(
  frame: Frame,
  at: string,
  { id, sagaId, reservationId, propertyId, since, attempts, code }: IncidentDetail['examples'][number],
  acts: readonly SagaActs[],
): Html {
  const may = acts.find((known) => known.sagaId === sagaId);
  return html`<li>${sagaId === undefined ? html`<code>${id}</code>` : sagaLink(frame, sagaId, id)}${
    reservationId === undefined ? '' : html`, ${say(frame, 'stay')} ${stayLink(frame, reservationId)}`
  }${propertyId === undefined ? '' : html`, ${say(frame, 'property')} <code>${propertyId}</code>`}${
    since === undefined ? '' : html`, ${say(frame, 'sinceText')} ${moment(frame, since)}`
  }${attempts === undefined ? '' : html`, ${say(frame, 'attempts')}: ${attempts}`}${
    code === undefined ? '' : html`, <code>${code}</code>`
  }${may?.mayRetry ? sagaForm(frame, at, may.sagaId, 'retry') : ''}${may?.mayResolve ? sagaForm(frame, at, may.sagaId, 'resolve') : ''}</li>`;
}

const sagaForm = (frame: Frame, at: string, sagaId: string, act: 'retry' | 'resolve'): Html =>
  html`<form method="post" action="${at}/${act}" class="act"><input type="hidden" name="sagaId" value="${sagaId}">
<label>${say(frame, act === 'retry' ? 'retryReason' : 'resolveReason')} <input name="reason" required maxlength="500"></label>
<button class="${act === 'retry' ? 'yes' : 'no'}">${say(frame, act)}</button></form>`;

const formsOf = (frame: Frame, at: string): Html =>
  html`<h2>${say(frame, 'forThis')}</h2>
<form method="post" action="${at}/mute" class="act"><label>${say(frame, 'muteFor')} <select name="hours"><option value="1">${say(frame, 'hour')}</option><option value="8">${say(frame, 'hours8')}</option>
<option value="72">${say(frame, 'days3')}</option></select></label> <label>${say(frame, 'reason')} <input name="reason" required maxlength="500"></label><button>${say(frame, 'mute')}</button></form>
<form method="post" action="${at}/close" class="act"><label>${say(frame, 'whyOver')} <input name="reason" required maxlength="500"></label><button class="no">${say(frame, 'close')}</button></form>`;
