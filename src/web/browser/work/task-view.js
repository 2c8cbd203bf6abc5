/** @import { Draft, Entry, Item, Page, Task } from './model.ts' */
import { now } from './api.js';
import { queue } from './outbox.js';
import { shrink } from './photo.js';
import { questionView } from './question-view.js';
import { database } from './store.js';
import { askedUntil, byId, dayOf, el, tagsOf } from './view.js';

/**
 * One task: where and when, its checklist, its notes, and the button that finishes it.
 *
 * @param {Task} task
 * @param {readonly Entry[]} outbox
 * @param {Page} page
 * @returns {Promise<HTMLElement[]>}
 */
export async function taskView(task, outbox, page) {
  const db = await database();
  /** @type {Draft} */
  const draft = (await db.get('drafts', task.id)) ?? { id: task.id, done: [], photos: {}, notes: '', outcome: '' };
  const save = () => db.put('drafts', draft);
  const isWaiting = outbox.some((one) => one.taskId === task.id && one.kind === 'complete' && one.state === 'waiting');
  const parts = [factsView(task, isWaiting)];
  if (task.description) parts.push(el('p', {}, task.description));
  if (isWaiting || task.status === 'COMPLETED') {
    const text = isWaiting ? 'Finished. It is sent as soon as there is a network.' : 'This task is done.';
    return [...parts, el('p', { class: 'soft' }, text)];
  }
  const until = askedUntil(task);
  if (until !== null) parts.push(questionView(task, until, outbox, page));
  if (task.status === 'ASSIGNED') {
    parts.push(el('button', { class: 'second wide', onclick: () => begin(task, page) }, 'I begin'));
  }
  if (task.checklist.length > 0) {
    parts.push(
      el('h2', {}, 'Checklist'),
      el('ul', { class: 'checks' }, ...task.checklist.map((item) => itemView(item, draft, save))),
    );
  }
  if (task.type === 'INSPECTION') parts.push(outcomeView(draft, save));
  return [
    ...parts,
    el('label', { class: 'field', for: 'notes' }, 'Notes'),
    notesView(draft, save),
    el('p', { id: 'task-problem', class: 'problem', role: 'alert', hidden: true }),
    el('div', { class: 'finish' }, el('button', { onclick: () => finish(task, draft, page) }, 'Finish')),
  ];
}

/**
 * @param {Task} task
 * @param {boolean} isWaiting
 * @returns {HTMLElement}
 */
function factsView(task, isWaiting) {
  const { name, region, location: point } = task.property;
  const place = el('dd', {}, [name, region].filter(Boolean).join(', '));
  if (point) {
    const at = `https://www.openstreetmap.org/?mlat=${point.lat}&mlon=${point.lng}#map=18/${point.lat}/${point.lng}`;
    place.append(' ', el('a', { href: at, rel: 'noreferrer', target: '_blank' }, 'Map'));
  }
  const facts = el(
    'dl',
    {},
    el('dt', {}, 'When'),
    el('dd', {}, `${dayOf(task.local.date)}, ${task.local.from} – ${task.local.to}`),
    el('dt', {}, 'Where'),
    place,
  );
  return el('section', { class: 'card', 'aria-label': 'The task' }, facts, tagsOf(task, isWaiting));
}

/**
 * @param {Item} item
 * @param {Draft} draft
 * @param {() => Promise<unknown>} save
 */
function itemView(item, draft, save) {
  const tick = () => {
    byId('task-problem').hidden = true;
    draft.done = box.checked ? [...draft.done, item.id] : draft.done.filter((id) => id !== item.id);
    return save();
  };
  const box = el('input', { type: 'checkbox', onchange: tick });
  box.checked = draft.done.includes(item.id);
  const label = el(
    'label',
    { class: 'item' },
    box,
    el('span', {}, item.label, item.required ? el('span', { class: 'required' }, ' (required)') : ''),
  );
  return el('li', {}, label, photoView(item, draft, save));
}

/**
 * @param {Item} item
 * @param {Draft} draft
 * @param {() => Promise<unknown>} save
 */
function photoView(item, draft, save) {
  const preview = el('span');
  const showPhoto = () => {
    const photo = draft.photos[item.id];
    if (photo)
      preview.replaceChildren(el('img', { alt: `Photo of ${item.label}`, src: URL.createObjectURL(photo.blob) }));
  };
  const take = async () => {
    const file = camera.files?.[0];
    if (!file) return;
    try {
      draft.photos[item.id] = { id: `photo-${crypto.randomUUID()}`, blob: await shrink(file) };
      await save();
      showPhoto();
    } catch {
      problem('This file is not a picture that the phone can read.');
    }
  };
  const camera = el('input', {
    type: 'file',
    accept: 'image/*',
    capture: 'environment',
    onchange: take,
    'aria-label': `Photo of ${item.label}`,
  });
  showPhoto();
  return el('label', { class: 'photo' }, preview, 'Photo', camera);
}

/**
 * @param {Draft} draft
 * @param {() => Promise<unknown>} save
 */
function notesView(draft, save) {
  const write = () => {
    draft.notes = field.value;
    return save();
  };
  const field = el('textarea', { id: 'notes', maxlength: '2000', oninput: write });
  field.value = draft.notes;
  return field;
}

/**
 * @param {Draft} draft
 * @param {() => Promise<unknown>} save
 */
function outcomeView(draft, save) {
  /**
   * @param {'PASSED' | 'FAILED'} value
   * @param {string} text
   */
  const choice = (value, text) => {
    const choose = () => {
      draft.outcome = value;
      return save();
    };
    const radio = el('input', { type: 'radio', name: 'outcome', value, onchange: choose });
    radio.checked = draft.outcome === value;
    return el('label', {}, radio, text);
  };
  return el(
    'fieldset',
    { class: 'outcome' },
    el('legend', {}, 'Result of the inspection'),
    choice('PASSED', 'All is well'),
    choice('FAILED', 'Something is wrong'),
  );
}

/** @param {string} text */
function problem(text) {
  const place = byId('task-problem');
  place.textContent = text;
  place.hidden = false;
  place.scrollIntoView({ block: 'center' });
}

/**
 * @param {Task} task
 * @param {Page} page
 */
async function begin(task, page) {
  await queue('start', task, { startedAt: now().toISOString() });
  task.status = 'IN_PROGRESS';
  await page.saveList();
  await page.exchange();
}

/**
 * @param {Task} task
 * @param {Draft} draft
 * @param {Page} page
 */
async function finish(task, draft, page) {
  const open = task.checklist.filter((item) => item.required && !draft.done.includes(item.id));
  if (open.length > 0) return problem(`Still open: ${open.map((item) => item.label).join(', ')}.`);
  if (task.type === 'INSPECTION' && draft.outcome === '') return problem('Please choose the result of the inspection.');
  const body = {
    completedAt: now().toISOString(),
    ...(draft.notes.trim() === '' ? {} : { notes: draft.notes.trim() }),
    ...(draft.outcome === '' ? {} : { outcome: draft.outcome }),
    checklist: task.checklist.map(({ id }) => ({
      id,
      done: draft.done.includes(id),
      ...(draft.photos[id] ? { photoIds: [draft.photos[id].id] } : {}),
    })),
  };
  await queue('complete', task, body, Object.values(draft.photos));
  await (await database()).delete('drafts', task.id);
  location.hash = '';
  await page.exchange();
}
