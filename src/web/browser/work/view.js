/** @import { Task } from './model.ts' */

/**
 * An element with its attributes and children; text is always text. An attribute that is a function listens to the event
 * of its name without `on`.
 *
 * @template {keyof HTMLElementTagNameMap} N
 * @param {N} name
 * @param {Readonly<Record<string, string | boolean | null | undefined | ((event: Event) => unknown)>>} [attributes]
 * @param {...(Node | string | null)} children
 * @returns {HTMLElementTagNameMap[N]}
 */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === 'function') element.addEventListener(key.slice('on'.length), value);
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/**
 * An element of the page. Throws when there is none.
 *
 * @param {string} id
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`The page has no #${id}`);
  return found;
}

const DAY = new Intl.DateTimeFormat('en-GB', { weekday: 'long', day: 'numeric', month: 'long', timeZone: 'UTC' });
/** @param {string} date */
export const dayOf = (date) => DAY.format(new Date(`${date}T00:00:00Z`));

/**
 * The calendar day at the place of the task.
 *
 * @param {string} timeZone
 */
export const todayAt = (timeZone) => new Intl.DateTimeFormat('sv-SE', { timeZone }).format(new Date());

/**
 * Until when an answer is waited for; null when none is.
 *
 * @param {Task} task
 */
export const askedUntil = (task) => (task.status === 'ASSIGNED' && task.acceptedAt === null ? task.acceptBy : null);

/**
 * @param {string} instant
 * @param {string} timeZone
 */
export const momentAt = (instant, timeZone) =>
  new Intl.DateTimeFormat('en-GB', {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    hour: '2-digit',
    minute: '2-digit',
    timeZone,
  }).format(new Date(instant));

/**
 * Kept up to date by `tellTimeLeft`.
 *
 * @param {string} until
 */
export const timeLeftUntil = (until) => el('span', { 'data-until': until }, timeLeft(until));
export function tellTimeLeft() {
  for (const place of document.querySelectorAll('[data-until]')) {
    place.textContent = timeLeft(place.getAttribute('data-until') ?? '');
  }
}
/** @param {string} instant */
function timeLeft(instant) {
  const minutes = Math.ceil((Date.parse(instant) - Date.now()) / 60_000);
  if (minutes <= 0) return 'the time is over';
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes} min left` : `${hours} h ${minutes % 60} min left`;
}

/**
 * @param {Task} task
 * @param {boolean} waiting something of it is to be sent
 */
export function tagsOf(task, waiting) {
  const tags = [];
  const until = askedUntil(task);
  if (task.priority === 'URGENT') tags.push(el('span', { class: 'tag urgent' }, 'Urgent'));
  if (task.priority === 'HIGH') tags.push(el('span', { class: 'tag' }, 'Next guest waits'));
  if (until !== null) tags.push(el('span', { class: 'tag waiting' }, 'Please answer: ', timeLeftUntil(until)));
  if (waiting) tags.push(el('span', { class: 'tag waiting' }, 'Waiting to be sent'));
  else if (task.status === 'IN_PROGRESS') tags.push(el('span', { class: 'tag' }, 'Begun'));
  else if (task.status === 'COMPLETED') tags.push(el('span', { class: 'tag' }, 'Done'));
  return tags.length > 0 ? el('div', { class: 'tags' }, ...tags) : null;
}
