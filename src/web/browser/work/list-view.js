/** @import { Entry, Page, Task, TaskList } from './model.ts' */
import { dismiss } from './outbox.js';
import { dayOf, el, tagsOf, todayAt } from './view.js';

/**
 * What is to be done, by day, below what was refused.
 *
 * @param {TaskList | null} list
 * @param {readonly Entry[]} outbox
 * @param {Page} page
 * @returns {HTMLElement[]}
 */
export function listView(list, outbox, page) {
  const refused = outbox.filter((entry) => entry.state === 'refused').map((entry) => refusedView(entry, page));
  if (list === null) return [...refused, el('p', { class: 'soft' }, 'Nothing has been loaded yet.')];
  const open = list.tasks.filter((task) => task.status !== 'COMPLETED');
  const done = list.tasks.filter((task) => task.status === 'COMPLETED');
  /** @param {Task} task */
  const isToday = (task) => task.local.date <= todayAt(task.local.timeZone);
  const parts = [...refused, ...section('Today', open.filter(isToday), outbox)];
  const later = Map.groupBy(
    open.filter((task) => !isToday(task)),
    (task) => task.local.date,
  );
  for (const [date, tasks] of later) parts.push(...section(dayOf(date), tasks, outbox));
  parts.push(...section('Done', done, outbox));
  if (open.length === 0) parts.push(el('p', { class: 'soft' }, 'Nothing to do. Enjoy it.'));
  return parts;
}

/**
 * @param {string} title
 * @param {readonly Task[]} tasks
 * @param {readonly Entry[]} outbox
 * @returns {HTMLElement[]}
 */
function section(title, tasks, outbox) {
  return tasks.length === 0 ? [] : [el('h2', {}, title), ...tasks.map((task) => cardOf(task, outbox))];
}

/**
 * @param {Task} task
 * @param {readonly Entry[]} outbox
 */
function cardOf(task, outbox) {
  const isWaiting = outbox.some((entry) => entry.taskId === task.id && entry.state === 'waiting');
  return el(
    'a',
    { class: 'card', href: `#/task/${task.id}` },
    el(
      'div',
      { class: 'when' },
      el('span', {}, `${task.local.from} – ${task.local.to}`),
      el('span', {}, task.local.timeZone),
    ),
    el('div', { class: 'what' }, task.title),
    el('div', { class: 'where' }, [task.property.name, task.property.region].filter(Boolean).join(', ')),
    tagsOf(task, isWaiting),
  );
}

/**
 * @param {Entry} entry
 * @param {Page} page
 */
function refusedView(entry, page) {
  const forget = async () => {
    await dismiss(entry.id);
    await page.show();
  };
  return el(
    'div',
    { class: 'problem', role: 'alert' },
    el('p', {}, `Not accepted: ${entry.title}. ${entry.reason}.`),
    el('button', { class: 'second', onclick: forget }, 'I have seen it'),
  );
}
