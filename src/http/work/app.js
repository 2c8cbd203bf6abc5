import { call, now, signIn, signOutToken, token } from './api.js';
import { dismiss, entries, queue, send } from './outbox.js';
import { shrink } from './photo.js';
import { forgetAll, get, put, remove } from './store.js';
import { dayOf, el, isAsked, momentAt, tagsOf, tellTimeLeft, timeLeftOf, todayAt } from './view.js';

/** A cleaner's day on a phone: what is to be done, ticked off and finished, with a network or without one. */

const main = document.getElementById('main');
const heading = document.getElementById('heading');
const back = document.getElementById('back');
const leave = document.getElementById('sign-out');
const status = document.getElementById('status');
const AGAIN_MS = 15_000;

let list = null;
/** A later page has been opened meanwhile: what was being prepared is not shown any more. */
let turn = 0;

async function show() {
  turn += 1;
  const mine = turn;
  const taskId = /^#\/task\/([\w-]+)$/.exec(location.hash)?.[1];
  const signedIn = token() !== null;
  leave.hidden = !signedIn;
  back.hidden = !signedIn || taskId === undefined;
  if (!signedIn) return page('Sign in', signInView());
  list ??= (await get('lists', 'mine')) ?? null;
  const waiting = await entries();
  if (mine !== turn) return;
  const task = taskId === undefined ? undefined : list?.tasks.find((one) => one.id === taskId);
  if (task) page(task.title, ...(await taskView(task, waiting)));
  else page('My tasks', ...listView(waiting));
  tellStatus(waiting);
}

function page(title, ...content) {
  heading.textContent = title;
  document.title = `${title} - Roomy`;
  main.replaceChildren(...content);
}

function tellStatus(waiting) {
  const unsent = waiting.filter((entry) => entry.state === 'waiting').length;
  const said = [];
  if (list?.offline) said.push(`No network. This is how it was at ${new Date(list.at).toTimeString().slice(0, 5)}.`);
  if (unsent > 0) said.push(`Waiting to be sent (${unsent}).`);
  status.textContent = said.join(' ');
}

// ---- Signing in

function signInView(problem = null) {
  const submit = async (event) => {
    event.preventDefault();
    signIn(new FormData(event.target).get('token').trim());
    const { ok, offline } = await refresh();
    if (ok) return exchange();
    signOutToken();
    leave.hidden = true;
    const why = offline ? 'There is no network.' : 'This code is not valid, or has expired.';
    page('Sign in', signInView(why));
    document.getElementById('token').focus();
  };
  return el(
    'form',
    { class: 'signin', onsubmit: submit },
    el('p', { class: 'soft' }, 'Paste the code that your agency gave you. It stays on this phone until you sign out.'),
    el('label', { class: 'field', for: 'token' }, 'Code'),
    el('input', {
      id: 'token',
      name: 'token',
      type: 'password',
      required: true,
      autocomplete: 'off',
      'aria-invalid': problem !== null && 'true',
      'aria-describedby': problem !== null && 'problem',
    }),
    problem === null ? null : el('p', { id: 'problem', class: 'problem', role: 'alert' }, problem),
    el('p', {}, el('button', { class: 'wide' }, 'Sign in')),
  );
}

leave.addEventListener('click', async () => {
  const unsent = (await entries()).length;
  if (unsent > 0 && !confirm(`${unsent} not sent yet would be lost. Sign out all the same?`)) return;
  await forgetAll();
  list = null;
  status.textContent = '';
  location.hash = '';
  await show();
});
back.addEventListener('click', () => {
  location.hash = '';
});

// ---- The list

async function refresh() {
  const { ok, answer, offline, status: code } = await call('GET', '/me/tasks?limit=100');
  if (ok) {
    list = { id: 'mine', tasks: answer.data, at: Date.now(), offline: false };
    await put('lists', list);
  } else if (list !== null) list = { ...list, offline: true };
  return { ok, offline, signedOut: code === 401 };
}

function listView(waiting) {
  const refused = waiting.filter((entry) => entry.state === 'refused').map(refusedView);
  if (list === null) return [...refused, el('p', { class: 'soft' }, 'Nothing has been loaded yet.')];
  const open = list.tasks.filter((task) => task.status !== 'COMPLETED');
  const done = list.tasks.filter((task) => task.status === 'COMPLETED');
  const isToday = (task) => task.local.date <= todayAt(task.local.timeZone);
  const parts = [...refused, ...section('Today', open.filter(isToday), waiting)];
  const later = Map.groupBy(
    open.filter((task) => !isToday(task)),
    (task) => task.local.date,
  );
  for (const [date, tasks] of later) parts.push(...section(dayOf(date), tasks, waiting));
  parts.push(...section('Done', done, waiting));
  if (open.length === 0) parts.push(el('p', { class: 'soft' }, 'Nothing to do. Enjoy it.'));
  return parts;
}

function section(title, tasks, waiting) {
  return tasks.length === 0 ? [] : [el('h2', {}, title), ...tasks.map((task) => cardOf(task, waiting))];
}

function cardOf(task, waiting) {
  const isWaiting = waiting.some((entry) => entry.taskId === task.id && entry.state === 'waiting');
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

function refusedView(entry) {
  const forget = async () => {
    await dismiss(entry.id);
    await show();
  };
  return el(
    'div',
    { class: 'problem', role: 'alert' },
    el('p', {}, `Not accepted: ${entry.title}. ${entry.reason}.`),
    el('button', { class: 'second', onclick: forget }, 'I have seen it'),
  );
}

// ---- One task

async function taskView(task, waiting) {
  const draft = (await get('drafts', task.id)) ?? { id: task.id, done: [], photos: {}, notes: '', outcome: '' };
  const save = () => put('drafts', draft);
  const isWaiting = waiting.some((one) => one.taskId === task.id && one.kind === 'complete' && one.state === 'waiting');
  const { name, region, location: point } = task.property;
  const place = el('dd', {}, [name, region].filter(Boolean).join(', '));
  if (point) {
    place.append(
      ' ',
      el(
        'a',
        {
          href: `https://www.openstreetmap.org/?mlat=${point.lat}&mlon=${point.lng}#map=18/${point.lat}/${point.lng}`,
          rel: 'noreferrer',
          target: '_blank',
        },
        'Map',
      ),
    );
  }
  const facts = el(
    'dl',
    {},
    el('dt', {}, 'When'),
    el('dd', {}, `${dayOf(task.local.date)}, ${task.local.from} – ${task.local.to}`),
    el('dt', {}, 'Where'),
    place,
  );
  const parts = [
    el('section', { class: 'card', 'aria-label': 'The task' }, facts, tagsOf(task, isWaiting)),
    task.description ? el('p', {}, task.description) : null,
  ];
  if (isWaiting || task.status === 'COMPLETED') {
    return [
      ...parts,
      el(
        'p',
        { class: 'soft' },
        isWaiting ? 'Finished. It is sent as soon as there is a network.' : 'This task is done.',
      ),
    ].filter(Boolean);
  }
  if (isAsked(task)) parts.push(await questionView(task, waiting));
  if (task.status === 'ASSIGNED')
    parts.push(el('button', { class: 'second wide', onclick: () => begin(task) }, 'I begin'));
  if (task.checklist.length > 0) {
    parts.push(
      el('h2', {}, 'Checklist'),
      el('ul', { class: 'checks' }, ...task.checklist.map((item) => itemView(item, draft, save))),
    );
  }
  if (task.type === 'INSPECTION') parts.push(outcomeView(draft, save));
  parts.push(
    el('label', { class: 'field', for: 'notes' }, 'Notes'),
    notesView(draft, save),
    el('p', { id: 'task-problem', class: 'problem', role: 'alert', hidden: true }),
    el('div', { class: 'finish' }, el('button', { onclick: () => finish(task, draft) }, 'Finish')),
  );
  return parts.filter(Boolean);
}

/** Whether they take it, with the time that is left. */
async function questionView(task, waiting) {
  const said = waiting.find((one) => one.taskId === task.id && ANSWERS.has(one.kind) && one.state === 'waiting');
  if (said)
    return el(
      'p',
      { class: 'soft' },
      `Your ${said.kind === 'accept' ? 'yes' : 'no'} is sent as soon as there is a network.`,
    );
  const answer = async (kind, body) => {
    await queue(kind, task, body);
    if (kind === 'decline') location.hash = '';
    await exchange();
  };
  const decline = () => answer('decline', { reason: document.getElementById('reason').value.trim() || NO_REASON });
  return el(
    'section',
    { class: 'card', 'aria-label': 'Do you take this task?' },
    el('h2', {}, 'Do you take this task?'),
    el(
      'p',
      {},
      `Please answer by ${momentAt(task.acceptBy, task.local.timeZone)} (${task.local.timeZone}): `,
      timeLeftOf(task),
      '.',
    ),
    el('button', { class: 'wide', onclick: () => answer('accept') }, 'Yes, I take it'),
    el('label', { class: 'field', for: 'reason' }, 'If not, why (the office reads it)'),
    el('input', { id: 'reason', maxlength: '500', autocomplete: 'off' }),
    el('p', {}, el('button', { class: 'second wide', onclick: decline }, 'No, I cannot')),
  );
}
const ANSWERS = new Set(['accept', 'decline']);
const NO_REASON = 'By the phone page, without a reason';

function itemView(item, draft, save) {
  const tick = (event) => {
    document.getElementById('task-problem').hidden = true;
    draft.done = event.target.checked ? [...draft.done, item.id] : draft.done.filter((id) => id !== item.id);
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
  const preview = el('span', {});
  const showPhoto = () => {
    const photo = draft.photos[item.id];
    const picture = photo && el('img', { alt: `Photo of ${item.label}`, src: URL.createObjectURL(photo.blob) });
    preview.replaceChildren(...(picture ? [picture] : []));
  };
  const take = async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    try {
      draft.photos[item.id] = { id: `photo-${crypto.randomUUID()}`, blob: await shrink(file) };
      await save();
      showPhoto();
    } catch {
      problem('This file is not a picture that the phone can read.');
    }
  };
  showPhoto();
  return el(
    'li',
    {},
    label,
    el(
      'label',
      { class: 'photo' },
      preview,
      'Photo',
      el('input', {
        type: 'file',
        accept: 'image/*',
        capture: 'environment',
        onchange: take,
        'aria-label': `Photo of ${item.label}`,
      }),
    ),
  );
}

function notesView(draft, save) {
  const field = el('textarea', {
    id: 'notes',
    maxlength: '2000',
    oninput: (event) => {
      draft.notes = event.target.value;
      return save();
    },
  });
  field.value = draft.notes;
  return field;
}

function outcomeView(draft, save) {
  const choice = (value, text) => {
    const radio = el('input', {
      type: 'radio',
      name: 'outcome',
      value,
      onchange: () => {
        draft.outcome = value;
        return save();
      },
    });
    radio.checked = draft.outcome === value;
    return el('label', {}, radio, text);
  };
  return el(
    'fieldset',
    {},
    el('legend', {}, 'Result of the inspection'),
    choice('PASSED', 'All is well'),
    choice('FAILED', 'Something is wrong'),
  );
}

function problem(text) {
  const place = document.getElementById('task-problem');
  place.textContent = text;
  place.hidden = false;
  place.scrollIntoView({ block: 'center' });
}

async function begin(task) {
  await queue('start', task, { startedAt: now().toISOString() });
  task.status = 'IN_PROGRESS';
  await put('lists', list);
  await exchange();
}

async function finish(task, draft) {
  const open = task.checklist.filter((item) => item.required && !draft.done.includes(item.id));
  if (open.length > 0) return problem(`Still open: ${open.map((item) => item.label).join(', ')}.`);
  if (task.type === 'INSPECTION' && draft.outcome === '') return problem('Please choose the result of the inspection.');
  const photos = Object.values(draft.photos);
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
  await queue('complete', task, body, photos);
  await remove('drafts', task.id);
  location.hash = '';
  await exchange();
}

// ---- The network

/** Sends what waits, then asks what is to be done. */
async function exchange() {
  if (token() === null) return;
  await show();
  const { signedOut } = await send();
  const now = await refresh();
  if (!signedOut && !now.signedOut) return show();
  // What waits is kept, and sent once the same person has signed in again.
  signOutToken();
  await show();
  page('Sign in', signInView('Your code has expired. What you have done is kept.'));
}

addEventListener('hashchange', async () => {
  await show();
  heading.focus();
});
addEventListener('online', () => void exchange());
addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') void exchange();
});
setInterval(tellTimeLeft, AGAIN_MS);
setInterval(async () => {
  if ((await entries()).some((entry) => entry.state === 'waiting')) await exchange();
}, AGAIN_MS);

navigator.serviceWorker?.register(new URL('sw.js', import.meta.url), {
  scope: new URL('../work', import.meta.url).pathname,
});
await show();
await exchange();
