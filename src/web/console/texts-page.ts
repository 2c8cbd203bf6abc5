import { html } from 'hono/html';
import { newId } from '../../kernel/ids.ts';
import type { Html } from '../layout.ts';
import { type Content, codeWords, type Frame, inEnglish, say } from './frame.ts';
import { moment } from './parts.ts';

/** What each message says, in each language, and the forms that change it. */

export interface TextRow {
  readonly key: string;
  readonly event: string;
  readonly recipientType: string;
  readonly channels: readonly string[];
  readonly locales: readonly { readonly locale: string; readonly version: number }[];
  readonly missingTranslations: readonly string[];
}
export interface TextDetail extends TextRow {
  readonly variables: readonly {
    readonly name: string;
    readonly type: string;
    readonly example: string;
    readonly optional: boolean;
  }[];
  readonly builtIn: readonly { readonly locale: string; readonly subject: string; readonly message: string }[];
  readonly versions: readonly {
    readonly locale: string;
    readonly version: number;
    readonly subject: string | null;
    readonly message: string;
    readonly createdBy: string;
    readonly createdAt: string;
  }[];
}

export const textAt = ({ prefix }: Pick<Frame, 'prefix'>, key: string): string =>
  `${prefix}/console/texts/${encodeURIComponent(key)}`;

export const textsPage = (frame: Frame, rows: readonly TextRow[]): Content => ({
  title: say(frame, 'texts'),
  page: 'messages',
  body: html`<p class="soft">${say(frame, 'textsText')}</p>
<table><thead><tr><th scope="col">${say(frame, 'event')}</th><th scope="col">${say(frame, 'recipient')}</th><th scope="col">${say(frame, 'channel')}</th><th scope="col">${say(frame, 'languages')}</th><th scope="col">${say(frame, 'missingLanguages')}</th></tr></thead>
<tbody>${rows.map(
    ({ key, event, recipientType, channels, locales, missingTranslations }) =>
      html`<tr><td data-label="${say(frame, 'event')}"><a href="${textAt(frame, key)}">${codeWords(frame, event)}</a></td><td data-label="${say(frame, 'recipient')}">${codeWords(frame, recipientType)}</td>
<td data-label="${say(frame, 'channel')}">${channels.map((channel) => html`${codeWords(frame, channel)} `)}</td><td data-label="${say(frame, 'languages')}"><bdi>${locales.map(({ locale }) => locale).join(', ')}</bdi></td>
<td data-label="${say(frame, 'missingLanguages')}"><bdi>${missingTranslations.join(', ')}</bdi></td></tr>`,
  )}</tbody></table>`,
});

/** What somebody has written and not yet saved. */
export interface Draft {
  readonly locale: string;
  readonly subject: string;
  readonly message: string;
  readonly reservationId: string;
}
interface Hint {
  readonly written: string;
  readonly suggested: string;
}
export interface Previewed {
  readonly mail: { readonly subject: string | null; readonly text: string } | null;
  readonly sms: { readonly text: string; readonly segments: number } | null;
  readonly hints: readonly Hint[];
}
export interface TextView {
  readonly text: TextDetail;
  readonly mayWrite: boolean;
  readonly draft: Draft | null;
  readonly previewed: Previewed | null;
  readonly problem: Html | null;
  readonly told: Html | null;
}

export function textPage(frame: Frame, { text, mayWrite, draft, previewed, problem, told }: TextView): Content {
  return {
    title: `${say(frame, 'texts')}: ${text.event.replaceAll('_', ' ').toLowerCase()}`,
    page: 'messages',
    problem,
    told,
    body: html`<p class="soft">${codeWords(frame, text.recipientType)}, <code>${text.key}</code></p>
${previewed === null ? '' : previewOf(frame, previewed, draft?.locale ?? 'en')}
${currentOf(text).map((current) => formOf(frame, text, current, { draft: draft?.locale === current.locale ? draft : null, mayWrite }))}
${variablesOf(frame, text)}${versionsOf(frame, text)}
<p><a href="${frame.prefix}/console/texts">${say(frame, 'texts')}</a></p>`,
  };
}

interface Current {
  readonly locale: string;
  readonly version: number;
  readonly subject: string | null;
  readonly message: string;
}
/** The text that counts in each language; of one that has none, an empty form. */
function currentOf({ builtIn, versions, missingTranslations }: TextDetail): readonly Current[] {
  const known = new Map<string, Current>(builtIn.map((text) => [text.locale, { ...text, version: 0 }]));
  for (const one of versions) if (one.version > (known.get(one.locale)?.version ?? 0)) known.set(one.locale, one);
  for (const locale of missingTranslations)
    if (!known.has(locale)) known.set(locale, { locale, version: 0, subject: '', message: '' });
  return [...known.values()];
}

function formOf(
  frame: Frame,
  text: TextDetail,
  current: Current,
  { draft, mayWrite }: { readonly draft: Draft | null; readonly mayWrite: boolean },
): Html {
  const at = textAt(frame, text.key);
  const { locale, version } = current;
  const [subject, message] = [draft?.subject ?? current.subject ?? '', draft?.message ?? current.message];
  const dir = locale === 'ar' ? 'rtl' : 'ltr';
  const id = `text-${locale}`;
  const heading = html`<h2 id="${id}"><bdi>${locale}</bdi> <span class="soft">${version === 0 ? say(frame, 'builtIn') : html`${say(frame, 'version')} ${version}`}</span></h2>`;
  if (!mayWrite)
    return html`<section class="panel" aria-labelledby="${id}">${heading}<p><strong lang="${locale}" dir="${dir}">${subject}</strong></p><div class="letter" lang="${locale}" dir="${dir}">${message}</div></section>`;
  return html`<section class="panel" aria-labelledby="${id}">${heading}
<form method="post" action="${at}/save" class="write"><input type="hidden" name="key" value="${newId('press')}"><input type="hidden" name="locale" value="${locale}">
${text.channels.includes('EMAIL') ? html`<label>${say(frame, 'subjectLine')} <input name="subject" value="${subject}" maxlength="300" lang="${locale}" dir="${dir}"></label>` : ''}
<label>${say(frame, 'messageText')} <textarea name="message" rows="8" maxlength="10000" required lang="${locale}" dir="${dir}">${message}</textarea></label>
<label>${say(frame, 'previewStay')} <input name="reservationId" value="${draft?.reservationId ?? ''}" maxlength="64"></label>
<p><button formaction="${at}/preview" class="no">${say(frame, 'preview')}</button> <button class="yes">${say(frame, 'save')}</button></p></form></section>`;
}

const previewOf = (frame: Frame, { mail, sms, hints }: Previewed, locale: string): Html =>
  html`<section class="panel" aria-labelledby="preview"><h2 id="preview">${say(frame, 'preview')}</h2>
${hints.map(({ written, suggested }) => html`<p class="notice"><code>${written}</code> ${say(frame, 'suggested')} <code>${suggested}</code>?</p>`)}
${mail === null && sms === null ? html`<p>${say(frame, 'valueMissing')}</p>` : ''}
${mail === null ? '' : html`<h3>${say(frame, 'asMail')}</h3><p><strong lang="${locale}" dir="auto">${mail.subject ?? ''}</strong></p><div class="letter" lang="${locale}" dir="auto">${mail.text}</div>`}
${sms === null ? '' : html`<h3>${say(frame, 'asSms')} <span class="soft">(${sms.segments} ${say(frame, 'smsParts')})</span></h3><div class="letter" lang="${locale}" dir="auto">${sms.text}</div>`}</section>`;

const variablesOf = (frame: Frame, { variables }: TextDetail): Html =>
  html`<h2>${say(frame, 'variables')}</h2><dl class="facts panel">${variables.map(
    ({ name, example, optional }) =>
      html`<div><dt><code>{${name}}</code></dt><dd>${inEnglish(example)}${optional ? html` <span class="soft">${say(frame, 'mayBeMissing')}</span>` : ''}</dd></div>`,
  )}</dl>`;

const versionsOf = (frame: Frame, { versions }: TextDetail): Html =>
  versions.length === 0
    ? html``
    : html`<details><summary>${say(frame, 'versions')}</summary><ul class="rows">${versions.map(
        ({ locale, version, message, createdBy, createdAt }) =>
          html`<li><bdi>${locale}</bdi> ${version}, ${moment(frame, createdAt)} ${say(frame, 'writtenBy')} <bdi>${createdBy}</bdi><div class="letter" lang="${locale}" dir="auto">${message}</div></li>`,
      )}</ul></details>`;
