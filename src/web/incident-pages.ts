import { html } from 'hono/html';
import type { IncidentDetail, IncidentView } from '../domain/incidents/resource.ts';
import { localMinute } from '../kernel/local-minute.ts';
import type { Card, Html } from './layout.ts';

/** Incidents for people: what stands still, and what can be done about it. `prefix`: the path under which the API is reached. */

interface Context {
  readonly prefix: string;
  /** IANA: in which times are shown. */
  readonly timeZone: string;
  /** A mute that is over is none. */
  readonly now: Date;
}
/** What the reader may do with an example. */
export interface SagaActs {
  readonly sagaId: string;
  readonly mayRetry: boolean;
  readonly mayResolve: boolean;
}

export const incidentsPage = (
  context: Context,
  { open, closed }: { readonly open: readonly IncidentView[]; readonly closed: readonly IncidentView[] },
): Card => ({
  title: 'Incidents',
  wide: true,
  content: html`<p class="soft">What stands still or may be lost. It is looked at every ten seconds, and told by mail at once.</p>
${open.length === 0 ? html`<p role="status">All is well: nothing is open.</p>` : listOf(context, open)}
${closed.length === 0 ? '' : html`<h2>Over</h2>${listOf(context, closed)}`}
<p><a href="${context.prefix}/account">Your account</a></p>`,
});

const listOf = ({ prefix, timeZone, now }: Context, incidents: readonly IncidentView[]): Html =>
  html`<ul>${incidents.map(
    (incident) =>
      html`<li><strong>${gravity(incident)}</strong> <a href="${prefix}/console/incidents/${incident.id}">${incident.summary}</a>
<span class="soft">since ${localMinute(incident.since, timeZone)}${isMuted(incident, now) ? html`, muted until ${localMinute(incident.mutedUntil ?? '', timeZone)}` : ''}</span></li>`,
  )}</ul>`;

const isMuted = ({ status, mutedUntil }: IncidentView, now: Date): boolean =>
  status === 'OPEN' && mutedUntil !== null && new Date(mutedUntil) > now;

const gravity = ({ status, severity }: IncidentView): string => {
  if (status === 'CLOSED') return 'Over:';
  return severity === 'CRITICAL' ? 'Critical:' : 'Warning:';
};

/** One incident with its forms. `problem`: why the last act did nothing. */
export function incidentPage(
  context: Context,
  incident: IncidentDetail,
  acts: readonly SagaActs[],
  problem: string | null,
): Card {
  const at = `${context.prefix}/console/incidents/${incident.id}`;
  const show = (instant: string): string => localMinute(instant, context.timeZone);
  return {
    title: incident.summary,
    wide: true,
    content: html`${problem === null ? '' : html`<p role="alert">${problem}</p>`}
<dl><dt>State</dt><dd>${stateOf(context, incident, show)}</dd>
<dt>Kind</dt><dd><code>${incident.kind}</code> <bdi>${incident.subject}</bdi></dd>
<dt>Since</dt><dd>${show(incident.since)}</dd><dt>Last found</dt><dd>${show(incident.lastAt)}</dd>
<dt>How many</dt><dd>${incident.count}${incident.most > incident.count ? html`, at the most ${incident.most}` : ''}</dd>
<dt>What happens by itself</dt><dd>${incident.next}</dd>
<dt>What you can do</dt><dd>${incident.remedy}</dd></dl>
${incident.examples.length === 0 ? '' : html`<h2>It is about</h2><ul>${incident.examples.map((example) => exampleOf(at, example, acts, show))}</ul>`}
${incident.status === 'OPEN' ? formsOf(at) : ''}
<h2>Who was told</h2>
${
  incident.told.length === 0
    ? html`<p>Nobody yet.</p>`
    : html`<ul>${incident.told.map(
        ({ what, target, toldAt, attempts, lastError }) =>
          html`<li>${what === 'CLOSED' ? 'That it is over' : 'That it began'}: ${target}, ${
            toldAt === null
              ? html`not yet, tried ${attempts} times${lastError === null ? '' : html` (${lastError})`}`
              : show(toldAt)
          }</li>`,
      )}</ul>`
}
<p><a href="${context.prefix}/console/incidents">All incidents</a></p>`,
  };
}

function stateOf({ now }: Context, incident: IncidentView, show: (at: string) => string): Html {
  const { status, severity, closedAt, closedBy, reason } = incident;
  if (status === 'CLOSED')
    return html`over since ${show(closedAt ?? '')}${closedBy === null ? '' : html`, closed by ${closedBy}: <bdi>${reason ?? ''}</bdi>`}`;
  return html`open, ${severity === 'CRITICAL' ? 'critical' : 'a warning'}${
    isMuted(incident, now) ? html`; muted until ${show(incident.mutedUntil ?? '')} by ${incident.mutedBy ?? ''}` : ''
  }`;
}

function exampleOf(
  at: string,
  { id, reservationId, propertyId, since, attempts, code }: IncidentDetail['examples'][number],
  acts: readonly SagaActs[],
  show: (instant: string) => string,
): Html {
  const may = acts.find(({ sagaId }) => sagaId === id);
  return html`<li><code>${id}</code>${reservationId === undefined ? '' : html`, stay <code>${reservationId}</code>`}${
    propertyId === undefined ? '' : html`, property <code>${propertyId}</code>`
  }${since === undefined ? '' : html`, since ${show(since)}`}${attempts === undefined ? '' : html`, tried ${attempts} times`}${
    code === undefined ? '' : html`, last answer <code>${code}</code>`
  }${may?.mayRetry ? sagaForm(at, id, 'retry', 'Retry') : ''}${may?.mayResolve ? sagaForm(at, id, 'resolve', 'Resolve') : ''}</li>`;
}

const sagaForm = (at: string, sagaId: string, act: 'retry' | 'resolve', text: string): Html =>
  html`<form method="post" action="${at}/${act}"><input type="hidden" name="sagaId" value="${sagaId}">
<label>${act === 'retry' ? 'Why now' : 'What was done instead'} <input name="reason" required maxlength="500"></label>
<button class="${act === 'retry' ? 'yes' : 'no'}">${text}</button></form>`;

const formsOf = (at: string): Html =>
  html`<h2>For this incident</h2>
<form method="post" action="${at}/mute"><label>Mute for <select name="hours"><option value="1">an hour</option><option value="8">8 hours</option>
<option value="72">3 days</option></select></label> <label>Why <input name="reason" required maxlength="500"></label><button>Mute</button></form>
<form method="post" action="${at}/close"><label>Why it is over <input name="reason" required maxlength="500"></label><button class="no">Close</button></form>`;
