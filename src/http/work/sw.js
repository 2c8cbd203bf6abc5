/** Keeps the page itself, so that it opens without a network; what the API answers is kept by the page. */
const CACHE = 'roomy-work-1';
/** With the prefix under which the page was found. */
const HOME = new URL('../work', location.href).pathname;
const SHELL = [
  HOME,
  ...[
    'app.js',
    'api.js',
    'outbox.js',
    'store.js',
    'photo.js',
    'view.js',
    'style.css',
    'icon.svg',
    'manifest.webmanifest',
  ].map((file) => `${HOME}/${file}`),
];

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(SHELL))
      .then(() => self.skipWaiting()),
  );
});
self.addEventListener('activate', (event) => {
  const forget = async () => {
    for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(forget());
});
self.addEventListener('fetch', (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== 'GET' || origin !== location.origin || !SHELL.includes(pathname)) return;
  event.respondWith(fresh(event.request, pathname));
});

/** From the network while there is one, so that a new version is seen at once. */
async function fresh(request, pathname) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request);
    if (answer.ok) await cache.put(pathname, answer.clone());
    return answer;
  } catch (error) {
    const kept = await cache.match(pathname);
    if (kept) return kept;
    throw error;
  }
}
