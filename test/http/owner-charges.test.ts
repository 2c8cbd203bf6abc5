import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../../src/http/auth.ts';
import { API, at, type Http, seed, startHttp } from './harness.ts';

/** The cost of a repair is an owner's debt by the word of two people, or of one and the owner. */

let http: Http;
beforeAll(async () => {
  http = await startHttp();
  await seed(http.db);
  await http.db
    .insertInto('staff')
    .values([
      { id: 'fixer', name: 'Fay', email: 'fay@example.com', role: 'MAINTENANCE_STAFF' },
      { id: 'agent-1', name: 'Amina', email: 'amina@example.com', role: 'AGENT' },
    ])
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  await http.db
    .updateTable('property')
    .set({ agent_ids: ['agent-1'] })
    .where('id', '=', 'property-1')
    .execute();
  const repairApprovalLimit = { amount: 500, currency: 'AED' };
  expect((await http.call('PATCH', `${API}/properties/property-1`, { body: { repairApprovalLimit } })).status).toBe(
    200,
  );
}, 60_000);
afterAll(() => http?.stop());

interface Who {
  readonly as: Role;
  readonly sub: string;
}
const ADMIN: Who = { as: 'ADMIN', sub: 'admin-2' };
const FIXER: Who = { as: 'MAINTENANCE_STAFF', sub: 'fixer' };
const AED = (amount: number) => ({ amount, currency: 'AED' });

let made = 0;
/** A repair that is given to the fixer; with `said`, one that the owner was asked about, and has answered. */
async function repair(estimate: object | null, said: Who | null = null): Promise<string> {
  made += 1;
  const body = {
    type: 'MAINTENANCE',
    title: `Boiler ${made}`,
    propertyId: 'property-1',
    scheduledDate: new Date(Date.UTC(2031, 2, 1, made * 3)).toISOString(),
    ...(estimate ? { estimate } : {}),
  };
  const answer = await http.call('POST', `${API}/tasks`, { body });
  expect(answer.status, answer.text).toBe(201);
  const id = String(at(answer.body, 'data', 'id'));
  if (said) {
    const approved = await http.call('POST', `${API}/tasks/${id}/approval`, {
      ...said,
      body: { decision: 'APPROVED' },
    });
    expect(approved.status, approved.text).toBe(200);
  }
  await http.db
    .updateTable('task')
    .set({ assignee_id: 'fixer', status: 'ASSIGNED', next_assign_at: null })
    .where('id', '=', id)
    .execute();
  return id;
}
const ownerOf = async (): Promise<Who> => {
  const { owner_id } = await http.db
    .selectFrom('property')
    .select('owner_id')
    .where('id', '=', 'property-1')
    .executeTakeFirstOrThrow();
  return { as: 'OWNER', sub: owner_id };
};
async function complete(id: string, cost: object, who: Who): Promise<readonly { action: string; subjectId: string }[]> {
  const done = await http.call('POST', `${API}/tasks/${id}/complete`, {
    ...who,
    body: { cost: { ...cost, chargeOwner: true } },
  });
  expect(done.status, done.text).toBe(200);
  return at(done.body, 'data', 'nextActions') as readonly { action: string; subjectId: string }[];
}
const chargeOf = (id: string) =>
  http.db.selectFrom('transaction').selectAll().where('effect_key', '=', `${id}-cost`).executeTakeFirst();
/** Completes it, finds that it waits for a second person and that nothing is booked; answers the approval. */
async function waits(id: string, cost: object, who: Who): Promise<string> {
  const actions = await complete(id, cost, who);
  expect(actions.map(({ action }) => action)).toContain('CHARGE_NEEDS_APPROVAL');
  expect(actions.map(({ action }) => action)).not.toContain('OWNER_CHARGED');
  expect(await chargeOf(id)).toBeUndefined();
  return actions.find(({ action }) => action === 'CHARGE_NEEDS_APPROVAL')?.subjectId ?? '';
}
const decide = (id: string, decision: 'APPROVE' | 'DECLINE', who: Who) =>
  http.call('POST', `${API}/approvals/${id}`, { ...who, body: { decision, reason: 'Seen the invoice' } });
const FINANCE: Who = { as: 'FINANCE', sub: 'finance-1' };

describe('Z18: a charge to an owner', () => {
  it('is booked at once where the owner has said yes to an estimate that it keeps to', async () => {
    const owner = await ownerOf();
    for (const amount of [750, 825]) {
      const id = await repair(AED(750), owner);
      expect((await complete(id, AED(amount), FIXER)).map(({ action }) => action)).toContain('OWNER_CHARGED');
      expect(await chargeOf(id)).toMatchObject({
        amount_minor: -amount * 100,
        details: { taskId: id, propertyId: 'property-1' },
      });
    }
  });

  it.each([
    ['without an estimate', null, AED(100), false],
    ['with an estimate in another currency', { amount: 750, currency: 'USD' }, AED(750), true],
    ['of an owner who was not asked, as it is below the limit', AED(400), AED(400), false],
    ['above the estimate by more than a tenth', AED(750), AED(825.01), true],
    ['above the limit for one person', AED(5_000), AED(5_000.01), true],
    ['of 1 000 000 000', AED(750), AED(1_000_000_000), true],
    ['of 1 000 000 000 without an estimate', null, AED(1_000_000_000), false],
  ])('waits for a second person %s', async (_, estimate, cost, isAsked) => {
    const id = await repair(estimate, isAsked ? await ownerOf() : null);
    const approvalId = await waits(id, cost, FIXER);
    const asked = await http.call('GET', `${API}/approvals/${approvalId}`, FINANCE);
    expect(at(asked.body, 'data')).toMatchObject({
      kind: 'OWNER_CHARGE',
      ...cost,
      subjectType: 'task',
      subjectId: id,
      propertyId: 'property-1',
      askedBy: 'fixer',
    });
    expect((await decide(approvalId, 'DECLINE', FINANCE)).status).toBe(200);
    expect(await chargeOf(id)).toBeUndefined();
  });

  it('waits where the owner’s yes was recorded by who charges, or by who did the work: that is one person alone', async () => {
    const agent: Who = { as: 'AGENT', sub: 'agent-1' };
    const id = await repair(AED(750), agent);
    await waits(id, AED(750), agent);
  });

  it('is never by who did the work, nor by who asked for it, and by ADMIN without an owner’s yes neither', async () => {
    const id = await repair(null);
    const approvalId = await waits(id, AED(100), ADMIN);
    for (const sub of ['admin-2', 'fixer']) {
      for (const as of ['ADMIN', 'FINANCE'] as const) {
        const refused = await decide(approvalId, 'APPROVE', { as, sub });
        expect([refused.status, refused.body.code]).toEqual([403, 'SECOND_PERSON_REQUIRED']);
      }
    }
    expect(await chargeOf(id)).toBeUndefined();
    expect((await decide(approvalId, 'APPROVE', FINANCE)).status).toBe(200);
    expect(await chargeOf(id)).toMatchObject({ amount_minor: -10_000 });
  });

  it('of 1 000 000 000 is more than FINANCE may approve', async () => {
    const id = await repair(null);
    const approvalId = await waits(id, AED(1_000_000_000), FIXER);
    const refused = await decide(approvalId, 'APPROVE', FINANCE);
    expect([refused.status, refused.body.code]).toEqual([403, 'APPROVAL_LIMIT_EXCEEDED']);
    expect(await chargeOf(id)).toBeUndefined();
    expect((await decide(approvalId, 'DECLINE', FINANCE)).status).toBe(200);
  });

  it('is what was approved: text, amount, property and owner, whoever has bought the property since', async () => {
    const seller = await ownerOf();
    const id = await repair(null);
    const approvalId = await waits(id, AED(120.5), FIXER);
    const { asked } = at((await http.call('GET', `${API}/approvals/${approvalId}`, FINANCE)).body, 'data') as {
      readonly asked: string;
    };
    await http.db.insertInto('owner').values({ id: 'buyer', name: 'B', email: 'b@example.com' }).execute();
    await http.db.updateTable('property').set({ owner_id: 'buyer' }).where('id', '=', 'property-1').execute();
    expect((await decide(approvalId, 'APPROVE', FINANCE)).status).toBe(200);
    expect(await chargeOf(id)).toMatchObject({
      owner_id: seller.sub,
      amount_minor: -12_050,
      currency: 'AED',
      details: { text: asked, approvalId, propertyId: 'property-1', taskId: id },
    });
    await http.db.updateTable('property').set({ owner_id: seller.sub }).where('id', '=', 'property-1').execute();
    expect(await http.call('GET', `${API}/financial/integrity`)).toMatchObject({ body: { data: { ok: true } } });
    expect((await decide(approvalId, 'APPROVE', { as: 'ADMIN', sub: 'admin-5' })).body.code).toBe(
      'INVALID_STATE_TRANSITION',
    );
  });
});

describe('how much an owner is not asked about', () => {
  it.each([
    ['an agent', { as: 'AGENT', sub: 'agent-1' } as const, 403],
    ['a service client', { as: { scope: 'properties:write' }, sub: 'crm' } as const, 403],
    ['an administrator', { as: 'ADMIN', sub: 'admin-1' } as const, 200],
  ])('is not for %s to say: %o, %i', async (_, who, status) => {
    for (const repairApprovalLimit of [AED(500), ...(status === 200 ? [] : [AED(900_000), null])]) {
      const answer = await http.call('PATCH', `${API}/properties/property-1`, {
        ...who,
        body: { repairApprovalLimit },
      });
      expect([answer.status, status === 403 ? at(answer.body, 'details', 'field') : null]).toEqual([
        status,
        status === 403 ? 'repairApprovalLimit' : null,
      ]);
    }
    if (status === 200) return;
    const body = { name: 'New', ownerId: (await ownerOf()).sub, repairApprovalLimit: AED(900_000) };
    expect((await http.call('POST', `${API}/properties`, { ...who, body })).status).toBe(403);
  });
});
