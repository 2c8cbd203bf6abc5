/** An element with its attributes and children; text is always text. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const DAY = new Intl.DateTimeFormat('en-GB', { weekday: 'long', day: 'numeric', month: 'long', timeZone: 'UTC' });
export const dayOf = (date) => DAY.format(new Date(`${date}T00:00:00Z`));

/** The calendar day at the place of the task. */
export const todayAt = (timeZone) => new Intl.DateTimeFormat('sv-SE', { timeZone }).format(new Date());

/** An answer is waited for. */
export const isAsked = (task) => task.status === 'ASSIGNED' && task.acceptBy !== null && task.acceptedAt === null;

export const momentAt = (instant, timeZone) =>
  new Intl.DateTimeFormat('en-GB', {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    hour: '2-digit',
    minute: '2-digit',
    timeZone,
  }).format(new Date(instant));

/** Kept up to date by `tellTimeLeft`. */
export const timeLeftOf = (task) => el('span', { 'data-until': task.acceptBy }, timeLeft(task.acceptBy));
export function tellTimeLeft() {
  for (const place of document.querySelectorAll('[data-until]')) place.textContent = timeLeft(place.dataset.until);
}
function timeLeft(instant) {
  const minutes = Math.ceil((Date.parse(instant) - Date.now()) / 60_000);
  if (minutes <= 0) return 'the time is over';
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes} min left` : `${hours} h ${minutes % 60} min left`;
}

export function tagsOf(task, waiting) {
  const tags = [];
  if (task.priority === 'URGENT') tags.push(el('span', { class: 'tag urgent' }, 'Urgent'));
  if (task.priority === 'HIGH') tags.push(el('span', { class: 'tag' }, 'Next guest waits'));
  if (isAsked(task)) tags.push(el('span', { class: 'tag waiting' }, 'Please answer: ', timeLeftOf(task)));
  if (waiting) tags.push(el('span', { class: 'tag waiting' }, 'Waiting to be sent'));
  else if (task.status === 'IN_PROGRESS') tags.push(el('span', { class: 'tag' }, 'Begun'));
  else if (task.status === 'COMPLETED') tags.push(el('span', { class: 'tag' }, 'Done'));
  return tags.length > 0 ? el('div', { class: 'tags' }, ...tags) : null;
}
