/** `/console/files/htmx.js`: the package's module, which is a global of its extensions too. */
import type { Htmx } from 'htmx.org';

declare const htmx: Htmx;
export default htmx;
