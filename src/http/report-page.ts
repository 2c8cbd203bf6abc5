import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';
import type { Db } from '../db/client.ts';
import type { StoredReport } from '../domain/stays/report.ts';
import { exponentOf } from '../kernel/money.ts';
import type { AnyContext } from './context.ts';

/** The check-out report on one sheet of paper. Names are read when it is shown: the report itself holds ids. */

const CSS = `
:root{--ink:#1c2430;--soft:#566270;--line:#d9dee4;--brand:#0b6b63}
*{box-sizing:border-box}
body{margin:0 auto;max-width:780px;padding:36px 28px;color:var(--ink);background:#fff;font:15px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif}
header{display:flex;justify-content:space-between;align-items:baseline;gap:16px;border-bottom:2px solid var(--brand);padding-bottom:10px;margin-bottom:22px}
h1{font-size:24px;margin:0}h2{font-size:16px;margin:26px 0 8px;color:var(--brand)}
.soft{color:var(--soft)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 22px;margin:0}dt{color:var(--soft)}dd{margin:0}
table{width:100%;border-collapse:collapse}caption{text-align:left;position:absolute;left:-9999px}
th,td{text-align:left;padding:6px 8px;border-bottom:1px solid var(--line);vertical-align:top}th{font-weight:600;color:var(--soft)}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr.sum td{font-weight:700;border-top:2px solid var(--line)}
footer{margin-top:30px;font-size:12px;color:var(--soft);overflow-wrap:anywhere}
@media print{body{max-width:none;padding:0;font-size:11pt}h2{break-after:avoid}tr{break-inside:avoid}@page{size:A4;margin:18mm}}
`;
const CSP = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(CSS).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

export async function reportPage(c: AnyContext, db: Db, stored: StoredReport): Promise<Response> {
  const { report } = stored;
  const names = await db
    .selectFrom('property as p')
    .leftJoin('guest as g', (join) => join.on('g.id', '=', report.guestId))
    .where('p.id', '=', report.propertyId)
    .select(['p.name as property', 'g.name as guest'])
    .executeTakeFirst();
  c.header('Content-Security-Policy', CSP);
  c.header('Cache-Control', 'private, no-store');
  c.header('Referrer-Policy', 'no-referrer');
  return c.html(render(stored, names?.property ?? report.propertyId, names?.guest ?? report.guestId));
}

function render({ id, createdAt, sha256, report }: StoredReport, property: string, guest: string) {
  const { currency } = report.money;
  const money = (amount: number): string => `${amount.toFixed(exponentOf(currency))} ${currency}`;
  const row = (label: string, amount: number) => html`<tr><td>${label}</td><td class="num">${money(amount)}</td></tr>`;
  const { times, nights, money: sums } = report;
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<title>Check-out report ${report.reservationId}</title><style>${raw(CSS)}</style></head><body>
<header><h1>Check-out report</h1><span class="soft">${report.reservationId}</span></header>
<main>
<dl><dt>Property</dt><dd>${property}</dd><dt>Guest</dt><dd>${guest}</dd>
<dt>Booked</dt><dd>${times.checkInDate} to ${times.checkOutDate}, ${nights.booked} ${nights.booked === 1 ? 'night' : 'nights'}</dd>
<dt>Arrived</dt><dd>${localText(times.checkedInLocal)}</dd><dt>Left</dt><dd>${localText(times.checkedOutLocal)} <span class="soft">(${times.timeZone})</span></dd>
<dt>Nights stayed</dt><dd>${nights.stayed}${nights.unused > 0 ? `, ${nights.unused} not used` : ''}</dd>
<dt>Devices</dt><dd>${report.amenities.status === 'NONE' ? 'none' : report.amenities.status.toLowerCase()}</dd></dl>
<h2>Money</h2>
<table><caption>Money of the stay</caption><tbody>${row('Price of the stay', sums.total)}${row('Received', sums.received)}${row('Refunded', sums.refunded)}
${row("Owner's share", sums.ownerShare)}${row('Agency fee', sums.agencyFee)}${row('Referral', sums.referral.agents + sums.referral.retained)}${row('Gateway fees', sums.gatewayFees)}
${row('Deposit held', report.deposit.held)}<tr class="sum"><td>Balance due</td><td class="num">${money(sums.balanceDue)}</td></tr></tbody></table>
<h2>Tasks</h2>${taskTable('Tasks of the stay', report.tasks, 'No tasks.')}
<h2>Incidents</h2>${taskTable('Repairs and emergencies during the stay', report.incidents, 'None during the stay.')}
${report.warnings.length > 0 ? html`<h2>Noted</h2><p>${report.warnings.join(', ')}</p>` : ''}
</main>
<footer>Report ${id}, written ${createdAt}. SHA-256 ${sha256}</footer></body></html>`;
}

const localText = (local: string | null): string => (local === null ? 'not recorded' : local.replace('T', ', '));

const taskTable = (caption: string, tasks: StoredReport['report']['tasks'], none: string) =>
  tasks.length === 0
    ? html`<p class="soft">${none}</p>`
    : html`<table><caption>${caption}</caption><thead><tr><th scope="col">Task</th><th scope="col">Due (UTC)</th><th scope="col">State</th></tr></thead><tbody>
${tasks.map((task) => html`<tr><td>${wordsOf(task.type)}, ${wordsOf(task.occurrence)}</td><td>${task.scheduledDate.slice(0, 16).replace('T', ' ')}</td><td>${wordsOf(task.status)}</td></tr>`)}</tbody></table>`;

const wordsOf = (code: string): string => code.toLowerCase().replaceAll('_', ' ');
