import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { payStay, refundStay } from '../setup/ledger.ts';
import { type Http, startHttp } from './harness.ts';
import { addPerson, type Browser, signInByMail } from './people.ts';
import { prepareRights } from './rights.ts';

/** The search of the console: its box on every page, and what it shows to whom. */

let http: Http;
let refund = '';
let incident = '';
beforeAll(async () => {
  http = await startHttp();
  incident = String((await prepareRights(http)).ids['incidents']);
  const stay = { id: 'stay-told' };
  refund = await refundStay(http.db, stay, await payStay(http.db, { stay, reference: 'ref-of-told' }));
  await sql`UPDATE guest SET name = 'Zoë <b>' WHERE id = 'guest-1'`.execute(http.db);
}, 120_000);
afterAll(() => http?.stop());

type Role = 'ADMIN' | 'FINANCE' | 'OPS';
async function signedIn(role: Role): Promise<Browser> {
  const account = await addPerson(http.db, role);
  const browser = await signInByMail(http.app, http.db, account.email);
  await sql`UPDATE session SET mfa_at = now() WHERE account_id = ${account.id}`.execute(http.db);
  return browser;
}

describe('the search of the console', () => {
  it('has its box on every page, and says what it takes', async () => {
    const browser = await signedIn('ADMIN');
    for (const page of ['/console/today', '/console/sagas', '/console/find'])
      expect((await browser.get(page)).text, page).toMatch(
        /<form class="find" role="search" method="get" action="\/console\/find">/,
      );
    expect((await browser.get('/console/find')).text).toContain('The beginning of a name');
    expect((await browser.get('/console/find?q=nothing-like-this')).text).toContain('Nothing was found');
  });

  it('leads to the pages of what it found, and shows a stay with its sagas and money', async () => {
    const browser = await signedIn('ADMIN');
    const { status, text } = await browser.get('/console/find?q=zo%C3%AB');
    expect(status).toBe(200);
    expect(text).toContain('href="/console/stays/stay-told"');
    expect(text).toContain('Zoë &lt;b&gt;');
    expect(text).not.toContain('<b>');
    expect(text).toContain(refund);
    const pages = [...text.matchAll(/href="(\/console\/[^"]+)"/g)].map(([, page = '']) =>
      page.replaceAll('&amp;', '&'),
    );
    for (const page of new Set(pages)) expect((await browser.get(page)).status, page).toBe(200);
  });

  it('leads from everything that it finds to pages that there are', async () => {
    const browser = await signedIn('ADMIN');
    const asked = [
      'stay-own',
      'agent-1',
      'ref-of-told',
      'layla',
      'marina',
      'message-own',
      'task-own',
      incident,
      'reservation-confirmed',
    ];
    for (const q of asked) {
      const { text } = await browser.get(`/console/find?q=${encodeURIComponent(q)}`);
      const main = text.slice(text.indexOf('<main'));
      const pages = [...main.matchAll(/href="(\/console\/[^"]+)"/g)].map(([, page = '']) =>
        page.replaceAll('&amp;', '&'),
      );
      expect(pages.length, q).toBeGreaterThan(0);
      for (const page of new Set(pages)) expect((await browser.get(page)).status, `${q}: ${page}`).toBe(200);
    }
  });

  it('shows no name and no amount to who runs the system', async () => {
    const browser = await signedIn('OPS');
    const { text } = await browser.get('/console/find?q=stay-told');
    expect(text).toContain('href="/console/stays/stay-told"');
    expect(text).not.toMatch(/Zoë|AED/);
    expect((await browser.get('/console/find?q=zo%C3%AB')).text).toContain('Nothing was found');
  });

  it('says what is wrong with a question, and keeps it', async () => {
    const browser = await signedIn('FINANCE');
    const { status, text } = await browser.get('/console/find?q=ref-of-told&from=2026-02-02&to=2026-02-01');
    expect(status).toBe(200);
    expect(text).toContain('role="alert"');
    expect(text).toContain('value="ref-of-told"');
  });
});
