import { html, raw } from 'hono/html';
import { sha256OfBytes } from '../kernel/json.ts';
import { STYLE } from './files.ts';

/** The one layout of every page that people open. Its one style sheet has a part for each look. */

export type Html = ReturnType<typeof html>;

/** The address of the style sheet, from the root of the API. */
export const STYLE_SHEET = 'style.css';

interface Document {
  readonly title: string;
  /** `card`: a question or a text. `phone`: an app. `paper`: to be printed. `console`, `docs` and `ops`: for those who work with the system. */
  readonly look: 'card' | 'phone' | 'paper' | 'docs' | 'ops' | 'console';
  /**
   * Where the page finds the style sheet; `inside` puts it into the page: for a page that is kept as a file, and on a port
   * that answers nothing but pages.
   */
  readonly style: 'inside' | { readonly at: string };
  readonly language?: 'en' | 'ar';
  /** Search engines may show it. */
  readonly isPublic?: boolean;
  readonly head?: Html;
  readonly body: Html;
}

/** A whole page, from right to left in Arabic. */
export function documentOf({ title, look, style, language = 'en', isPublic = false, head, body }: Document): Html {
  const fit = look === 'phone' ? ', viewport-fit=cover' : '';
  return html`<!doctype html>
<html lang="${language}" dir="${language === 'ar' ? 'rtl' : 'ltr'}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1${fit}">
${isPublic ? '' : html`<meta name="robots" content="noindex">`}
<title>${title}</title>${head ?? html`<link rel="icon" href="data:,">`}${
    style === 'inside' ? html`<style>${raw(STYLE)}</style>` : html`<link rel="stylesheet" href="${style.at}">`
  }</head><body class="look-${look}">${body}</body></html>`;
}

export interface Card {
  readonly title: string;
  readonly content: Html;
  readonly language?: 'en' | 'ar';
  /** For lists. */
  readonly wide?: boolean;
}

/** A card in the middle of the window. `prefix`: the path under which the API is reached. */
export const cardPage = (prefix: string, { content, wide = false, ...page }: Card): Html =>
  documentOf({
    ...page,
    look: 'card',
    style: { at: `${prefix}/${STYLE_SHEET}` },
    body: html`<main class="${wide ? 'wide' : ''}">
<h1>${page.title}</h1>${content}
</main>`,
  });

/** A Content-Security-Policy: nothing is allowed but what is named, and no other page may frame this one. */
export const policyOf = (allowed: Readonly<Record<string, string>>): string =>
  Object.entries({ 'default-src': "'none'", ...allowed, 'base-uri': "'none'", 'frame-ancestors': "'none'" })
    .map(([directive, sources]) => `${directive} ${sources}`)
    .join('; ');

/** The `style-src` of a page that has the style sheet inside. */
export const STYLE_INSIDE = `'sha256-${sha256OfBytes(Buffer.from(STYLE)).toString('base64')}'`;

export const CARD_POLICY = policyOf({ 'style-src': "'self'", 'img-src': 'data:', 'form-action': "'self'" });
/** A card whose scripts, ours, use passkeys. */
export const SIGN_IN_POLICY = policyOf({
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': 'data:',
  'connect-src': "'self'",
  'form-action': "'self'",
});
export const REPORT_POLICY = policyOf({ 'style-src': STYLE_INSIDE, 'img-src': 'data:', 'form-action': "'none'" });
/** Scripts of ours, and requests to this server. */
export const DOCS_POLICY = policyOf({
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': 'data:',
  'connect-src': "'self'",
  'form-action': "'none'",
});
/** Photos that were just taken are shown from the phone's memory (`blob:`). */
export const WORK_POLICY = policyOf({
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self' blob:",
  'connect-src': "'self'",
  'manifest-src': "'self'",
  'worker-src': "'self'",
  'form-action': "'none'",
});
