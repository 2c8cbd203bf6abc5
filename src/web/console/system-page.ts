import { html } from 'hono/html';
import type { DueState, KeptState, QueueState, ScheduleState, SealState } from '../../domain/incidents/overview.ts';
import type { LivingProcess } from '../../domain/incidents/processes.ts';
import { newId } from '../../kernel/ids.ts';
import type { Html } from '../layout.ts';
import { type Content, type Frame, inEnglish, say } from './frame.ts';
import { type HoldView, holdsPanel } from './holds-panel.ts';
import { keptPanel, sealsPanel } from './kept-panel.ts';
import { duration, moment, table } from './parts.ts';
import { type PausedQueue, queueForms } from './queue-forms.ts';

/** How the system stands: which programs are alive, what waits in the queues and in the books, and what the clock does. */

export interface SystemView {
  readonly version: string;
  readonly processes: readonly LivingProcess[];
  /** Null: the queues do not answer just now. */
  readonly queues: readonly QueueState[] | null;
  readonly schedules: readonly (ScheduleState & { readonly name: string | null })[];
  readonly mayRun: boolean;
  /** Those that stand, by whom; none while the queues do not answer. */
  readonly pausedQueues: readonly PausedQueue[];
  readonly mayPauseQueues: boolean;
  /** Null: nobody tells. */
  readonly kept: readonly KeptState[] | null;
  readonly seals: SealState | null;
  readonly due: readonly DueState[];
  /** What is paused; null: not for this reader. */
  readonly holds: readonly HoldView[] | null;
  readonly mayPause: boolean;
  readonly mayResume: boolean;
  readonly problem: Html | null;
  readonly told: Html | null;
}

export const systemPage = (
  frame: Frame,
  { version, processes, queues, schedules, due, holds, kept, seals, problem, told, ...may }: SystemView,
): Content => ({
  title: say(frame, 'system'),
  page: 'system',
  live: { about: 'system' },
  problem,
  told,
  body: html`<p class="soft">${say(frame, 'version')} <bdi>${version}</bdi></p>
${holds === null ? '' : holdsPanel(frame, holds, may)}
${section(frame, 'workers', processesOf(frame, processes))}
${section(frame, 'circuits', circuitsOf(frame, processes))}
${section(frame, 'queues', queues === null ? html`<p class="notice bad">${say(frame, 'queuesAway')}</p>` : html`${queuesOf(frame, queues)}${queueForms(frame, queues, may)}`)}
${section(frame, 'due', html`<p class="soft">${say(frame, 'dueText')}</p>${dueOf(frame, due)}`)}
${schedules.length === 0 ? '' : section(frame, 'schedules', schedulesOf(frame, schedules, may.mayRun))}
${seals === null ? '' : sealsPanel(frame, seals)}${kept === null ? '' : keptPanel(frame, kept)}`,
});

const section = (frame: Frame, name: 'workers' | 'circuits' | 'queues' | 'due' | 'schedules', content: Html): Html =>
  html`<section class="panel" aria-labelledby="${name}"><h2 id="${name}">${say(frame, name)}</h2>${content}</section>`;

function processesOf(frame: Frame, processes: readonly LivingProcess[]): Html {
  if (processes.length === 0) return html`<p class="notice bad">${say(frame, 'noWorkers')}</p>`;
  return table(
    frame,
    ['program', 'roles', 'version', 'since', 'lastSeen'],
    processes.map(({ program, roles, version, startedAt, seenAt }) => [
      html`<code>${program}</code>`,
      roles.join(', '),
      version,
      moment(frame, startedAt.toISOString()),
      html`<bdi>${duration(Math.max(0, frame.now.getTime() - seenAt.getTime()))}</bdi>`,
    ]),
  );
}

function circuitsOf(frame: Frame, processes: readonly LivingProcess[]): Html {
  const open = processes.flatMap(({ program, circuits }) =>
    Object.entries(circuits).map(([name, since]) => ({ name, since, program })),
  );
  if (open.length === 0) return html`<p>${say(frame, 'circuitsClosed')}</p>`;
  return html`<ul class="rows">${open.map(
    ({ name, since, program }) =>
      html`<li class="bad"><code>${name}</code> (<code>${program}</code>) ${say(frame, 'sinceText')} ${moment(frame, since)}</li>`,
  )}</ul>`;
}

/** A time that is too long says so, not by its colour alone. */
const age = (frame: Frame, seconds: number | null, lateAfterMinutes: number | null): Html => {
  if (seconds === null) return html`–`;
  const isLate = lateAfterMinutes !== null && seconds > lateAfterMinutes * 60;
  return isLate
    ? html`<strong class="bad"><bdi>${duration(seconds * 1_000)}</bdi> (${say(frame, 'late')})</strong>`
    : html`<bdi>${duration(seconds * 1_000)}</bdi>`;
};

const queuesOf = (frame: Frame, queues: readonly QueueState[]): Html =>
  table(
    frame,
    ['queue', 'state', 'waiting', 'active', 'delayed', 'failed', 'oldest'],
    queues.map(({ name, isPaused, waiting, active, delayed, failed, oldestSeconds }) => [
      html`<code>${name}</code>`,
      isPaused
        ? html`<span class="badge bad">${say(frame, 'paused')}</span>`
        : html`<span class="badge good">${say(frame, 'running')}</span>`,
      waiting,
      active,
      delayed,
      failed,
      age(frame, oldestSeconds, null),
    ]),
  );

const dueOf = (frame: Frame, due: readonly DueState[]): Html =>
  table(
    frame,
    ['kind', 'howMany', 'oldest'],
    due.map(({ what, count, oldestSeconds, lateAfterMinutes }) => [
      inEnglish(what),
      count,
      age(frame, count === 0 ? null : oldestSeconds, lateAfterMinutes),
    ]),
  );

function schedulesOf(frame: Frame, schedules: SystemView['schedules'], mayRun: boolean): Html {
  const names = schedules.flatMap(({ name }) => (name === null ? [] : [name]));
  return html`${table(
    frame,
    ['scheduleName', 'queue', 'job', 'every', 'next'],
    schedules.map(({ name, job, queue, everyMs, nextAt }) => [
      name === null ? '–' : html`<code>${name}</code>`,
      html`<code>${queue}</code>`,
      html`<code>${job}</code>`,
      everyMs === null ? '–' : html`<bdi>${duration(everyMs)}</bdi>`,
      nextAt === null ? '–' : moment(frame, nextAt.toISOString()),
    ]),
  )}${mayRun && names.length > 0 ? runForm(frame, names) : ''}`;
}

const runForm = (frame: Frame, names: readonly string[]): Html =>
  html`<h3>${say(frame, 'runNow')}</h3><p class="soft">${say(frame, 'runText')}</p>
<form method="post" action="${frame.prefix}/console/system/run" class="act"><input type="hidden" name="key" value="${newId('press')}">
<label>${say(frame, 'scheduleName')} <select name="name">${names.map((name) => html`<option value="${name}">${name}</option>`)}</select></label>
<label>${say(frame, 'reason')} <input name="reason" required maxlength="500"></label><button>${say(frame, 'runNow')}</button></form>`;
