import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AccountRow } from '../../src/domain/people/accounts.ts';
import { DEFINITIONS } from '../../src/sagas/index.ts';
import { addSaga } from '../setup/ledger.ts';
import { type Http, startHttp } from './harness.ts';
import { addPerson, type Browser, signInByMail } from './people.ts';
import { addIncident, addQuestion, addStuckIncident, prepareWorld } from './valid-requests.ts';

/** Incidents on pages: who sees which, and what their forms do. */
let http: Http;
beforeAll(async () => {
  http = await startHttp();
  await prepareWorld(http.db);
}, 60_000);
afterAll(() => http?.stop());

/** Somebody with a second factor of this moment, or of an hour ago. */
async function signedIn(
  role: AccountRow['role'],
  hoursAgo = 0,
): Promise<{ readonly browser: Browser; readonly account: AccountRow }> {
  const account = await addPerson(http.db, role);
  const browser = await signInByMail(http.app, http.db, account.email);
  await sql`UPDATE session SET mfa_at = now() - ${hoursAgo}::int * interval '1 hour' WHERE account_id = ${account.id}`.execute(
    http.db,
  );
  return { browser, account };
}
const setArea = (id: string, area: 'ENGINE' | 'MONEY') =>
  http.db.updateTable('incident').set({ area }).where('id', '=', id).execute();
const pageOf = (id: string): string => `/console/incidents/${id}`;
let presses = 0;
/** As of a page that was opened anew. */
const key = (): string => {
  presses += 1;
  return `press-of-incident-${presses}`;
};

it('leads to the sign-in who is not signed in, and home whose business it is not', async () => {
  const id = await addIncident(http);
  const answer = await http.app.request(`https://roomy.example${pageOf(id)}`, { redirect: 'manual' });
  expect([answer.status, answer.headers.get('location')]).toEqual([303, '/sign-in']);
  for (const role of ['CLEANER', 'OWNER', 'AGENT'] as const) {
    const { browser } = await signedIn(role);
    for (const path of [pageOf(id), '/console/incidents']) {
      const { status, location } = await browser.get(path);
      expect([status, location]).toEqual([303, role === 'OWNER' ? '/owner' : '/work']);
    }
    expect((await browser.post(`${pageOf(id)}/close`, { key: key(), reason: 'x' })).status).toBe(303);
  }
  const { closed_at } = await http.db
    .selectFrom('incident')
    .select('closed_at')
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  expect(closed_at).toBeNull();
});

it('shows FINANCE what is about money, and nothing else', async () => {
  const [money, engine] = [await addIncident(http), await addIncident(http)];
  await setArea(engine, 'ENGINE');
  const finance = (await signedIn('FINANCE')).browser;
  const ops = (await signedIn('OPS')).browser;
  const lists = [(await finance.get('/console/incidents')).text, (await ops.get('/console/incidents')).text];
  expect(lists.map((text) => [text.includes(money), text.includes(engine)])).toEqual([
    [true, false],
    [true, true],
  ]);
  expect([(await finance.get(pageOf(engine))).status, (await ops.get(pageOf(engine))).status]).toEqual([404, 200]);
  expect((await finance.post(`${pageOf(engine)}/close`, { key: key(), reason: 'x' })).status).toBe(404);
});

it('closes and mutes with a reason, by forms of our own pages alone', async () => {
  const [id, ofMoney] = [await addIncident(http), await addIncident(http)];
  await setArea(id, 'ENGINE');
  await setArea(ofMoney, 'MONEY');
  const { browser, account } = await signedIn('OPS');
  expect(
    (
      await browser.post(
        `${pageOf(id)}/mute`,
        { key: key(), reason: 'x', hours: '8' },
        { origin: 'https://evil.example' },
      )
    ).status,
  ).toBe(403);
  for (const form of [{}, { reason: ' ' }, { reason: 'a'.repeat(501) }]) {
    const refused = await browser.post(`${pageOf(id)}/close`, { key: key(), ...form });
    expect(refused.text).toContain('role="alert"');
  }
  expect((await browser.post(`${pageOf(id)}/mute`, { key: key(), reason: 'x', hours: '9000' })).text).toContain(
    'role="alert"',
  );
  expect((await browser.post(`${pageOf(id)}/mute`, { key: key(), reason: 'We know', hours: '8' })).location).toBe(
    pageOf(id),
  );
  // Of money it stands, and is left to those whose it is.
  for (const act of ['mute', 'close']) {
    const form = { key: key(), reason: 'x', hours: '8' };
    expect((await browser.post(`${pageOf(ofMoney)}/${act}`, form)).text).toContain('role="alert"');
  }
  expect((await browser.get(pageOf(id))).text).toContain('muted until');
  const closing = { key: key(), reason: 'It is <over>' };
  const stale = (await signedIn('OPS', 1)).browser;
  expect((await stale.post(`${pageOf(id)}/close`, closing)).text).toContain('role="alert"');
  // Sent twice, as a double click does, it is done once.
  for (let no = 0; no < 2; no += 1)
    expect((await browser.post(`${pageOf(id)}/close`, closing)).location).toBe(pageOf(id));
  const { text } = await browser.get(pageOf(id));
  expect(text).toContain(`closed by ${account.principal}`);
  expect(text).toContain('It is &lt;over&gt;');
  // The frame has forms of its own, before it.
  const [, main = ''] = text.split('<main');
  expect(main).toContain('<dl');
  expect(main).not.toContain('<form');
  const { rows } = await sql<{
    event: string;
  }>`SELECT event FROM audit_log WHERE stream_id = ${`incident:${id}`} ORDER BY seq`.execute(http.db);
  expect(rows.map(({ event }) => event)).toEqual(['INCIDENT_MUTED', 'INCIDENT_CLOSED']);
});

it('retries and resolves the sagas that it is about, with a fresh second factor, and no others', async () => {
  const id = await addIncident(http);
  const saga = await addSaga(http.db, { name: 'executeRefund', status: 'parked', subjectId: `transaction-of-${id}` });
  const other = await addSaga(http.db, { name: 'executeRefund', status: 'parked', subjectId: `other-of-${id}` });
  await http.db
    .updateTable('incident')
    .set({
      details: JSON.stringify({ examples: [{ id: saga, sagaId: saga, attempts: 3, code: 'GATEWAY_UNAVAILABLE' }] }),
    })
    .where('id', '=', id)
    .execute();
  const { browser, account } = await signedIn('FINANCE');
  const { text } = await browser.get(pageOf(id));
  expect(text).toContain('Retry');
  expect(text).not.toContain('Resolve');
  http.orchestrator.reset();
  expect((await browser.post(`${pageOf(id)}/retry`, { key: key(), sagaId: other, reason: 'x' })).text).toContain(
    'role="alert"',
  );
  expect((await browser.post(`${pageOf(id)}/resolve`, { key: key(), sagaId: saga, reason: 'x' })).text).toContain(
    'role="alert"',
  );
  expect(http.orchestrator.interventions).toEqual([]);
  expect((await browser.post(`${pageOf(id)}/retry`, { key: key(), sagaId: saga, reason: 'It is back' })).location).toBe(
    pageOf(id),
  );
  expect(http.orchestrator.interventions).toMatchObject([
    { sagaId: saga, by: account.principal, reason: 'It is back' },
  ]);
  const ops = (await signedIn('OPS')).browser;
  expect((await ops.post(`${pageOf(id)}/resolve`, { key: key(), sagaId: saga, reason: 'Paid by hand' })).location).toBe(
    pageOf(id),
  );
  http.orchestrator.reset();
  const late = (await signedIn('FINANCE', 1)).browser;
  expect((await late.post(`${pageOf(id)}/retry`, { key: key(), sagaId: saga, reason: 'x' })).text).toContain(
    'role="alert"',
  );
  expect(http.orchestrator.interventions).toEqual([]);
});

it('answers an id that is none as one that is not there, and takes no mute into the past', async () => {
  const { browser } = await signedIn('OPS');
  for (const id of ['%00', 'a%0ab', 'x'.repeat(200)]) {
    expect((await browser.get(pageOf(id))).status, id).toBeLessThan(500);
    expect((await browser.post(`${pageOf(id)}/close`, { key: key(), reason: 'x' })).status, id).toBeLessThan(500);
  }
  const id = await addIncident(http);
  expect((await browser.post(`${pageOf(id)}/retry`, { key: key(), sagaId: '\u0000', reason: 'x' })).text).toContain(
    'role="alert"',
  );
  for (const until of ['2024-01-01T00:00:00Z', '2190-01-01T00:00:00Z']) {
    const { status } = await http.call('POST', `/api/production/incidents/${id}/mute`, {
      body: { until, reason: 'x' },
    });
    expect(status, until).toBe(422);
  }
});

it('has the sagas of an incident tried again, shows how far that is, and stops', async () => {
  const id = await addStuckIncident(http);
  const finance = (await signedIn('FINANCE')).browser;
  expect((await finance.get(pageOf(id))).text).toContain('Stand still now: 1');
  const order = { key: `press-${id}`, perSecond: '3', stopAfterErrors: '2', reason: 'The gateway is back' };
  expect((await finance.post(`${pageOf(id)}/redrive`, { ...order, key: 'press-none', reason: '' })).text).toContain(
    'role="alert"',
  );
  expect((await finance.post(`${pageOf(id)}/redrive`, order)).location).toBe(pageOf(id));
  // Sent twice, it is one.
  expect((await finance.post(`${pageOf(id)}/redrive`, order)).location).toBe(pageOf(id));
  const { text } = await finance.get(pageOf(id));
  expect(text).toContain('The gateway is back');
  expect(text).toContain('Tried: 0 / 1');
  expect(text).not.toContain('name="perSecond"');
  const stop = { key: `stop-${id}`, reason: 'It is not' };
  expect((await finance.post(`${pageOf(id)}/redrive-stop`, stop)).location).toBe(pageOf(id));
  const rows = await http.db.selectFrom('redrive').selectAll().where('incident_id', '=', id).execute();
  expect(rows).toEqual([
    expect.objectContaining({ per_second: 3, stop_after_errors: 2, ended_as: 'STOPPED', end_reason: 'It is not' }),
  ]);
  expect((await finance.get(pageOf(id))).text).toContain('name="perSecond"');
});

it('has all that a circuit has stopped tried again, also when the circuit is closed, and says how many were parked', async () => {
  const id = await addIncident(http);
  await http.db
    .updateTable('incident')
    .set({ kind: 'CIRCUIT_OPEN', subject: 'gateway-stopped', area: 'ENGINE' })
    .where('id', '=', id)
    .execute();
  const ops = (await signedIn('OPS')).browser;
  // Nothing waits for it.
  expect((await ops.get(pageOf(id))).text).not.toContain('id="redrive"');
  for (const status of ['parked', 'running'] as const) {
    const saga = await addSaga(http.db, {
      ...{ status, subjectId: `${status}-of-${id}`, input: { gatewayId: 'gateway-stopped' } },
    });
    await http.db
      .insertInto('saga_step')
      .values({
        ...{ saga_id: saga, step_no: 1, direction: 'F', name: 'sendPayment', kind: 'EXTERNAL', class: 'COMPENSABLE' },
        ...{ status: status === 'parked' ? 'failed' : 'pending', max_attempts: 8 },
        finished_at: status === 'parked' ? new Date() : null,
        error: JSON.stringify({ code: 'GATEWAY_UNAVAILABLE' }),
      })
      .execute();
  }
  await http.db
    .updateTable('incident')
    .set({ closed_at: new Date(), closed_by: 'watchdog' })
    .where('id', '=', id)
    .execute();
  const { text } = await ops.get(pageOf(id));
  expect(text).toContain('Stand still now: 2 (wait for a person: 1)');
  const order = { key: `press-${id}`, perSecond: '3', stopAfterErrors: '2', reason: 'The gateway is back' };
  expect((await ops.post(`${pageOf(id)}/redrive`, order)).location).toBe(pageOf(id));
  expect((await ops.get(pageOf(id))).text).toContain('Tried: 0 / 2');
  expect((await (await signedIn('FINANCE')).browser.get(pageOf(id))).status).toBe(404);
});

it('leaves out the step at which a saga stands, where its definition allows it, and says what follows', async () => {
  const incident = await addIncident(http);
  const steps = DEFINITIONS.find(({ name }) => name === 'checkOut')?.steps ?? [];
  const at = steps.findIndex(({ name }) => name === 'deactivatePropertyAmenities');
  const stuckAt = (step: number): Promise<string> =>
    addSaga(http.db, { name: 'checkOut', status: 'parked', subjectId: `stay-${step}-of-${incident}`, step });
  const [may, mayNot] = [await stuckAt(at + 1), await stuckAt(1)];
  const examples = [may, mayNot].map((sagaId) => ({ id: sagaId, sagaId, attempts: 3, code: 'AMENITIES_UNAVAILABLE' }));
  await http.db
    .updateTable('incident')
    .set({ details: JSON.stringify({ examples }) })
    .where('id', '=', incident)
    .execute();
  const ops = (await signedIn('OPS')).browser;
  const { text } = await ops.get(pageOf(incident));
  expect(text.split(`action="${pageOf(incident)}/skip"`)).toHaveLength(2);
  expect(text).toContain('name="step" value="deactivatePropertyAmenities"');
  http.orchestrator.reset();
  const skip = { key: key(), sagaId: may, step: 'deactivatePropertyAmenities', reason: 'Taken off by hand' };
  for (let press = 0; press < 2; press += 1)
    expect((await ops.post(`${pageOf(incident)}/skip`, skip)).location).toBe(pageOf(incident));
  expect(http.orchestrator.interventions).toMatchObject([
    { sagaId: may, step: 'deactivatePropertyAmenities', reason: 'Taken off by hand' },
  ]);
  // Not theirs: a saga of the engine.
  expect((await (await signedIn('FINANCE')).browser.get(pageOf(incident))).text).not.toContain('/skip"');
});

/** The incident of a question. */
async function incidentOf(approval: string): Promise<string> {
  const incident = await addIncident(http);
  const about = { kind: 'APPROVAL_WAITS', subject: `PAYOUT_ACCOUNT ${approval}` };
  await http.db
    .updateTable('incident')
    .set({ ...about, details: JSON.stringify({ examples: [{ id: approval }] }) })
    .where('id', '=', incident)
    .execute();
  return incident;
}

it('asks a second person, who says yes or no on the page; not the one who has asked, and not who may not know', async () => {
  const approval = await addQuestion(http);
  const incident = await incidentOf(approval);
  const { browser, account } = await signedIn('FINANCE');
  const ops = (await signedIn('OPS')).browser;
  const at = `${pageOf(incident)}/decide`;
  const { text } = await browser.get(pageOf(incident));
  for (const words of ['Pay to another account', 'somebody-else', 'the account counts', `action="${at}"`])
    expect(text, words).toContain(words);
  expect((await ops.get(pageOf(incident))).text).not.toContain('Pay to another account');
  const status = async () =>
    (
      await http.db
        .selectFrom('approval')
        .select(['status', 'decided_by', 'reason'])
        .where('id', '=', approval)
        .execute()
    )[0];
  const answer = (more: object = {}) => ({
    key: key(),
    approval,
    decision: 'APPROVE',
    reason: 'I have called',
    ...more,
  });
  expect([404, 403, 200]).toContain((await ops.post(at, answer())).status);
  for (const wrong of [{ reason: ' ' }, { decision: '' }, { key: '' }])
    expect((await browser.post(at, answer(wrong))).text, JSON.stringify(wrong)).toContain('role="alert"');
  expect((await browser.post(at, answer({ approval: await addQuestion(http) }))).status).toBe(404);
  const waits = await (await signedIn('FINANCE', 1)).browser.post(at, answer());
  expect(waits.text).toContain('Give your second factor');
  // What was typed is there when they come back.
  expect(waits.text).toMatch(/value="APPROVE" selected[\s\S]*value="I have called"/);
  expect((await status())?.status).toBe('PENDING');
  const own = await addQuestion(http, account.principal);
  const ofOwn = await incidentOf(own);
  const shown = (await browser.get(pageOf(ofOwn))).text;
  expect(shown).toContain('somebody else has to decide');
  expect(shown).not.toContain('/decide"');
  const self = await browser.post(`${pageOf(ofOwn)}/decide`, answer({ approval: own }));
  expect(self.text).toContain('role="alert"');
  const once = answer();
  for (let press = 0; press < 2; press += 1) expect((await browser.post(at, once)).location).toBe(pageOf(incident));
  expect(await status()).toEqual({ status: 'APPROVED', decided_by: account.principal, reason: 'I have called' });
  expect((await browser.get(pageOf(incident))).text).toMatch(/approved; Decided by/);
});
