/** Workbox as its scripts leave it, and the list that the server writes into `sw.js` (`src/web/files.ts`). */
declare const workbox: {
  readonly core: typeof import('workbox-core');
  readonly precaching: typeof import('workbox-precaching');
  readonly routing: typeof import('workbox-routing');
  readonly strategies: typeof import('workbox-strategies');
};
declare const __WB_MANIFEST: import('workbox-precaching').PrecacheEntry[];
/** Of `ServiceWorkerGlobalScope`; the library has the scope of any worker. */
declare function skipWaiting(): Promise<void>;
