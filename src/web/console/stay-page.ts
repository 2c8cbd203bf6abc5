import { html } from 'hono/html';
import type { Html } from '../layout.ts';
import { ACT_WORDS, cancelForm, paymentForm, planButton, refundForm, STAY_ACTS, type StayAct } from './acts.ts';
import { type Content, codeWords, type Frame, inEnglish, say } from './frame.ts';
import { type MessageRow, messageTable } from './messages-page.ts';
import { badge, dayName, fact, moment, money, sagaLink, taskLink } from './parts.ts';
import { type Ahead, type Entry, timelineOf } from './timeline.ts';

/** One stay: its facts, what can be done with it, what happened and why, its money, tasks, messages and sagas. */

export interface StayFacts {
  readonly status: string;
  readonly checkInDate: string;
  readonly checkOutDate: string;
  readonly totalAmount: number;
  readonly currency: string;
  readonly paymentStatus: string;
  readonly refundStatus: string;
  readonly guestId: string | null;
  readonly guestCount: number | null;
  readonly propertyId: string;
  readonly notes: string | null;
  readonly cancelReason: string | null;
  readonly actualCheckInAt: string | null;
  readonly actualCheckOutAt: string | null;
  readonly actions: readonly {
    readonly action: string;
    readonly allowed: boolean;
    readonly reason: { readonly code: string; readonly message: string } | null;
  }[];
}
export interface MoneyRow {
  readonly id: string;
  readonly type: string;
  readonly status: string;
  readonly amount: number;
  readonly amountOutstanding: number;
  readonly currency: string;
  readonly createdAt: string;
  readonly errorCode: string | null;
}
export interface TaskRow {
  readonly id: string;
  readonly type: string;
  readonly title: string;
  readonly status: string;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly assigneeId: string | null;
}
export interface SagaRow {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly createdAt: string;
}

/** A part is null where the API does not show it to the reader. */
export interface StayView {
  readonly id: string;
  readonly facts: StayFacts | null;
  readonly propertyName: string | null;
  readonly guestName: string | null;
  /** In major units. */
  readonly balanceDue: number | null;
  readonly quote: { readonly amount: number; readonly currency: string; readonly percent: number } | null;
  readonly entries: readonly Entry[];
  readonly ahead: readonly Ahead[] | null;
  readonly now: string;
  /** The cursor of this page of the timeline, and of the next. */
  readonly cursor: string | null;
  readonly next: string | null;
  readonly money: readonly MoneyRow[] | null;
  readonly tasks: readonly TaskRow[] | null;
  readonly messages: readonly MessageRow[] | null;
  readonly sagas: readonly SagaRow[] | null;
  readonly mayOpenTask: boolean;
  /** By which a payment is taken. */
  readonly gateways: readonly string[];
  readonly mayAct: (act: StayAct) => boolean;
  readonly problem: Html | null;
  readonly told: Html | null;
}

export function stayPage(frame: Frame, view: StayView): Content {
  const { id, facts, propertyName, guestName, problem, told } = view;
  const named = [guestName, propertyName].filter((name) => name !== null);
  return {
    title: `${say(frame, 'stay')} ${named.length === 0 ? id : named.join(', ')}`,
    page: 'today',
    live: { about: 'stay', of: id },
    problem,
    told,
    body: html`${facts === null ? '' : factsOf(frame, view, facts)}
${facts === null ? '' : actionsOf(frame, view, facts)}
${timelineOf(frame, view)}
<div class="columns">${view.money === null ? '' : section(frame, 'money', moneyOf(frame, view.money))}
${view.tasks === null ? '' : section(frame, 'tasks', taskList(frame, view.tasks, view.mayOpenTask))}
${view.sagas === null ? '' : section(frame, 'sagas', sagaList(frame, view.sagas))}</div>
${view.messages === null ? '' : section(frame, 'messages', view.messages.length === 0 ? html`<p class="soft">${say(frame, 'noMessages')}</p>` : messageTable(frame, view.messages))}`,
  };
}

const section = (frame: Frame, name: 'money' | 'tasks' | 'sagas' | 'messages', content: Html): Html =>
  html`<section class="panel" aria-labelledby="${name}"><h2 id="${name}">${say(frame, name)}</h2>${content}</section>`;

function factsOf(frame: Frame, view: StayView, facts: StayFacts): Html {
  const { propertyName, guestName, balanceDue } = view;
  const { currency, guestId, guestCount } = facts;
  const day = (date: string, at: string | null): Html =>
    html`${dayName(frame.language, date)}${at === null ? '' : html` (${moment(frame, at)})`}`;
  return html`<dl class="facts panel">${fact(frame, 'state', badge(frame, facts.status))}
${fact(frame, 'property', html`<bdi>${propertyName ?? facts.propertyId}</bdi>`)}
${guestId === null ? '' : fact(frame, 'guest', html`<bdi>${guestName ?? guestId}</bdi>${guestCount === null ? '' : ` (${guestCount})`}`)}
${fact(frame, 'arrival', day(facts.checkInDate, facts.actualCheckInAt))}
${fact(frame, 'departure', day(facts.checkOutDate, facts.actualCheckOutAt))}
${fact(frame, 'total', money(facts.totalAmount, currency))}
${fact(frame, 'payment', codeWords(frame, facts.paymentStatus))}
${balanceDue === null ? '' : fact(frame, 'balanceDue', money(balanceDue, currency))}
${facts.refundStatus === 'NONE' ? '' : fact(frame, 'refund', badge(frame, facts.refundStatus))}
${facts.cancelReason === null ? '' : fact(frame, 'reason', html`<bdi>${facts.cancelReason}</bdi>`)}
${facts.notes === null ? '' : fact(frame, 'notes', html`<bdi>${facts.notes}</bdi>`)}
<div><dt>ID</dt><dd><code>${view.id}</code></dd></div></dl>`;
}

/** The acts that this page has, each with why it is not possible. */
function actionsOf(frame: Frame, view: StayView, facts: StayFacts): Html {
  const offered = STAY_ACTS.filter((act) => view.mayAct(act)).flatMap((act) => {
    const known = facts.actions.find(({ action }) => action === act);
    return known ? [{ ...known, act }] : [];
  });
  if (offered.length === 0) return html``;
  const allowed = offered.filter((action) => action.allowed).map(({ act }) => act);
  const refused = offered.filter((action) => !action.allowed);
  return html`<section class="panel" aria-labelledby="acts"><h2 id="acts">${say(frame, 'actions')}</h2>
${refused.some(({ reason }) => reason?.code === 'SAGA_IN_PROGRESS') ? runningOf(frame, view.sagas ?? []) : ''}
<div class="acts">${allowed
    .filter((act) => !HAS_FORM.has(act))
    .map((act) => planButton(frame, view.id, act, view.guestName ?? view.id))}</div>
${allowed.filter((act) => HAS_FORM.has(act)).map((act) => formOf(frame, view, facts, act))}
${
  refused.length === 0
    ? ''
    : html`<details><summary>${say(frame, 'notPossible')}</summary><ul>${refused.map(
        ({ act, reason }) =>
          html`<li>${say(frame, ACT_WORDS[act])}${reason === null ? '' : html`: ${inEnglish(reason.message)}`}</li>`,
      )}</ul></details>`
}</section>`;
}

const HAS_FORM: ReadonlySet<StayAct> = new Set(['cancel', 'payment', 'refunds']);
function formOf(frame: Frame, view: StayView, { currency }: StayFacts, act: StayAct): Html {
  if (act === 'payment')
    return paymentForm(frame, view.id, { currency, due: view.balanceDue, gateways: view.gateways });
  return act === 'refunds'
    ? refundForm(frame, view.id, currency)
    : cancelForm(frame, view.id, planOf(frame, view.quote));
}

const HAS_ENDED: ReadonlySet<string> = new Set(['completed', 'compensated', 'resolved']);
/** Which process keeps others out, and where it stands. */
function runningOf(frame: Frame, sagas: readonly SagaRow[]): Html {
  const running = sagas.filter(({ status }) => !HAS_ENDED.has(status));
  return running.length === 0 ? html`` : html`<h3>${say(frame, 'runsNow')}</h3>${sagaList(frame, running)}`;
}

const planOf = (frame: Frame, quote: StayView['quote']): Html | null =>
  quote && html`${say(frame, 'planFirst')} ${money(quote.amount, quote.currency)} (${quote.percent} %).`;

function moneyOf(frame: Frame, rows: readonly MoneyRow[]): Html {
  if (rows.length === 0) return html`<p class="soft">${say(frame, 'noMoney')}</p>`;
  return html`<table><thead><tr><th scope="col">${say(frame, 'kind')}</th><th scope="col">${say(frame, 'amount')}</th><th scope="col">${say(frame, 'state')}</th><th scope="col">${say(frame, 'when')}</th></tr></thead>
<tbody>${rows.map(
    ({ type, amount, currency, status, createdAt, errorCode }) =>
      html`<tr><td data-label="${say(frame, 'kind')}">${codeWords(frame, type)}</td><td data-label="${say(frame, 'amount')}">${money(amount, currency)}</td><td data-label="${say(frame, 'state')}">${badge(frame, status)}${errorCode === null ? '' : html` <code>${errorCode}</code>`}</td><td data-label="${say(frame, 'when')}">${moment(frame, createdAt)}</td></tr>`,
  )}</tbody></table>`;
}

const taskList = (frame: Frame, tasks: readonly TaskRow[], mayOpen: boolean): Html =>
  tasks.length === 0
    ? html`<p class="soft">${say(frame, 'noTasks')}</p>`
    : html`<ul class="rows">${tasks.map(
        ({ id, type, title, status, startsAt, assigneeId }) =>
          html`<li class="${status === 'UNASSIGNED' ? 'bad' : ''}"><strong>${codeWords(frame, type)}</strong> ${mayOpen ? taskLink(frame, id, title) : html`<bdi>${title}</bdi>`} ${badge(frame, status)} ${moment(frame, startsAt)}, ${
            assigneeId === null
              ? html`<span class="late">${say(frame, 'nobodyHasIt')}</span>`
              : html`<bdi>${assigneeId}</bdi>`
          }</li>`,
      )}</ul>`;

const sagaList = (frame: Frame, sagas: readonly SagaRow[]): Html =>
  sagas.length === 0
    ? html`<p class="soft">${say(frame, 'noSagas')}</p>`
    : html`<ul class="rows">${sagas.map(
        ({ id, name, status, createdAt }) =>
          html`<li class="${status === 'parked' ? 'bad' : ''}">${sagaLink(frame, id, name)} ${badge(frame, status)} ${moment(frame, createdAt)}</li>`,
      )}</ul>`;
