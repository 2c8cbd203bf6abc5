import { html } from 'hono/html';
import type { StoredReport } from '../domain/stays/report.ts';
import { exponentOf } from '../kernel/money.ts';
import { documentOf, type Html } from './layout.ts';

/**
 * The check-out report on one sheet of paper, with its style inside: it is printed, kept and sent on as a file. The names are
 * read when it is shown: the report itself holds ids.
 */

export function reportPage({ id, createdAt, sha256, report }: StoredReport, property: string, guest: string): Html {
  const { currency } = report.money;
  const money = (amount: number): string => `${amount.toFixed(exponentOf(currency))} ${currency}`;
  const row = (label: string, amount: number) => html`<tr><td>${label}</td><td class="num">${money(amount)}</td></tr>`;
  const { times, nights, money: sums } = report;
  return documentOf({
    title: `Check-out report ${report.reservationId}`,
    look: 'paper',
    style: 'inside',
    body: html`
<header><h1>Check-out report</h1><span class="soft">${report.reservationId}</span></header>
<main>
<dl><dt>Property</dt><dd>${property}</dd><dt>Guest</dt><dd>${guest}</dd>
<dt>Booked</dt><dd>${times.checkInDate} to ${times.checkOutDate}, ${nights.booked} ${nights.booked === 1 ? 'night' : 'nights'}</dd>
<dt>Arrived</dt><dd>${localText(times.checkedInLocal)}</dd><dt>Left</dt><dd>${localText(times.checkedOutLocal)} <span class="soft">(${times.timeZone})</span></dd>
<dt>Nights stayed</dt><dd>${nights.stayed}${nights.unused > 0 ? `, ${nights.unused} not used` : ''}</dd>
<dt>Devices</dt><dd>${report.amenities.status === 'NONE' ? 'none' : wordsOf(report.amenities.status)}</dd></dl>
<h2>Money</h2>
<table><caption>Money of the stay</caption><tbody>${row('Price of the stay', sums.total)}${row('Received', sums.received)}${row('Refunded', sums.refunded)}
${row("Owner's share", sums.ownerShare)}${row('Agency fee', sums.agencyFee)}${row('Referral', sums.referral.agents + sums.referral.retained)}${row('Gateway fees', sums.gatewayFees)}
${row('Deposit held', report.deposit.held)}<tr class="sum"><td>Balance due</td><td class="num">${money(sums.balanceDue)}</td></tr></tbody></table>
<h2>Tasks</h2>${taskTable('Tasks of the stay', report.tasks, 'No tasks.')}
<h2>Incidents</h2>${taskTable('Repairs and emergencies during the stay', report.incidents, 'None during the stay.')}
${report.warnings.length > 0 ? html`<h2>Noted</h2><p>${report.warnings.join(', ')}</p>` : ''}
</main>
<footer>Report ${id}, written ${createdAt}. SHA-256 ${sha256}</footer>`,
  });
}

const localText = (local: string | null): string => (local === null ? 'not recorded' : local.replace('T', ', '));

const taskTable = (caption: string, tasks: StoredReport['report']['tasks'], none: string) =>
  tasks.length === 0
    ? html`<p class="soft">${none}</p>`
    : html`<table><caption>${caption}</caption><thead><tr><th scope="col">Task</th><th scope="col">Due (UTC)</th><th scope="col">State</th></tr></thead><tbody>
${tasks.map((task) => html`<tr><td>${wordsOf(task.type)}, ${wordsOf(task.occurrence)}</td><td>${task.scheduledDate.slice(0, 16).replace('T', ' ')}</td><td>${wordsOf(task.status)}</td></tr>`)}</tbody></table>`;

const wordsOf = (code: string): string => code.toLowerCase().replaceAll('_', ' ');
