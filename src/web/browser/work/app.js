/** @import { Entry, TaskList } from './model.ts' */
import { call, renew, signIn, signOutSession, signOutToken, token } from './api.js';
import { listView } from './list-view.js';
import { entries, send } from './outbox.js';
import { signInView } from './sign-in-view.js';
import { database, forgetAll } from './store.js';
import { taskView } from './task-view.js';
import { byId, tellTimeLeft } from './view.js';

/** A cleaner's day on a phone: what is to be done, ticked off and finished, with a network or without one. */

const main = byId('main');
const heading = byId('heading');
const back = byId('back');
const leave = byId('sign-out');
const status = byId('status');
/** In development a pasted token signs in too. */
const takesCodes = main.dataset['codes'] === 'yes';
const AGAIN_MS = 15_000;

/** @type {TaskList | null} */
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
  if (!signedIn) return signInPage(null);
  list ??= (await (await database()).get('lists', 'mine')) ?? null;
  const outbox = await entries();
  if (mine !== turn) return;
  const task = taskId === undefined ? undefined : list?.tasks.find((one) => one.id === taskId);
  if (task) page(task.title, await taskView(task, outbox, actions));
  else page('My tasks', listView(list, outbox, actions));
  tellStatus(outbox);
}

/**
 * @param {string} title
 * @param {readonly HTMLElement[]} content
 */
function page(title, content) {
  heading.textContent = title;
  document.title = `${title} - Roomy`;
  main.replaceChildren(...content);
}

/** @param {readonly Entry[]} outbox */
function tellStatus(outbox) {
  const unsent = outbox.filter((entry) => entry.state === 'waiting').length;
  const said = [];
  if (list?.offline) said.push(`No network. This is how it was at ${new Date(list.at).toTimeString().slice(0, 5)}.`);
  if (unsent > 0) said.push(`Waiting to be sent (${unsent}).`);
  status.textContent = said.join(' ');
}

// ---- Signing in and out

/** @param {string | null} problem */
function signInPage(problem) {
  page('Sign in', signInView(problem, takesCodes ? tryCode : null));
}

/** @param {string} code */
async function tryCode(code) {
  signIn(code);
  const { ok, offline } = await refresh();
  if (ok) return exchange();
  signOutToken();
  leave.hidden = true;
  signInPage(offline ? 'There is no network.' : 'This code is not valid, or has expired.');
  byId('token').focus();
}

leave.addEventListener('click', async () => {
  const unsent = (await entries()).length;
  if (unsent > 0 && !confirm(`${unsent} not sent yet would be lost. Sign out all the same?`)) return;
  await signOutSession();
  await forgetAll();
  list = null;
  status.textContent = '';
  location.hash = '';
  await show();
});
back.addEventListener('click', () => {
  location.hash = '';
});

// ---- The network

async function refresh() {
  const { ok, answer, offline, status: code } = await call('GET', '/me/tasks?limit=100');
  // Signed out meanwhile: nothing of it is kept.
  if (token() === null) return { ok: false, offline, signedOut: false };
  if (ok) {
    list = { id: 'mine', tasks: answer.data ?? [], at: Date.now(), offline: false };
    await saveList();
  } else if (list !== null) list = { ...list, offline: true };
  return { ok, offline, signedOut: code === 401 };
}

async function saveList() {
  if (list !== null) await (await database()).put('lists', list);
}

/** Sends what waits, then asks what is to be done. */
async function exchange() {
  if (token() === null) return;
  await show();
  const sent = await send();
  const asked = await refresh();
  if (token() === null || (!sent.signedOut && !asked.signedOut)) return show();
  // What waits is kept, and sent once the same person has signed in again.
  signOutToken();
  await show();
  signInPage(`${takesCodes ? 'Your code has expired.' : 'You are signed out.'} What you have done is kept.`);
}

const actions = { show, exchange, saveList };

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

void navigator.serviceWorker?.register(new URL('sw.js', import.meta.url), {
  scope: new URL('../work', import.meta.url).pathname,
});
// Whoever has signed in on the page for that needs nothing more.
if (token() === null) await renew();
await show();
await exchange();
