import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assignDueTasks } from '../../src/domain/assignment/assign-sweep.ts';
import { deliverAll, keptTexts } from '../setup/deliver.ts';
import { linkTo } from '../setup/links.ts';
import { API, at, type Http, seed, startHttp } from './harness.ts';

/** The cost of a repair: the owner is asked where it is high, and charged where the agency says so. */

let http: Http;
beforeAll(async () => {
  http = await startHttp();
  await seed(http.db);
  await http.db
    .insertInto('staff')
    .values({ id: 'fixer', name: 'Fay', email: 'fay@example.com', role: 'MAINTENANCE_STAFF' })
    .execute();
  await http.db
    .updateTable('property')
    .set({ agent_ids: ['agent-1'] })
    .where('id', '=', 'property-1')
    .execute();
  const limit = { repairApprovalLimit: { amount: 500, currency: 'AED' } };
  const changed = await http.call('PATCH', `${API}/properties/property-1`, { body: limit });
  expect(changed).toMatchObject({ status: 200, body: { data: limit } });
}, 60_000);
afterAll(() => http?.stop());

const task = {
  type: 'MAINTENANCE',
  title: 'New boiler',
  propertyId: 'property-1',
  scheduledDate: '2031-03-01T09:00:00Z',
};
const make = async (body: object = {}): Promise<Record<string, unknown>> => {
  const made = await http.call('POST', `${API}/tasks`, { body: { ...task, ...body } });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return at(made.body, 'data') as Record<string, unknown>;
};
const read = async (id: unknown) => at((await http.call('GET', `${API}/tasks/${id}`)).body, 'data');
const ownerId = async () =>
  (await http.db.selectFrom('property').select('owner_id').where('id', '=', 'property-1').executeTakeFirstOrThrow())
    .owner_id;

/** Sends what is queued; what was said about a task, by its template. */
async function said(taskId: unknown): Promise<Map<string, { readonly subject: string | null; readonly body: string }>> {
  await deliverAll(http.db);
  const rows = await http.db
    .selectFrom('notification as n')
    .innerJoin('dev_mail as m', (join) => join.on(sql<boolean>`m.message_id = '<' || n.effect_key || '@roomy>'`))
    .select(['n.template', 'm.subject', 'm.body'])
    .where('n.task_id', '=', String(taskId))
    .execute();
  return new Map(rows.map(({ template, ...mail }) => [template, mail]));
}
const addressIn = (body: string | undefined): string =>
  /https:\/\/roomy\.example(\/approvals\/[\w-]{43}\.[\w-]{43})/.exec(body ?? '')?.[1] ?? expect.fail('no address');

describe('a repair that costs more than the limit', () => {
  it('waits for the owner, who says yes on a page; then somebody is looked for', async () => {
    const made = await make({ estimate: { amount: 750, currency: 'AED' } });
    expect(made).toMatchObject({ approval: 'PENDING', estimate: { amount: 750, currency: 'AED' } });
    await assignDueTasks(http.db, 50);
    expect(await read(made['id'])).toMatchObject({ status: 'UNASSIGNED' });
    const mail = (await said(made['id'])).get('repair-approval.owner@1');
    expect(mail?.body).toContain('AED 750.00');
    const address = addressIn(mail?.body);
    expect(mail?.body).toMatch(new RegExp(`<a href="https://roomy.example${address}"[^>]*>Open the page</a>`));

    // A mail program that follows links decides nothing.
    const page = await http.call('GET', address, { as: null });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.headers.get('cache-control')).toContain('no-store');
    expect(page.text).toContain('AED 750.00');
    expect(await read(made['id'])).toMatchObject({ approval: 'PENDING' });

    for (let twice = 0; twice < 2; twice += 1) {
      const yes = await http.call('POST', `${address}/approve`, { as: null });
      expect([yes.status, yes.headers.get('location')]).toEqual([303, address]);
      expect((await http.call('GET', address, { as: null })).text).toContain('We are having it done');
    }
    const late = await http.call('POST', `${address}/decline`, { as: null });
    expect([late.status, late.headers.get('location')]).toEqual([303, address]);
    expect((await http.call('GET', address, { as: null })).text).toContain('We are having it done');
    await assignDueTasks(http.db, 50);
    expect(await read(made['id'])).toMatchObject({ approval: 'APPROVED', status: 'ASSIGNED', assigneeId: 'fixer' });
    const audit = await http.call('GET', `${API}/audit?event=REPAIR_APPROVED`);
    expect(at(audit.body, 'data')).toMatchObject([{ actor: { id: await ownerId() } }]);
    expect([...(await said(made['id'])).keys()]).toContain('repair-approved.ops@1');
  });

  it('is called off when the owner says no, and operations hear what that means', async () => {
    const made = await make({ estimate: { amount: '500.01', currency: 'AED' } });
    const address = addressIn((await said(made['id'])).get('repair-approval.owner@1')?.body);
    expect(await http.call('POST', `${address}/decline`, { as: null })).toMatchObject({ status: 303 });
    expect(await read(made['id'])).toMatchObject({ approval: 'DECLINED', status: 'CANCELLED' });
    expect((await said(made['id'])).get('repair-declined.ops@1')?.body).toContain('nobody is expected');
    expect((await keptTexts(http.db)).join()).not.toContain(address.slice('/approvals/'.length));
  });

  it.each([
    ['its owner', 'OWNER', 'own', 200],
    ['another owner', 'OWNER', 'somebody-else', 404],
    ['an agent of the portfolio', 'AGENT', 'agent-1', 200],
    ['an agent of another', 'AGENT', 'agent-99', 404],
    ['an administrator', 'ADMIN', 'admin-1', 200],
    ['the person who does the work', 'MAINTENANCE_STAFF', 'fixer', 403],
  ] as const)('may be decided through the API by %s: %s %s, %i', async (_who, as, sub, status) => {
    const made = await make({ estimate: { amount: 10, currency: 'USD' } });
    expect(made).toMatchObject({ approval: 'PENDING' });
    const who = sub === 'own' ? await ownerId() : sub;
    const body = { decision: 'APPROVED', note: 'By telephone' };
    const answer = await http.call('POST', `${API}/tasks/${made['id']}/approval`, { as, sub: who, body });
    expect(answer.status).toBe(status);
    expect(await read(made['id'])).toMatchObject({ approval: status === 200 ? 'APPROVED' : 'PENDING' });
  });

  it('is given to nobody and finished by nobody before', async () => {
    const made = await make({ estimate: { amount: 900, currency: 'AED' } });
    const given = await http.call('PATCH', `${API}/tasks/${made['id']}`, { body: { assigneeId: 'fixer' } });
    expect(given).toMatchObject({ status: 409, body: { code: 'APPROVAL_REQUIRED' } });
    const done = await http.call('POST', `${API}/tasks/${made['id']}/complete`, { body: {} });
    expect(done).toMatchObject({ status: 409, body: { code: 'TASK_NOT_COMPLETABLE' } });
    const body = { ...task, estimate: { amount: 900, currency: 'AED' }, requireAssignment: true };
    expect(await http.call('POST', `${API}/tasks`, { body })).toMatchObject({ body: { code: 'APPROVAL_REQUIRED' } });
  });

  it('is asked about once when the mail comes late', async () => {
    const made = await make({ estimate: { amount: 900, currency: 'AED' } });
    const body = { decision: 'DECLINED' };
    expect(await http.call('POST', `${API}/tasks/${made['id']}/approval`, { body })).toMatchObject({ status: 200 });
    expect((await said(made['id'])).has('repair-approval.owner@1')).toBe(false);
  });

  it('is the new owner’s to decide when the property is sold meanwhile', async () => {
    const made = await make({ estimate: { amount: 900, currency: 'AED' } });
    const seller = await ownerId();
    const old = addressIn((await said(made['id'])).get('repair-approval.owner@1')?.body);
    await http.call('POST', `${API}/owners`, { body: { id: 'buyer', name: 'Bea', email: 'bea@example.com' } });
    const sell = (ownerId: string) => http.call('PATCH', `${API}/properties/property-1`, { body: { ownerId } });
    expect((await sell('buyer')).status).toBe(200);
    await said(made['id']);
    const mail = await http.db
      .selectFrom('dev_mail')
      .select('body')
      .where('recipient', '=', 'bea@example.com')
      .executeTakeFirst();
    const address = addressIn(mail?.body);
    expect((await http.call('GET', old, { as: null })).status).toBe(404);
    const body = { decision: 'APPROVED' };
    const decide = (sub: string) =>
      http.call('POST', `${API}/tasks/${made['id']}/approval`, { as: 'OWNER', sub, body });
    expect((await decide(seller)).status).toBe(404);
    expect((await http.call('POST', `${address}/approve`, { as: null })).status).toBe(303);
    expect((await sell(seller)).status).toBe(200);
  });

  it('that is declined and was to end an out-of-order is looked at instead', async () => {
    await http.db
      .updateTable('task')
      .set({ status: 'CANCELLED', assignee_id: null })
      .where('status', 'in', ['UNASSIGNED', 'ASSIGNED'])
      .execute();
    const { id } = await make({ type: 'EMERGENCY', title: 'Water' });
    const findings = [{ description: 'Beam', severity: 'SEVERE', estimate: { amount: 9_000, currency: 'AED' } }];
    const done = await http.call('POST', `${API}/tasks/${id}/complete`, { body: { findings } });
    const actions = at(done.body, 'data', 'nextActions') as { action: string; subjectId: string }[];
    const repair = actions.find(({ action }) => action === 'OWNER_ASKED')?.subjectId;
    // Who is asked about all of it is not told that it is being seen to.
    expect(actions.map(({ action }) => action)).not.toContain('OWNER_TOLD');
    const body = { decision: 'DECLINED' };
    expect((await http.call('POST', `${API}/tasks/${repair}/approval`, { body })).status).toBe(200);
    const open = await http.db
      .selectFrom('task')
      .select(['id', 'type', 'occurrence'])
      .where('status', '=', 'UNASSIGNED')
      .execute();
    expect(open).toMatchObject([{ type: 'INSPECTION', occurrence: 'AFTER_REPAIR' }]);
    const passed = await http.call('POST', `${API}/tasks/${open[0]?.id}/complete`, { body: { outcome: 'PASSED' } });
    expect(passed.status).toBe(200);
    const property = await http.call('GET', `${API}/properties/property-1`);
    expect(property.body).toMatchObject({ data: { readiness: 'INSPECTED' } });
  });

  it('K15: has an address that who reads the database cannot make', async () => {
    const made = await make({ estimate: { amount: 750, currency: 'AED' } });
    const address = addressIn((await said(made['id'])).get('repair-approval.owner@1')?.body);
    const row = () =>
      http.db
        .selectFrom('repair_approval')
        .selectAll()
        .where('task_id', '=', String(made['id']))
        .executeTakeFirstOrThrow();
    const { token } = await row();
    expect(address).toBe(`/approvals/${linkTo('approval', token)}`);
    const last = address.endsWith('A') ? 'E' : 'A';
    const forged = [
      token,
      linkTo('offer', token),
      `${token}.${'A'.repeat(43)}`,
      address.slice('/approvals/'.length, -1) + last,
      linkTo('approval', 'q'.repeat(43)),
    ];
    for (const one of forged)
      expect([one, (await http.call('GET', `/approvals/${one}`, { as: null })).status]).toEqual([one, 404]);
    expect(JSON.stringify(await row())).not.toContain(address.slice('/approvals/'.length));
    // One that an earlier version has mailed opens until it ends.
    const before = 'b'.repeat(43);
    await sql`UPDATE repair_approval SET link_before = sha256(${before}::text::bytea) WHERE token = ${token}`.execute(
      http.db,
    );
    expect((await http.call('GET', `/approvals/${before}`, { as: null })).status).toBe(200);
    expect((await http.call('POST', `/approvals/${before}/decline`, { as: null })).status).toBe(303);
    expect(await read(made['id'])).toMatchObject({ approval: 'DECLINED' });
  });

  it('has an address that cannot be guessed', async () => {
    for (const path of [`/approvals/${'a'.repeat(43)}`, '/approvals/x']) {
      expect([404, 422]).toContain((await http.call('GET', path, { as: null })).status);
    }
  });
});

describe('a repair that costs less, or nobody knows how much', () => {
  it.each([
    [{}],
    [{ estimate: { amount: 500, currency: 'AED' } }],
    [{ type: 'EMERGENCY', estimate: { amount: 9_000, currency: 'AED' } }],
  ])('is begun with, and the owner is told: %j', async (body: { readonly estimate?: object }) => {
    const made = await make(body);
    expect(made).toMatchObject({ approval: null });
    const mail = (await said(made['id'])).get('maintenance-ordered.owner@1');
    expect(mail?.subject).toBe(`Maintenance Required - ${(await propertyName()) ?? ''}`);
    expect(mail?.body).toMatch(body.estimate ? /AED (500|9,000)\.00/ : /not known yet/);
  });

  it.each([
    [{ estimate: { amount: 0, currency: 'AED' } }, 'AMOUNT_NOT_POSITIVE'],
    [{ estimate: { amount: 1.005, currency: 'AED' } }, 'AMOUNT_PRECISION'],
    [{ estimate: { amount: 1e15, currency: 'AED' } }, 'AMOUNT_TOO_LARGE'],
    [{ estimate: { amount: 1 } }, 'VALIDATION_FAILED'],
    [{ type: 'INSPECTION', estimate: { amount: 1, currency: 'AED' } }, 'VALIDATION_FAILED'],
  ])('refuses %j', async (body, code) => {
    const answer = await http.call('POST', `${API}/tasks`, { body: { ...task, ...body } });
    expect(answer).toMatchObject({ status: 422, body: { code } });
  });
});
const propertyName = async () =>
  (await http.db.selectFrom('property').select('name').where('id', '=', 'property-1').executeTakeFirst())?.name;

describe('what is found at work', () => {
  it('asks the owner for each finding that costs much, and tells operations how bad it is', async () => {
    const { id } = await make({ type: 'EMERGENCY', title: 'Water' });
    const findings = [
      { description: 'Ceiling fell down', severity: 'SEVERE', estimate: { amount: 2_000, currency: 'AED' } },
      { description: 'Lamp broken', severity: 'MINOR', estimate: { amount: 40, currency: 'AED' } },
    ];
    const done = await http.call('POST', `${API}/tasks/${id}/complete`, { body: { findings } });
    expect(done.status).toBe(200);
    const actions = at(done.body, 'data', 'nextActions') as { action: string; subjectId: string }[];
    const made = actions.filter(({ action }) => action === 'MAINTENANCE_CREATED').map(({ subjectId }) => subjectId);
    const asked = actions.filter(({ action }) => action === 'OWNER_ASKED').map(({ subjectId }) => subjectId);
    expect(made).toHaveLength(2);
    expect(asked).toEqual([made[0]]);
    expect((await said(asked[0])).get('repair-approval.owner@1')?.body).toContain('AED 2,000.00');
    const texts = await said(id);
    expect(texts.get('maintenance-required.owner@1')?.body).toContain('AED 2,040.00');
    const alert = texts.get('maintenance-alert-findings.ops@1')?.body;
    for (const fact of ['Ceiling fell down; Lamp broken', 'severe', 'nobody is expected'])
      expect(alert).toContain(fact);
  });
});

describe('a cost that is charged to the owner', () => {
  it('is a line on the statement and is owed; the books agree', async () => {
    const owner = await ownerId();
    const { id } = await make();
    const cost = { amount: 120.5, currency: 'AED', chargeOwner: true };
    const done = await http.call('POST', `${API}/tasks/${id}/complete`, { body: { cost } });
    expect(done.status).toBe(200);
    expect((await said(id)).get('maintenance-undecided.owner@1')?.body).toContain('is not decided yet');
    const actions = at(done.body, 'data', 'nextActions') as { action: string; subjectId: string }[];
    const { subjectId } = actions.find(({ action }) => action === 'CHARGE_NEEDS_APPROVAL') ?? expect.fail('not asked');
    const approved = await http.call('POST', `${API}/approvals/${subjectId}`, {
      sub: 'admin-2',
      body: { decision: 'APPROVE', reason: 'Seen the invoice' },
    });
    expect(approved.status, approved.text).toBe(200);
    const balance = await http.call('GET', `${API}/owners/${owner}/balance`);
    expect(at(balance.body, 'data', 'currencies')).toMatchObject([{ balance: -120.5, costs: 120.5 }]);
    const statement = await http.call('GET', `${API}/owners/${owner}/statement`);
    expect(statement.body).toMatchObject({ data: [{ kind: 'ADJUSTMENT', amount: -120.5, balance: -120.5 }] });
    const summary = await http.call('GET', `${API}/financial/summary`);
    expect(at(summary.body, 'data', 'currencies', 0)).toMatchObject({ ownerCosts: 120.5, bank: -120.5 });
    const own = await http.call('GET', `${API}/financial/summary`, { as: 'OWNER', sub: owner });
    expect(at(own.body, 'data', 'currencies', 0)).toMatchObject({ ownerCosts: 120.5, ownerDue: -120.5 });
    expect((await said(id)).get('maintenance-charged.owner@1')?.body).toContain('AED 120.50');
    expect(await http.call('GET', `${API}/financial/integrity`)).toMatchObject({ body: { data: { ok: true } } });
    const again = await http.call('POST', `${API}/tasks/${id}/complete`, { body: { cost } });
    expect(again.status).toBe(409);
  });

  it.each([0, 1e15])('is neither nothing nor endless: %d', async (amount) => {
    const { id } = await make();
    const cost = { amount, currency: 'AED', chargeOwner: true };
    expect(await http.call('POST', `${API}/tasks/${id}/complete`, { body: { cost } })).toMatchObject({ status: 422 });
  });
});
