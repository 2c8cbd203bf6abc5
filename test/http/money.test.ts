import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY, netByAccount } from '../sagas/money.ts';
import { restOf, until } from '../setup/engine.ts';
import { type Answer, type System, startSystem } from '../setup/system.ts';

/** The acceptance of payments, cancellations and payouts, through HTTP, on a real database, queue and sandbox. */
let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
  await system.bed.db.updateTable('owner').set({ payout_account: 'acct-owner' }).execute();
});
afterAll(() => system?.close());

let references = 0;
function newReference(prefix = 'ref'): string {
  references += 1;
  return `${prefix}-${references}`;
}
const pay = (id: string, body: object = {}, headers: Record<string, string> = {}): Promise<Answer> =>
  system.call('POST', `/reservations/${id}/payment`, {
    body: {
      amount: 1000,
      currency: 'AED',
      paymentMethod: 'Credit Card',
      gatewayId: GATEWAY,
      gatewayReference: newReference(),
      ...body,
    },
    headers,
  });
const newStay = () => seedStay(system.bed.db);
const confirmed = async (): Promise<string> => {
  const id = await newStay();
  expect((await system.call('POST', `/reservations/${id}/confirm`, { body: {} })).status).toBe(200);
  return id;
};
const moneyRows = async (): Promise<readonly number[]> => {
  const { db } = system.bed;
  return Promise.all(
    (['payment', 'transaction', 'ledger_tx', 'ledger_entry', 'saga'] as const).map(async (table) => {
      const { n } = await db
        .selectFrom(table)
        .select((eb) => eb.fn.countAll<number>().as('n'))
        .executeTakeFirstOrThrow();
      return Number(n);
    }),
  );
};

describe('a payment', () => {
  it("M5: answers the brief's example as printed, and settles the confirmation's own row", async () => {
    const id = await newStay();
    const confirmation = await system.call('POST', `/reservations/${id}/confirm`, { body: {} });
    const { status, body } = await pay(id);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      success: true,
      data: {
        guestPayment: { id: confirmation.body.data.transaction.id, amount: 1000 },
        ownerPayout: { amount: 700, status: 'PENDING' },
        agencyFee: { amount: 250 },
        referralFee: { amount: 50, beneficiary: null, retainedBy: 'AGENCY' },
        gatewayFee: { amount: 29 },
        incomeDistribution: { ownerIncome: 70, roomyAgencyFee: 25, referringAgent: 5 },
        paymentStatus: 'PAID',
      },
      message: 'Payment processed successfully',
    });
    expect((await system.call('GET', `/reservations/${id}`)).body.data.paymentStatus).toBe('PAID');
    expect((await pay(id)).body).toMatchObject({ code: 'ALREADY_PAID' });
  });

  it('M5: in parts ends with the split of one payment', async () => {
    const id = await confirmed();
    const first = await pay(id, { amount: 300 });
    expect(first.body.data).toMatchObject({ ownerPayout: { amount: 210 }, paymentStatus: 'PARTIALLY_PAID' });
    expect((await pay(id, { amount: 700.01 })).body).toMatchObject({
      code: 'PAYMENT_EXCEEDS_BALANCE',
      details: { outstanding: 700 },
    });
    const second = await pay(id, { amount: '700.00' });
    expect(second.body.data).toMatchObject({ ownerPayout: { amount: 490 }, agencyFee: { amount: 175 } });
    await expectIntegrity(system.bed.db);
  });

  it('M4: repeats its answer for the same reference, and refuses another amount or another stay under it', async () => {
    const id = await newStay();
    const gatewayReference = newReference();
    const first = await pay(id, { amount: 400, gatewayReference });
    const again = await pay(id, { amount: 400, gatewayReference });
    expect(again.text).toBe(first.text);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect((await pay(id, { amount: 500, gatewayReference })).body.code).toBe('GATEWAY_REFERENCE_REUSED');
    expect((await pay(await newStay(), { gatewayReference })).body.code).toBe('GATEWAY_REFERENCE_REUSED');
  });

  it('is not taken for a stay that was cancelled', async () => {
    const id = await newStay();
    await system.call('POST', `/reservations/${id}/cancel`, { body: {} });
    expect((await pay(id)).body).toMatchObject({ code: 'RESERVATION_NOT_PAYABLE' });
  });

  it('waits for a person who is not its requester when the fraud rules say so', async () => {
    const id = await newStay();
    const { db } = system.bed;
    for (let n = 0; n < 6; n += 1) await pay(id, { gatewayReference: newReference('ref-declined') });
    const held = await pay(id);
    expect([held.status, held.body.data.status]).toEqual([202, 'parked']);
    expect(held.body.data.waitsFor).toMatchObject({ step: 'validatePayment', code: 'APPROVAL_REQUIRED' });
    const saga = held.body.data.sagaExecutionId as string;
    const parked = await until('the payment is held', async () => {
      const row = await db.selectFrom('saga').selectAll().where('id', '=', saga).executeTakeFirstOrThrow();
      return row.status === 'parked' ? row : undefined;
    });
    expect(parked.error_code).toBe('APPROVAL_REQUIRED');
    for (const sub of ['admin-1', 'olivia'])
      expect((await system.call('POST', `/sagas/executions/${saga}/retry`, { body: {}, sub })).status).toBe(409);
    expect(await db.selectFrom('saga').selectAll().where('id', '=', saga).executeTakeFirstOrThrow()).toEqual(parked);
    const [{ id: approval }] = (await system.call('GET', `/approvals?sagaExecutionId=${saga}`)).body.data;
    const decision = { decision: 'APPROVE', reason: 'Known to us' };
    expect((await system.call('POST', `/approvals/${approval}`, { body: decision })).status).toBe(403);
    await system.call('POST', `/approvals/${approval}`, { body: decision, role: 'FINANCE', sub: 'finance-2' });
    const ended = await until('the payment is through', async () => {
      const row = await db.selectFrom('saga').selectAll().where('id', '=', saga).executeTakeFirstOrThrow();
      return row.finished_at ? row : undefined;
    });
    expect(ended.status).toBe('completed');
  });

  it('is refused when a stay has been tried often, and card after card', async () => {
    const id = await newStay();
    const { db } = system.bed;
    await db.insertInto('guest').values({ id: 'guest-m', name: 'Mallory', email: 'm@example.com' }).execute();
    await db.updateTable('reservation').set({ guest_id: 'guest-m' }).where('id', '=', id).execute();
    for (let n = 0; n < 3; n += 1) expect((await pay(id, { amount: 2 })).status).toBe(200);
    for (let n = 0; n < 6; n += 1) await pay(id, { amount: 900, gatewayReference: newReference('ref-declined') });
    const blocked = await pay(id, { amount: 900 });
    expect([blocked.status, blocked.body.code]).toEqual([403, 'PAYMENT_BLOCKED']);
    const rules = blocked.body.details.signals.map(({ rule }: { rule: string }) => rule);
    expect(rules).toEqual(['VELOCITY', 'DECLINES_OF_RESERVATION']);
  });
});

describe("the sandbox's references", () => {
  it.each([
    ['ref-insufficient-funds', 402, 'PAYMENT_DECLINED', 'INSUFFICIENT_FUNDS'],
    ['ref-declined', 402, 'PAYMENT_DECLINED', 'CARD_DECLINED'],
    ['ref-expired-card', 402, 'PAYMENT_DECLINED', 'EXPIRED_CARD'],
    ['ref-wrong-amount', 409, 'PAYMENT_NOT_VERIFIED', 'AMOUNT_MISMATCH'],
  ])('%s is refused, and nothing is left of it', async (prefix, status, code, gatewayError) => {
    const id = await newStay();
    const gatewayReference = newReference(prefix);
    const refused = await pay(id, { gatewayReference });
    expect([refused.status, refused.body.code]).toEqual([status, code]);
    if (status === 402) {
      expect(refused.body).toMatchObject({ success: false, error: 'Payment gateway error', details: { gatewayError } });
    }
    if (prefix === 'ref-insufficient-funds') expect(refused.body.details.retryAfter).toMatch(/^\d{4}-/);
    expect(await system.sandbox.netOf(gatewayReference)).toBe(0);
    expect(await netByAccount(system.bed.db, refused.body.sagaExecutionId)).toEqual({});
    expect((await system.call('GET', `/reservations/${id}`)).body.data.paymentStatus).toBe('UNPAID');
    const kept = await system.call('GET', `/transactions?reservationId=${id}&status=FAILED`);
    expect(kept.body.data).toHaveLength(1);
  });

  it('ref-down answers 503 once retries are used up, and nothing was charged', async () => {
    const id = await newStay();
    const gatewayReference = newReference('ref-down');
    const refused = await pay(id, { gatewayReference });
    expect([refused.status, refused.body.code]).toEqual([503, 'GATEWAY_UNAVAILABLE']);
    expect(refused.body.error).toBe('Payment gateway error');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await system.sandbox.netOf(gatewayReference)).toBe(0);
    const alerts = await system.bed.db
      .selectFrom('notification')
      .select('params')
      .where('effect_key', 'like', 'alert-gateway-outage-%')
      .execute();
    expect(alerts).toMatchObject([{ params: { sagaName: 'processPayment' } }]);
  });

  it.each(['ref-flaky', 'ref-timeout-before', 'ref-timeout-after', 'ref-late', 'ref-other'])(
    '%s is charged once',
    async (prefix) => {
      const gatewayReference = newReference(prefix);
      const paid = await pay(await newStay(), { gatewayReference });
      expect(paid.status).toBe(200);
      expect(await system.sandbox.netOf(gatewayReference)).toBe(100_000);
    },
  );

  it('ref-refund-refused calls a person, and the money stays owed to the guest', async () => {
    const id = await newStay();
    const gatewayReference = newReference('ref-refund-refused');
    await pay(id, { gatewayReference });
    const cancelled = await system.call('POST', `/reservations/${id}/cancel`, { body: {} });
    expect(cancelled.body.data).toMatchObject({
      reservation: { status: 'CANCELLED' },
      refund: { percent: 100, amount: 1000, status: 'MANUAL_REQUIRED' },
    });
    expect(await system.sandbox.netOf(gatewayReference)).toBe(100_000);
    const read = async () => (await system.call('GET', `/reservations/${id}`)).body.data;
    expect(await read()).toMatchObject({ paymentStatus: 'PAID', refundStatus: 'MANUAL_REQUIRED' });
    const tasks = () => system.call('GET', `/tasks?reservationId=${id}&type=FINANCE`);
    expect((await tasks()).body.data).toMatchObject([{ title: 'Refund a guest by hand', status: 'UNASSIGNED' }]);

    const [refundId] = cancelled.body.data.refund.transactionIds;
    const settle = (body: object, role: 'FINANCE' | 'AGENT' = 'FINANCE') =>
      system.call('POST', `/transactions/${refundId}/settlement`, { body, role });
    expect((await settle({ reference: 'FT-1' }, 'AGENT')).status).toBe(403);
    expect((await settle({ reference: '4111 1111 1111 1111' })).body.code).toBe('CARD_DATA_FORBIDDEN');
    const answers = await Promise.all(Array.from({ length: 5 }, () => settle({ reference: 'FT-1', notes: 'to IBAN' })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409, 409, 409, 409]);
    expect(answers.find(({ status }) => status === 200)?.body.data).toMatchObject({
      type: 'REFUND',
      status: 'COMPLETED',
      amountSettled: 1000,
      gatewayId: null,
      gatewayReference: 'FT-1',
      paymentMethod: 'Bank transfer',
      errorCode: null,
    });
    expect((await settle({ reference: 'FT-2' })).body.code).toBe('ALREADY_PAID');
    expect(await read()).toMatchObject({ paymentStatus: 'REFUNDED', refundStatus: 'COMPLETED' });
    const summary = await system.call('GET', `/financial/summary?reservationId=${id}`);
    expect(summary.body.data.currencies).toMatchObject([
      { received: 1000, refunded: 1000, netReceived: 0, bank: -1000 },
    ]);
    expect((await tasks()).body.data).toMatchObject([{ status: 'COMPLETED' }]);
    await expectIntegrity(system.bed.db);
  });

  it('a guest cannot pay through the bank that pays owners', async () => {
    const refused = await pay(await newStay(), { gatewayId: 'bank' });
    expect([refused.status, refused.body.code]).toEqual([422, 'GATEWAY_UNKNOWN']);
  });

  it('only a refund that the gateway has refused is settled by hand', async () => {
    const id = await newStay();
    const paid = await pay(id, { gatewayReference: newReference('ref-refund-down') });
    const settle = (transactionId: string) =>
      system.call('POST', `/transactions/${transactionId}/settlement`, { body: { reference: 'FT-1' } });
    expect((await settle(paid.body.data.guestPayment.id)).body.code).toBe('NOT_FOUND');
    const cancelled = await system.call('POST', `/reservations/${id}/cancel`, { body: {} });
    const refused = await settle(cancelled.body.data.refund.transactionIds[0]);
    expect([refused.status, refused.body.code]).toEqual([409, 'INVALID_STATE_TRANSITION']);
  });

  it('ref-refund-down does not hold up the cancellation', async () => {
    const id = await newStay();
    await pay(id, { gatewayReference: newReference('ref-refund-down') });
    const cancelled = await system.call('POST', `/reservations/${id}/cancel`, { body: {} });
    expect(cancelled.body.data).toMatchObject({
      reservation: { status: 'CANCELLED' },
      refund: { amount: 1000, status: 'PENDING' },
    });
  });
});

describe('M1, M2: money that is not money', () => {
  it.each<[string, string, string]>([
    ['-1', '"AED"', 'AMOUNT_NOT_POSITIVE'],
    ['0', '"AED"', 'AMOUNT_NOT_POSITIVE'],
    ['-0', '"AED"', 'AMOUNT_NOT_POSITIVE'],
    ['10.005', '"AED"', 'AMOUNT_PRECISION'],
    ['10.5', '"JPY"', 'AMOUNT_PRECISION'],
    ['1e3', '"AED"', 'AMOUNT_INVALID'],
    ['"1e3"', '"AED"', 'AMOUNT_INVALID'],
    ['"NaN"', '"AED"', 'AMOUNT_INVALID'],
    ['1000000000.01', '"AED"', 'AMOUNT_TOO_LARGE'],
    ['10', '"aed"', 'CURRENCY_INVALID'],
    ['10', 'null', 'CURRENCY_INVALID'],
    ['10', '"USD"', 'CURRENCY_MISMATCH'],
  ])('%s %s is refused as %s', async (amount, currency, code) => {
    const id = await newStay();
    const before = await moneyRows();
    const refused = await system.call('POST', `/reservations/${id}/payment`, {
      text: `{"amount":${amount},"currency":${currency},"gatewayId":"${GATEWAY}","gatewayReference":"${newReference()}"}`,
    });
    expect([refused.status, refused.body.code]).toEqual([422, code]);
    // A wrong currency is seen by the saga's first step, before any gateway call.
    if (code !== 'CURRENCY_MISMATCH') expect(await moneyRows()).toEqual(before);
  });

  it.each([
    { notes: 'my card is 4111 1111 1111 1111' },
    { paymentMethod: '4111111111111111' },
    { gatewayReference: '4111-1111-1111-1111' },
  ])('a card number is refused wherever it stands: %o', async (field) => {
    const id = await newStay();
    const before = await moneyRows();
    const refused = await pay(id, field);
    expect([refused.status, refused.body.code]).toEqual([422, 'CARD_DATA_FORBIDDEN']);
    expect(refused.text).not.toMatch(/4111/);
    expect(await moneyRows()).toEqual(before);
  });

  it.each([
    ['stripe', []],
    ['Stripe', []],
    ['gateway-nope', []],
    ['GATEWAY-123', ['gateway-123']],
    ['gateway123', ['gateway-123']],
  ])('the unknown gateway %s is refused before anything begins', async (gatewayId, near) => {
    const id = await newStay();
    const [before, moved] = [await moneyRows(), await system.sandbox.movements()];
    const refused = await pay(id, { gatewayId });
    expect([refused.status, refused.body.code]).toEqual([422, 'GATEWAY_UNKNOWN']);
    expect(refused.body.details).toEqual({ gatewayId, known: ['gateway-123'], near });
    const day = { from: '2024-01-01', to: '2024-01-02' };
    const compared = await system.call('POST', '/financial/reconciliations', { body: { gatewayId, ...day } });
    expect([compared.status, compared.body.details]).toEqual([422, refused.body.details]);
    expect(await moneyRows()).toEqual(before);
    expect(await system.sandbox.movements()).toEqual(moved);
    const sagas = await system.bed.db.selectFrom('saga').select('id').where('subject_id', '=', id).execute();
    expect(sagas).toEqual([]);
    expect((await system.call('GET', `/reservations/${id}`)).body.data.paymentStatus).toBe('UNPAID');
  });
});

describe('at the same moment', () => {
  it('M5: 50 payments of one stay book it once', async () => {
    const id = await newStay();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => pay(id, {}, { 'idempotency-key': `race-${id}-${n}` })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(49);
    await expectIntegrity(system.bed.db);
  });

  it('M7: 50 payouts of one transaction pay it once', async () => {
    const paid = await pay(await newStay());
    const path = `/transactions/${paid.body.data.ownerPayout.id}/payout`;
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        system.call('POST', path, { body: {}, headers: { 'idempotency-key': `${path}-${n}` } }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(49);
    expect((await system.call('POST', path, { body: {} })).body.code).toBe('ALREADY_PAID');
    await expectIntegrity(system.bed.db);
  });

  it('M11: a cancellation and a payment leave a balanced ledger', async () => {
    for (let n = 0; n < 5; n += 1) {
      const id = await newStay();
      const answers = await Promise.all([pay(id), system.call('POST', `/reservations/${id}/cancel`, { body: {} })]);
      for (const { status } of answers) expect([200, 409]).toContain(status);
    }
    await expectIntegrity(system.bed.db);
  });
});

describe('a cancellation', () => {
  it('quotes what it would give back, rehearses it, and writes nothing', async () => {
    const id = await confirmed();
    await pay(id);
    const before = await moneyRows();
    const quote = await system.call('GET', `/reservations/${id}/cancellation-quote`);
    expect(quote.body.data).toMatchObject({ today: { percent: 100, amount: 1000, rule: 'DAYS_7_PLUS' } });
    expect(quote.body.data.schedule.map((entry: { percent: number }) => entry.percent)).toEqual([100, 50, 25, 0]);
    const rehearsed = await system.call('POST', `/reservations/${id}/cancel?dryRun=true`, { body: {} });
    expect(rehearsed.body.data).toMatchObject({ dryRun: true, refund: { percent: 100, amount: 1000 } });
    expect(await moneyRows()).toEqual(before);
  });

  it('after the payout makes the owner owe, and the next payout nets it', async () => {
    const [first, late] = [await confirmed(), await newStay()];
    await giveToNewOwner('owner-netting', first, late);
    const payout = async (paid: Answer, body: object = {}) =>
      system.call('POST', `/transactions/${paid.body.data.ownerPayout.id}/payout`, { body });
    expect((await payout(await pay(first))).body.data).toMatchObject({
      payout: { status: 'COMPLETED', amountPaid: 700 },
    });
    const kept = await pay(late, { amount: 600 });
    const override = { refundPercentOverride: 50, reason: 'GOODWILL' };
    const cancelled = await system.call('POST', `/reservations/${first}/cancel`, { body: override });
    expect(cancelled.body.data.refund).toMatchObject({ percent: 50, amount: 500, rule: 'OVERRIDE' });
    expect((await payout(kept)).body).toMatchObject({ code: 'PAYOUT_EXCEEDS_BALANCE' });
    const netted = await payout(kept, { netting: true });
    expect(netted.body.data.payout).toMatchObject({ amount: 420, amountPaid: 70, amountNetted: 350 });
    await expectIntegrity(system.bed.db);
  });

  it('gives back what the owner was given who was given it, also when the property has been sold since', async () => {
    const { db } = system.bed;
    const id = await confirmed();
    await giveToNewOwner('owner-seller', id);
    await pay(id);
    await giveToNewOwner('owner-buyer', id);
    expect((await system.call('POST', `/reservations/${id}/cancel`, { body: {} })).status).toBe(200);
    expect((await system.call('GET', '/owners/owner-seller/balance')).body.data).toMatchObject({
      currencies: [{ balance: 0 }],
    });
    expect((await system.call('GET', '/owners/owner-buyer/balance')).body.data.currencies).toEqual([]);
    await expectIntegrity(db);
  });

  it('leaves no debt behind when the payout had failed', async () => {
    const { db } = system.bed;
    const id = await confirmed();
    await giveToNewOwner('owner-refused', id);
    await db.updateTable('owner').set({ payout_account: 'acct-refused-2' }).where('id', '=', 'owner-refused').execute();
    const paid = await pay(id);
    const payoutId = paid.body.data.ownerPayout.id;
    expect((await system.call('POST', `/transactions/${payoutId}/payout`, { body: {} })).body.code).toBe(
      'PAYOUT_REFUSED',
    );
    await system.call('POST', `/reservations/${id}/cancel`, { body: {} });
    expect((await system.call('GET', `/transactions/${payoutId}`)).body.data.status).toBe('CANCELLED');
    expect((await system.call('POST', `/transactions/${payoutId}/payout`, { body: {} })).body.code).toBe(
      'PAYOUT_NOT_PAYABLE',
    );
    await expectIntegrity(db);
  });

  it('that a second person refuses leaves the stay and its tasks as they were', async () => {
    const { db } = system.bed;
    const id = await newStay();
    await db.updateTable('reservation').set({ total_minor: 2_000_000 }).where('id', '=', id).execute();
    await system.call('POST', `/reservations/${id}/confirm`, { body: {} });
    await pay(id, { amount: 20_000 });
    // The policy gives nothing back any more.
    const dates = { check_in_date: '2024-02-01', check_out_date: '2024-02-03' };
    await db.updateTable('reservation').set(dates).where('id', '=', id).execute();
    const asked = await system.call('POST', `/reservations/${id}/cancel`, {
      role: 'FINANCE',
      sub: 'finance-1',
      body: { refundPercentOverride: 100, reason: 'GOODWILL' },
      headers: { prefer: 'respond-async' },
    });
    const { sagaExecutionId } = asked.body.data;
    expect(await restOf(db, sagaExecutionId)).toBe('parked');
    const said = await system.call('POST', `/sagas/executions/${sagaExecutionId}/resolve`, {
      role: 'ADMIN',
      sub: 'admin-2',
      body: { reason: 'refused' },
    });
    expect(said.status).toBe(200);
    expect((await system.call('GET', `/reservations/${id}`)).body.data.status).toBe('CONFIRMED');
    const tasks = await system.call('GET', `/tasks?reservationId=${id}`);
    expect(tasks.body.data).toHaveLength(4);
    for (const task of tasks.body.data) expect(task.status).not.toBe('CANCELLED');
  });

  it('of a stay that is not confirmed is quoted with everything back at any time', async () => {
    const id = await newStay();
    await pay(id, { amount: 400 });
    const quote = await system.call('GET', `/reservations/${id}/cancellation-quote`);
    expect(quote.body.data).toMatchObject({
      today: { percent: 100, amount: 400, rule: 'NOT_CONFIRMED' },
      schedule: [{ percent: 100, amount: 400, until: null }],
    });
  });

  it('of a guest in the house is refused', async () => {
    const id = await confirmed();
    await system.bed.db.updateTable('reservation').set({ status: 'CHECKED_IN' }).where('id', '=', id).execute();
    const refused = await system.call('POST', `/reservations/${id}/cancel`, { body: {} });
    expect([refused.status, refused.body.code]).toEqual([409, 'RESERVATION_IN_HOUSE']);
  });
});

async function giveToNewOwner(id: string, ...stays: readonly string[]): Promise<void> {
  const { db } = system.bed;
  await db
    .insertInto('owner')
    .values({ id, name: 'Nina', email: 'nina@example.com', payout_account: `acct-${id}` })
    .execute();
  const properties = db.selectFrom('reservation').select('property_id').where('id', 'in', stays);
  await db.updateTable('property').set({ owner_id: id }).where('id', 'in', properties).execute();
}

describe('an agent', () => {
  it('outside the portfolio finds neither the stay nor its money; inside, both', async () => {
    const id = await newStay();
    const paid = await pay(id);
    const { db } = system.bed;
    const property = db.selectFrom('reservation').select('property_id').where('id', '=', id);
    await db
      .updateTable('property')
      .set({ agent_ids: ['agent-in'] })
      .where('id', '=', property)
      .execute();
    const asked = (method: string, path: string, sub: string, body?: object) =>
      system.call(method, path, { role: 'AGENT', sub, ...(body ? { body } : {}) });
    for (const [sub, status, count] of [
      ['agent-out', 404, 0],
      ['agent-in', 200, 5],
    ] as const) {
      expect((await asked('GET', `/reservations/${id}/cancellation-quote`, sub)).status).toBe(status);
      expect((await asked('POST', `/reservations/${id}/cancel?dryRun=true`, sub, {})).status).toBe(status);
      expect((await asked('GET', `/transactions/${paid.body.data.guestPayment.id}`, sub)).status).toBe(status);
      expect((await asked('GET', `/transactions?reservationId=${id}`, sub)).body.data).toHaveLength(count);
    }
    const order = { amount: 1, currency: 'AED', gatewayId: GATEWAY, gatewayReference: newReference('ref-out') };
    expect((await asked('POST', `/reservations/${id}/payment`, 'agent-out', order)).body.code).toBe(
      'RESERVATION_NOT_FOUND',
    );
    expect((await asked('POST', `/reservations/${id}/payment`, 'agent-in', order)).body.code).toBe('ALREADY_PAID');
  });
});

describe('a payout', () => {
  it('is only of an owner payout, only when it may be paid', async () => {
    const paid = await pay(await newStay());
    const { guestPayment, ownerPayout } = paid.body.data;
    const release = (id: string, body: object) => system.call('POST', `/transactions/${id}/payout`, { body });
    expect((await release(guestPayment.id, {})).body.code).toBe('NOT_A_PAYOUT');
    expect((await release(ownerPayout.id, { strict: true })).body.code).toBe('PAYOUT_BEFORE_SCHEDULE');
    const { db } = system.bed;
    await db.updateTable('owner').set({ payout_account: 'acct-refused-1' }).execute();
    expect((await release(ownerPayout.id, {})).body.code).toBe('PAYOUT_REFUSED');
    await db.updateTable('owner').set({ payout_account: null }).execute();
    expect((await release(ownerPayout.id, {})).body.code).toBe('PAYOUT_NOT_PAYABLE');
    await db.updateTable('owner').set({ payout_account: 'acct-timeout-after-1' }).execute();
    expect((await release(ownerPayout.id, {})).body.data).toMatchObject({ warnings: ['BEFORE_SCHEDULE'] });
    await expectIntegrity(db);
  });

  it('to a bank that is down waits for it, and is not paid by another request meanwhile', async () => {
    const id = await newStay();
    await giveToNewOwner('owner-down', id);
    const { db } = system.bed;
    await db.updateTable('owner').set({ payout_account: 'acct-down-1' }).where('id', '=', 'owner-down').execute();
    const path = `/transactions/${(await pay(id)).body.data.ownerPayout.id}`;
    const release = (prefer: string) => system.call('POST', `${path}/payout`, { body: {}, headers: { prefer } });
    expect((await release('wait=1')).status).toBe(202);
    await until('the payout is on its way', async () => {
      const { status } = (await system.call('GET', path)).body.data;
      return status === 'PROCESSING' || undefined;
    });
    expect((await release('wait=1')).body.code).toBe('SAGA_IN_PROGRESS');
  });
});
