import { createHash } from 'node:crypto';
import { accepts } from 'hono/accepts';
import { html, raw } from 'hono/html';
import type { AnyContext } from './context.ts';

/** The one layout of the small pages that people open: a card in the middle of the window, without scripts, in both directions. */

export type Html = ReturnType<typeof html>;

const CSS = `
:root{color-scheme:light dark;--ink:#1f2933;--soft:#52606d;--line:#d9dee4;--brand:#0b5f59;--page:#f2f4f6;--card:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#e4e9ee;--soft:#a9b6c3;--line:#33404d;--brand:#3fb5a9;--page:#10161d;--card:#1b242e}}
*{box-sizing:border-box}
body{margin:0;padding:24px 16px;background:var(--page);color:var(--ink);font:17px/1.6 system-ui,-apple-system,'Segoe UI',Tahoma,sans-serif}
main{max-width:560px;margin:0 auto;padding:28px;background:var(--card);border-radius:14px}
main.wide{max-width:860px}
h1{margin:0 0 4px;font-size:23px;overflow-wrap:anywhere}
a{color:var(--brand)}
.soft{color:var(--soft);margin:0 0 20px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:8px 20px;margin:0 0 24px}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
ul{padding-inline-start:20px}li{overflow-wrap:anywhere}
form{margin:0 0 12px}
button{width:100%;min-height:52px;padding:12px;border-radius:10px;border:2px solid var(--brand);font:inherit;font-weight:600;background:var(--brand);color:var(--card);cursor:pointer}
button.no{background:transparent;color:var(--ink);border-color:var(--line)}
:focus-visible{outline:3px solid var(--ink);outline-offset:2px}
`;
const CSP = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(CSS).digest('base64')}'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;

interface Page {
  readonly title: string;
  readonly content: Html;
  readonly language?: 'en' | 'ar';
  /** For lists. */
  readonly wide?: boolean;
}

/** The headers of a page that nobody else may keep, frame or learn the address of. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': CSP,
  'Cache-Control': 'private, no-store',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

export const pageOf = ({ title, content, language = 'en', wide = false }: Page): Html =>
  html`<!doctype html>
<html lang="${language}" dir="${language === 'ar' ? 'rtl' : 'ltr'}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<title>${title}</title><link rel="icon" href="data:,"><style>${raw(CSS)}</style></head><body><main class="${wide ? 'wide' : ''}">
<h1>${title}</h1>${content}
</main></body></html>`;

export function answerPage(c: AnyContext, page: Page): Response | Promise<Response> {
  for (const [name, value] of Object.entries(PAGE_HEADERS)) c.header(name, value);
  return c.html(pageOf(page));
}

/** By the weights of RFC 9110 12.5.1; a type of weight zero is not wanted at all, and a wildcard asks for data. */
export const prefersPage = (c: AnyContext): boolean =>
  accepts(c, {
    header: 'Accept',
    supports: ['application/json', 'text/html'],
    default: 'application/json',
    match: (types, { supports, default: otherwise }) =>
      types
        .filter(({ type, q }) => q > 0 && supports.includes(type))
        .toSorted((a, b) => b.q - a.q)
        .at(0)?.type ?? otherwise,
  }) === 'text/html';
