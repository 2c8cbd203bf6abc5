/** @import { Act, Answer, Entry, Photo, Result, Task } from './model.ts' */
import { call, mayPass, whoAmI } from './api.js';
import { database } from './store.js';

/**
 * What was done and is still to be sent. Each entry has a key that was made when it was queued: however often it is
 * sent, it counts once. A refusal is kept, with its reason, until the person has seen it.
 *
 * @param {Act} kind
 * @param {Task} task
 * @param {object} [body]
 * @param {readonly Photo[]} [photos]
 */
export async function queue(kind, task, body, photos = []) {
  await (await database()).put('outbox', {
    id: `${Date.now()}-${crypto.randomUUID()}`,
    key: crypto.randomUUID(),
    who: whoAmI(),
    kind,
    taskId: task.id,
    title: task.title,
    body,
    photos,
    state: 'waiting',
  });
}

/** Oldest first, which is the order of the store's keys. */
export const entries = async () => (await database()).getAll('outbox');
/** @param {string} id */
export const dismiss = async (id) => (await database()).delete('outbox', id);

/** One tab sends at a time, oldest first. Answers whether something was settled, and whether the sign-in has ended. */
export const send = () =>
  navigator.locks.request('roomy-outbox', async () => {
    const db = await database();
    let settled = false;
    for (const entry of await entries()) {
      // What another person did on this phone is theirs to send.
      if (entry.state !== 'waiting' || entry.who !== whoAmI()) continue;
      const result = await deliver(entry);
      if (result.status === 401) return { settled, signedOut: true };
      if (mayPass(result)) return { settled, signedOut: false };
      settled = true;
      if (result.ok) await db.delete('outbox', entry.id);
      else await db.put('outbox', { ...entry, state: 'refused', reason: reasonOf(result.answer) });
    }
    return { settled, signedOut: false };
  });

/**
 * @param {Entry} entry
 * @returns {Promise<Result>}
 */
async function deliver({ kind, taskId, key, body, photos }) {
  for (const { id, blob } of photos) {
    const stored = await call('PUT', `/tasks/${taskId}/photos/${id}`, { bytes: blob });
    if (!stored.ok) return stored;
  }
  return call('POST', `/tasks/${taskId}/${kind}`, { key, ...(body ? { body } : {}) });
}

/** @param {Answer} answer */
function reasonOf(answer) {
  const open = answer.details?.open?.map(({ label }) => label).join(', ');
  return open ? `${answer.error}: ${open}` : (answer.error ?? 'It was refused');
}
