import { html } from 'hono/html';
import { documentOf, type Html, STYLE_SHEET } from './layout.ts';

/**
 * The page for a phone, which its scripts fill. Every address is relative: it is found under any path. `takesCodes`: a pasted
 * token signs in too, which is for development.
 */
export const workPage = (takesCodes: boolean): Html =>
  documentOf({
    title: 'Roomy work',
    look: 'phone',
    style: { at: STYLE_SHEET },
    isPublic: true,
    head: html`<meta name="theme-color" content="#0b6b63">
<link rel="manifest" href="work/manifest.webmanifest">
<link rel="icon" href="work/icon.svg" type="image/svg+xml">`,
    body: html`
  <a class="skip" href="#main">Skip to the content</a>
  <header>
    <button type="button" id="back" class="plain" hidden aria-label="Back to my tasks">&#8592;</button>
    <h1 id="heading" tabindex="-1">My tasks</h1>
    <button type="button" id="sign-out" class="plain" hidden>Sign out</button>
  </header>
  <p id="status" role="status" aria-live="polite"></p>
  <main id="main" data-codes="${takesCodes ? 'yes' : 'no'}"></main>
  <script type="module" src="work/app.js"></script>
`,
  });
