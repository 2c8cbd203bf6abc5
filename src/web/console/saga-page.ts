import { html } from 'hono/html';
import { newId } from '../../kernel/ids.ts';
import type { Html } from '../layout.ts';
import { type Content, codeWords, type Frame, inEnglish, say } from './frame.ts';
import { badge, duration, fact, moment, sagaLink, stayLink } from './parts.ts';
import { type Question, questionPanel } from './question-panel.ts';
import { notResolved, type ResolutionFacts, resolutionOf } from './resolution.ts';
import { treeOf } from './timeline.ts';
import type { Word } from './words-en.ts';

/** One saga: its steps on a common scale of time, what each undid, why it stands, and what a person can do. */

export interface SagaStep {
  readonly step: number;
  readonly name: string;
  readonly direction: string;
  readonly kind: string;
  readonly status: string;
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly error?: unknown;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly durationMs: number | null;
  readonly waitsUntil: string | null;
  readonly skipped: { readonly by: string; readonly reason: string | null } | null;
  readonly ifSkipped: string | null;
  readonly readsAgain: boolean;
}
export interface SagaFacts {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly subjectType: string;
  readonly subjectId: string;
  readonly requestedBy: string;
  readonly onBehalfOf: string | null;
  readonly requestId: string | null;
  readonly notes: string | null;
  readonly createdAt: string;
  readonly finishedAt: string | null;
  readonly deadlineAt: string;
  readonly currentStep: number;
  readonly stepsCompleted: number;
  readonly totalSteps: number;
  readonly retryOf: string | null;
  readonly pausedBy: {
    readonly holdId: string;
    readonly scope: string;
    readonly subject: string;
    readonly by: string;
    readonly since: string;
    readonly reason: string | null;
  } | null;
  readonly error?: { readonly code: string; readonly details?: unknown } | null;
  readonly waiting?: { readonly step: string; readonly since: string; readonly until: string } | null;
  readonly amendments: readonly {
    readonly step: string;
    readonly fields: Readonly<Record<string, unknown>>;
    readonly by: string;
    readonly at: string;
    readonly reason: string | null;
  }[];
  readonly amendable: readonly string[];
  readonly ifResolved: ResolutionFacts | null;
  readonly steps: readonly SagaStep[];
}
export interface SagaView {
  readonly saga: SagaFacts;
  /** At what it stands, and when it is tried again at the latest; null: nothing has failed. */
  readonly tried: { readonly system: string | null; readonly nextBy: Date | null } | null;
  /** Whether the reader may open the pages of stays. */
  readonly mayOpenStay: boolean;
  readonly incidents: readonly { readonly id: string; readonly summary: string }[];
  /** What the reader may do with it as it stands, in the order in which it is offered. */
  readonly hands: readonly SagaHand[];
  /** About money, which a second person has to answer first. */
  readonly questions: readonly Question[];
  readonly problem: Html | null;
}
export type SagaHand = 'retry' | 'retry-now' | 'skip' | 'amend' | 'cancel' | 'pause' | 'resume' | 'resolve';

export function sagaPage(
  frame: Frame,
  { saga, tried, incidents, problem, mayOpenStay, hands, questions }: SagaView,
): Content {
  return {
    title: saga.name,
    titleLanguage: 'en',
    page: 'sagas',
    live: { about: 'saga', of: saga.id },
    problem,
    body: html`${factsOf(frame, saga, tried, mayOpenStay)}
${saga.error ? html`<section class="panel" aria-labelledby="error"><h2 id="error">${say(frame, 'error')}: <code>${saga.error.code}</code></h2><div lang="en" dir="ltr">${treeOf(saga.error.details ?? {})}</div></section>` : ''}
${incidents.length === 0 ? '' : html`<h2>${say(frame, 'openIncidents')}</h2><ul class="rows">${incidents.map(({ id, summary }) => html`<li class="bad"><a href="${frame.prefix}/console/incidents/${id}">${inEnglish(summary)}</a></li>`)}</ul>`}
${questions.map((question) => questionPanel(frame, `${frame.prefix}/console/sagas/${encodeURIComponent(saga.id)}/decide`, question))}
${saga.amendments.length === 0 ? '' : amendmentsOf(frame, saga)}
${hands.length === 0 ? '' : handsOf(frame, saga, hands)}
${stepsOf(frame, saga)}`,
  };
}

function factsOf(frame: Frame, saga: SagaFacts, tried: SagaView['tried'], mayOpenStay: boolean): Html {
  const { subjectType, subjectId, waiting } = saga;
  const subject =
    subjectType === 'reservation' && mayOpenStay
      ? stayLink(frame, subjectId)
      : html`${codeWords(frame, subjectType)} <code>${subjectId}</code>`;
  return html`<dl class="facts panel">${fact(frame, 'state', badge(frame, saga.status))}
${fact(frame, 'subject', subject)}${fact(frame, 'steps', `${saga.stepsCompleted} / ${saga.totalSteps}`)}
${fact(frame, 'started', moment(frame, saga.createdAt))}
${saga.finishedAt === null ? deadlineOf(frame, saga) : fact(frame, 'ended', moment(frame, saga.finishedAt))}
${tried?.system ? fact(frame, 'speaksTo', html`<code>${tried.system}</code>`) : ''}${tried?.nextBy ? fact(frame, 'nextAttempt', moment(frame, tried.nextBy.toISOString())) : ''}
${fact(frame, 'requestedBy', html`<bdi>${saga.requestedBy}</bdi>${saga.onBehalfOf === null ? '' : html` (<bdi>${saga.onBehalfOf}</bdi>)`}`)}
${saga.requestId === null ? '' : fact(frame, 'request', html`<code>${saga.requestId}</code>`)}
${waiting ? fact(frame, 'waits', html`<code>${waiting.step}</code> ${say(frame, 'until')} ${moment(frame, waiting.until)}`) : ''}
${saga.pausedBy === null ? '' : fact(frame, 'pausedBy', html`<bdi>${saga.pausedBy.by}</bdi> ${say(frame, 'sinceText')} ${moment(frame, saga.pausedBy.since)}${saga.pausedBy.reason === null ? '' : html`: <bdi>${saga.pausedBy.reason}</bdi>`} (<code>${saga.pausedBy.subject}</code>)`)}
${saga.retryOf === null ? '' : fact(frame, 'retryOf', sagaLink(frame, saga.retryOf, saga.retryOf))}
${saga.notes === null ? '' : fact(frame, 'notes', html`<bdi>${saga.notes}</bdi>`)}
<div><dt>ID</dt><dd><code>${saga.id}</code></dd></div></dl>`;
}

/** What waits for a person has no deadline, and for one that is past nothing waits. */
const deadlineOf = (frame: Frame, { status, deadlineAt }: SagaFacts): Html =>
  status === 'parked' || new Date(deadlineAt) <= frame.now
    ? html``
    : fact(frame, 'deadline', moment(frame, deadlineAt));

/** Their names, what they ask for, and whether they go on or give up. */
export const HANDS: Readonly<
  Record<SagaHand, { readonly word: Word; readonly reason: Word; readonly tone: 'yes' | 'no' }>
> = {
  retry: { word: 'retry', reason: 'retryReason', tone: 'yes' },
  'retry-now': { word: 'retryNow', reason: 'retryReason', tone: 'yes' },
  skip: { word: 'skipStep', reason: 'skipReason', tone: 'no' },
  amend: { word: 'amend', reason: 'amendReason', tone: 'no' },
  resume: { word: 'resume', reason: 'reason', tone: 'yes' },
  pause: { word: 'pause', reason: 'reason', tone: 'no' },
  cancel: { word: 'cancelSaga', reason: 'reason', tone: 'no' },
  resolve: { word: 'resolve', reason: 'resolveReason', tone: 'no' },
};

function handsOf(frame: Frame, saga: SagaFacts, hands: readonly SagaHand[]): Html {
  const { id, pausedBy } = saga;
  const parked = parkedAt(saga);
  const refused = saga.ifResolved?.refused;
  const form = (hand: SagaHand): Html => {
    const { word, reason, tone } = HANDS[hand];
    return html`<form method="post" action="${frame.prefix}/console/sagas/${encodeURIComponent(id)}/${hand}" class="act"><input type="hidden" name="key" value="${newId('press')}">${hand === 'resume' ? html`<input type="hidden" name="hold" value="${pausedBy?.holdId ?? ''}">` : ''}${hand === 'retry' ? startsOf(frame, saga) : ''}${hand === 'amend' ? saga.amendable.map((field) => html`<label><code>${field}</code> <input name="input.${field}" maxlength="1000"></label>`) : ''}${hand === 'skip' ? html`<input type="hidden" name="step" value="${parked?.name ?? ''}"><p><code>${parked?.name}</code>: ${inEnglish(parked?.ifSkipped ?? '')}</p>` : ''}${hand === 'resolve' && saga.ifResolved ? resolutionOf(frame, saga.ifResolved) : ''}
<label>${say(frame, reason)} <input name="reason" required maxlength="500"></label><button class="${tone}">${say(frame, word)}</button></form>`;
  };
  return html`<section class="panel" aria-labelledby="hands"><h2 id="hands">${say(frame, 'hands')}</h2>${hands.map(form)}${refused === null || refused === undefined ? '' : notResolved(frame, refused)}</section>`;
}

/** The step at which it stands, of its undoing where it is being undone. */
export function parkedAt({ steps, currentStep }: Pick<SagaFacts, 'steps' | 'currentStep'>): SagaStep | undefined {
  const isUndoing = steps.some(({ direction }) => direction !== 'forward');
  return steps.find(({ step, direction }) => step === currentStep && (direction !== 'forward') === isUndoing);
}

/** From which steps a retry may go on, where there is a choice: reads may be done once more. */
function startsOf(frame: Frame, saga: SagaFacts): Html {
  const at = parkedAt(saga);
  const before = saga.steps.filter(
    (step) => at?.direction === 'forward' && step.direction === 'forward' && step.step < at.step,
  );
  const again = before.slice(before.findLastIndex(({ readsAgain }) => !readsAgain) + 1);
  if (again.length === 0) return html``;
  const starts = [...again.toReversed()];
  return html`<label>${say(frame, 'retryFrom')} <select name="from"><option value="">${at?.name}</option>${starts.map(({ name }) => html`<option>${name}</option>`)}</select></label>
`;
}

function amendmentsOf(frame: Frame, { amendments }: SagaFacts): Html {
  return html`<section class="panel" aria-labelledby="amendments"><h2 id="amendments">${say(frame, 'amendments')}</h2><ul class="rows">${amendments.map(
    ({ step, fields, by, at, reason }) =>
      html`<li>${moment(frame, at)} <bdi>${by}</bdi> (<code>${step}</code>)${reason === null ? '' : html`: <bdi>${reason}</bdi>`}<div lang="en" dir="ltr">${treeOf(fields)}</div></li>`,
  )}</ul></section>`;
}

/** From the first beginning to the last end, in milliseconds of the epoch. */
interface Scale {
  readonly fromMs: number;
  readonly lengthMs: number;
  readonly nowMs: number;
}
function scaleOf({ createdAt, steps }: SagaFacts, now: Date): Scale {
  const endOf = ({ startedAt, endedAt }: SagaStep): number =>
    endedAt === null ? (startedAt === null ? 0 : now.getTime()) : Date.parse(endedAt);
  const fromMs = Math.min(
    Date.parse(createdAt),
    ...steps.flatMap(({ startedAt }) => (startedAt === null ? [] : [Date.parse(startedAt)])),
  );
  const toMs = Math.max(fromMs + 1, ...steps.map(endOf));
  return { fromMs, lengthMs: toMs - fromMs, nowMs: now.getTime() };
}

/** Each step with its undo below it. */
function stepsOf(frame: Frame, saga: SagaFacts): Html {
  const scale = scaleOf(saga, frame.now);
  const forward = saga.steps.filter(({ direction }) => direction === 'forward');
  const undone = Map.groupBy(
    saga.steps.filter(({ direction }) => direction !== 'forward'),
    ({ step }) => step,
  );
  return html`<section class="panel" aria-labelledby="steps"><h2 id="steps">${say(frame, 'steps')}</h2><p class="soft">${say(frame, 'timeOfSteps')} (${duration(scale.lengthMs)})</p>
<ol class="waterfall">${forward.map(
    (step) =>
      html`<li>${stepOf(frame, step, scale)}${(undone.get(step.step) ?? []).map((undo) => html`<div class="undo">${stepOf(frame, undo, scale)}</div>`)}</li>`,
  )}</ol></section>`;
}

function stepOf(frame: Frame, step: SagaStep, scale: Scale): Html {
  const { name, direction, attempts, maxAttempts, durationMs, kind, waitsUntil, error, skipped } = step;
  return html`<div class="step"><span class="name">${direction === 'forward' ? html`<span class="soft">${step.step}.</span>` : html`<span class="badge warn">${say(frame, 'undo')}</span>`} <bdi lang="en">${name}</bdi></span>
<span>${stateOf(frame, step)}</span>${barOf(step, scale)}
<span class="soft">${durationMs === null ? '' : html`<bdi>${duration(durationMs)}</bdi>`}${attempts > 1 ? html` ${say(frame, 'attempts')}: ${attempts}/${maxAttempts}` : ''}${
    kind === 'wait' && waitsUntil !== null
      ? html` ${say(frame, 'waits')} ${say(frame, 'until')} ${moment(frame, waitsUntil)}`
      : ''
  }</span></div>${skipped === null ? '' : html`<p class="soft">${say(frame, 'skippedBy')} <bdi>${skipped.by}</bdi>${skipped.reason === null ? '' : html`: <bdi>${skipped.reason}</bdi>`}</p>`}${isNothing(error) ? '' : html`<div class="failure" lang="en" dir="ltr">${treeOf(error)}</div>`}`;
}

/** A step is not accepted, as a saga is: it has not begun, or was tried and is tried again. */
const stateOf = (frame: Frame, { status, attempts }: SagaStep): Html =>
  status === 'pending'
    ? html`<span class="badge ${attempts > 0 ? 'warn' : ''}">${say(frame, attempts > 0 ? 'triedAgain' : 'notBegun')}</span>`
    : badge(frame, status);

const isNothing = (error: unknown): boolean => error === null || error === undefined;
const WIDTH = 1_000;
/** So much is seen of a step that took no time. */
const LEAST = 6;

/** Drawn by attributes: a style of an element would need more of the page's policy. Time runs from left to right. */
function barOf({ startedAt, endedAt, status, kind }: SagaStep, { fromMs, lengthMs, nowMs }: Scale): Html {
  if (startedAt === null) return html`<svg class="lane" viewBox="0 0 ${WIDTH} 12" aria-hidden="true"></svg>`;
  const place = (ms: number): number => Math.round(((ms - fromMs) / lengthMs) * WIDTH);
  const x = Math.max(0, Math.min(WIDTH - LEAST, place(Date.parse(startedAt))));
  const end = place(endedAt === null ? nowMs : Date.parse(endedAt));
  const width = Math.min(WIDTH - x, Math.max(LEAST, end - x));
  const tone = status === 'failed' ? 'stopped' : kind === 'wait' ? 'wait' : 'run';
  return html`<svg class="lane" viewBox="0 0 ${WIDTH} 12" preserveAspectRatio="none" aria-hidden="true"><rect class="${tone}" x="${x}" y="1" width="${width}" height="10" rx="2"></rect></svg>`;
}
