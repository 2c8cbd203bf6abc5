import { html } from 'hono/html';
import type { Day, DayProperty, DayStay, DayTask } from '../../domain/stays/day.ts';
import type { Html } from '../layout.ts';
import { actButton, actOfDay, type StayAct } from './acts.ts';
import { type Content, codeWords, type Frame, say } from './frame.ts';
import { incidentList, type ListedIncident } from './incidents-page.ts';
import { badge, dayName, money, staffLink, stayLink, timeOfDay } from './parts.ts';
import type { Word } from './words-en.ts';

/** One day of the office: who comes, who goes, who is in the house, and what is not as it should be. */

/** As the API tells it: codes are texts there. */
export type ShownTask = Omit<DayTask, 'type' | 'occurrence'> & { readonly type: string };
export type ShownStay = Omit<DayStay, 'tasks' | 'warnings' | 'parts'> & {
  readonly parts: readonly string[];
  readonly warnings: readonly string[];
  readonly tasks: readonly ShownTask[];
};
export type ShownProperty = Omit<DayProperty, 'stays'> & { readonly stays: readonly ShownStay[] };
export type ShownDay = Omit<Day, 'properties'> & { readonly properties: readonly ShownProperty[] };

export interface Today {
  readonly day: ShownDay;
  /** The day on the agency's clock. */
  readonly today: string;
  readonly propertyId: string | null;
  /** The properties that come first are on this page. */
  readonly isFirst: boolean;
  /** Null: they are not the reader's to see. */
  readonly incidents: readonly ListedIncident[] | null;
  readonly mayAct: (act: StayAct) => boolean;
  /** Whether the reader may open a stay. */
  readonly mayOpen: boolean;
  /** Whether the reader may give tasks to people, and open the pages of these. */
  readonly mayAssign: boolean;
  readonly mayOpenStaff: boolean;
  readonly problem: Html | null;
  readonly told: Html | null;
}

export function todayPage(frame: Frame, { problem, told, ...view }: Today): Content {
  const { day, incidents } = view;
  return {
    title: day.date === view.today ? say(frame, 'today') : dayName(frame.language, day.date),
    page: 'today',
    live: { about: 'day' },
    problem,
    told,
    body: html`${dayChooser(frame, view)}
${incidents === null || incidents.length === 0 ? '' : html`<section aria-labelledby="incidents" class="panel"><h2 id="incidents">${say(frame, 'openIncidents')}</h2>${incidentList(frame, incidents)}</section>`}
${countsOf(frame, day.counts)}
${day.complete ? '' : html`<p class="notice">${say(frame, 'incomplete')}</p>`}
${
  day.properties.length === 0
    ? html`<p class="empty">${say(frame, 'nobodyToday')}</p>`
    : day.properties.map((property) => propertyOf(frame, property, view))
}
${moreOf(frame, view)}`,
  };
}

type View = Omit<Today, 'problem' | 'told'>;

const addressOf = ({ prefix }: Frame, date: string, propertyId: string | null): string =>
  `${prefix}/console/today?date=${date}${propertyId === null ? '' : `&propertyId=${encodeURIComponent(propertyId)}`}`;

function dayChooser(frame: Frame, { day, today, propertyId }: View): Html {
  const to = (days: number): string => {
    const at = new Date(`${day.date}T00:00:00Z`);
    at.setUTCDate(at.getUTCDate() + days);
    return addressOf(frame, at.toISOString().slice(0, 10), propertyId);
  };
  return html`<p class="soft">${dayName(frame.language, day.date)}</p>
<form class="filter" method="get" action="${frame.prefix}/console/today"><a class="button" rel="prev" href="${to(-1)}">${say(frame, 'dayBefore')}</a>
${day.date === today ? '' : html`<a class="button" href="${addressOf(frame, today, propertyId)}">${say(frame, 'thisDay')}</a>`}
<a class="button" rel="next" href="${to(1)}">${say(frame, 'dayAfter')}</a>
<label>${say(frame, 'date')} <input type="date" name="date" value="${day.date}" required></label>${
    propertyId === null ? '' : html`<input type="hidden" name="propertyId" value="${propertyId}">`
  }<button class="no">${say(frame, 'show')}</button>${
    propertyId === null
      ? ''
      : html`<a class="button" href="${addressOf(frame, day.date, null)}">${say(frame, 'all')}</a>`
  }</form>`;
}

function moreOf(frame: Frame, { day, propertyId, isFirst }: View): Html {
  if (isFirst && day.nextAfter === null) return html``;
  const at = addressOf(frame, day.date, propertyId);
  return html`<p class="pager">${isFirst ? '' : html`<a href="${at}">${say(frame, 'firstProperties')}</a>`} ${
    day.nextAfter === null
      ? ''
      : html`<a rel="next" href="${at}&after=${encodeURIComponent(day.nextAfter)}">${say(frame, 'moreProperties')}</a>`
  }</p>`;
}

const COUNTS = [
  'arrivals',
  'departures',
  'inHouse',
  'turnovers',
  'toConfirm',
  'late',
  'unassigned',
  'notReady',
] as const;
const IS_WRONG: ReadonlySet<Word> = new Set(['late', 'unassigned', 'notReady']);

const countsOf = (frame: Frame, counts: Day['counts']): Html =>
  html`<dl class="counts">${COUNTS.map((name) => {
    const count = counts[name];
    return count === null
      ? ''
      : html`<div class="${IS_WRONG.has(name) && count > 0 ? 'bad' : ''}"><dt>${say(frame, name)}</dt><dd class="number">${count}</dd></div>`;
  })}</dl>`;

function propertyOf(frame: Frame, property: ShownProperty, view: View): Html {
  const { propertyId, name, readiness, isReady, isTurnover, stays, timeZone } = property;
  const there: Frame = { ...frame, timeZone };
  return html`<section class="property" aria-labelledby="at-${propertyId}"><div class="heading"><h2 id="at-${propertyId}"><bdi>${name}</bdi></h2>
<span class="badge ${isReady ? 'good' : 'warn'}">${codeWords(frame, readiness)}</span>${isTurnover ? html` <span class="badge warn">${say(frame, 'turnover')}</span>` : ''}${
    view.day.complete
      ? ''
      : html` <a href="${addressOf(frame, view.day.date, propertyId)}">${say(frame, 'oneProperty')}</a>`
  }</div>
<ul class="stays">${stays.map((stay) => stayOf(there, name, stay, view))}</ul></section>`;
}

function stayOf(frame: Frame, property: string, stay: ShownStay, view: View): Html {
  const { reservationId, status, warnings, guestName, guestCount } = stay;
  const act = actOfDay(stay);
  const who = guestName ?? reservationId;
  return html`<li id="day-${reservationId}" class="${warnings.length > 0 ? 'bad' : ''}"><div class="when">${whenOf(frame, stay)}</div>
<div class="about"><strong><bdi>${who}</bdi></strong>${guestCount === null ? '' : html` <span class="soft">${guestCount} ${say(frame, 'guests')}</span>`} ${badge(frame, status)}
${warnings.map((warning) => html` <strong class="badge bad">${codeWords(frame, warning)}</strong>`)}
${balanceOf(frame, stay)}${tasksOf(frame, stay.tasks, view)}</div>
<div class="acts">${
    act !== null && view.mayAct(act) ? actButton(frame, reservationId, act, `${who}, ${property}`, view.day.date) : ''
  }${view.mayOpen ? html`<span>${say(frame, 'openStay')}: ${stayLink(frame, reservationId)}</span>` : html`<code>${reservationId}</code>`}</div></li>`;
}

function whenOf(frame: Frame, { parts, arrivesAt, leavesAt }: ShownStay): Html {
  const arrives = parts.includes('ARRIVAL')
    ? html`<span>${say(frame, 'arrives')} ${timeOfDay(frame, arrivesAt)}</span>`
    : '';
  const leaves = parts.includes('DEPARTURE')
    ? html`<span>${say(frame, 'leaves')} ${timeOfDay(frame, leavesAt)}</span>`
    : '';
  return parts.includes('IN_HOUSE') ? html`<span>${say(frame, 'stays')}</span>` : html`${arrives} ${leaves}`;
}

function balanceOf(frame: Frame, { balanceDue, currency, paymentStatus }: ShownStay): Html {
  if (balanceDue === null) return html``;
  if (balanceDue === 0) return html`<p class="soft">${codeWords(frame, paymentStatus)}</p>`;
  return html`<p>${say(frame, 'balanceDue')}: ${money(balanceDue, currency)}</p>`;
}

function tasksOf(frame: Frame, tasks: readonly ShownTask[], view: View): Html {
  if (tasks.length === 0) return html``;
  return html`<ul class="tasks">${tasks.map((task) => {
    const { id, type, status, startsAt, endsAt, isLate } = task;
    const isWrong = isLate || status === 'UNASSIGNED';
    return html`<li class="${isWrong ? 'late' : ''}">${codeWords(frame, type)} ${timeOfDay(frame, startsAt)}–${timeOfDay(frame, endsAt)}: ${whoHas(frame, task, view)}${
      isLate ? html` (${say(frame, 'late')})` : ''
    }${isWrong && view.mayAssign && status !== 'IN_PROGRESS' ? html` <a href="${frame.prefix}/console/tasks/${encodeURIComponent(id)}?date=${view.day.date}">${say(frame, 'assign')}<span class="hidden">: ${codeWords(frame, type)}</span></a>` : ''}</li>`;
  })}</ul>`;
}

function whoHas(frame: Frame, { assigneeId, assigneeName, status }: ShownTask, view: View): Html {
  if (assigneeId === null) return html`${say(frame, 'nobodyHasIt')}`;
  // Whose name the reader is told, they may open.
  const who =
    assigneeName !== null && view.mayOpenStaff
      ? staffLink(frame, assigneeId, assigneeName)
      : html`<bdi>${assigneeName ?? assigneeId}</bdi>`;
  return html`${who}, ${codeWords(frame, status)}`;
}
