import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import type { PaymentRowStatus } from '../../src/db/schema.ts';
import {
  assessCard,
  assessPayment,
  cardDeclines,
  FRAUD_RULES,
  judge,
  type Observations,
  observations,
  type PaymentAttempt,
} from '../../src/domain/finance/fraud.ts';
import { newId } from '../../src/kernel/ids.ts';
import { createTestDatabase } from '../setup/database.ts';
import { addSaga, payStay, refundStay, seedMoneyStay } from '../setup/ledger.ts';

let db: Db;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 4, applicationName: 'fraud-test' }));
  drop = database.drop;
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await drop?.();
});

const NOW = new Date();
const ago = (minutes: number): Date => new Date(NOW.getTime() - minutes * 60_000);
interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly Plans?: readonly Plan[];
}
const nodesOf = (plan: Plan): readonly Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
let stays = 0;
/** A stay whose property and guest nobody else has. */
async function newStay(): Promise<string> {
  stays += 1;
  const id = `stay-${stays}`;
  await seedMoneyStay(db, { id, propertyId: `property-${stays}` });
  await db
    .insertInto('guest')
    .values({ id: `guest-of-${id}`, name: 'G', email: 'g@example.com' })
    .execute();
  await db
    .updateTable('reservation')
    .set({ guest_id: `guest-of-${id}` })
    .where('id', '=', id)
    .execute();
  return id;
}
interface Tried {
  readonly status?: PaymentRowStatus;
  readonly amountMinor?: number;
  readonly by?: string;
  readonly at?: Date;
  readonly errorCode?: string;
  readonly card?: string;
  readonly gatewayId?: string;
}
/** Earlier attempts on a stay. */
async function tried(reservationId: string, times: number, how: Tried = {}): Promise<void> {
  const { status = 'FAILED', amountMinor = 10_000, by = 'caller', at = ago(5), errorCode = 'PAYMENT_DECLINED' } = how;
  const { card = null, gatewayId = 'sandbox' } = how;
  for (let n = 0; n < times; n += 1) {
    const failed = status === 'FAILED';
    const saga = await addSaga(db, {
      subjectId: reservationId,
      status: failed ? 'compensated' : 'completed',
      requestedBy: by,
      requestedAt: at,
      ...(failed ? { errorCode } : {}),
    });
    const id = newId('payment');
    const what = { id, reservation_id: reservationId, saga_id: saga, gateway_id: gatewayId, gateway_reference: id };
    await db
      .insertInto('payment')
      .values({
        ...what,
        card_fingerprint: card,
        amount_minor: amountMinor,
        currency: 'AED',
        status,
        requested_by: by,
        created_at: at,
        completed_at: at,
      })
      .execute();
  }
}
const assess = (reservationId: string, more: Partial<PaymentAttempt> = {}) =>
  assessPayment(db, {
    reservationId,
    amountMinor: 10_000,
    currency: 'AED',
    requestedBy: 'caller',
    isGuest: false,
    at: NOW,
    ...more,
  });

describe('the fraud rules', () => {
  it('let an ordinary payment pass', async () => {
    expect(await assess(await newStay())).toEqual({ score: 0, verdict: 'PASS', signals: [] });
    expect(await assess('no-such-stay')).toEqual({ score: 0, verdict: 'PASS', signals: [] });
  });

  it('ask for a review of the tenth attempt in ten minutes, whatever came of the others', async () => {
    const stay = await newStay();
    await tried(stay, 8, { status: 'COMPLETED' });
    await tried(stay, 5, { status: 'COMPLETED', at: ago(11) });
    expect((await assess(stay)).verdict).toBe('PASS');
    await tried(stay, 1, { status: 'COMPLETED' });
    expect(await assess(stay)).toEqual({
      score: 50,
      verdict: 'REVIEW',
      signals: [{ rule: 'VELOCITY', points: 50, observed: 10, threshold: 10 }],
    });
  });

  it('count declines of a stay, and block it from the twelfth on', async () => {
    const stay = await newStay();
    await tried(stay, 5, { at: ago(30) });
    await tried(stay, 9, { at: ago(61) });
    await tried(stay, 9, { at: ago(30), errorCode: 'GATEWAY_UNAVAILABLE' });
    expect((await assess(stay)).verdict).toBe('PASS');
    await tried(stay, 1, { at: ago(30) });
    expect(await assess(stay)).toMatchObject({
      verdict: 'REVIEW',
      signals: [{ rule: 'DECLINES_OF_RESERVATION', points: 50, observed: 6, threshold: 6 }],
    });
    await tried(stay, 6, { at: ago(30) });
    expect(await assess(stay)).toMatchObject({
      verdict: 'BLOCK',
      signals: [{ rule: 'DECLINES_OF_RESERVATION', points: 100, observed: 12, threshold: 12 }],
    });
  });

  it('count declines of a guest who calls, over all stays', async () => {
    for (let n = 0; n < 4; n += 1) await tried(await newStay(), 5, { by: 'tester', at: ago(20) });
    const stay = await newStay();
    expect(await assess(stay)).toMatchObject({ verdict: 'PASS' });
    expect(await assess(stay, { requestedBy: 'tester', isGuest: true })).toMatchObject({
      verdict: 'REVIEW',
      signals: [{ rule: 'DECLINES_OF_PRINCIPAL', observed: 20, threshold: 20 }],
    });
  });

  it('hold nothing against a service client or staff for the declines of many guests', async () => {
    for (let n = 0; n < 100; n += 1) await tried(await newStay(), 2, { by: 'service:crm', at: ago(20) });
    expect(await assess(await newStay(), { requestedBy: 'service:crm' })).toEqual({
      score: 0,
      verdict: 'PASS',
      signals: [],
    });
  });

  it('count declines of the other stays of a guest, for each caller', async () => {
    const [first, second, third] = [await newStay(), await newStay(), await newStay()];
    await db
      .updateTable('reservation')
      .set({ guest_id: `guest-of-${first}` })
      .where('id', 'in', [second, third])
      .execute();
    await tried(first, 5, { by: 'service:crm', at: ago(30) });
    await tried(second, 4, { by: 'agent-1', at: ago(30) });
    await tried(second, 9, { by: 'agent-1', at: ago(61) });
    expect((await assess(third)).verdict).toBe('PASS');
    await tried(second, 1, { by: 'agent-1', at: ago(30) });
    expect(await assess(third)).toMatchObject({
      verdict: 'REVIEW',
      signals: [{ rule: 'DECLINES_OF_GUEST', points: 50, observed: 10, threshold: 10 }],
    });
    expect((await assess(await newStay())).verdict).toBe('PASS');
  });

  it('count declines of one card at its provider, whichever stays and guests they are of', async () => {
    const card = { gatewayId: 'stripe', fingerprint: 'card-1', at: NOW };
    const of = { gatewayId: 'stripe', card: 'card-1', at: ago(30) };
    for (let n = 0; n < 9; n += 1) await tried(await newStay(), 1, { ...of, by: `service:${n}` });
    const stay = await newStay();
    await tried(stay, 4, { ...of, at: ago(61) });
    await tried(stay, 4, { ...of, card: 'card-2' });
    await tried(stay, 4, { ...of, gatewayId: 'another' });
    await tried(stay, 4, { ...of, errorCode: 'GATEWAY_UNAVAILABLE' });
    await tried(stay, 4, { ...of, status: 'COMPLETED' });
    expect(await assessCard(db, card, [])).toEqual({ score: 0, verdict: 'PASS', signals: [] });
    await tried(stay, 1, of);
    const signal = { rule: 'DECLINES_OF_CARD', points: 50, observed: 10, threshold: 10 };
    expect(await assessCard(db, card, [])).toEqual({ score: 50, verdict: 'REVIEW', signals: [signal] });
    expect(await assessCard(db, { ...card, fingerprint: null }, [])).toMatchObject({ verdict: 'PASS' });
    const velocity = { rule: 'VELOCITY', points: 50, observed: 10, threshold: 10 };
    expect(await assessCard(db, card, [velocity])).toEqual({
      score: 100,
      verdict: 'BLOCK',
      signals: [velocity, signal],
    });
  });

  it('read by indexes only', async () => {
    const attempt = { reservationId: 'r', amountMinor: 1, currency: 'AED', requestedBy: 'c', isGuest: true, at: NOW };
    const card = { gatewayId: 'stripe', fingerprint: 'card-1', at: NOW };
    const plans = await db.transaction().execute(async (tx) => {
      // A table that nobody has filled is read as a whole, whatever its indexes are.
      await sql`SET LOCAL enable_seqscan = off`.execute(tx);
      const explain = async (statement: ReturnType<typeof observations> | ReturnType<typeof cardDeclines>) => {
        const { rows } = await sql<{
          'QUERY PLAN': readonly { Plan: Plan }[];
        }>`EXPLAIN (FORMAT JSON) ${statement}`.execute(tx);
        return rows.flatMap((row) => row['QUERY PLAN'].flatMap(({ Plan: plan }) => nodesOf(plan)));
      };
      return { payment: await explain(observations(attempt)), card: await explain(cardDeclines(card)) };
    });
    for (const nodes of [plans.payment, plans.card]) {
      const scans = nodes.filter((node) => node['Node Type'].includes('Scan') && node['Relation Name'] !== undefined);
      expect(scans.length).toBeGreaterThan(1);
      for (const scan of scans) {
        expect(scan['Node Type'], JSON.stringify(scan)).not.toBe('Seq Scan');
        if (scan['Node Type'] === 'Index Scan') expect(scan['Index Cond'], JSON.stringify(scan)).toBeDefined();
      }
    }
    expect(plans.card.map((node) => node['Index Name'])).toContain('payment_failed_by_card');
  });

  it('see the fifth tiny amount in an hour, of one that is tiny itself', async () => {
    const stay = await newStay();
    await tried(stay, 4, { status: 'COMPLETED', amountMinor: 100, at: ago(40) });
    expect((await assess(stay)).signals).toEqual([]);
    expect(await assess(stay, { amountMinor: 100 })).toMatchObject({
      verdict: 'REVIEW',
      signals: [{ rule: 'TINY_AMOUNTS', observed: 5, threshold: 5 }],
    });
    expect((await assess(stay, { amountMinor: 101 })).signals).toEqual([]);
  });

  it('see an amount that is odd for the property, once there is something to compare it with', async () => {
    const stay = await newStay();
    await tried(stay, 9, { status: 'COMPLETED', at: ago(10_000) });
    expect((await assess(stay, { amountMinor: 100_000 })).signals).toEqual([]);
    await tried(stay, 1, { status: 'COMPLETED', at: ago(10_000) });
    expect(await assess(stay, { amountMinor: 100_000 })).toMatchObject({
      verdict: 'PASS',
      score: 30,
      signals: [{ rule: 'ODD_AMOUNT', points: 30, observed: 10, threshold: 10 }],
    });
    expect((await assess(stay, { amountMinor: 99_999 })).signals).toEqual([]);
    expect((await assess(stay, { amountMinor: 100_000, currency: 'USD' })).signals).toEqual([]);
  });

  it('see a guest whose stays keep being refunded', async () => {
    const ids = ['refunded-1', 'refunded-2', 'refunded-3'];
    for (const id of ids) {
      const stay = { id, propertyId: 'property-r' };
      await seedMoneyStay(db, stay);
      await refundStay(db, stay, await payStay(db, { stay, at: ago(60 * 24 * 40) }));
    }
    await seedMoneyStay(db, { id: 'next', propertyId: 'property-s' });
    expect(await assess('next')).toMatchObject({ signals: [{ rule: 'REFUNDED_STAYS', observed: 3, threshold: 3 }] });
    await sql`UPDATE transaction SET created_at = ${ago(60 * 24 * 31)} WHERE reservation_id = 'refunded-1'`.execute(db);
    expect((await assess('next')).signals).toEqual([]);
  });
});

describe('judging', () => {
  const CALM: Observations = {
    attempts: 0,
    declinesOfStay: 0,
    declinesOfGuest: 0,
    declinesOfCaller: 0,
    tinyAmounts: 0,
    samples: 0,
    meanMinor: 0,
    refundedStays: 0,
  };
  const attempt: PaymentAttempt = {
    reservationId: 'r',
    amountMinor: 1,
    currency: 'KWD',
    requestedBy: 'x',
    isGuest: true,
    at: NOW,
  };

  it('adds up what it sees, and goes by the thresholds that it is given', () => {
    const seen = { ...CALM, attempts: 9, declinesOfStay: 6, refundedStays: 3 };
    expect(judge(attempt, seen).reduce((sum, { points }) => sum + points, 0)).toBe(130);
    const lenient = { ...FRAUD_RULES, velocity: { minutes: 10, atLeast: 100, points: 50 } };
    expect(judge(attempt, seen, lenient).map(({ rule }) => rule)).toEqual([
      'DECLINES_OF_RESERVATION',
      'REFUNDED_STAYS',
    ]);
  });

  it('takes a tiny amount in the currency’s own units', () => {
    const seen = { ...CALM, tinyAmounts: 4 };
    expect(judge({ ...attempt, amountMinor: 1_000 }, seen)).toHaveLength(1);
    expect(judge({ ...attempt, amountMinor: 1_001 }, seen)).toHaveLength(0);
    expect(judge({ ...attempt, currency: 'JPY', amountMinor: 2 }, seen)).toHaveLength(0);
  });

  it('has thresholds that nobody can change by accident', () => {
    expect(Object.isFrozen(FRAUD_RULES) && Object.values(FRAUD_RULES).every((rule) => Object.isFrozen(rule))).toBe(
      true,
    );
  });
});
