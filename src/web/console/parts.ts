import { html } from 'hono/html';
import type { Html } from '../layout.ts';
import { codeWords, type Frame, type Language, say } from './frame.ts';
import type { Word } from './words-en.ts';

/** Small parts that several pages of the console have. */

/** Digits as everywhere else in the product; names of days and months in the language. */
const localeOf = (language: Language): string => (language === 'ar' ? 'ar-AE-u-nu-latn' : 'en-GB');

function written(at: Date, language: Language, timeZone: string, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat(localeOf(language), { ...options, timeZone }).format(at);
}
type Clock = Pick<Frame, 'language' | 'timeZone'>;

/** An ISO instant as day and minute on the clock of the frame. */
export const moment = ({ language, timeZone }: Clock, instant: string): Html =>
  html`<time datetime="${instant}">${written(new Date(instant), language, timeZone, { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })}</time>`;

/** The time of day alone. */
export const timeOfDay = ({ language, timeZone }: Clock, instant: string): Html =>
  html`<time datetime="${instant}">${written(new Date(instant), language, timeZone, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })}</time>`;

/** A calendar date with the day of the week. */
export const dayName = (language: Language, date: string): string =>
  written(new Date(`${date}T00:00:00Z`), language, 'UTC', {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    year: 'numeric',
  });

/** An amount in major units. */
export const money = (amount: number, currency: string): Html =>
  html`<bdi class="number">${new Intl.NumberFormat('en', { style: 'currency', currency, currencyDisplay: 'code' }).format(amount)}</bdi>`;

/** From milliseconds: as exact as it is short. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1_000)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.floor((ms % 3_600_000) / 60_000)} min`;
}

const BAD: ReadonlySet<string> = new Set(['FAILED', 'BLOCKED', 'parked', 'failed', 'MANUAL_REQUIRED', 'UNASSIGNED']);
const GOOD: ReadonlySet<string> = new Set([
  'COMPLETED',
  'DELIVERED',
  'SENT',
  'PAID',
  'completed',
  'done',
  'CHECKED_IN',
]);
const WARNS: ReadonlySet<string> = new Set(['compensating', 'compensated', 'SKIPPED', 'PENDING', 'waiting']);
const toneOf = (code: string): string => {
  if (BAD.has(code)) return 'bad';
  if (GOOD.has(code)) return 'good';
  return WARNS.has(code) ? 'warn' : '';
};
/** A state as a label: the word says it, the colour underlines it. */
export const badge = (frame: Pick<Frame, 'language'>, code: string): Html =>
  html`<span class="badge ${toneOf(code)}">${codeWords(frame, code)}</span>`;

/** One row of a list of facts. */
export const fact = (frame: Pick<Frame, 'language'>, word: Word, value: Html | string): Html =>
  html`<div><dt>${say(frame, word)}</dt><dd>${value}</dd></div>`;

export const stayLink = ({ prefix }: Pick<Frame, 'prefix'>, id: string): Html =>
  html`<a href="${prefix}/console/stays/${encodeURIComponent(id)}"><bdi>${id}</bdi></a>`;
export const staffLink = ({ prefix }: Pick<Frame, 'prefix'>, id: string, name: string): Html =>
  html`<a href="${prefix}/console/staff/${encodeURIComponent(id)}"><bdi>${name}</bdi></a>`;
export const taskLink = ({ prefix }: Pick<Frame, 'prefix'>, id: string, title: string): Html =>
  html`<a href="${prefix}/console/tasks/${encodeURIComponent(id)}"><bdi>${title}</bdi></a>`;
export const sagaLink = ({ prefix }: Pick<Frame, 'prefix'>, id: string, text: string): Html =>
  html`<a href="${prefix}/console/sagas/${encodeURIComponent(id)}"><bdi lang="en">${text}</bdi></a>`;

/** The links under a list. `address`: of the page with its filter, to which the cursor is added. */
export function pager(frame: Frame, address: string, next: string | null, isFirst: boolean): Html {
  const older = next === null ? '' : `${address}${address.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(next)}`;
  if (next === null && isFirst) return html``;
  return html`<p class="pager">${isFirst ? '' : html`<a href="${address}">${say(frame, 'newest')}</a>`} ${
    next === null ? '' : html`<a rel="next" href="${older}">${say(frame, 'older')}</a>`
  }</p>`;
}

/** A choice of a filter; `''` chooses all. */
export const choice = (
  frame: Frame,
  name: string,
  label: Word,
  values: readonly string[],
  chosen: string | undefined,
): Html =>
  html`<label>${say(frame, label)} <select name="${name}"><option value="">${say(frame, 'all')}</option>${values.map(
    (value) =>
      html`<option value="${value}"${value === chosen ? html` selected` : ''}>${codeWords(frame, value)}</option>`,
  )}</select></label>`;

type Cells = readonly (Html | string | number)[];
/** A table whose cells say on a narrow screen what they are. */
export function table(frame: Frame, columns: readonly Word[], rows: readonly Cells[]): Html {
  const names = columns.map((word) => say(frame, word));
  return html`<table><thead><tr>${names.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${rows.map((cells) => html`<tr>${cells.map((cell, index) => html`<td data-label="${names[index] ?? ''}"><span>${cell}</span></td>`)}</tr>`)}</tbody></table>`;
}
