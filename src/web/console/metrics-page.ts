import { html } from 'hono/html';
import type { Html } from '../layout.ts';
import { type Content, codeWords, type Frame, say } from './frame.ts';
import type { Word } from './words-en.ts';

/** How the business does: five reports, each with its figures, a table and a chart that is drawn from the table. */

export const REPORTS = ['conversion', 'payments', 'tasks', 'satisfaction', 'payouts'] as const;
export type ReportName = (typeof REPORTS)[number];
type Unit = 'count' | 'rate' | 'hours' | 'mean';
interface Figure {
  readonly name: string;
  readonly word: Word;
  readonly unit: Unit;
  /** It is drawn. */
  readonly drawn?: true;
}
interface Shape {
  readonly title: Word;
  readonly text: Word;
  readonly figures: readonly Figure[];
}

const count = (name: string, word: Word): Figure => ({ name, word, unit: 'count' });
const drawn = (name: string, word: Word, unit: Unit): Figure => ({ name, word, unit, drawn: true });
const SHAPES: Readonly<Record<ReportName, Shape>> = {
  conversion: {
    title: 'conversion',
    text: 'conversionText',
    figures: [count('created', 'created'), count('confirmed', 'confirmed'), drawn('rate', 'rate', 'rate')],
  },
  payments: {
    title: 'payments',
    text: 'paymentsText',
    figures: [
      count('attempts', 'attemptsMade'),
      count('completed', 'succeeded'),
      count('failed', 'refusedCount'),
      drawn('rate', 'rate', 'rate'),
      count('firstAttempts', 'firstAttempts'),
      count('firstCompleted', 'firstCompleted'),
      drawn('firstRate', 'firstRate', 'rate'),
    ],
  },
  tasks: {
    title: 'onTimeTasks',
    text: 'onTimeTasksText',
    figures: [
      count('due', 'dueCount'),
      count('onTime', 'onTime'),
      count('late', 'lateCount'),
      count('open', 'openCount'),
      drawn('rate', 'rate', 'rate'),
    ],
  },
  satisfaction: {
    title: 'satisfaction',
    text: 'satisfactionText',
    figures: [
      count('stays', 'staysLeft'),
      count('ratings', 'ratings'),
      drawn('mean', 'mean', 'mean'),
      { name: 'responseRate', word: 'responseRate', unit: 'rate' },
    ],
  },
  payouts: {
    title: 'payouts',
    text: 'payoutsText',
    figures: [
      count('payouts', 'payoutCount'),
      drawn('medianHours', 'medianHours', 'hours'),
      drawn('p95Hours', 'p95Hours', 'hours'),
      { name: 'medianLatenessHours', word: 'medianLatenessHours', unit: 'hours' },
      { name: 'p95LatenessHours', word: 'p95LatenessHours', unit: 'hours' },
    ],
  },
};

export type Figures = Readonly<Record<string, number | null>>;
export interface ShownReport {
  readonly name: ReportName;
  readonly groupBy: string;
  /** What it can be grouped by. */
  readonly groupings: readonly { readonly name: string; readonly address: string }[];
  readonly csv: string;
  readonly total: Figures;
  readonly groups: readonly { readonly key: string | null; readonly figures: Figures }[];
}
export interface MetricsView {
  /** Calendar dates. */
  readonly from: string;
  readonly to: string;
  readonly propertyId: string;
  /** Names of properties that the reader knows, by id; not all there may be. */
  readonly properties: ReadonlyMap<string, string>;
  readonly reports: readonly ShownReport[];
}

export const metricsPage = (frame: Frame, view: MetricsView): Content => ({
  title: say(frame, 'metrics'),
  page: 'metrics',
  draws: true,
  body: html`${filterOf(frame, view)}${view.reports.map((report) => reportOf(frame, report, view.properties))}`,
});

const filterOf = (frame: Frame, { from, to, propertyId, properties }: MetricsView): Html =>
  html`<form class="filter" method="get" action="${frame.prefix}/console/metrics"><label>${say(frame, 'from')} <input type="date" name="from" value="${from}" required></label>
<label>${say(frame, 'to')} <input type="date" name="to" value="${to}" required></label>
<label>${say(frame, 'propertyId')} <input name="propertyId" value="${propertyId}" maxlength="64" list="properties" dir="ltr"></label><datalist id="properties">${[...properties].map(([id, name]) => html`<option value="${id}">${name}</option>`)}</datalist>
<button class="no">${say(frame, 'show')}</button></form>`;

/** As people read it; null: of nothing. */
function written(value: number | null | undefined, unit: Unit): string {
  if (value === null || value === undefined) return '–';
  if (unit === 'count') return String(value);
  return unit === 'rate' ? `${(value * 100).toFixed(1)} %` : value.toFixed(unit === 'mean' ? 2 : 1);
}
/** What is drawn of it: rates as percent. */
const drawnValue = (value: number | null | undefined, unit: Unit): string =>
  value === null || value === undefined ? '' : String(unit === 'rate' ? Number((value * 100).toFixed(2)) : value);

function reportOf(frame: Frame, report: ShownReport, names: ReadonlyMap<string, string>): Html {
  const { name, groupBy, groupings, csv, total, groups } = report;
  const { title, text, figures } = SHAPES[name];
  return html`<section class="panel report" aria-labelledby="report-${name}"><h2 id="report-${name}">${say(frame, title)}</h2><p class="soft">${say(frame, text)}</p>
<dl class="counts">${figures.map(({ name: figure, word, unit }) => html`<div><dt>${say(frame, word)}</dt><dd class="number"><bdi>${written(total[figure], unit)}</bdi></dd></div>`)}</dl>
<p class="groupings">${say(frame, 'by')} ${groupings.map((grouping) => html`<a class="button" href="${grouping.address}#report-${name}"${grouping.name === groupBy ? html` aria-current="true"` : ''}>${codeWords(frame, grouping.name)}</a> `)}<a class="button" href="${csv}" download>${say(frame, 'csv')}</a></p>
${
  groups.length === 0
    ? html`<p class="empty">${say(frame, 'noFigures')}</p>`
    : html`<div class="chart" hidden data-table="table-${name}" data-label="${say(frame, title)}: ${say(frame, 'chartOf')}"></div>${tableOf(frame, report, names)}`
}</section>`;
}

function tableOf(frame: Frame, { name, groupBy, groups }: ShownReport, names: ReadonlyMap<string, string>): Html {
  const { title, figures } = SHAPES[name];
  const label = codeWords(frame, groupBy);
  return html`<details${groups.length > MAX_OPEN ? '' : html` open`}><summary>${say(frame, title)}: ${label}</summary><table id="table-${name}" data-by="${groupBy}"><thead><tr><th scope="col">${label}</th>${figures.map(
    ({ word, drawn: isDrawn }) =>
      html`<th scope="col"${isDrawn === true ? html` data-drawn="yes"` : ''}>${say(frame, word)}</th>`,
  )}</tr></thead>
<tbody>${groups.map(
    ({ key, figures: row }) =>
      html`<tr data-key="${key ?? '–'}"><td data-label="${label}"><bdi>${groupName(key, groupBy, names)}</bdi></td>${figures.map(
        ({ name: figure, word, unit }) =>
          html`<td class="number" data-label="${say(frame, word)}" data-value="${drawnValue(row[figure], unit)}"><bdi>${written(row[figure], unit)}</bdi></td>`,
      )}</tr>`,
  )}</tbody></table></details>`;
}

/** A longer table is folded. */
const MAX_OPEN = 40;

const groupName = (key: string | null, groupBy: string, names: ReadonlyMap<string, string>): string =>
  key === null ? '–' : groupBy === 'property' ? (names.get(key) ?? key) : key;
