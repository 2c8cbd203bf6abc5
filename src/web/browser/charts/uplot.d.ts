/** `charts/uplot.js` is served from the package (`src/web/files.ts`). */
export { default } from 'uplot';
