/** @import { Entry, Page, Task } from './model.ts' */
import { queue } from './outbox.js';
import { el, momentAt, timeLeftUntil } from './view.js';

const NO_REASON = 'By the phone page, without a reason';

/**
 * Whether they take it, with the time that is left.
 *
 * @param {Task} task
 * @param {string} until
 * @param {readonly Entry[]} outbox
 * @param {Page} page
 */
export function questionView(task, until, outbox, page) {
  const said = outbox.find(
    (one) => one.taskId === task.id && (one.kind === 'accept' || one.kind === 'decline') && one.state === 'waiting',
  );
  if (said) {
    const answer = said.kind === 'accept' ? 'yes' : 'no';
    return el('p', { class: 'soft' }, `Your ${answer} is sent as soon as there is a network.`);
  }
  const reason = el('input', { id: 'reason', maxlength: '500', autocomplete: 'off' });
  const accept = async () => {
    await queue('accept', task);
    await page.exchange();
  };
  const decline = async () => {
    await queue('decline', task, { reason: reason.value.trim() || NO_REASON });
    location.hash = '';
    await page.exchange();
  };
  return el(
    'section',
    { class: 'card', 'aria-label': 'Do you take this task?' },
    el('h2', {}, 'Do you take this task?'),
    el(
      'p',
      {},
      `Please answer by ${momentAt(until, task.local.timeZone)} (${task.local.timeZone}): `,
      timeLeftUntil(until),
      '.',
    ),
    el('button', { class: 'wide', onclick: accept }, 'Yes, I take it'),
    el('label', { class: 'field', for: 'reason' }, 'If not, why (the office reads it)'),
    reason,
    el('p', {}, el('button', { class: 'second wide', onclick: decline }, 'No, I cannot')),
  );
}
