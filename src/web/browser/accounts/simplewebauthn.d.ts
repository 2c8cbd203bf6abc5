/** `passkeys/simplewebauthn.js` is served from the package (`src/web/files.ts`). */
export * from '@simplewebauthn/browser';
