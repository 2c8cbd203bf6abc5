/** `work/idb.js` is served from the package (`src/web/files.ts`). */
export * from 'idb';
