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

export function tagsOf(task, waiting) {
  const tags = [];
  if (task.priority === 'URGENT') tags.push(el('span', { class: 'tag urgent' }, 'Urgent'));
  if (task.priority === 'HIGH') tags.push(el('span', { class: 'tag' }, 'Next guest waits'));
  if (waiting) tags.push(el('span', { class: 'tag waiting' }, 'Waiting to be sent'));
  else if (task.status === 'IN_PROGRESS') tags.push(el('span', { class: 'tag' }, 'Begun'));
  else if (task.status === 'COMPLETED') tags.push(el('span', { class: 'tag' }, 'Done'));
  return tags.length > 0 ? el('div', { class: 'tags' }, ...tags) : null;
}
