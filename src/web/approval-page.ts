import { html } from 'hono/html';
import { formatLocaleOf, languageOf } from '../domain/messages/locales.ts';
import { formatMoney } from '../domain/messages/print.ts';
import type { Repair } from '../domain/tasks/approvals.ts';
import type { Card } from './layout.ts';

/** Where an owner says yes or no to a repair. It works without scripts, and looking at it decides nothing. */

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

export function approvalPage(token: string, repair: Repair): Card {
  const language = languageOf(repair.ownerLocale ?? 'en') === 'ar' ? 'ar' : 'en';
  const words = language === 'ar' ? ARABIC : ENGLISH;
  const { estimate, description } = repair;
  return {
    title: words.title,
    language,
    content: html`<p class="soft"><bdi>${repair.propertyName}</bdi></p>
<dl><dt>${words.what}</dt><dd><bdi>${repair.title}</bdi></dd>
${description === null || description === repair.title ? '' : html`<dt>${words.details}</dt><dd><bdi>${description}</bdi></dd>`}
${estimate === null ? '' : html`<dt>${words.estimate}</dt><dd><bdi>${formatMoney(estimate, formatLocaleOf(language, repair.ownerLocale))}</bdi></dd>`}</dl>
${answerOf(words, token, repair)}`,
  };
}

function answerOf(words: typeof ENGLISH, token: string, { approval, taskStatus }: Repair) {
  if (approval !== 'PENDING') return html`<p role="status">${words[approval]}</p>`;
  if (taskStatus !== 'UNASSIGNED') return html`<p role="status">${words.over}</p>`;
  // Relative, as the API may be served under a path of its own.
  return html`<form method="post" action="${token}/approve"><button>${words.yes}</button></form>
<form method="post" action="${token}/decline"><button class="no">${words.no}</button></form>`;
}
