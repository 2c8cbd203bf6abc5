import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { issueOneTime } from '../../src/domain/people/one-time.ts';
import { openSession } from '../../src/domain/people/sessions.ts';
import { operatorSessions } from '../../src/http/accounts/operators.ts';
import { createStandingGuard } from '../../src/http/standing.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { addPerson } from '../http/people.ts';
import { type Harness, startHarness } from './harness.ts';

/** Operators sign in where everybody does (security.md S2, S3). */

let ops: Harness;
beforeAll(async () => {
  ops = await startHarness(inject('redisUrl'), null, (db) => ({
    takesTokens: false,
    signInUrl: 'https://roomy.example/sign-in',
    sessions: operatorSessions(db, systemClock, createStandingGuard({ db, clock: systemClock }), false),
  }));
}, 60_000);
afterAll(() => ops?.stop());

async function signedIn(role: 'ADMIN' | 'OPS' | 'FINANCE', hasSecondFactor = true) {
  const account = await addPerson(ops.db, role);
  const opened = await ops.db.transaction().execute((tx) =>
    openSession(tx, {
      accountId: account.id,
      method: 'LINK',
      mfaAt: hasSecondFactor ? new Date() : null,
      ip: null,
      userAgent: null,
      lifetime: 600,
    }),
  );
  return { account, id: opened.id, cookie: `roomy_session=${opened.key}` };
}
const status = async (cookie: string): Promise<number> => (await ops.call('/queues/api/queues', { cookie })).status;

describe('a session', () => {
  it('S3: opens the port to ADMIN and OPS, and only after a second factor', async () => {
    expect([await status((await signedIn('ADMIN')).cookie), await status((await signedIn('OPS')).cookie)]).toEqual([
      200, 200,
    ]);
    expect(await status((await signedIn('FINANCE')).cookie)).toBe(403);
    expect(await status((await signedIn('OPS', false)).cookie)).toBe(401);
    expect(await status(`roomy_session=${'x'.repeat(43)}`)).toBe(401);
  });

  it('S3: tries sagas again only after a second factor of the last 15 minutes, and reads and pauses without', async () => {
    const press = (cookie: string, path: string) => ops.call(`/queues/api/queues/${path}`, { method: 'PUT', cookie });
    const { cookie, id } = await signedIn('OPS');
    expect((await press(cookie, 'saga-forward/retry/failed')).status).toBe(200);
    const hoursAgo = new Date(Date.now() - 3 * 3_600_000);
    await ops.db.updateTable('session').set({ mfa_at: hoursAgo }).where('id', '=', id).execute();
    const refused = await press(cookie, 'saga-forward/retry/failed');
    expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('/account/second-factor')]);
    expect(await status(cookie)).toBe(200);
    expect((await press(cookie, 'pause')).status).toBe(200);
    expect((await press(cookie, 'resume')).status).toBe(200);
  });

  it('Z12: that has ended, or whose person was deactivated, opens it no more', async () => {
    const [one, other] = [await signedIn('OPS'), await signedIn('OPS')];
    await ops.db.updateTable('session').set({ ended_at: new Date() }).where('id', '=', one.id).execute();
    await ops.db.updateTable('account').set({ status: 'DEACTIVATED' }).where('id', '=', other.account.id).execute();
    expect([await status(one.cookie), await status(other.cookie)]).toEqual([401, 401]);
  });

  it('ends with the log out here, for all pages', async () => {
    const { cookie, id } = await signedIn('OPS');
    await ops.call('/logout', { method: 'POST', cookie });
    const row = await ops.db
      .selectFrom('session')
      .select('ended_reason')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    expect([await status(cookie), row.ended_reason]).toEqual([401, 'SIGNED_OUT']);
  });

  it('does nothing by a page of another site', async () => {
    const { cookie } = await signedIn('OPS');
    const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' };
    const answer = await ops.call('/queues/api/queues/pause', { method: 'PUT', cookie, headers });
    expect(answer.status).toBe(403);
  });
});

describe('a code that is handed over', () => {
  const handOver = (accountId: string, session: string) =>
    issueOneTime(ops.db, { kind: 'HAND_OVER', accountId, data: { session }, lifetimeSeconds: 60 });
  const enter = (code: string) => ops.call('/login', { method: 'POST', body: new URLSearchParams({ code }) });
  const cookieOf = (answer: Response): string => (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';

  it('opens a session for this port, once, and not by being looked at', async () => {
    const { account, id } = await signedIn('OPS');
    const code = await handOver(account.id, id);
    for (let n = 0; n < 2; n += 1) {
      expect(await (await ops.call(`/login?code=${code}`, { headers: { accept: 'text/html' } })).text()).toContain(
        code,
      );
    }
    const entered = await enter(code);
    expect([entered.status, await status(cookieOf(entered))]).toEqual([303, 200]);
    expect(entered.headers.get('set-cookie')).toMatch(/HttpOnly.*SameSite=Strict|SameSite=Strict.*HttpOnly/i);
    expect((await enter(code)).status).toBe(401);
  });

  it('Z12: opens nothing for a session that has ended since', async () => {
    const { account, id } = await signedIn('OPS');
    const code = await handOver(account.id, id);
    await ops.db.updateTable('session').set({ ended_at: new Date() }).where('id', '=', id).execute();
    expect((await enter(code)).status).toBe(401);
  });
});

describe('a pasted token', () => {
  it('opens nothing in production, and its page says where to sign in', async () => {
    const token = await ops.token('olivia', 'OPS');
    const answer = await ops.call('/login', { method: 'POST', body: new URLSearchParams({ token }) });
    expect(answer.status).toBe(403);
    expect(await status(`roomy_ops=${token}`)).toBe(401);
    const page = await (await ops.call('/login', { headers: { accept: 'text/html' } })).text();
    expect(page).toContain('https://roomy.example/sign-in');
    expect(page).not.toContain('name="token"');
  });
});
