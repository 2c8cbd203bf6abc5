import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dueBatches } from '../../src/domain/finance/payout-batches.ts';
import { decideApproval } from '../../src/domain/stays/decide-approval.ts';
import type { Role } from '../../src/http/auth.ts';
import { resumeAfter } from '../../src/sagas/resume-approved.ts';
import { expireApprovals } from '../../src/workers/finance.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY } from '../sagas/money.ts';
import { restOf } from '../setup/engine.ts';
import { addSaga } from '../setup/ledger.ts';
import { type Answer, type System, startSystem } from '../setup/system.ts';

/** Money that needs a second person: approving is an act of its own, and nothing else counts as one. */

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
  await system.bed.db
    .insertInto('staff')
    .values({ id: 'agent-7', name: 'Amina', email: 'amina@example.com', role: 'AGENT' })
    .execute();
}, 60_000);
afterAll(() => system?.close());

const REASON = 'No hot water';
let references = 0;
const newReference = (prefix = 'ref'): string => {
  references += 1;
  return `${prefix}-approvals-${references}`;
};
const db = () => system.bed.db;
const pay = (id: string, amount: number, options: object = {}, gatewayReference = newReference()): Promise<Answer> =>
  system.call('POST', `/reservations/${id}/payment`, {
    body: { amount, currency: 'AED', gatewayId: GATEWAY, gatewayReference },
    ...options,
  });
/** Of a guest who has no other, so that the declines of one test hold nothing against another. */
async function newStay(): Promise<string> {
  const id = await seedStay(db());
  const guest = { id: `guest-of-${id}`, name: 'G', email: `${id}@example.com` };
  await db().insertInto('guest').values(guest).execute();
  await db().updateTable('reservation').set({ guest_id: guest.id }).where('id', '=', id).execute();
  return id;
}
async function paidStay(amount = 20_000): Promise<string> {
  const id = await newStay();
  await db()
    .updateTable('reservation')
    .set({ total_minor: amount * 100 })
    .where('id', '=', id)
    .execute();
  expect((await system.call('POST', `/reservations/${id}/confirm`, { body: {} })).status).toBe(200);
  expect((await pay(id, amount)).status).toBe(200);
  return id;
}
/** A refund over the limit, which waits; asked for by admin-1. */
async function waitingRefund(id: string, amount = 6_000, options: object = {}): Promise<Waiting> {
  const body = { amount, currency: 'AED', reason: REASON };
  return waiting(await system.call('POST', `/reservations/${id}/refunds`, { body, ...options }));
}
/** A payment that the fraud rules hold, on a stay that nothing was paid for. */
async function waitingPayment(id: string, reference = newReference()): Promise<Waiting> {
  for (let n = 0; n < 6; n += 1) await pay(id, 1_000, {}, newReference('ref-declined'));
  return waiting(await pay(id, 1_000, {}, reference));
}
interface Waiting {
  readonly sagaId: string;
  readonly approvalId: string;
  readonly answer: Answer;
}
async function waiting(answer: Answer): Promise<Waiting> {
  expect([answer.status, answer.body.data?.status], answer.text).toEqual([202, 'parked']);
  const sagaId = answer.body.data.sagaExecutionId as string;
  const { body } = await system.call('GET', `/approvals?sagaExecutionId=${sagaId}&status=PENDING`);
  expect(body.data).toHaveLength(1);
  return { sagaId, approvalId: body.data[0].id, answer };
}
const approvalOf = async (id: string) => (await system.call('GET', `/approvals/${id}`)).body.data;
const decide = (id: string, decision: 'APPROVE' | 'DECLINE', who: { role?: Role; sub: string }): Promise<Answer> =>
  system.call('POST', `/approvals/${id}`, { body: { decision, reason: 'Looked into it' }, role: 'FINANCE', ...who });
const sagaOf = (id: string) => db().selectFrom('saga').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const refundedOf = async (id: string): Promise<number> =>
  (await system.call('GET', `/financial/summary?reservationId=${id}`)).body.data.currencies[0]?.refunded ?? 0;
/** What a test turns back is not turned back by the product: a trigger forbids it. */
async function letTimePass(approvalId: string): Promise<void> {
  await db()
    .connection()
    .execute(async (connection) => {
      await sql`SET session_replication_role = 'replica'`.execute(connection);
      await sql`UPDATE approval SET expires_at = now() - interval '1 second' WHERE id = ${approvalId}`.execute(
        connection,
      );
      await sql`SET session_replication_role = 'origin'`.execute(connection);
    });
}
const FINANCE = { sub: 'finance-2' };

describe('Z18: an approval (ENG-12)', () => {
  it('is asked for in the commit that parks the saga: what, how much, where, by whom, until when', async () => {
    const id = await paidStay();
    const { sagaId, approvalId } = await waitingRefund(id);
    const stay = await db()
      .selectFrom('reservation')
      .select('property_id')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    const asked = await approvalOf(approvalId);
    expect(asked).toMatchObject({
      kind: 'GOODWILL',
      status: 'PENDING',
      asked: `Refund AED 6000.00 of stay ${id} as goodwill, AED 6000.00 of it borne by owner, agency and referrer by their shares: ${REASON}`,
      amount: 6_000,
      currency: 'AED',
      subjectType: 'saga',
      sagaExecutionId: sagaId,
      reservationId: id,
      propertyId: stay.property_id,
      askedBy: 'admin-1',
      decidedBy: null,
    });
    expect(Date.parse(asked.expiresAt) - Date.parse(asked.askedAt)).toBe(7 * 24 * 3_600_000);
    const { at } = await db()
      .selectFrom('audit_log')
      .select('at')
      .where('saga_id', '=', sagaId)
      .where('event', '=', 'APPROVAL_ASKED')
      .executeTakeFirstOrThrow();
    expect(at).toBeInstanceOf(Date);
    await decide(approvalId, 'DECLINE', FINANCE);
  });

  it('is asked for where an owner is to bear more than the share of the stay, and says who bears what', async () => {
    const id = await paidStay(1_000);
    const give = (amount: number) =>
      system.call('POST', `/reservations/${id}/refunds`, {
        body: { amount, currency: 'AED', reason: REASON, bearer: 'OWNER' },
      });
    const within = await give(400);
    expect(within.status, within.text).toBe(200);
    // One person may give that much, but the owner has 300 left of it.
    const { approvalId } = await waiting(await give(301));
    const borne = 'AED 301.00 of it borne by the owner alone; AED 400.00 were given beyond the policy before';
    expect((await approvalOf(approvalId)).asked).toBe(
      `Refund AED 301.00 of stay ${id} as goodwill, ${borne}: ${REASON}`,
    );
    await decide(approvalId, 'DECLINE', FINANCE);
  });

  it('lets the saga go on in the same transaction, once, and is told to who asked', async () => {
    const id = await paidStay();
    const { sagaId, approvalId } = await waitingRefund(id);
    const approved = await decide(approvalId, 'APPROVE', FINANCE);
    expect([approved.status, approved.body.data.status, approved.body.data.decidedBy]).toEqual([
      200,
      'APPROVED',
      'finance-2',
    ]);
    expect(await restOf(db(), sagaId)).toBe('completed');
    expect(await refundedOf(id)).toBe(6_000);
    expect(await decide(approvalId, 'DECLINE', { sub: 'finance-3' })).toMatchObject({
      status: 409,
      body: { code: 'INVALID_STATE_TRANSITION' },
    });
    const told = await db()
      .selectFrom('notification')
      .select(['template', 'recipient_type'])
      .where('event', '=', 'APPROVAL_DECIDED')
      .where('effect_key', 'like', `${approvalId}-%`)
      .execute();
    expect(told).toEqual([{ template: 'approval-given.ops@1', recipient_type: 'OPS' }]);
    const trail = await system.call('GET', `/audit?actor=finance-2&event=APPROVAL_APPROVED`);
    expect(trail.text).toContain(approvalId);
    await expectIntegrity(db());
  });

  it('that is declined refuses the saga, which has done nothing', async () => {
    const id = await paidStay();
    const key = { 'idempotency-key': `declined-${id}` };
    const { sagaId, approvalId } = await waitingRefund(id, 6_000, { headers: key });
    expect((await decide(approvalId, 'DECLINE', FINANCE)).body.data).toMatchObject({ status: 'DECLINED' });
    expect(await restOf(db(), sagaId)).toBe('compensated');
    expect((await sagaOf(sagaId)).error_code).toBe('APPROVAL_DECLINED');
    const body = { amount: 6_000, currency: 'AED', reason: REASON };
    const repeat = await system.call('POST', `/reservations/${id}/refunds`, { body, headers: key });
    expect([repeat.status, repeat.body.code]).toEqual([409, 'APPROVAL_DECLINED']);
    expect(await refundedOf(id)).toBe(0);
  });

  it('of one’s own is refused with SECOND_PERSON_REQUIRED, whatever the role, and so is a no', async () => {
    const { sagaId, approvalId } = await waitingRefund(await paidStay());
    for (const role of ['FINANCE', 'ADMIN'] as const) {
      for (const decision of ['APPROVE', 'DECLINE'] as const) {
        const refused = await decide(approvalId, decision, { role, sub: 'admin-1' });
        expect([refused.status, refused.body.code]).toEqual([403, 'SECOND_PERSON_REQUIRED']);
      }
    }
    expect((await approvalOf(approvalId)).status).toBe('PENDING');
    expect((await sagaOf(sagaId)).status).toBe('parked');
    await decide(approvalId, 'DECLINE', FINANCE);
  });

  it('is the right of FINANCE and ADMIN alone', async () => {
    const { approvalId } = await waitingRefund(await paidStay());
    for (const role of ['AGENT', 'OPS', 'OWNER', 'CLEANER', 'MAINTENANCE_STAFF', 'GUEST'] as const) {
      expect((await decide(approvalId, 'APPROVE', { role, sub: 'other-1' })).status).toBe(403);
      expect((await system.call('GET', `/approvals/${approvalId}`, { role, sub: 'other-1' })).status).toBe(403);
    }
    await decide(approvalId, 'DECLINE', FINANCE);
  });

  it('is no retry: through the API, by Bull Board, one by one or all, the saga stays as it is', async () => {
    const { sagaId, approvalId } = await waitingRefund(await paidStay());
    const before = await sagaOf(sagaId);
    for (const [role, sub] of [
      ['OPS', 'olivia'],
      ['ADMIN', 'admin-2'],
      ['ADMIN', 'admin-1'],
    ] as const) {
      const retried = await system.call('POST', `/sagas/executions/${sagaId}/retry`, { body: {}, role, sub });
      expect([retried.status, retried.body.code]).toEqual([409, 'APPROVAL_REQUIRED']);
    }
    const { orchestrator } = system.process.engine;
    const press = () => orchestrator.retry({ sagaId, by: 'olivia', requestId: null, via: 'bull-board' });
    expect(await Promise.all(Array.from({ length: 8 }, press))).toEqual(Array(8).fill('needs-approval'));
    expect(await sagaOf(sagaId)).toEqual(before);
    expect((await approvalOf(approvalId)).status).toBe('PENDING');
    await decide(approvalId, 'DECLINE', FINANCE);
  });

  it('is given once by ten people at the same moment', async () => {
    const id = await paidStay();
    const { sagaId, approvalId } = await waitingRefund(id);
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        decide(approvalId, n % 2 === 0 ? 'APPROVE' : 'DECLINE', { sub: `finance-${n + 10}` }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(9);
    const { status } = await approvalOf(approvalId);
    expect(await restOf(db(), sagaId)).toBe(status === 'APPROVED' ? 'completed' : 'compensated');
    expect(await refundedOf(id)).toBe(status === 'APPROVED' ? 6_000 : 0);
  });

  it('and what follows from it are one commit: a crash before it leaves both as they were', async () => {
    const { sagaId, approvalId } = await waitingRefund(await paidStay());
    const before = await sagaOf(sagaId);
    const resume = resumeAfter(system.process.engine.orchestrator, () => {});
    const decision = { id: approvalId, decision: 'APPROVE', reason: 'yes', role: 'ADMIN' } as const;
    const crashed = db()
      .transaction()
      .execute(async (tx) => {
        await decideApproval(tx, decision, { actor: 'admin-2', requestId: null }, resume);
        throw new Error('the process died before the commit');
      });
    await expect(crashed).rejects.toThrow('died');
    expect(await sagaOf(sagaId)).toEqual(before);
    expect((await approvalOf(approvalId)).status).toBe('PENDING');
    // After the commit a crash loses nothing: nobody publishes the order here, and it stands in the outbox for the relay.
    await db()
      .transaction()
      .execute((tx) => decideApproval(tx, decision, { actor: 'admin-2', requestId: null }, resume));
    expect(await sagaOf(sagaId)).toMatchObject({ status: 'running', generation: 2, holds_money: true });
    const order = await db()
      .selectFrom('outbox')
      .select(['kind', 'published_at'])
      .where('dedupe_key', '=', `${sagaId}-F-2`)
      .executeTakeFirstOrThrow();
    expect(order).toEqual({ kind: 'FLOW_F', published_at: null });
  }, 60_000);

  it('that nobody gives in time is refused', async () => {
    const id = await paidStay();
    const { sagaId, approvalId } = await waitingRefund(id);
    const { orchestrator } = system.process.engine;
    expect(await expireApprovals({ db: db(), orchestrator })).toBe(0);
    await letTimePass(approvalId);
    expect(await decide(approvalId, 'APPROVE', FINANCE)).toMatchObject({
      status: 409,
      body: { code: 'INVALID_STATE_TRANSITION', details: { currentStatus: 'EXPIRED' } },
    });
    expect(await expireApprovals({ db: db(), orchestrator })).toBe(1);
    expect(await restOf(db(), sagaId)).toBe('compensated');
    const detail = (await sagaOf(sagaId)).error_detail;
    expect(detail).toMatchObject({ code: 'APPROVAL_DECLINED', details: { status: 'EXPIRED' } });
    expect(await approvalOf(approvalId)).toMatchObject({ status: 'EXPIRED', decidedBy: 'system:approvals' });
    expect(await refundedOf(id)).toBe(0);
  });

  it('is withdrawn when a person closes the saga', async () => {
    const { sagaId, approvalId } = await waitingRefund(await paidStay());
    const body = { reason: 'The guest wants none' };
    expect((await system.call('POST', `/sagas/executions/${sagaId}/resolve`, { body, sub: 'ops-2' })).status).toBe(200);
    expect(await approvalOf(approvalId)).toMatchObject({ status: 'WITHDRAWN', decidedBy: 'ops-2' });
    expect((await decide(approvalId, 'APPROVE', FINANCE)).body.code).toBe('INVALID_STATE_TRANSITION');
  });

  it('is not withdrawn by who may not decide it, nor has asked', async () => {
    const { sagaId, approvalId } = await waitingRefund(await paidStay());
    const refused = await system.call('POST', `/sagas/executions/${sagaId}/resolve`, {
      body: { reason: 'Clearing up' },
      role: 'OPS',
      sub: 'olivia',
    });
    expect([refused.status, refused.body.details]).toEqual([403, { permission: 'approvals:decide' }]);
    expect(await approvalOf(approvalId)).toMatchObject({ status: 'PENDING' });
    expect((await sagaOf(sagaId)).status).toBe('parked');
    await decide(approvalId, 'DECLINE', FINANCE);
  });

  const close = (sagaId: string) =>
    system.call('POST', `/sagas/executions/${sagaId}/resolve`, { body: { reason: 'Not wanted' }, sub: 'admin-4' });
  it.each([
    ['APPROVED', ({ approvalId }: Waiting) => decide(approvalId, 'APPROVE', FINANCE)],
    ['DECLINED', ({ approvalId }: Waiting) => decide(approvalId, 'DECLINE', FINANCE)],
    [
      'EXPIRED',
      ({ approvalId }: Waiting) =>
        letTimePass(approvalId).then(() =>
          expireApprovals({ db: db(), orchestrator: system.process.engine.orchestrator }),
        ),
    ],
    ['WITHDRAWN', ({ sagaId }: Waiting) => close(sagaId)],
  ] as const)('is told to who asked when it ends as %s', async (status, end) => {
    const asked = await waitingRefund(await paidStay());
    await end(asked);
    expect(await approvalOf(asked.approvalId)).toMatchObject({ status });
    const told = await db()
      .selectFrom('notification')
      .select('params')
      .where('event', '=', 'APPROVAL_DECIDED')
      .where('effect_key', 'like', `${asked.approvalId}-%`)
      .execute();
    expect(told.map(({ params }) => (params as { code?: string } | null)?.code)).toEqual([status]);
  });

  it.each(['goodwill', 'cancellation'])(
    'about a refund by %s holds the payouts of the stay until it has ended',
    async (way) => {
      const id = await paidStay();
      await db()
        .updateTable('reservation')
        .set({ check_in_date: '2024-02-01', check_out_date: '2024-02-03' })
        .where('id', '=', id)
        .execute();
      const body = { initiator: 'HOST', reason: REASON };
      const { sagaId, approvalId } =
        way === 'goodwill'
          ? await waitingRefund(id)
          : await waiting(await system.call('POST', `/reservations/${id}/cancel`, { body }));
      const payout = await db()
        .selectFrom('transaction')
        .select(['id', 'owner_id'])
        .where('reservation_id', '=', id)
        .where('type', '=', 'OWNER_PAYOUT')
        .executeTakeFirstOrThrow();
      await db()
        .updateTable('owner')
        .set({ payout_account: 'AE070331234567890123456' })
        .where('id', '=', payout.owner_id)
        .execute();
      await db()
        .updateTable('transaction')
        .set({ scheduled_for: new Date(0) })
        .where('id', '=', payout.id)
        .execute();
      const due = async () =>
        (await dueBatches(db(), 100)).flatMap(({ payouts }) => payouts).some((one) => one.id === payout.id);
      const pay = () =>
        system.call('POST', `/transactions/${payout.id}/payout`, { body: {}, role: 'FINANCE', sub: 'f-8' });
      const held = await pay();
      expect([held.status, held.body.code, held.body.details?.reason]).toEqual([
        409,
        'PAYOUT_NOT_PAYABLE',
        'REFUND_WAITS',
      ]);
      expect(await due()).toBe(false);
      await decide(approvalId, 'DECLINE', FINANCE);
      expect(await restOf(db(), sagaId)).toBe('compensated');
      expect(await due()).toBe(true);
      const paid = await pay();
      expect([paid.status, paid.body.code], paid.text).toEqual([200, undefined]);
    },
  );

  it('that is given, and cannot be done after all, is told to who asked and who approved, in the commit that ends it', async () => {
    await db()
      .insertInto('staff')
      .values({ id: 'finance-7', name: 'Faris', email: 'faris@example.com', role: 'AGENT' })
      .execute();
    const gone = async (id: string) =>
      db().updateTable('reservation').set({ status: 'CHECKED_IN' }).where('id', '=', id).execute();
    const ends = {
      goodwill: { code: 'NOTHING_TO_REFUND' },
      cancellation: { code: 'RESERVATION_IN_HOUSE' },
    } as const;
    for (const way of ['goodwill', 'cancellation'] as const) {
      const id = await paidStay();
      if (way === 'cancellation')
        await db()
          .updateTable('reservation')
          .set({ check_in_date: '2024-02-01', check_out_date: '2024-02-03' })
          .where('id', '=', id)
          .execute();
      const body = { initiator: 'HOST', reason: REASON };
      const { sagaId, approvalId } =
        way === 'goodwill'
          ? await waitingRefund(id)
          : await waiting(await system.call('POST', `/reservations/${id}/cancel`, { body }));
      if (way === 'cancellation') await gone(id);
      else
        await db()
          .updateTable('payment')
          .set({ refunded_minor: sql<number>`amount_minor` })
          .where('reservation_id', '=', id)
          .execute();
      expect((await decide(approvalId, 'APPROVE', { sub: 'finance-7' })).status).toBe(200);
      expect(await restOf(db(), sagaId)).toBe('compensated');
      expect((await sagaOf(sagaId)).error_code).toBe(ends[way].code);
      const told = await db()
        .selectFrom('notification')
        .select(['template', 'recipient_id', 'params'])
        .where('effect_key', 'like', `${approvalId}-undone%`)
        .orderBy('recipient_id')
        .execute();
      expect(told).toMatchObject([
        { template: 'approval-undone.staff@1', recipient_id: 'finance-7', params: { code: ends[way].code } },
        { template: 'approval-undone.ops@1', recipient_id: 'ops', params: { code: ends[way].code } },
      ]);
    }
  });

  it('shows its amount to those who decide, and not in the execution that operators read', async () => {
    const { sagaId, approvalId } = await waitingRefund(await paidStay());
    const { text, body } = await system.call('GET', `/sagas/executions/${sagaId}`, { role: 'OPS', sub: 'olivia' });
    expect(body.data.error.details.details).toMatchObject({ approvalId, signals: [{ rule: 'REFUND_OVERRIDE' }] });
    expect(text).not.toContain('6000');
    expect(text).not.toContain('600000');
    await decide(approvalId, 'DECLINE', FINANCE);
  });

  it('is listed by what it is about, newest first', async () => {
    const first = await waitingRefund(await paidStay());
    const second = await waitingRefund(await paidStay());
    const { body } = await system.call('GET', '/approvals?status=PENDING&kind=GOODWILL&limit=1');
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual([second.approvalId]);
    const next = await system.call(
      'GET',
      `/approvals?status=PENDING&kind=GOODWILL&limit=1&cursor=${encodeURIComponent(body.nextCursor)}`,
    );
    expect(next.body.data.map(({ id }: { id: string }) => id)).toEqual([first.approvalId]);
    for (const { approvalId } of [first, second]) await decide(approvalId, 'DECLINE', FINANCE);
  });
});

describe('Z18: a payment that the fraud rules hold (FSE-3)', () => {
  it('pauses for an approval, is charged after it, and is told to who asked', async () => {
    const id = await newStay();
    const reference = newReference();
    for (let n = 0; n < 6; n += 1) await pay(id, 1_000, {}, newReference('ref-declined'));
    const agent = { role: 'AGENT', sub: 'agent-7' } as const;
    const property = db().selectFrom('reservation').select('property_id').where('id', '=', id);
    await db()
      .updateTable('property')
      .set({ agent_ids: ['agent-7'] })
      .where('id', '=', property)
      .execute();
    const { sagaId, approvalId } = await waiting(await pay(id, 1_000, agent, reference));
    expect(await approvalOf(approvalId)).toMatchObject({ kind: 'PAYMENT_REVIEW', amount: 1_000, askedBy: 'agent-7' });
    expect(await system.sandbox.netOf(reference)).toBe(0);
    expect((await decide(approvalId, 'APPROVE', FINANCE)).status).toBe(200);
    expect(await restOf(db(), sagaId)).toBe('completed');
    expect(await system.sandbox.netOf(reference)).toBe(100_000);
    const told = await db()
      .selectFrom('notification')
      .select(['template', 'recipient_id'])
      .where('effect_key', 'like', `${approvalId}-%`)
      .execute();
    expect(told).toEqual([{ template: 'approval-given.staff@1', recipient_id: 'agent-7' }]);
  });

  it.each(['APPROVE', 'DECLINE'] as const)(
    'is told to a person of the office at the address of the account: %s',
    async (decision) => {
      const account = {
        id: `account-${decision}`,
        email: `${decision}@office.example`,
        name: 'Tariq',
        role: 'FINANCE',
      } as const;
      await db()
        .insertInto('account')
        .values({ ...account, status: 'ACTIVE' })
        .execute();
      const { sagaId, approvalId } = await waitingRefund(await paidStay(), 6_000, { role: 'FINANCE', sub: account.id });
      expect((await decide(approvalId, decision, FINANCE)).status).toBe(200);
      await restOf(db(), sagaId);
      const told = await db()
        .selectFrom('notification')
        .select(['template', 'recipient_type', 'recipient_id', 'params'])
        .where('event', '=', 'APPROVAL_DECIDED')
        .where('effect_key', 'like', `${approvalId}-%`)
        .execute();
      const template = decision === 'APPROVE' ? 'own-approval-given.ops@1' : 'own-approval-refused.ops@1';
      const params = expect.objectContaining({ accountId: account.id, sagaId: approvalId });
      expect(told).toEqual([{ template, recipient_type: 'OPS', recipient_id: account.id, params }]);
    },
  );

  it('is not charged when it is declined', async () => {
    const id = await newStay();
    const reference = newReference();
    const { sagaId, approvalId } = await waitingPayment(id, reference);
    await decide(approvalId, 'DECLINE', FINANCE);
    expect(await restOf(db(), sagaId)).toBe('compensated');
    expect(await system.sandbox.netOf(reference)).toBe(0);
    expect((await system.call('GET', `/reservations/${id}`)).body.data.paymentStatus).toBe('UNPAID');
  });
});

describe('while an approval is waited for', () => {
  it('the stay can be checked in, and what was asked is decided anew after it', async () => {
    const id = await paidStay();
    const body = { refundPercentOverride: 100, reason: REASON };
    await db()
      .updateTable('reservation')
      .set({ check_in_date: '2024-02-01', check_out_date: '2024-02-03' })
      .where('id', '=', id)
      .execute();
    const { sagaId, approvalId } = await waiting(await system.call('POST', `/reservations/${id}/cancel`, { body }));
    const { actions } = (await system.call('GET', `/reservations/${id}`)).body.data;
    expect(actions).toContainEqual({ action: 'check-in', allowed: true, reason: null });
    const arrived = await system.call('POST', `/reservations/${id}/check-in`, { body: {} });
    expect(arrived.status, arrived.text).toBe(200);
    expect((await decide(approvalId, 'APPROVE', FINANCE)).status).toBe(200);
    expect(await restOf(db(), sagaId)).toBe('compensated');
    expect((await sagaOf(sagaId)).error_code).toBe('RESERVATION_IN_HOUSE');
    expect(await refundedOf(id)).toBe(0);
  });

  it('a stay that nothing was paid for can be cancelled, and the payment is not charged after that', async () => {
    const id = await newStay();
    const reference = newReference();
    const { sagaId, approvalId } = await waitingPayment(id, reference);
    expect((await system.call('POST', `/reservations/${id}/cancel`, { body: {} })).status).toBe(200);
    await decide(approvalId, 'APPROVE', FINANCE);
    expect(await restOf(db(), sagaId)).toBe('compensated');
    expect((await sagaOf(sagaId)).error_code).toBe('RESERVATION_NOT_PAYABLE');
    expect(await system.sandbox.netOf(reference)).toBe(0);
  });

  it('another saga may be at work on the stay: a yes waits for its end, and a no does not', async () => {
    const id = await paidStay();
    const other = (): Promise<string> =>
      addSaga(db(), { name: 'checkIn', subjectId: id, status: 'parked', errorCode: 'STEP_FAILED' });
    const close = (saga: string): Promise<Answer> =>
      system.call('POST', `/sagas/executions/${saga}/cancel`, { body: { reason: 'settled' }, sub: 'ops-2' });
    const first = await waitingRefund(id);
    const busy = await other();
    const refused = await decide(first.approvalId, 'APPROVE', FINANCE);
    expect([refused.status, refused.body.code]).toEqual([409, 'SAGA_IN_PROGRESS']);
    expect(refused.body.details).toEqual({ sagaExecutionId: busy });
    expect((await approvalOf(first.approvalId)).status).toBe('PENDING');
    expect((await sagaOf(first.sagaId)).status).toBe('parked');
    expect((await close(busy)).status).toBe(200);
    expect(await restOf(db(), busy)).toBe('compensated');
    expect((await decide(first.approvalId, 'APPROVE', FINANCE)).status).toBe(200);
    expect(await restOf(db(), first.sagaId)).toBe('completed');

    const second = await waitingRefund(id);
    const again = await other();
    expect((await decide(second.approvalId, 'DECLINE', FINANCE)).status).toBe(200);
    expect(await restOf(db(), second.sagaId)).toBe('compensated');
    await close(again);
  });

  it('nothing else moves the money of the stay: no cancellation that gives it back, no other refund', async () => {
    const id = await paidStay();
    const { sagaId, approvalId } = await waitingRefund(id);
    for (const [path, body] of [
      ['cancel', {}],
      ['refunds', { amount: 1, currency: 'AED', reason: REASON }],
    ] as const) {
      const refused = await system.call('POST', `/reservations/${id}/${path}`, { body });
      expect([refused.status, refused.body.code]).toEqual([409, 'SAGA_IN_PROGRESS']);
      expect(refused.body.details).toMatchObject({ sagaExecutionId: sagaId, approvalId });
    }
    await decide(approvalId, 'DECLINE', FINANCE);
    expect(await restOf(db(), sagaId)).toBe('compensated');
    expect((await system.call('POST', `/reservations/${id}/cancel`, { body: {} })).status).toBe(200);
  });
});

describe('limits', () => {
  const limits = (): Promise<Answer> => system.call('GET', '/settings/approval-limits');
  const AED = (amount: number) => [{ currency: 'AED', amount }];
  async function setLimits(change: object, who: object = {}): Promise<Answer> {
    const before = await limits();
    const { version: _v, setBy: _b, setAt: _a, ...fields } = before.body.data;
    const headers = { 'if-match': before.headers.get('etag') ?? '' };
    return system.call('PUT', '/settings/approval-limits', { body: { ...fields, ...change }, headers, ...who });
  }

  it('are in each currency: 5 000 AED is 1 350 USD and not 5 000 of anything', async () => {
    const { overrides } = (await limits()).body.data;
    const of = (currency: string) => overrides.find((one: { currency: string }) => one.currency === currency)?.amount;
    expect([of('AED'), of('USD'), of('JPY'), of('KWD'), of('XAF')]).toEqual([5_000, 1_350, 205_000, 420, undefined]);
    // A currency of which nobody has said anything has the limit 0.
    for (const [currency, total, amount, waits] of [
      ['USD', 300_000, 1_350, false],
      ['USD', 300_000, 1_351, true],
      ['JPY', 300_000, 6_000, false],
      ['XAF', 300_000, 1, true],
    ] as const) {
      const id = await newStay();
      await db().updateTable('reservation').set({ total_minor: total, currency }).where('id', '=', id).execute();
      const paid = await system.call('POST', `/reservations/${id}/payment`, {
        body: {
          amount: currency === 'USD' ? total / 100 : total,
          currency,
          gatewayId: GATEWAY,
          gatewayReference: newReference(),
        },
      });
      expect(paid.status, paid.text).toBe(200);
      const refund = await system.call('POST', `/reservations/${id}/refunds`, {
        body: { amount, currency, reason: REASON },
      });
      expect([currency, amount, refund.status]).toEqual([currency, amount, waits ? 202 : 200]);
    }
  });

  it('say how much a role may approve, and are set by ADMIN alone, as a version, with an audit row', async () => {
    const id = await paidStay();
    const { sagaId, approvalId } = await waitingRefund(id);
    expect((await setLimits({}, { role: 'FINANCE', sub: 'finance-2' })).status).toBe(403);
    const set = await setLimits({ roles: { FINANCE: AED(5_500), ADMIN: null } }, { sub: 'admin-9' });
    expect(set.status, set.text).toBe(200);
    const refused = await decide(approvalId, 'APPROVE', FINANCE);
    expect([refused.status, refused.body.code, refused.body.details.limit]).toEqual([
      403,
      'APPROVAL_LIMIT_EXCEEDED',
      5_500,
    ]);
    expect((await decide(approvalId, 'APPROVE', { role: 'ADMIN', sub: 'admin-3' })).status).toBe(200);
    expect(await restOf(db(), sagaId)).toBe('completed');
    const trail = await system.call('GET', '/audit?actor=admin-9&event=APPROVAL_LIMITS_SET');
    expect(trail.body.data).toHaveLength(1);
    const stale = await system.call('PUT', '/settings/approval-limits', {
      body: { ...set.body.data, version: undefined, setBy: undefined, setAt: undefined },
      headers: { 'if-match': '"0"' },
    });
    expect(stale.body.code).toBe('PRECONDITION_FAILED');
    expect((await setLimits({ overrides: [...AED(1), ...AED(2)] })).status).toBe(422);
    expect((await setLimits({ roles: { FINANCE: AED(50_000), ADMIN: null } })).status).toBe(200);
  });
});

describe('Z18: a cancellation that gives more than the policy', () => {
  /** The arrival has been long ago: nothing comes back by the policy. */
  async function lateStay(amount: number): Promise<string> {
    const id = await paidStay(amount);
    const dates = { check_in_date: '2024-02-01', check_out_date: '2024-02-03' };
    await db().updateTable('reservation').set(dates).where('id', '=', id).execute();
    return id;
  }
  const cancel = (id: string, body: object, who: object = {}): Promise<Answer> =>
    system.call('POST', `/reservations/${id}/cancel`, { body, ...who });

  it.each(['HOST', 'AGENCY', 'SYSTEM'] as const)(
    'by %s is an override: not an agent’s, a guest’s or a machine’s to say',
    async (initiator) => {
      const id = await lateStay(1_000);
      const property = db().selectFrom('reservation').select('property_id').where('id', '=', id);
      await db()
        .updateTable('property')
        .set({ agent_ids: ['agent-7'] })
        .where('id', '=', property)
        .execute();
      for (const who of [
        { role: 'AGENT', sub: 'agent-7' },
        { role: 'GUEST', sub: `guest-of-${id}` },
        { scope: 'reservations:cancel', sub: 'crm' },
      ] as const) {
        for (const path of ['cancel', 'cancel?dryRun=true']) {
          const refused = await system.call('POST', `/reservations/${id}/${path}`, {
            body: { initiator, reason: REASON },
            ...who,
          });
          expect([refused.status, refused.body.code]).toEqual([403, 'FORBIDDEN']);
          expect(refused.body.details).toEqual({ field: 'initiator', permission: 'refunds:override' });
        }
      }
      expect((await cancel(id, { initiator })).body.code).toBe('VALIDATION_FAILED');
      const done = await cancel(id, { initiator, reason: REASON }, { role: 'FINANCE', sub: 'finance-2' });
      expect([done.status, done.body.data?.refund.percent], done.text).toEqual([200, 100]);
    },
  );

  it('over the limit waits for a second person, by the initiator as by a percentage', async () => {
    for (const override of [{ initiator: 'HOST' }, { refundPercentOverride: 100 }]) {
      const id = await lateStay(6_000);
      const { sagaId, approvalId } = await waiting(await cancel(id, { ...override, reason: REASON }));
      expect(await approvalOf(approvalId)).toMatchObject({ kind: 'REFUND_OVERRIDE', amount: 6_000 });
      await decide(approvalId, 'APPROVE', FINANCE);
      expect(await restOf(db(), sagaId)).toBe('completed');
      await expect.poll(() => refundedOf(id), { timeout: 20_000 }).toBe(6_000);
    }
  });

  it.each([
    { initiator: 'HOST' },
    { refundPercentOverride: 100 },
    { refundPercentOverride: 90 },
    { initiator: 'HOST', refundPercentOverride: 90 },
  ])('is none where the policy gives as much, or more: %j', async (override) => {
    const id = await paidStay(6_000);
    const done = await cancel(id, { ...override, reason: REASON });
    const amount = override.refundPercentOverride === 90 ? 5_400 : 6_000;
    expect([done.status, done.body.data?.refund.amount], done.text).toEqual([200, amount]);
  });

  const goodwill = (id: string, amount: number, who: object = {}): Promise<Answer> =>
    system.call('POST', `/reservations/${id}/refunds`, { body: { amount, currency: 'AED', reason: REASON }, ...who });
  const ways = {
    goodwill: (id: string) => goodwill(id, 2_600, { role: 'FINANCE', sub: 'finance-9' }),
    initiator: (id: string) => cancel(id, { initiator: 'HOST', reason: REASON }, { role: 'FINANCE', sub: 'finance-9' }),
    percentage: (id: string) =>
      cancel(id, { refundPercentOverride: 65, reason: REASON }, { role: 'FINANCE', sub: 'finance-9' }),
  } as const;

  it.each([
    ['goodwill', 'goodwill'],
    ['goodwill', 'initiator'],
    ['goodwill', 'percentage'],
    ['percentage', 'goodwill'],
  ] as const)(
    'counts what was given beyond it before: %s, then %s, come to more than one person may give',
    async (first, second) => {
      const id = await lateStay(7_500);
      const alone = await ways[first](id);
      expect([alone.status, alone.body.data?.status], alone.text).not.toContain('parked');
      expect(alone.status).toBe(200);
      await expect.poll(() => refundedOf(id), { timeout: 20_000 }).toBeGreaterThan(0);
      const { approvalId } = await waiting(await ways[second](id));
      await decide(approvalId, 'DECLINE', FINANCE);
    },
  );

  it.each(['goodwill', 'cancellation'])('counts in the limit of a role what was given before, by %s', async (last) => {
    const id = await paidStay(110_000);
    const dates = { check_in_date: '2024-02-01', check_out_date: '2024-02-03' };
    await db().updateTable('reservation').set(dates).where('id', '=', id).execute();
    const first = await waitingRefund(id, 50_000);
    expect((await decide(first.approvalId, 'APPROVE', FINANCE)).status).toBe(200);
    expect(await restOf(db(), first.sagaId)).toBe('completed');
    const more = last === 'goodwill' ? goodwill(id, 50_000) : cancel(id, { refundPercentOverride: 80, reason: REASON });
    const { approvalId } = await waiting(await more);
    expect((await decide(approvalId, 'APPROVE', FINANCE)).body.code).toBe('APPROVAL_LIMIT_EXCEEDED');
    expect((await decide(approvalId, 'APPROVE', { role: 'ADMIN', sub: 'admin-3' })).status).toBe(200);
  });
});
