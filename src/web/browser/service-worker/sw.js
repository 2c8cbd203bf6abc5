/** Keeps the page itself, so that it opens without a network; what the API answers is kept by the page. */
importScripts('workbox-core.js', 'workbox-routing.js', 'workbox-strategies.js', 'workbox-precaching.js');
const { core, precaching, routing, strategies } = workbox;

// The name under which phones have it since the first version: files of an older list are cleared away from there.
core.setCacheNameDetails({ prefix: 'roomy-work', precache: '1', suffix: '' });
precaching.precache(__WB_MANIFEST);

/** @param {Request} request */
const kept = (request) => precaching.matchPrecache(new URL(request.url).pathname);

// From the network while there is one, so that a new version is seen at once. Without one, all files are of one version.
routing.registerRoute(
  ({ url, sameOrigin }) => sameOrigin && precaching.getCacheKeyForURL(url.pathname) !== undefined,
  new strategies.NetworkOnly({ plugins: [{ handlerDidError: ({ request }) => kept(request) }] }),
);

void skipWaiting();
core.clientsClaim();
