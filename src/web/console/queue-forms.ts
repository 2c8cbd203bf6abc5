import { html } from 'hono/html';
import type { QueuePause } from '../../domain/incidents/queue-pauses.ts';
import type { Html } from '../layout.ts';
import { keyField } from './acts.ts';
import { type Frame, say } from './frame.ts';
import { moment } from './parts.ts';

/** Queues that stand, by whom and why, with the way on; and how to pause one. */

export interface PausedQueue {
  readonly name: string;
  /** Null: nobody knows. */
  readonly pausedBy: QueuePause | null;
}
interface Queues {
  readonly pausedQueues: readonly PausedQueue[];
  readonly mayPauseQueues: boolean;
}

export function queueForms(
  frame: Frame,
  queues: readonly { readonly name: string; readonly isPaused: boolean }[],
  { pausedQueues, mayPauseQueues }: Queues,
): Html {
  const running = queues.flatMap(({ name, isPaused }) => (isPaused ? [] : [name]));
  const at = `${frame.prefix}/console/system`;
  return html`${
    pausedQueues.length === 0
      ? ''
      : html`<ul class="rows">${pausedQueues.map(
          (queue) =>
            html`<li class="bad"><code>${queue.name}</code> ${whoPaused(frame, queue.pausedBy)}${mayPauseQueues ? resumeQueueForm(frame, `${at}/resume-queue`, queue.name) : ''}</li>`,
        )}</ul>`
  }${mayPauseQueues && running.length > 0 ? pauseForm(frame, `${at}/pause-queue`, running) : ''}`;
}

/** Since when, by whom, and what they said. */
export const whoPaused = (frame: Frame, pause: QueuePause | null): Html =>
  pause === null
    ? html`<span class="soft">${say(frame, 'pausedBySomebody')}</span>`
    : html`<span class="soft">${say(frame, 'pausedBy')} <bdi>${pause.by}</bdi> ${say(frame, 'sinceText')} ${moment(frame, pause.at)}</span>${pause.reason === null ? '' : html`: <bdi>${pause.reason}</bdi>`}`;

export const resumeQueueForm = (frame: Frame, action: string, queue: string): Html =>
  html`<form method="post" action="${action}" class="act">${keyField()}<input type="hidden" name="queue" value="${queue}">
<label>${say(frame, 'reason')} <input name="reason" required maxlength="500"></label><button class="yes">${say(frame, 'resumeQueue')}</button></form>`;

const pauseForm = (frame: Frame, action: string, running: readonly string[]): Html =>
  html`<h3>${say(frame, 'queuesByHand')}</h3><p class="soft">${say(frame, 'queuesByHandText')}</p>
<form method="post" action="${action}" class="act">${keyField()}
<label>${say(frame, 'queue')} <select name="queue">${running.map((name) => html`<option value="${name}">${name}</option>`)}</select></label>
<label>${say(frame, 'reason')} <input name="reason" required maxlength="500"></label><button class="no">${say(frame, 'pause')}</button></form>`;
