import { html } from 'hono/html';
import type { IncidentDetail, IncidentView } from '../../domain/incidents/resource.ts';
import type { Html } from '../layout.ts';
import { keyField } from './acts.ts';
import { type ConsolePage, type Content, type Frame, inEnglish, say } from './frame.ts';
import { badge, fact, moment, sagaLink, stayLink } from './parts.ts';
import { type Question, questionPanel } from './question-panel.ts';
import { type PausedQueue, resumeQueueForm, whoPaused } from './queue-forms.ts';
import { notResolved, type ResolutionFacts, resolutionOf } from './resolution.ts';
import { HANDS, type SagaHand } from './saga-page.ts';

/** Incidents for people: what stands still, and what can be done about it. */

/** What can be done about an example on the page itself; the rest is on the page of the saga. */
export const EXAMPLE_HANDS = ['retry', 'skip', 'resolve'] as const satisfies readonly SagaHand[];
/** What the reader may do with an example. */
export interface SagaActs {
  readonly sagaId: string;
  readonly hands: readonly (typeof EXAMPLE_HANDS)[number][];
  /** The step at which it stands, and what follows when it is left out; null: it may not be. */
  readonly skips: { readonly step: string; readonly follows: string } | null;
  /** What resolving it does; null: it is not parked. */
  readonly ifResolved: ResolutionFacts | null;
}
/** A queue that stands. */
export interface QueueShown extends PausedQueue {
  readonly mayResume: boolean;
}
/** At what a saga stands, and when it is tried again at the latest; null: it does not say. */
export interface TriedShown {
  readonly system: string | null;
  readonly nextBy: Date | null;
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

/** What there is to try again together, and how far that has come. */
export interface RedriveShown {
  readonly group: { readonly count: number; readonly parked: number; readonly since: string | null } | null;
  readonly redrives: readonly {
    readonly status: 'OPEN' | 'DONE' | 'STOPPED' | 'FAILED';
    readonly perSecond: number;
    readonly stopAfterErrors: number;
    readonly reason: string | null;
    readonly orderedBy: string;
    readonly orderedAt: string;
    readonly endedBy: string | null;
    readonly endReason: string | null;
    readonly sagas: {
      readonly all: number;
      readonly waiting: number;
      readonly retried: number;
      readonly done: number;
      readonly failed: number;
      readonly skipped: number;
    };
    readonly failures: readonly { readonly sagaId: string; readonly code: string | null }[];
  }[];
  readonly mayOrder: boolean;
}

export interface IncidentForms {
  readonly acts: readonly SagaActs[];
  /** By saga. */
  readonly tried: ReadonlyMap<string, TriedShown>;
  readonly redrive: RedriveShown;
  /** That wait for a second person. */
  readonly questions: readonly Question[];
  /** Null: it is about none. */
  readonly queue: QueueShown | null;
  /** Why the last act did nothing. */
  /** Whether the reader may mute and close it. */
  readonly mayTend: boolean;
  readonly problem: Html | null;
}

/** One incident with its forms. */
export function incidentPage(
  frame: Frame,
  incident: IncidentDetail,
  { acts, tried, redrive, questions, queue, mayTend, problem }: IncidentForms,
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
${fact(frame, 'runbook', html`<code>docs/runbook.md</code>, <code>${incident.kind}</code>`)}
${fact(frame, 'byItself', inEnglish(incident.next))}
${fact(frame, 'hands', html`${inEnglish(incident.remedy)}${placeOf(frame, incident)}`)}</dl>
${questions.map((question) => questionPanel(frame, `${at}/decide`, question))}${queue === null ? '' : queueOf(frame, at, queue)}
${incident.examples.length === 0 ? '' : html`<h2>${say(frame, 'isAbout')}</h2><ul class="rows">${incident.examples.map((example) => exampleOf(frame, at, example, acts, tried))}</ul>`}
${hasRedrive(incident, redrive) ? redriveOf(frame, at, redrive) : ''}
${incident.status === 'OPEN' && mayTend ? formsOf(frame, at) : ''}
<h2>${say(frame, 'whoWasTold')}</h2>
${
  incident.told.length === 0
    ? html`<p>${say(frame, 'nobodyYet')}</p>`
    : html`<ul class="rows">${incident.told.map((told) => toldOf(frame, told))}</ul>`
}
<p><a href="${frame.prefix}/console/incidents">${say(frame, 'allIncidents')}</a></p>`,
  };
}

/** An open circuit that stops no saga has none to try again. */
const hasRedrive = ({ kind }: IncidentDetail, { group, redrives }: RedriveShown): boolean =>
  redrives.length > 0 || (group !== null && (group.count > 0 || kind !== 'CIRCUIT_OPEN'));

const toldOf = (frame: Frame, { what, target, toldAt, attempts, lastError }: IncidentDetail['told'][number]): Html =>
  html`<li>${say(frame, what === 'CLOSED' ? 'toldOver' : 'toldBegan')}: <bdi>${target}</bdi>, ${
    toldAt === null
      ? html`${say(frame, 'notYetTried')} ${attempts}${lastError === null ? '' : html` (<bdi>${lastError}</bdi>)`}`
      : moment(frame, toldAt)
  }</li>`;

/** The page on which incidents of a kind are mended, where the saga's own is not it. */
const PLACES: Readonly<Record<string, (subject: string) => readonly [ConsolePage, string]>> = {
  NO_WORKER: () => ['system', 'system'],
  QUEUE_PAUSED: () => ['system', 'system'],
  SCHEDULE_MISSING: () => ['system', 'system'],
  SAGAS_PAUSED: () => ['system', 'system'],
  CIRCUIT_OPEN: () => ['system', 'system'],
  WORK_WAITS: () => ['system', 'system'],
  WEBHOOK_FAILING: (subject) => ['developers', `developers/endpoints/${encodeURIComponent(subject)}`],
};
function placeOf(frame: Frame, { kind, subject }: IncidentView): Html {
  const [page, address] = PLACES[kind]?.(subject) ?? [];
  if (page === undefined || address === undefined || !frame.pages.includes(page)) return html``;
  return html` <a href="${frame.prefix}/console/${address}">${say(frame, page)}</a>`;
}

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
  tried: ReadonlyMap<string, TriedShown>,
): Html {
  const may = acts.find((known) => known.sagaId === sagaId);
  const refused = may?.ifResolved?.refused;
  return html`<li>${sagaId === undefined ? html`<code>${id}</code>` : sagaLink(frame, sagaId, id)}${
    reservationId === undefined ? '' : html`, ${say(frame, 'stay')} ${stayLink(frame, reservationId)}`
  }${propertyId === undefined ? '' : html`, ${say(frame, 'property')} <code>${propertyId}</code>`}${
    since === undefined ? '' : html`, ${say(frame, 'sinceText')} ${moment(frame, since)}`
  }${attempts === undefined ? '' : html`, ${say(frame, 'attempts')}: ${attempts}`}${
    code === undefined ? '' : html`, <code>${code}</code>`
  }${triedOf(frame, sagaId === undefined ? undefined : tried.get(sagaId))}${may === undefined ? '' : may.hands.map((hand) => sagaForm(frame, at, may, hand))}${refused === null || refused === undefined || may?.hands.length === 0 ? '' : notResolved(frame, refused)}</li>`;
}

const triedOf = (frame: Frame, tried: TriedShown | undefined): Html =>
  html`${tried?.system ? html`, ${say(frame, 'speaksTo')} <code>${tried.system}</code>` : ''}${tried?.nextBy ? html`, ${say(frame, 'nextAttempt')} ${moment(frame, tried.nextBy.toISOString())}` : ''}`;

const queueOf = (frame: Frame, at: string, { name, pausedBy, mayResume }: QueueShown): Html =>
  html`<section class="panel" aria-labelledby="queue"><h2 id="queue">${say(frame, 'queue')}: <code>${name}</code></h2><p>${whoPaused(frame, pausedBy)}</p>
${mayResume ? resumeQueueForm(frame, `${at}/resume-queue`, name) : ''}</section>`;

function sagaForm(
  frame: Frame,
  at: string,
  { sagaId, skips, ifResolved }: SagaActs,
  hand: (typeof EXAMPLE_HANDS)[number],
): Html {
  const { word, reason, tone } = HANDS[hand];
  return html`<form method="post" action="${at}/${hand}" class="act">${keyField()}<input type="hidden" name="sagaId" value="${sagaId}">${
    hand === 'skip' && skips !== null
      ? html`<input type="hidden" name="step" value="${skips.step}"><p><code>${skips.step}</code>: ${inEnglish(skips.follows)}</p>`
      : ''
  }${hand === 'resolve' && ifResolved !== null ? resolutionOf(frame, ifResolved) : ''}
<label>${say(frame, reason)} <input name="reason" required maxlength="500"></label>
<button class="${tone}">${say(frame, word)}</button></form>`;
}

const formsOf = (frame: Frame, at: string): Html =>
  html`<h2>${say(frame, 'forThis')}</h2>
<form method="post" action="${at}/mute" class="act">${keyField()}<label>${say(frame, 'muteFor')} <select name="hours"><option value="1">${say(frame, 'hour')}</option><option value="8">${say(frame, 'hours8')}</option>
<option value="72">${say(frame, 'days3')}</option></select></label> <label>${say(frame, 'reason')} <input name="reason" required maxlength="500"></label><button>${say(frame, 'mute')}</button></form>
<form method="post" action="${at}/close" class="act">${keyField()}<label>${say(frame, 'whyOver')} <input name="reason" required maxlength="500"></label><button class="no">${say(frame, 'close')}</button></form>`;

/** Counted first; then the form, or the progress with the way to stop it. */
function redriveOf(frame: Frame, at: string, { group, redrives, mayOrder }: RedriveShown): Html {
  const isOpen = redrives.some(({ status }) => status === 'OPEN');
  const count = group?.count ?? 0;
  return html`<section class="panel" aria-labelledby="redrive"><h2 id="redrive">${say(frame, 'redrive')}</h2>
${group === null ? '' : html`<p>${say(frame, 'standStill')}: ${count}${group.parked === 0 || group.parked === count ? '' : html` (${say(frame, 'ofThemParked')}: ${group.parked})`}${group.since === null ? '' : html`, ${say(frame, 'sinceText')} ${moment(frame, group.since)}`}</p>`}
${mayOrder && !isOpen && count > 0 ? orderForm(frame, at) : ''}
${mayOrder && isOpen ? stopForm(frame, at) : ''}
${redrives.length === 0 ? '' : html`<ul class="rows">${redrives.map((one) => redriveShown(frame, one))}</ul>`}</section>`;
}

const orderForm = (frame: Frame, at: string): Html =>
  html`<form method="post" action="${at}/redrive" class="act">${keyField()}
<label>${say(frame, 'perSecond')} <input type="number" name="perSecond" min="1" max="50" value="5" required></label>
<label>${say(frame, 'stopAfterErrors')} <input type="number" name="stopAfterErrors" min="1" max="1000" value="5" required></label>
<label>${say(frame, 'retryReason')} <input name="reason" required maxlength="500"></label><button class="yes">${say(frame, 'redrive')}</button></form>`;

const stopForm = (frame: Frame, at: string): Html =>
  html`<form method="post" action="${at}/redrive-stop" class="act">${keyField()}
<label>${say(frame, 'reason')} <input name="reason" required maxlength="500"></label><button class="no">${say(frame, 'stopRedrive')}</button></form>`;

function redriveShown(frame: Frame, redrive: RedriveShown['redrives'][number]): Html {
  const { status, orderedAt, orderedBy, reason, sagas, failures, endedBy, endReason } = redrive;
  return html`<li>${badge(frame, status)} ${moment(frame, orderedAt)} <bdi>${orderedBy}</bdi>${reason === null ? '' : html`: <bdi>${reason}</bdi>`}
<div>${say(frame, 'redriven')}: ${sagas.all - sagas.waiting} / ${sagas.all}; ${say(frame, 'redriveDone')}: ${sagas.done}; ${say(frame, 'redriveFailed')}: ${sagas.failed}${
    endedBy === null ? '' : html`; <bdi>${endedBy}</bdi>: <bdi>${endReason}</bdi>`
  }</div>${failures.map(({ sagaId, code }) => html`<div>${sagaLink(frame, sagaId, sagaId)} <code>${code ?? ''}</code></div>`)}</li>`;
}
