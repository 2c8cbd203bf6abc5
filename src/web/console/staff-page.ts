import { html } from 'hono/html';
import { newId } from '../../kernel/ids.ts';
import type { Html } from '../layout.ts';
import { type Content, codeWords, type Frame, say } from './frame.ts';
import { badge, choice, fact, moment, pager, staffLink, table, taskLink } from './parts.ts';

/** Who works here: their tasks of the next days, and their absence with what becomes of these. */

export interface StaffRow {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly phone: string | null;
  readonly skills: readonly string[];
  readonly active: boolean;
}
interface WorkRow {
  readonly id: string;
  readonly type: string;
  readonly title: string;
  readonly status: string;
  readonly startsAt: string;
  readonly assigneeId: string | null;
}
interface LeaveRow {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string | null;
}
export interface StaffList {
  readonly rows: readonly StaffRow[];
  readonly filter: { readonly role: string | undefined; readonly active: string | undefined };
  readonly next: string | null;
  readonly isFirst: boolean;
  /** With the filter. */
  readonly address: string;
}
export interface StaffView {
  readonly person: StaffRow;
  /** Null: not for this reader. */
  readonly tasks: readonly WorkRow[] | null;
  readonly leave: readonly LeaveRow[] | null;
  readonly mayEnterLeave: boolean;
  readonly mayTakeBack: boolean;
  /** The day on the agency's clock. */
  readonly today: string;
  /** What the absence that was just entered has set free; null: none was. */
  readonly released: { readonly tasks: readonly WorkRow[]; readonly more: boolean } | null;
  readonly problem: Html | null;
  readonly told: Html | string | null;
}

const STAFF_ROLES = ['CLEANER', 'MAINTENANCE_STAFF', 'AGENT'] as const;

export const staffListPage = (frame: Frame, { rows, filter, next, isFirst, address }: StaffList): Content => ({
  title: say(frame, 'staff'),
  page: 'staff',
  body: html`<form class="filter" method="get" action="${frame.prefix}/console/staff">${choice(frame, 'role', 'role', STAFF_ROLES, filter.role)}<button class="no">${say(frame, 'show')}</button></form>
${
  rows.length === 0
    ? html`<p class="empty">${say(frame, 'noStaff')}</p>`
    : table(
        frame,
        ['name', 'role', 'skills', 'active'],
        rows.map(({ id, name, role, skills, active }) => [
          staffLink(frame, id, name),
          codeWords(frame, role),
          html`<bdi>${skills.join(', ')}</bdi>`,
          say(frame, active ? 'yes' : 'no'),
        ]),
      )
}
${pager(frame, address, next, isFirst)}`,
});

export const staffPage = (frame: Frame, view: StaffView): Content => {
  const { person, tasks, leave, released, problem, told } = view;
  return {
    title: person.name,
    page: 'staff',
    problem,
    told,
    body: html`${released === null ? '' : releasedOf(frame, released)}
<dl class="facts panel">${fact(frame, 'role', codeWords(frame, person.role))}
${fact(frame, 'active', say(frame, person.active ? 'yes' : 'no'))}
${person.phone === null ? '' : fact(frame, 'phone', html`<bdi dir="ltr">${person.phone}</bdi>`)}
${person.skills.length === 0 ? '' : fact(frame, 'skills', html`<bdi>${person.skills.join(', ')}</bdi>`)}
<div><dt>ID</dt><dd><code>${person.id}</code></dd></div></dl>
${leave === null ? '' : absenceOf(frame, view, leave)}
${tasks === null ? '' : html`<section class="panel" aria-labelledby="work"><h2 id="work">${say(frame, 'tasksAhead')}</h2>${tasks.length === 0 ? html`<p class="soft">${say(frame, 'noTasks')}</p>` : html`<ul class="rows">${tasks.map((task) => workOf(frame, task))}</ul>`}</section>`}`,
  };
};

const workOf = (frame: Frame, { id, type, title, status, startsAt }: WorkRow): Html =>
  html`<li>${codeWords(frame, type)} ${taskLink(frame, id, title)} ${badge(frame, status)} ${moment(frame, startsAt)}</li>`;

function absenceOf(frame: Frame, view: StaffView, leave: readonly LeaveRow[]): Html {
  const { person, today } = view;
  const at = `${frame.prefix}/console/staff/${encodeURIComponent(person.id)}`;
  const key = html`<input type="hidden" name="key" value="${newId('press')}">`;
  const isNow = ({ from, to }: LeaveRow): boolean => new Date(from) <= frame.now && frame.now < new Date(to);
  return html`<section class="panel" aria-labelledby="absence"><h2 id="absence">${say(frame, 'absence')}</h2>
${
  view.mayEnterLeave
    ? html`<p class="soft">${say(frame, 'absentText')}</p><form method="post" action="${at}/leave" class="act">${key}<label>${say(frame, 'firstDay')} <input type="date" name="from" value="${today}" required></label>
<label>${say(frame, 'lastDay')} <input type="date" name="to" value="${today}" required></label><label>${say(frame, 'reason')} <input name="reason" maxlength="500" value="${say(frame, 'ill')}"></label><button>${say(frame, 'markAbsent')}</button></form>`
    : ''
}
${
  leave.length === 0
    ? html`<p class="soft">${say(frame, 'noLeave')}</p>`
    : html`<ul class="rows">${leave.map(
        (row) =>
          html`<li class="${isNow(row) ? 'warn' : ''}">${isNow(row) ? html`<strong class="badge warn">${say(frame, 'isAbsent')}</strong> ` : ''}${moment(frame, row.from)} – ${moment(frame, row.to)}${row.reason === null ? '' : html` <bdi class="soft">${row.reason}</bdi>`}${
            view.mayTakeBack && new Date(row.to) > frame.now
              ? html`<form method="post" action="${at}/return" class="act"><input type="hidden" name="key" value="${newId('press')}"><input type="hidden" name="leave" value="${row.id}"><button class="no">${say(frame, 'backAtWork')}</button></form>`
              : ''
          }</li>`,
      )}</ul>`
}</section>`;
}

const releasedOf = (frame: Frame, { tasks, more }: NonNullable<StaffView['released']>): Html =>
  html`<section class="panel" aria-labelledby="released"><h2 id="released">${say(frame, tasks.length === 0 ? 'noneReleased' : 'released')}</h2>${
    tasks.length === 0
      ? ''
      : html`<ul class="rows">${tasks.map(
          ({ id, type, title, startsAt, assigneeId }) =>
            html`<li class="${assigneeId === null ? 'bad' : ''}">${codeWords(frame, type)} ${taskLink(frame, id, title)} ${moment(frame, startsAt)}: ${
              assigneeId === null
                ? html`<span class="late">${say(frame, 'stillSought')}</span>`
                : html`${say(frame, 'takenBy')} ${staffLink(frame, assigneeId, assigneeId)}`
            }</li>`,
        )}</ul>${more ? html`<p class="soft">${say(frame, 'moreReleased')}</p>` : ''}`
  }</section>`;
