import { call, mayPass, whoAmI } from './api.js';
import { all, put, remove } from './store.js';

/**
 * What was done and is still to be sent. Each entry has a key that was made when it was queued: however often it is
 * sent, it counts once. A refusal is kept, with its reason, until the person has seen it.
 */
export async function queue(kind, task, body, photos = []) {
  await put('outbox', {
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

export const entries = async () => (await all('outbox')).sort((a, b) => (a.id < b.id ? -1 : 1));
export const dismiss = (id) => remove('outbox', id);

/** One tab sends at a time, oldest first. Answers whether something was settled, and whether the sign-in has ended. */
export const send = () =>
  navigator.locks.request('roomy-outbox', async () => {
    let settled = false;
    for (const entry of await entries()) {
      // What another person did on this phone is theirs to send.
      if (entry.state !== 'waiting' || entry.who !== whoAmI()) continue;
      const result = await deliver(entry);
      if (result.status === 401) return { settled, signedOut: true };
      if (mayPass(result)) return { settled, signedOut: false };
      settled = true;
      if (result.ok) await remove('outbox', entry.id);
      else await put('outbox', { ...entry, state: 'refused', reason: reasonOf(result.answer) });
    }
    return { settled, signedOut: false };
  });

async function deliver({ kind, taskId, key, body, photos }) {
  for (const { id, blob } of photos) {
    const stored = await call('PUT', `/tasks/${taskId}/photos/${id}`, { bytes: blob });
    if (!stored.ok) return stored;
  }
  return call('POST', `/tasks/${taskId}/${kind}`, { key, ...(body ? { body } : {}) });
}

function reasonOf(answer) {
  const open = answer?.details?.open?.map(({ label }) => label).join(', ');
  return open ? `${answer.error}: ${open}` : (answer?.error ?? 'It was refused');
}
