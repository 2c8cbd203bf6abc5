import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expireApproval } from '../../src/domain/stays/decide-approval.ts';
import type { Role } from '../../src/http/auth.ts';
import { deliverAll } from '../setup/deliver.ts';
import { linkTo } from '../setup/links.ts';
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
/** A repair that waits for its owner, if the estimate is high. */
async function repairAsked(estimate: object | null): Promise<string> {
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
  return String(at(answer.body, 'data', 'id'));
}
/** The same, given to the fixer; with `said`, one that the owner was asked about, and has answered. */
async function repair(estimate: object | null, said: Who | null = null): Promise<string> {
  const id = await repairAsked(estimate);
  if (said) {
    const approved = await http.call('POST', `${API}/tasks/${id}/approval`, {
      ...said,
      body: { decision: 'APPROVED' },
    });
    expect(approved.status, approved.text).toBe(200);
  }
  await give(id);
  return id;
}
const give = (id: string) =>
  http.db
    .updateTable('task')
    .set({ assignee_id: 'fixer', status: 'ASSIGNED', next_assign_at: null })
    .where('id', '=', id)
    .execute();
/** Also to a new owner. */
async function sell(ownerId: string): Promise<void> {
  await http.db
    .insertInto('owner')
    .values({ id: ownerId, name: 'B', email: `${ownerId}@example.com` })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const sold = await http.call('PATCH', `${API}/properties/property-1`, { body: { ownerId } });
  expect(sold.status, sold.text).toBe(200);
}
const ownerOf = async (): Promise<Who> => {
  const { owner_id } = await http.db
    .selectFrom('property')
    .select('owner_id')
    .where('id', '=', 'property-1')
    .executeTakeFirstOrThrow();
  return { as: 'OWNER', sub: owner_id };
};
async function complete(
  id: string,
  cost: object,
  who: Who,
  chargeOwner = true,
): Promise<readonly { action: string; subjectId: string }[]> {
  const done = await http.call('POST', `${API}/tasks/${id}/complete`, {
    ...who,
    body: { cost: { ...cost, chargeOwner } },
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

const AGENT: Who = { as: 'AGENT', sub: 'agent-1' };
const questionOf = (id: string) =>
  http.db.selectFrom('repair_approval').selectAll().where('task_id', '=', id).executeTakeFirstOrThrow();
const pageOf = async (token: string) => http.call('GET', `/approvals/${linkTo('approval', token)}`, { as: null });
/** What was mailed of this template about a task, the oldest first. */
const bodiesOf = async (id: string, template: string): Promise<readonly string[]> => {
  await deliverAll(http.db);
  const rows = await http.db
    .selectFrom('notification as n')
    .innerJoin('dev_mail as m', (join) => join.on(sql<boolean>`m.message_id = '<' || n.effect_key || '@roomy>'`))
    .select('m.body')
    .where('n.task_id', '=', id)
    .where('n.template', '=', template)
    .orderBy('n.id')
    .execute();
  return rows.map(({ body }) => body);
};
const mailsAbout = (id: string) => bodiesOf(id, 'repair-approval.owner@1');
const bodyOf = async (id: string, template: string) => (await bodiesOf(id, template)).at(-1);

describe('Z18: an owner’s yes', () => {
  it.each([
    ['title', { title: 'Golden taps' }],
    ['description', { description: 'With diamonds' }],
  ])('is for the %s that the owner has read: with another one the owner is asked anew', async (_, change) => {
    const id = await repair(AED(750), await ownerOf());
    const first = await questionOf(id);
    const same = await http.call('PATCH', `${API}/tasks/${id}`, { ...AGENT, body: { title: first.title } });
    expect(at(same.body, 'data')).toMatchObject({ approval: 'APPROVED', assigneeId: 'fixer' });

    const given = await http.call('PATCH', `${API}/tasks/${id}`, {
      ...AGENT,
      body: { ...change, assigneeId: 'fixer' },
    });
    expect([given.status, given.body.code]).toEqual([409, 'APPROVAL_REQUIRED']);
    const changed = await http.call('PATCH', `${API}/tasks/${id}`, { ...AGENT, body: change });
    expect(at(changed.body, 'data')).toMatchObject({
      ...change,
      approval: 'PENDING',
      status: 'UNASSIGNED',
      assigneeId: null,
    });
    const done = await http.call('POST', `${API}/tasks/${id}/complete`, { ...AGENT, body: {} });
    expect([done.status, done.body.code]).toEqual([409, 'TASK_NOT_COMPLETABLE']);
    const again = await questionOf(id);
    expect(again).toMatchObject({ ...change, decided_at: null, decided_by: null });
    expect((await pageOf(first.token)).status).toBe(404);
    expect((await pageOf(again.token)).text).toContain(Object.values(change)[0]);

    expect(
      (await http.call('POST', `/approvals/${linkTo('approval', again.token)}/approve`, { as: null })).status,
    ).toBe(303);
    await give(id);
    expect((await complete(id, AED(825), AGENT)).map(({ action }) => action)).toContain('OWNER_CHARGED');
    const { title } = await http.db.selectFrom('task').select('title').where('id', '=', id).executeTakeFirstOrThrow();
    expect((await chargeOf(id))?.details).toMatchObject({ text: expect.stringContaining(`"${title}"`) });
  });

  it('is asked for with one text, in the mail and on the page, when the text changes before the answer', async () => {
    const id = await repairAsked(AED(750));
    const first = await questionOf(id);
    expect(await mailsAbout(id)).toHaveLength(1);
    const changed = await http.call('PATCH', `${API}/tasks/${id}`, { ...AGENT, body: { title: 'Golden taps' } });
    expect(at(changed.body, 'data')).toMatchObject({ approval: 'PENDING' });
    const { token } = await questionOf(id);
    const mails = await mailsAbout(id);
    expect(mails).toHaveLength(2);
    expect(mails[1]).toContain('Golden taps');
    expect(mails[1]).toContain(token);
    expect((await pageOf(token)).text).toContain('Golden taps');
    expect(
      (await http.call('POST', `/approvals/${linkTo('approval', first.token)}/approve`, { as: null })).status,
    ).toBe(404);
  });

  it('is that owner’s: a buyer of the property was not asked, and the second person is', async () => {
    const seller = await ownerOf();
    const id = await repair(AED(750), seller);
    await sell('buyer-2');
    await waits(id, AED(750), FIXER);
    await sell(seller.sub);
  });

  it('is mailed to each owner who is asked, also when the property comes back to one', async () => {
    const seller = await ownerOf();
    const id = await repairAsked(AED(750));
    expect(await mailsAbout(id)).toHaveLength(1);
    const owners = ['buyer-3', seller.sub, 'buyer-3', seller.sub];
    for (const [n, owner] of owners.entries()) {
      await sell(owner);
      expect(await mailsAbout(id)).toHaveLength(n + 2);
    }
  });

  it.each([
    ['title', { title: 'Golden taps' }],
    ['description', { description: 'With diamonds' }],
    ['estimate', { estimate_minor: 900_000 }],
    ['currency of the estimate', { estimate_currency: 'USD' }],
  ])('does not count at the charge where the %s is another by whatever way', async (_, change) => {
    const id = await repair(AED(750), await ownerOf());
    await http.db.updateTable('task').set(change).where('id', '=', id).execute();
    await waits(id, AED(750), FIXER);
  });

  it('stays with the property and the words that were asked, unless another question is put', async () => {
    const id = await repair(AED(750), await ownerOf());
    for (const column of ['owner_id', 'property_id', 'title', 'description', 'estimate_minor', 'estimate_currency']) {
      const change = sql`UPDATE repair_approval SET ${sql.ref(column)} = ${sql.ref(column)} WHERE task_id = ${id}`;
      await expect(change.execute(http.db)).rejects.toMatchObject({ code: '23514' });
    }
  });
});

const charge = (id: string, cost: object, who: Who) =>
  http.call('POST', `${API}/tasks/${id}/charge`, { ...who, body: cost });

describe('Z18: a cost that is charged after the completion', () => {
  const expire = (approvalId: string) =>
    http.db.transaction().execute(async (tx) => {
      await sql`ALTER TABLE approval DISABLE TRIGGER frozen`.execute(tx);
      await sql`UPDATE approval SET expires_at = now() WHERE id = ${approvalId}`.execute(tx);
      await sql`ALTER TABLE approval ENABLE TRIGGER frozen`.execute(tx);
    });
  it.each([
    ['was refused', async (approvalId: string) => void (await decide(approvalId, 'DECLINE', FINANCE))],
    [
      'nobody has answered',
      async (approvalId: string) => {
        await expire(approvalId);
        await http.db.transaction().execute((tx) => expireApproval(tx, approvalId, async () => 'stale'));
      },
    ],
  ])('goes to a second person again where the question about it %s, and is booked once', async (_, end) => {
    const id = await repair(null);
    const first = await waits(id, AED(900), FIXER);
    expect((await charge(id, AED(800), FINANCE)).body).toMatchObject({
      code: 'INVALID_STATE_TRANSITION',
      details: { currentStatus: 'PENDING' },
    });
    await end(first);
    const asked = await charge(id, AED(800), FINANCE);
    expect(at(asked.body, 'data')).toMatchObject({ action: 'CHARGE_NEEDS_APPROVAL', ...AED(800) });
    const second = String(at(asked.body, 'data', 'subjectId'));
    expect((await decide(second, 'APPROVE', FINANCE)).body.code).toBe('SECOND_PERSON_REQUIRED');
    expect((await decide(second, 'APPROVE', { as: 'ADMIN', sub: 'fixer' })).body.code).toBe('SECOND_PERSON_REQUIRED');
    expect((await decide(second, 'APPROVE', ADMIN)).status).toBe(200);
    expect(await chargeOf(id)).toMatchObject({ amount_minor: -80_000, details: { approvalId: second } });
    expect((await charge(id, AED(800), ADMIN)).body).toMatchObject({
      code: 'INVALID_STATE_TRANSITION',
      details: { currentStatus: 'CHARGED' },
    });
    expect(await bodyOf(id, 'maintenance-charged.owner@1')).toContain('AED 800.00');
  });

  it('is booked at once within the owner’s yes, and never by one person after a refusal', async () => {
    const id = await repair(AED(750), await ownerOf());
    await complete(id, AED(750), FIXER, false);
    expect(at((await charge(id, AED(800), FINANCE)).body, 'data', 'action')).toBe('OWNER_CHARGED');
    expect(await chargeOf(id)).toMatchObject({ amount_minor: -80_000 });
    expect(await bodyOf(id, 'maintenance-charged.owner@1')).toContain('AED 800.00');

    const refused = await repair(AED(750), await ownerOf());
    expect((await decide(await waits(refused, AED(900), FIXER), 'DECLINE', FINANCE)).status).toBe(200);
    expect(at((await charge(refused, AED(750), ADMIN)).body, 'data', 'action')).toBe('CHARGE_NEEDS_APPROVAL');
    expect(await http.call('GET', `${API}/financial/integrity`)).toMatchObject({ body: { data: { ok: true } } });
  });

  it('is of a completed repair, and in the hands of FINANCE and ADMIN', async () => {
    const id = await repair(null);
    expect((await charge(id, AED(80), FINANCE)).body.code).toBe('INVALID_STATE_TRANSITION');
    expect((await charge('nowhere', AED(80), FINANCE)).body.code).toBe('TASK_NOT_FOUND');
    for (const who of [FIXER, AGENT, await ownerOf()]) expect((await charge(id, AED(80), who)).status).toBe(403);
  });
});

it('an owner whose charge waits for a second person is not told that nothing is charged', async () => {
  const id = await repair(null);
  await waits(id, AED(90), FIXER);
  expect(await bodyOf(id, 'maintenance-done.owner@1')).toBeUndefined();
  const body = await bodyOf(id, 'maintenance-undecided.owner@1');
  expect(body).toContain('is done');
  expect(body).not.toContain('Charged to you: nothing');
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
