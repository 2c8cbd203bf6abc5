import { html } from 'hono/html';
import type { Html } from '../layout.ts';
import { planField } from './acts.ts';
import { type Content, codeWords, type Frame, say } from './frame.ts';
import { badge, fact, moment, staffLink, stayLink } from './parts.ts';

/** One task: what it is, who has it and why, and to whom it can be given. */

export interface TaskFacts {
  readonly id: string;
  readonly type: string;
  readonly title: string;
  readonly description: string | null;
  readonly status: string;
  readonly priority: string;
  readonly assigneeId: string | null;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly mustFinishBy: string | null;
  readonly acceptBy: string | null;
  readonly acceptedAt: string | null;
  readonly reservationId: string | null;
  readonly propertyId: string;
}
export interface Choice {
  readonly decidedAt: string;
  readonly candidates: readonly {
    readonly staffId: string;
    readonly total: number;
    readonly travelKm: number | null;
    readonly tasksThatDay: number;
  }[];
  readonly excluded: readonly {
    readonly reason: string;
    readonly count: number;
    readonly staffIds: readonly string[] | null;
  }[];
}
export interface TaskView {
  readonly task: TaskFacts;
  readonly propertyName: string | null;
  /** How the system saw it last; null: not yet, or not for this reader. */
  readonly choice: Choice | null;
  readonly refusals: readonly { readonly staffId: string; readonly reason: string; readonly at: string }[];
  /** Who does such work; null: not for this reader. */
  readonly people: readonly { readonly id: string; readonly name: string }[] | null;
  readonly mayAssign: boolean;
  readonly mayOpenStay: boolean;
  /** The day that the reader came from. */
  readonly date: string | null;
  readonly problem: Html | null;
  readonly told: Html | null;
}
type NameOf = (id: string) => string;

export function taskPage(frame: Frame, view: TaskView): Content {
  const { task, people, problem, told } = view;
  const names = new Map(people?.map(({ id, name }) => [id, name]));
  const nameOf: NameOf = (id) => names.get(id) ?? id;
  return {
    title: `${say(frame, 'task')} ${task.title}`,
    page: 'today',
    problem,
    told,
    body: html`${factsOf(frame, view, nameOf)}
${view.mayAssign && CAN_GO.has(task.status) ? assignForm(frame, view, nameOf) : ''}
${people === null ? '' : choiceOf(frame, view, nameOf)}`,
  };
}

/** Before anybody works on it. */
const CAN_GO: ReadonlySet<string> = new Set(['UNASSIGNED', 'ASSIGNED']);

function factsOf(frame: Frame, { task, propertyName, people, mayOpenStay }: TaskView, nameOf: NameOf): Html {
  const { assigneeId, mustFinishBy, acceptBy, acceptedAt, reservationId } = task;
  const person =
    assigneeId === null
      ? html`<span class="late">${say(frame, 'nobodyHasIt')}</span>`
      : people?.some(({ id }) => id === assigneeId)
        ? staffLink(frame, assigneeId, nameOf(assigneeId))
        : html`<bdi>${assigneeId}</bdi>`;
  return html`<dl class="facts panel">${fact(frame, 'kind', codeWords(frame, task.type))}
${fact(frame, 'state', badge(frame, task.status))}${fact(frame, 'who', person)}
${fact(frame, 'when', html`${moment(frame, task.startsAt)} – ${moment(frame, task.endsAt)}`)}
${mustFinishBy === null ? '' : fact(frame, 'finishedBy', moment(frame, mustFinishBy))}
${fact(frame, 'property', html`<bdi>${propertyName ?? task.propertyId}</bdi>`)}
${reservationId === null ? '' : fact(frame, 'stay', mayOpenStay ? stayLink(frame, reservationId) : html`<code>${reservationId}</code>`)}
${acceptBy === null || acceptedAt !== null ? '' : fact(frame, 'until', moment(frame, acceptBy))}
${task.description === null ? '' : fact(frame, 'notes', html`<bdi>${task.description}</bdi>`)}
<div><dt>ID</dt><dd><code>${task.id}</code></dd></div></dl>`;
}

function assignForm(frame: Frame, { task, choice, people, date }: TaskView, nameOf: NameOf): Html {
  const best = (choice?.candidates ?? []).filter(({ staffId }) => staffId !== task.assigneeId);
  const known = new Set([task.assigneeId, ...best.map(({ staffId }) => staffId)]);
  const others = (people ?? []).filter(({ id }) => !known.has(id));
  const option = (id: string, text: string): Html => html`<option value="${id}">${text}</option>`;
  return html`<section class="panel" aria-labelledby="assign"><h2 id="assign">${say(frame, 'assign')}</h2>
<form method="post" action="${assignAddress(frame, task.id)}" class="act">${planField}${
    date === null ? '' : html`<input type="hidden" name="date" value="${date}">`
  }<label>${say(frame, 'assignTo')} <select name="assigneeId">${
    best.length === 0
      ? ''
      : html`<optgroup label="${say(frame, 'best')}">${best.map((person) => option(person.staffId, `${nameOf(person.staffId)} (${scoreOf(frame, person)})`))}</optgroup>`
  }${
    others.length === 0
      ? ''
      : html`<optgroup label="${say(frame, 'othersOfRole')}">${others.map(({ id, name }) => option(id, name))}</optgroup>`
  }${task.assigneeId === null ? '' : option('', say(frame, 'nobody'))}</select></label><button>${say(frame, 'seePlan')}</button></form></section>`;
}
export const assignAddress = ({ prefix }: Frame, taskId: string): string =>
  `${prefix}/console/tasks/${encodeURIComponent(taskId)}/assign`;

const scoreOf = (frame: Frame, { total, travelKm, tasksThatDay }: Choice['candidates'][number]): string =>
  [
    `${Math.round(total)} ${say(frame, 'points')}`,
    `${tasksThatDay} ${say(frame, 'tasksThatDay')}`,
    ...(travelKm === null ? [] : [`${travelKm.toFixed(1)} km`]),
  ].join(', ');

function choiceOf(frame: Frame, { choice, refusals }: TaskView, nameOf: NameOf): Html {
  return html`<section class="panel" aria-labelledby="why-who"><h2 id="why-who">${say(frame, 'whyWho')}</h2>${
    choice === null ? html`<p class="soft">${say(frame, 'notAskedYet')}</p>` : seenOf(frame, choice, nameOf)
  }${
    refusals.length === 0
      ? ''
      : html`<h3>${say(frame, 'hasRefused')}</h3><ul>${refusals.map(
          ({ staffId, reason, at }) =>
            html`<li>${staffLink(frame, staffId, nameOf(staffId))}: ${codeWords(frame, reason)}, ${moment(frame, at)}</li>`,
        )}</ul>`
  }</section>`;
}

const seenOf = (frame: Frame, { decidedAt, candidates, excluded }: Choice, nameOf: NameOf): Html =>
  html`<p class="soft">${say(frame, 'decidedAt')} ${moment(frame, decidedAt)}</p>
${
  candidates.length === 0
    ? ''
    : html`<ol>${candidates.map((person) => html`<li>${staffLink(frame, person.staffId, nameOf(person.staffId))}: ${scoreOf(frame, person)}</li>`)}</ol>`
}
${
  excluded.length === 0
    ? ''
    : html`<h3>${say(frame, 'notChosen')}</h3><ul>${excluded.map(
        ({ reason, count, staffIds }) =>
          html`<li>${codeWords(frame, reason)} (${count})${(staffIds ?? []).map((id, at) => html`${at === 0 ? ': ' : ', '}<bdi>${nameOf(id)}</bdi>`)}</li>`,
      )}</ul>`
}`;
