import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';
import { formatMoney } from '../domain/notifications/delivery-facts.ts';
import { formatLocaleOf, languageOf } from '../domain/notifications/locales.ts';
import type { Repair } from '../domain/tasks/approvals.ts';
import type { AnyContext } from './context.ts';

/** Where an owner says yes or no to a repair. It works without scripts, and looking at it decides nothing. */

const CSS = `
:root{--ink:#1f2933;--soft:#52606d;--line:#d9dee4;--brand:#0b5f59;--page:#f2f4f6;--card:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#e4e9ee;--soft:#a9b6c3;--line:#33404d;--brand:#3fb5a9;--page:#10161d;--card:#1b242e}}
*{box-sizing:border-box}
body{margin:0;padding:24px 16px;background:var(--page);color:var(--ink);font:17px/1.6 system-ui,-apple-system,'Segoe UI',Tahoma,sans-serif}
main{max-width:520px;margin:0 auto;padding:28px;background:var(--card);border-radius:14px}
h1{margin:0 0 4px;font-size:23px}
.soft{color:var(--soft);margin:0 0 20px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:8px 20px;margin:0 0 24px}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
form{margin:0 0 12px}
button{width:100%;min-height:52px;padding:12px;border-radius:10px;border:2px solid var(--brand);font:inherit;font-weight:600;background:var(--brand);color:var(--card);cursor:pointer}
button.no{background:transparent;color:var(--ink);border-color:var(--line)}
button:focus-visible{outline:3px solid var(--ink);outline-offset:2px}
`;
const CSP = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(CSS).digest('base64')}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;

const ENGLISH = {
  title: 'May we have this repaired?',
  what: 'What',
  details: 'Details',
  estimate: 'Estimated cost',
  yes: 'Yes, have it done',
  no: 'No, leave it',
  APPROVED: 'Thank you. We are having it done.',
  DECLINED: 'Thank you. It is not being done.',
  over: 'This question is settled.',
};
const ARABIC: typeof ENGLISH = {
  title: 'هل نُجري هذا الإصلاح؟',
  what: 'العمل',
  details: 'التفاصيل',
  estimate: 'التكلفة المقدرة',
  yes: 'نعم، أجروا الإصلاح',
  no: 'لا، اتركوه',
  APPROVED: 'شكراً لك. سنُجري الإصلاح.',
  DECLINED: 'شكراً لك. لن يُجرى الإصلاح.',
  over: 'هذا السؤال قد حُسم.',
};

export function approvalPage(
  c: AnyContext,
  token: string,
  repair: Repair,
  status: 200 | 409 = 200,
): Response | Promise<Response> {
  c.header('Content-Security-Policy', CSP);
  c.header('Cache-Control', 'private, no-store');
  c.header('Referrer-Policy', 'no-referrer');
  c.header('X-Content-Type-Options', 'nosniff');
  const isArabic = languageOf(repair.ownerLocale ?? 'en') === 'ar';
  const words = isArabic ? ARABIC : ENGLISH;
  const { estimate, description } = repair;
  return c.html(
    html`<!doctype html>
<html lang="${isArabic ? 'ar' : 'en'}" dir="${isArabic ? 'rtl' : 'ltr'}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<title>${words.title}</title><style>${raw(CSS)}</style></head><body><main>
<h1>${words.title}</h1><p class="soft"><bdi>${repair.propertyName}</bdi></p>
<dl><dt>${words.what}</dt><dd><bdi>${repair.title}</bdi></dd>
${description === null || description === repair.title ? '' : html`<dt>${words.details}</dt><dd><bdi>${description}</bdi></dd>`}
${estimate === null ? '' : html`<dt>${words.estimate}</dt><dd><bdi>${formatMoney(estimate, formatLocaleOf(isArabic ? 'ar' : 'en', repair.ownerLocale))}</bdi></dd>`}</dl>
${answerOf(words, token, repair)}
</main></body></html>`,
    status,
  );
}

function answerOf(words: typeof ENGLISH, token: string, { approval, taskStatus }: Repair) {
  if (approval !== 'PENDING') return html`<p role="status">${words[approval]}</p>`;
  if (taskStatus !== 'UNASSIGNED') return html`<p role="status">${words.over}</p>`;
  // Relative, as the API may be served under a path of its own.
  return html`<form method="post" action="${token}/approve"><button>${words.yes}</button></form>
<form method="post" action="${token}/decline"><button class="no">${words.no}</button></form>`;
}
