import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import type { SagaStatus } from '../../src/db/schema.ts';
import { checkIntegrity } from '../../src/domain/finance/integrity.ts';
import { INTEGRITY_CHECKS } from '../../src/domain/finance/integrity-checks.ts';
import { reconcile } from '../../src/domain/finance/reconciliation.ts';
import { createTestDatabase } from '../setup/database.ts';
import {
  addSaga,
  type MoneyStay,
  type PaidStay,
  payOut,
  payStay,
  refundStay,
  seedMoneyStay,
  takeBack,
  tamper,
} from '../setup/ledger.ts';
import { movement } from '../setup/movements.ts';

let db: Db;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 4, applicationName: 'integrity-test' }));
  drop = database.drop;
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await drop?.();
});

const paid = async (stay: MoneyStay, feeMinor = 0): Promise<PaidStay> => {
  await seedMoneyStay(db, stay);
  return payStay(db, { stay, feeMinor });
};
const payAs = async (stay: MoneyStay, sagaStatus: SagaStatus): Promise<PaidStay> => {
  await seedMoneyStay(db, stay);
  return payStay(db, { stay, feeMinor: 290, sagaStatus });
};
const provoked = new Set<string>();
/** New findings, as `check ref`. */
async function found(): Promise<string[]> {
  const report = await checkIntegrity(db);
  for (const { check } of report.differences) provoked.add(check);
  return report.differences.map(({ check, ref }) => `${check} ${ref}`);
}
/** Undoes what a test has done to a row, so that each test finds its own difference alone. */
async function tampered(change: ReturnType<typeof sql>, back: ReturnType<typeof sql>): Promise<string[]> {
  await tamper(db, change);
  const names = await found();
  await tamper(db, back);
  expect(await found()).toEqual([]);
  return names;
}

describe('money that nobody has tampered with', () => {
  it('is in order when there is none', async () => {
    const report = await checkIntegrity(db);
    expect(report).toMatchObject({ ok: true, differenceCount: 0, differences: [], inFlight: 0 });
    expect(Object.keys(report.counts)).toEqual([...INTEGRITY_CHECKS.map(({ name }) => name), 'shares']);
  });

  it('is in order through payment, fee, payout, refund before and after the payout, and netting', async () => {
    const early = { id: 'early', agentId: 'agent-1' };
    await refundStay(db, early, await paid(early, 2_900));
    const late = { id: 'late', propertyId: 'property-2', ownerId: 'owner-2', totalMinor: 33_335 };
    const sold = await paid(late);
    await payOut(db, late, sold);
    await refundStay(db, late, sold, { paid: false });
    const next = { id: 'next', propertyId: 'property-2', ownerId: 'owner-2' };
    await payOut(db, next, await paid(next), { netMinor: 70_000 - 11_667 });
    const undone = { id: 'undone' };
    await takeBack(db, undone, await payAs(undone, 'compensated'));
    const dinars = { id: 'dinars', currency: 'KWD', totalMinor: 3_335 };
    await paid(dinars);
    const report = await checkIntegrity(db);
    expect(report.differences).toEqual([]);
    expect(report).toMatchObject({ ok: true, checked: { payments: 5, stays: 5 } });
  });

  it('leaves a stay with an open saga for another time, and says so', async () => {
    const stay = { id: 'open' };
    await paid(stay);
    await tamper(db, sql`UPDATE reservation SET payment_status = 'UNPAID' WHERE id = 'open'`);
    expect(await found()).toEqual(['payment-status open']);
    const saga = await addSaga(db, { subjectId: 'open', status: 'running' });
    expect(await checkIntegrity(db)).toMatchObject({ ok: true, inFlight: 1 });
    await tamper(
      db,
      sql`UPDATE saga SET status = 'completed', finished_at = now(), response_status = 200, response_body = '' WHERE id = ${saga}`,
    );
    await tamper(db, sql`DELETE FROM saga WHERE id = ${saga}`);
    await tamper(db, sql`UPDATE reservation SET payment_status = 'PAID' WHERE id = 'open'`);
    expect(await found()).toEqual([]);
  });
});

describe('a row that was tampered with is named', () => {
  let stay: MoneyStay;
  let sold: PaidStay;
  beforeAll(async () => {
    stay = { id: 'target', propertyId: 'property-9', ownerId: 'owner-9', agentId: 'agent-9' };
    sold = await paid(stay, 2_900);
  });
  const journal = (kind: string) =>
    sql`(SELECT id FROM ledger_tx WHERE reservation_id = 'target' AND kind = ${kind} AND reverses IS NULL LIMIT 1)`;
  const changeEntry = (kind: string, line: number, by: number) =>
    sql`UPDATE ledger_entry SET amount = amount + ${by} WHERE tx_id = ${journal(kind)} AND line = ${line}`;

  it('one side of an entry', async () => {
    const names = await tampered(changeEntry('OWNER_SHARE', 2, -1), changeEntry('OWNER_SHARE', 2, 1));
    expect(names).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^journal-balanced ledger-/),
        'currency-balanced AED',
        'open-payouts owner_payable:owner-9:AED',
        'shares target',
      ]),
    );
  });

  it('both sides of a journal, which still balances', async () => {
    const both = (by: number) =>
      sql`UPDATE ledger_entry SET amount = amount + CASE line WHEN 1 THEN ${by}::bigint ELSE ${-by}::bigint END WHERE tx_id = ${journal('AGENCY_FEE')}`;
    const names = await tampered(both(100), both(-100));
    expect(names).toContain('shares target');
    expect(names).toContain(`transaction-settled ${sold.transactions.AGENCY_FEE}`);
    expect(names).toContain('guest-credit target');
    expect(names.some((name) => name.startsWith('journal-balanced'))).toBe(false);
  });

  it('a dispute whose money was never set aside', async () => {
    const names = await tampered(
      sql`INSERT INTO transaction (id, type, status, reservation_id, amount_minor, settled_minor, outstanding_minor, currency, payment_id)
        VALUES ('dispute-x', 'DISPUTE', 'PROCESSING', 'target', 500, 500, 0, 'AED', ${sold.paymentId})`,
      sql`DELETE FROM transaction WHERE id = 'dispute-x'`,
    );
    expect(names).toEqual(
      expect.arrayContaining([`payment-disputed ${sold.paymentId}`, 'transaction-settled dispute-x']),
    );
  });

  it('the account of an entry', async () => {
    const move = (from: string, to: string) =>
      sql`UPDATE ledger_entry SET account_id = ${to} WHERE account_id = ${from} AND tx_id = ${journal('OWNER_SHARE')}`;
    const names = await tampered(
      move('owner_payable:owner-9:AED', 'owner_payable:owner-1:AED'),
      move('owner_payable:owner-1:AED', 'owner_payable:owner-9:AED'),
    );
    expect(names).toContainEqual(expect.stringMatching(/^entry-party ledger-/));
    expect(names).toContain('open-payouts owner_payable:owner-9:AED');
  });

  it('an entry that is gone', async () => {
    const names = await tampered(
      sql`DELETE FROM ledger_entry WHERE tx_id = ${journal('GATEWAY_FEE')} AND line = 2`,
      sql`INSERT INTO ledger_entry SELECT ${journal('GATEWAY_FEE')}, 2, 'gateway_clearing:sandbox:AED', 'AED', -2900`,
    );
    expect(names).toContain(`payment-fee ${sold.paymentId}`);
    expect(names).toContainEqual(expect.stringMatching(/^journal-balanced ledger-/));
  });

  it.each([
    ['amount_minor', '99000', '100000', 'payment-receipt'],
    ['status', 'FAILED', 'COMPLETED', 'receipt-payment'],
    ['fee_minor', '1', '2900', 'payment-fee'],
    ['refunded_minor', '7', '0', 'payment-refunded'],
    ['excess_minor', '10', '0', 'shares'],
  ])('a payment’s %s', async (column, wrong, right, check) => {
    const set = (value: string) =>
      sql`UPDATE payment SET ${sql.ref(column)} = ${sql.lit(value)} WHERE id = ${sold.paymentId}`;
    const names = await tampered(set(wrong), set(right));
    expect(names.map((name) => name.split(' ')[0])).toContain(check);
  });

  it.each([
    ['AGENCY_FEE', 'settled_minor', 'transaction-settled'],
    ['REFERRAL_FEE', 'settled_minor', 'transaction-settled'],
    ['GATEWAY_FEE', 'amount_minor', 'transaction-amount'],
    ['GUEST_PAYMENT', 'settled_minor', 'transaction-settled'],
    ['GUEST_PAYMENT', 'amount_minor', 'amount-due'],
    ['OWNER_PAYOUT', 'amount_minor', 'open-payouts'],
  ] as const)('a transaction’s: %s %s', async (type, column, check) => {
    const add = (by: number) =>
      sql`UPDATE transaction SET ${sql.ref(column)} = ${sql.ref(column)} + ${by} WHERE id = ${sold.transactions[type]}`;
    const names = await tampered(add(1), add(-1));
    expect(names.map((name) => name.split(' ')[0])).toContain(check);
  });

  it('a journal’s currency', async () => {
    const set = (currency: string) =>
      sql`UPDATE ledger_tx SET currency = ${currency} WHERE reservation_id = 'target' AND kind = 'AGENCY_FEE'`;
    expect(await tampered(set('USD'), set('AED'))).toContainEqual(expect.stringMatching(/^journal-currency ledger-/));
  });

  it('a refund of a charge that does not stand', async () => {
    const set = (status: string) => sql`UPDATE payment SET status = ${status} WHERE reservation_id = 'early'`;
    const names = await tampered(set('FAILED'), set('COMPLETED'));
    expect(names).toContainEqual(expect.stringMatching(/^refunded-at-most-captured payment-/));
  });

  it('a reversal', async () => {
    const reversal = sql`(SELECT max(id) FROM ledger_tx WHERE kind = 'REVERSAL')`;
    const lines = (by: number) =>
      sql`UPDATE ledger_entry SET amount = amount + CASE line WHEN 1 THEN ${by}::bigint ELSE ${-by}::bigint END WHERE tx_id = ${reversal}`;
    const names = await tampered(lines(1), lines(-1));
    expect(names).toContainEqual(expect.stringMatching(/^reversal-mirrored ledger-/));
    expect(names).toContainEqual(expect.stringMatching(/^transaction-reversal transaction-/));
  });

  it('what a payout is said to have paid', async () => {
    const add = (by: number) =>
      sql`UPDATE transaction SET settled_minor = settled_minor + ${by} WHERE type = 'OWNER_PAYOUT' AND reservation_id = 'next'`;
    expect(await tampered(add(-1), add(1))).toContain('owner-balance owner_payable:owner-2:AED');
  });

  it('an amount due that is not the price', async () => {
    await seedMoneyStay(db, { id: 'owing' });
    const due = {
      id: 'due-1',
      type: 'GUEST_PAYMENT',
      status: 'PENDING',
      reservation_id: 'owing',
      currency: 'AED',
    } as const;
    await db
      .insertInto('transaction')
      .values({ ...due, amount_minor: 100_000, outstanding_minor: 100_000 })
      .execute();
    const set = (status: string, total: number) =>
      sql`UPDATE reservation SET status = ${status}, total_minor = ${total} WHERE id = 'owing'`;
    expect(await tampered(set('CONFIRMED', 99_999), set('PENDING', 100_000))).toEqual(['amount-due-total due-1']);
  });

  it('a payment status that was set by hand', async () => {
    const set = (status: string) => sql`UPDATE reservation SET payment_status = ${status} WHERE id = 'target'`;
    expect(await tampered(set('REFUNDED'), set('PAID'))).toEqual(['payment-status target']);
  });

  it('a payment whose saga was undone', async () => {
    const set = (status: string) => sql`UPDATE saga SET status = ${status} WHERE id = ${sold.sagaId}`;
    const names = await tampered(set('compensated'), set('completed'));
    expect(names).toContain(`payment-saga ${sold.paymentId}`);
    expect(names).toContain(`saga-compensated ${sold.sagaId}`);
  });

  it('what was handed over', async () => {
    const kept = { id: 'kept', propertyId: 'property-9', ownerId: 'owner-9' };
    const { paymentId } = await paid(kept, 2_900);
    const { gateway_reference: reference } = await db
      .selectFrom('payment')
      .select('gateway_reference')
      .where('id', '=', paymentId)
      .executeTakeFirstOrThrow();
    const charge = movement('CHARGE', reference, { feeMinor: 2_900, settled: true, at: new Date() });
    const order = { gatewayId: 'sandbox', source: 'GATEWAY', startedBy: 'x', occasion: 'kept' } as const;
    await reconcile(db, { ...order, from: new Date(0), to: new Date(1), movements: [charge] });
    await reconcile(db, {
      ...order,
      occasion: 'kept-2',
      from: charge.at,
      to: new Date(charge.at.getTime() + 1),
      movements: [charge],
    });
    expect(await found()).toEqual([]);
    const more = (by: number) =>
      sql`UPDATE settlement SET net_minor = net_minor + ${by} WHERE payment_id = ${paymentId}`;
    expect(await tampered(more(1), more(-1))).toEqual([
      expect.stringMatching(/^settlement-journal ledger-/),
      `settlement-clearing ${paymentId}`,
    ]);
    const gone = sql`UPDATE settlement SET ledger_tx_id = NULL, net_minor = 0 WHERE payment_id = ${paymentId}`;
    const { rows } = await sql<{
      id: string;
    }>`SELECT ledger_tx_id AS id FROM settlement WHERE payment_id = ${paymentId}`.execute(db);
    const back = sql`UPDATE settlement SET ledger_tx_id = ${rows[0]?.id}, net_minor = 97100 WHERE payment_id = ${paymentId}`;
    expect(await tampered(gone, back)).toContain(`settlement-clearing ${paymentId}`);
  });

  it('says what was expected and what is there, in minor units', async () => {
    await tamper(db, changeEntry('AGENCY_FEE', 2, -5));
    const { differences } = await checkIntegrity(db);
    await tamper(db, changeEntry('AGENCY_FEE', 2, 5));
    expect(differences.find(({ check }) => check === 'shares')).toEqual({
      check: 'shares',
      ref: 'target',
      expected: 'owner 70000, agency 25000, referral 5000',
      actual: 'owner 70000, agency 25005, referral 5000',
    });
  });
});

describe('every check', () => {
  it('was seen to find something', () => {
    expect([...INTEGRITY_CHECKS.map(({ name }) => name), 'shares'].filter((name) => !provoked.has(name))).toEqual([]);
  });
});

describe('many differences', () => {
  it('are counted exactly and named up to a limit', async () => {
    await tamper(
      db,
      sql`INSERT INTO ledger_tx (id, effect_key, kind, purpose, currency, posted_by)
          SELECT 'empty-' || n, 'empty-' || n, 'ADJUSTMENT', 'DISTRIBUTION', 'AED', 'test' FROM generate_series(1, 1200) n`,
    );
    const report = await checkIntegrity(db);
    expect(report.counts['journal-balanced']).toBe(1_200);
    expect(report.differences).toHaveLength(1_000);
    expect(report.differenceCount).toBe(1_200);
  });
});
