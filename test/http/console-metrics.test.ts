import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccountRow } from '../../src/domain/people/accounts.ts';
import { REPORTS } from '../../src/web/console/metrics-page.ts';
import { API, at, type Http, startHttp } from './harness.ts';
import { addPerson, type Browser, signInByMail } from './people.ts';
import { prepareWorld } from './valid-requests.ts';

/** The page of metrics shows the figures of the API's reports, to whom the API shows them, as tables without any script. */

let http: Http;
let admin: Browser;
const MONTHS = 'from=2031-01-01&to=2031-12-31';
beforeAll(async () => {
  http = await startHttp();
  await prepareWorld(http.db);
  await http.db
    .insertInto('property')
    .values({ id: 'property-9', name: 'Foreign <House>', owner_id: 'owner-1', agent_ids: ['agent-9'] })
    .execute();
  for (const [id, property_id, month, status] of [
    ['one', 'property-1', '01', 'CONFIRMED'],
    ['two', 'property-1', '02', 'CANCELLED'],
    ['three', 'property-9', '02', 'CONFIRMED'],
  ] as const) {
    await http.db
      .insertInto('reservation')
      .values({
        ...{ id, property_id, guest_id: 'guest-1', total_minor: 100_000, currency: 'AED', created_by: 'test' },
        ...{ check_in_date: `2031-${month}-10`, check_out_date: `2031-${month}-12`, status },
        created_at: new Date(`2031-${month}-03T08:00:00Z`),
        confirmed_at: status === 'CONFIRMED' ? new Date(`2031-${month}-04T08:00:00Z`) : null,
      })
      .execute();
  }
  admin = await signedIn('ADMIN');
}, 60_000);
afterAll(() => http?.stop());

async function signedIn(role: AccountRow['role'], links: Parameters<typeof addPerson>[2] = {}): Promise<Browser> {
  const account = await addPerson(http.db, role, links);
  const browser = await signInByMail(http.app, http.db, account.email);
  await sql`UPDATE session SET mfa_at = now() WHERE account_id = ${account.id}`.execute(http.db);
  return browser;
}
const reportsOn = (text: string): string[] => [...text.matchAll(/id="report-([a-z]+)"/g)].map(([, name = '']) => name);
/** The keys of the rows of a table. */
const keysOf = (text: string, report: string): string[] => {
  const [table = ''] = new RegExp(`<table id="table-${report}"[\\s\\S]*?</table>`).exec(text) ?? [];
  return [...table.matchAll(/<tr data-key="([^"]*)"/g)].map(([, key = '']) => key);
};

it('shows each role the reports that the API gives it', async () => {
  for (const role of ['ADMIN', 'FINANCE', 'OPS', 'AGENT'] as const) {
    const { text, headers } = await (await signedIn(role)).get('/console/metrics');
    const given: string[] = [];
    for (const report of REPORTS)
      if ((await http.call('GET', `${API}/analytics/${report}`, { as: role })).status === 200) given.push(report);
    expect(reportsOn(text), role).toEqual(given);
    expect(headers.get('content-security-policy')).toContain("script-src 'self'");
    expect(text).not.toMatch(/ style=|<script(?![^>]* src=)/);
  }
});

describe('a report', () => {
  it('has the figures of the API, by month of a long period and by day of a short one', async () => {
    const { text } = await admin.get(`/console/metrics?${MONTHS}`);
    const { body } = await http.call('GET', `${API}/analytics/conversion?${MONTHS}&groupBy=month`, { as: 'ADMIN' });
    const groups = at(body, 'data', 'groups');
    expect(keysOf(text, 'conversion')).toEqual(['2031-01', '2031-02']);
    expect(groups).toMatchObject([{ key: '2031-01' }, { key: '2031-02' }]);
    expect(text).toMatch(/data-value="50"/);
    const short = (await admin.get('/console/metrics?from=2031-01-01&to=2031-01-31')).text;
    expect(keysOf(short, 'conversion')).toEqual(['2031-01-03']);
  });

  it('is grouped by what the reader chooses, of one property or of all', async () => {
    const { text } = await admin.get(`/console/metrics?${MONTHS}&conversion=property`);
    expect(keysOf(text, 'conversion')).toEqual(['property-1', 'property-9']);
    expect(text).toContain('Foreign &lt;House&gt;');
    const one = (await admin.get(`/console/metrics?${MONTHS}&propertyId=property-9&conversion=property`)).text;
    expect(keysOf(one, 'conversion')).toEqual(['property-9']);
    const agent = await signedIn('AGENT', { staffId: 'agent-1' });
    const own = (await agent.get(`/console/metrics?${MONTHS}&conversion=property`)).text;
    expect(keysOf(own, 'conversion')).toEqual(['property-1']);
    expect(own).not.toContain('Foreign');
    expect((await agent.get(`/console/metrics?${MONTHS}&propertyId=property-9`)).status).toBe(404);
    expect((await admin.get(`/console/metrics?${MONTHS}&conversion=colour`)).status).toBe(422);
    expect((await admin.get('/console/metrics?from=2031-02-30')).status).toBe(422);
  });

  it('is taken as CSV, the same as from the API', async () => {
    const { text } = await admin.get(`/console/metrics?${MONTHS}`);
    for (const report of REPORTS) {
      const link =
        new RegExp(`href="(/console/metrics/${report}[^"]*)"`).exec(text)?.[1]?.replaceAll('&amp;', '&') ?? '';
      const csv = await admin.get(link);
      expect(csv.headers.get('content-type')).toContain('text/csv');
      expect(csv.headers.get('content-disposition')).toContain(`${report}.csv`);
      const given = await http.app.request(
        `https://roomy.example${API}/analytics/${report}?${MONTHS}&groupBy=month&format=csv`,
        {
          headers: { cookie: admin.cookie },
        },
      );
      expect(csv.text.split('\n')[0], report).toMatch(/^key,/);
      if (given.status === 200) expect(csv.text).toBe(await given.text());
    }
    expect((await admin.get('/console/metrics/none')).status).toBe(404);
  });
});

it('serves the script, the library and its style sheet from its own address, and nothing else', async () => {
  for (const [name, type] of Object.entries({
    'charts.js': 'javascript',
    'uplot.js': 'javascript',
    'uplot.css': 'css',
  })) {
    const { status, headers, text } = await admin.get(`/charts/${name}`);
    expect([status, headers.get('content-type')?.includes(type)], name).toEqual([200, true]);
    if (name === 'uplot.js') expect(text).toContain('export default uPlot');
  }
  expect((await admin.get('/charts/..%2Ffiles.ts')).status).toBe(404);
});
