import { html } from 'hono/html';
import type { Html } from '../layout.ts';
import { type Content, codeWords, type Frame, inEnglish, say } from './frame.ts';
import { badge, moment, money, table } from './parts.ts';
import type { Word } from './words-en.ts';

/** What an act would do, before anybody does it: the dry run of the API in sentences and tables. */

interface Rule {
  readonly name: string;
  readonly version: number | null;
  readonly percent: number | null;
  readonly payoutPolicy: string | null;
  readonly bornBy: string | null;
}
type Value = string | number | boolean | null;
interface Booking {
  readonly kind: 'BOOKING';
  readonly party: string;
  readonly partyId: string | null;
  readonly what: string;
  readonly amount: number;
  readonly currency: string;
  readonly rule: Rule | null;
}
interface PlannedTransaction {
  readonly kind: 'TRANSACTION';
  readonly type: string | null;
  readonly status: string | null;
  readonly becomes: string | null;
  readonly amount: number;
  readonly outstanding: number;
  readonly currency: string;
  readonly scheduledFor: string | null;
  readonly rule: Rule | null;
}
interface PlannedTask {
  readonly change: string;
  readonly type: string | null;
  readonly status: string | null;
  readonly becomes: string | null;
  readonly assigneeId: string | null;
  readonly startsAt: string | null;
  readonly endsAt: string | null;
  readonly mustFinishBy: string | null;
}
interface PlannedMessage {
  readonly change: string;
  readonly event: string | null;
  readonly channel: string | null;
  readonly recipientType: string | null;
  readonly recipientId: string | null;
  readonly dueAt: string | null;
  readonly reason: string | null;
  readonly words: { readonly locale: string; readonly subject: string | null; readonly text: string } | null;
}
export interface ShownPlan {
  readonly steps: readonly { readonly saga: string; readonly step: string; readonly outcome: string }[];
  readonly changes: readonly {
    readonly resource: string;
    readonly field: string;
    readonly from: Value;
    readonly to: Value;
  }[];
  readonly tasks: readonly PlannedTask[];
  readonly money: readonly (Booking | PlannedTransaction)[];
  readonly messages: readonly PlannedMessage[];
  readonly calls: readonly {
    readonly to: string;
    readonly act: string;
    readonly amount: number | null;
    readonly currency: string | null;
    readonly about: string | null;
  }[];
  readonly warnings: readonly string[];
}
export interface PlanView {
  readonly act: Word;
  /** Whose stay, and where; or which task. */
  readonly about: string;
  readonly input: Readonly<Record<string, string>>;
  readonly plan: ShownPlan;
  /** The form that does it. */
  readonly sure: Html;
  /** The page that it was asked on, below the prefix. */
  readonly back: string;
}

export const planPage = (frame: Frame, { act, about, input, plan, sure, back }: PlanView): Content => ({
  title: `${say(frame, act)}: ${about}`,
  page: 'today',
  body: html`<p class="notice">${say(frame, 'planText')}</p>
${inputOf(frame, input)}
${plan.warnings.length === 0 ? '' : section(frame, 'planWarnings', html`<ul>${plan.warnings.map((code) => html`<li>${codeWords(frame, code)}</li>`)}</ul>`)}
${isEmpty(plan) ? html`<p class="empty">${say(frame, 'planNothing')}</p>` : partsOf(frame, plan)}
${plan.steps.length === 0 ? '' : html`<details class="panel"><summary>${say(frame, 'planSteps')}</summary><ol>${plan.steps.map(({ saga, step, outcome }) => html`<li><code>${saga}.${step}</code>${outcome === 'done' ? '' : html` ${badge(frame, outcome)}`}</li>`)}</ol></details>`}
${sure}
<p><a class="button" href="${frame.prefix}${back}">${say(frame, 'doNot')}</a></p>`,
});

const isEmpty = ({ changes, tasks, money: sums, messages, calls }: ShownPlan): boolean =>
  [changes, tasks, sums, messages, calls].every((part) => part.length === 0);

const section = (frame: Frame, word: Word, content: Html): Html =>
  html`<section class="panel" aria-labelledby="${word}"><h2 id="${word}">${say(frame, word)}</h2>${content}</section>`;

const INPUT_WORDS: readonly (readonly [name: string, word: Word])[] = [
  ['amount', 'amount'],
  ['gatewayId', 'gateway'],
  ['gatewayReference', 'cardToken'],
  ['paymentMethod', 'method'],
  ['reason', 'reason'],
  ['bearer', 'bearer'],
  ['notes', 'notes'],
  ['assignTo', 'assignTo'],
];
/** As it was typed; of a token its end. */
function inputOf(frame: Frame, input: PlanView['input']): Html {
  const rows = INPUT_WORDS.flatMap(([name, word]) => {
    const value = input[name];
    if (value === undefined) return [];
    if (name === 'amount')
      return [[word, html`<bdi class="number">${input['currency'] ?? ''} ${value}</bdi>`] as const];
    if (name === 'bearer') return [[word, codeWords(frame, value)] as const];
    return [[word, html`<bdi>${name === 'gatewayReference' ? `…${value.slice(-4)}` : value}</bdi>`] as const];
  });
  if (rows.length === 0) return html``;
  return html`<dl class="facts panel">${rows.map(([word, value]) => html`<div><dt>${say(frame, word)}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function partsOf(frame: Frame, plan: ShownPlan): Html {
  const bookings = plan.money.filter((row) => row.kind === 'BOOKING');
  const transactions = plan.money.filter((row) => row.kind === 'TRANSACTION');
  const unlessNone = (word: Word, rows: readonly unknown[], content: () => Html): Html =>
    rows.length === 0 ? html`` : section(frame, word, content());
  return html`${unlessNone('planChanges', plan.changes, () => changesOf(frame, plan.changes))}
${unlessNone('planMoney', bookings, () => bookingsOf(frame, bookings))}
${unlessNone('planTransactions', transactions, () => transactionsOf(frame, transactions))}
${unlessNone('planTasks', plan.tasks, () => tasksOf(frame, plan.tasks))}
${unlessNone('planMessages', plan.messages, () => messagesOf(frame, plan.messages))}
${unlessNone('planCalls', plan.calls, () => callsOf(frame, plan.calls))}`;
}

const INSTANT = /^\d{4}-\d\d-\d\dT/;
function shown(frame: Frame, value: Value): Html {
  if (value === null) return html`–`;
  if (typeof value === 'string') return INSTANT.test(value) ? moment(frame, value) : codeWords(frame, value);
  return html`<bdi>${String(value)}</bdi>`;
}

const changesOf = (frame: Frame, changes: ShownPlan['changes']): Html =>
  table(
    frame,
    ['what', 'was', 'becomes'],
    changes.map(({ resource, field, from, to }) => [
      html`${codeWords(frame, resource)}: ${codeWords(frame, field)}`,
      shown(frame, from),
      html`<strong>${shown(frame, to)}</strong>`,
    ]),
  );

/** Which rule an amount follows, with its part and the version of the terms. */
function ruleOf(frame: Frame, rule: Rule | null): Html {
  if (rule === null) return html`–`;
  const { name, percent, version, payoutPolicy, bornBy } = rule;
  return html`${codeWords(frame, name)}${percent === null ? '' : html` <bdi>${percent} %</bdi>`}${
    payoutPolicy === null ? '' : html`, ${codeWords(frame, payoutPolicy)}`
  }${bornBy === null ? '' : html`, ${codeWords(frame, bornBy)}`}${
    version === null ? '' : html` <span class="soft">(${say(frame, 'version2')} ${version})</span>`
  }`;
}

const bookingsOf = (frame: Frame, rows: readonly Booking[]): Html =>
  table(
    frame,
    ['party', 'what', 'amount', 'rule'],
    rows.map(({ party, partyId, what, amount, currency, rule }) => [
      html`${codeWords(frame, party)}${partyId === null ? '' : html` <bdi class="soft">${partyId}</bdi>`}`,
      codeWords(frame, what),
      money(amount, currency),
      ruleOf(frame, rule),
    ]),
  );

const transactionsOf = (frame: Frame, rows: readonly PlannedTransaction[]): Html =>
  table(
    frame,
    ['kind', 'amount', 'outstanding', 'was', 'becomes', 'when', 'rule'],
    rows.map(({ type, amount, outstanding, currency, status, becomes, scheduledFor, rule }) => [
      shown(frame, type),
      money(amount, currency),
      money(outstanding, currency),
      status === null ? say(frame, 'isNew') : badge(frame, status),
      becomes === null ? '–' : badge(frame, becomes),
      scheduledFor === null ? '–' : moment(frame, scheduledFor),
      ruleOf(frame, rule),
    ]),
  );

const tasksOf = (frame: Frame, tasks: readonly PlannedTask[]): Html =>
  table(
    frame,
    ['change', 'kind', 'when', 'finishedBy', 'who', 'state'],
    tasks.map(({ change, type, startsAt, endsAt, mustFinishBy, assigneeId, becomes }) => [
      html`<strong>${codeWords(frame, change)}</strong>`,
      shown(frame, type),
      html`${shown(frame, startsAt)}${endsAt === null ? '' : html` – ${moment(frame, endsAt)}`}`,
      shown(frame, mustFinishBy),
      assigneeId === null ? say(frame, 'nobodyHasIt') : html`<bdi>${assigneeId}</bdi>`,
      becomes === null ? '–' : badge(frame, becomes),
    ]),
  );

const messagesOf = (frame: Frame, messages: readonly PlannedMessage[]): Html =>
  html`<ul class="rows">${messages.map(
    ({ change, event, channel, recipientType, recipientId, dueAt, reason, words }) =>
      html`<li><strong>${codeWords(frame, change)}</strong>: ${shown(frame, event)}, ${say(frame, 'recipient')} ${shown(frame, recipientType)}${recipientId === null ? '' : html` <bdi>${recipientId}</bdi>`}, ${shown(frame, channel)}, ${
        dueAt === null || new Date(dueAt) <= frame.now ? say(frame, 'atOnce') : moment(frame, dueAt)
      }${reason === null ? '' : html` <span class="soft">${inEnglish(reason)}</span>`}${
        words === null
          ? ''
          : html`<details><summary>${say(frame, 'theWords')}<span class="hidden">: ${shown(frame, event)}</span></summary><div class="letter" lang="${words.locale}" dir="auto">${words.subject === null ? '' : html`<strong>${words.subject}</strong>\n\n`}${words.text}</div></details>`
      }</li>`,
  )}</ul>`;

const callsOf = (frame: Frame, calls: ShownPlan['calls']): Html =>
  html`<ul class="rows">${calls.map(
    ({ to, act, amount, currency, about }) =>
      html`<li><bdi>${to}</bdi>: ${codeWords(frame, act)}${amount === null || currency === null ? '' : html` ${money(amount, currency)}`}${about === null ? '' : html` <bdi class="soft">${about}</bdi>`}</li>`,
  )}</ul>`;
