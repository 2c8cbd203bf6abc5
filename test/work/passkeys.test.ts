import type { CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { insertAccount, updateAccount } from '../../src/domain/people/accounts.ts';
import { openSession } from '../../src/domain/people/sessions.ts';
import type { App } from '../../src/http/context.ts';
import { type Http, startHttp } from '../http/harness.ts';
import { openPhone, type Phone, type Served, serveApp, violations } from './browser.ts';

/** A passkey in a real browser, whose authenticator is a virtual one. */

let http: Http;
let served: Served;
let phone: Phone;
let page: Page;
let device: CDPSession;
let authenticatorId: string;
/** A passkey is for a name, never for an address of numbers. */
let url: string;
beforeAll(async () => {
  // The address has to be known before the app that passkeys are for.
  const late = { fetch: (...request: Parameters<App['fetch']>) => http.app.fetch(...request) } as App;
  served = await serveApp(late);
  url = served.url.replace('127.0.0.1', 'localhost');
  http = await startHttp({ publicUrl: url });
  phone = await openPhone();
  page = await phone.context.newPage();
  device = await phone.context.newCDPSession(page);
  await device.send('WebAuthn.enable');
  const options = {
    protocol: 'ctap2',
    transport: 'internal',
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
  } as const;
  ({ authenticatorId } = await device.send('WebAuthn.addVirtualAuthenticator', { options }));
}, 240_000);
afterAll(async () => {
  await phone?.close();
  await served?.close();
  await http?.stop();
});

/** As after a link of a mail. */
async function signInByLink(accountId: string): Promise<void> {
  const session = { accountId, method: 'LINK', mfaAt: null, ip: null, userAgent: null, lifetime: 3_600 } as const;
  const { key } = await http.db.transaction().execute((tx) => openSession(tx, session));
  await phone.context.addCookies([{ name: 'roomy_session', value: key, url, httpOnly: true, sameSite: 'Lax' }]);
}

it('is added on the page of the account, and signs in without an address', { timeout: 120_000 }, async () => {
  const admin = { email: 'admin@example.com', name: 'Ada', role: 'ADMIN', invitedBy: null } as const;
  const { id } = await http.db.transaction().execute(async (tx) => {
    const account = await insertAccount(tx, admin);
    return updateAccount(tx, account.id, { status: 'ACTIVE' });
  });
  await signInByLink(id);
  // An administrator needs a second factor first, and a passkey is one.
  await page.goto(`${url}/account`);
  expect(await violations(page)).toEqual([]);
  await page.getByLabel('Name of the new passkey').fill('My phone');
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByRole('listitem').filter({ hasText: 'My phone' }).first().waitFor();
  expect(new URL(page.url()).pathname).toBe('/account');
  expect(await violations(page)).toEqual([]);

  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await page.getByRole('button', { name: 'Sign in with a passkey' }).waitFor();
  expect(await violations(page)).toEqual([]);

  // Somebody whose face the phone does not know.
  await device.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.getByRole('alert').getByText('No passkey was used').waitFor();
  await device.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });

  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.getByRole('heading', { name: 'Your account' }).waitFor();
  const rows = await http.db
    .selectFrom('session')
    .select(['method', 'mfa_at', 'ended_at'])
    .where('account_id', '=', id);
  expect((await rows.where('ended_at', 'is', null).execute()).map(({ method }) => method)).toEqual(['PASSKEY']);

  await page.getByRole('button', { name: 'Remove My phone' }).click();
  await page.getByText('You have none yet.').waitFor();
});
