/** @import { IDBPDatabase } from './idb.js' */
/** @import { Kept } from './model.ts' */
import { deleteDB, openDB } from './idb.js';

/** What the phone remembers: the last list, what is being filled in, and what is still to be sent. */

const NAME = 'roomy-work';
/** @type {readonly ['lists', 'drafts', 'outbox']} */
const STORES = ['lists', 'drafts', 'outbox'];

/** @type {Promise<IDBPDatabase<Kept>> | undefined} */
let opened;
export function database() {
  opened ??= openDB(NAME, 1, {
    upgrade(db) {
      for (const store of STORES) db.createObjectStore(store, { keyPath: 'id' });
    },
  });
  return opened;
}

/** Nothing of the person who was signed in stays on the phone. */
export async function forgetAll() {
  const db = await database();
  db.close();
  opened = undefined;
  // Another tab may hold it open: it goes once that tab is closed, and nobody is kept waiting here.
  await new Promise((resolve) => {
    deleteDB(NAME, { blocked: resolve }).then(resolve, resolve);
  });
  for (const name of await caches.keys()) await caches.delete(name);
  for (const registration of (await navigator.serviceWorker?.getRegistrations()) ?? []) await registration.unregister();
  localStorage.clear();
}
