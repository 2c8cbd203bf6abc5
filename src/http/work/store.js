/** What the phone remembers: the last list, what is being filled in, and what is still to be sent. */

const NAME = 'roomy-work';
const STORES = ['lists', 'drafts', 'outbox'];

let opened;
function open() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      for (const store of STORES) request.result.createObjectStore(store, { keyPath: 'id' });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

async function run(store, mode, work) {
  const db = await open();
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(store, mode);
    const request = work(transaction.objectStore(store));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error);
  });
}

export const put = (store, value) => run(store, 'readwrite', (objects) => objects.put(value));
export const get = (store, id) => run(store, 'readonly', (objects) => objects.get(id));
export const remove = (store, id) => run(store, 'readwrite', (objects) => objects.delete(id));
export const all = (store) => run(store, 'readonly', (objects) => objects.getAll());

/** Nothing of the person who was signed in stays on the phone. */
export async function forgetAll() {
  const db = await open();
  db.close();
  opened = undefined;
  await new Promise((resolve) => {
    const request = indexedDB.deleteDatabase(NAME);
    request.onsuccess = resolve;
    request.onerror = resolve;
    request.onblocked = resolve;
  });
  for (const name of await caches.keys()) await caches.delete(name);
  for (const registration of (await navigator.serviceWorker?.getRegistrations()) ?? []) await registration.unregister();
  localStorage.clear();
}
