import { html } from 'hono/html';
import { formatLocaleOf, languageOf } from '../domain/messages/locales.ts';
import { formatMoney } from '../domain/messages/print.ts';
import type { OpenQuestion } from '../domain/tasks/approvals.ts';
import type { Card } from './layout.ts';

/** Where an owner lands: what waits for an answer. */

const ENGLISH = {
  title: 'What waits for your answer',
  none: 'Nothing waits for you.',
  answer: 'Answer',
  account: 'Your account',
};
const ARABIC: typeof ENGLISH = {
  title: 'ما ينتظر إجابتك',
  none: 'لا شيء ينتظرك.',
  answer: 'أجب',
  account: 'حسابك',
};

export function ownerPage(prefix: string, locale: string | null, questions: readonly OpenQuestion[]): Card {
  const language = languageOf(locale ?? 'en') === 'ar' ? 'ar' : 'en';
  const words = language === 'ar' ? ARABIC : ENGLISH;
  const format = formatLocaleOf(language, locale);
  return {
    title: words.title,
    language,
    content: html`${
      questions.length === 0
        ? html`<p role="status">${words.none}</p>`
        : html`<ul>${questions.map(
            ({ token, title, propertyName, estimate }) =>
              html`<li><bdi>${title}</bdi>, <bdi>${propertyName}</bdi>${
                estimate === null ? '' : html`, <bdi>${formatMoney(estimate, format)}</bdi>`
              }: <a href="${prefix}/approvals/${token}">${words.answer}</a></li>`,
          )}</ul>`
    }
<p><a href="${prefix}/account">${words.account}</a></p>`,
  };
}
