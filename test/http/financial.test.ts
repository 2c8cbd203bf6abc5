import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type MoneyStay,
  type PaidStay,
  payOut,
  payStay,
  refundStay,
  seedMoneyStay,
  takeBack,
} from '../setup/ledger.ts';
import { type Answer, API, at, type Call, type Http, recordKeeper, startHttp } from './harness.ts';

const SUMMARY = `${API}/financial/summary`;
const DAY = new Date('2024-03-01T12:00:00Z');

const P1: MoneyStay = { id: 'stay-1', propertyId: 'property-1', ownerId: 'owner-1', agentId: 'agent-7' };
const P1B: MoneyStay = { id: 'stay-1b', propertyId: 'property-1', ownerId: 'owner-1', totalMinor: 33_335 };
const P2: MoneyStay = { id: 'stay-2', propertyId: 'property-2', ownerId: 'owner-2' };
const DINARS: MoneyStay = {
  id: 'stay-3',
  propertyId: 'property-2',
  ownerId: 'owner-2',
  totalMinor: 3_335,
  currency: 'KWD',
};

let http: Http;
const paid: Record<string, PaidStay> = {};
let refundId = '';
beforeAll(async () => {
  const state = { settled: false, failed: false };
  const charge = { kind: 'CHARGE', feeMinor: 2_900, currency: 'AED', at: DAY, ...state } as const;
  http = await startHttp({
    ports: recordKeeper([{ ...charge, reference: 'ref-stay-1', providerId: 'ch-ref-stay-1', amountMinor: 100_000 }]),
  });
  for (const stay of [P1, P1B, P2, DINARS]) {
    await seedMoneyStay(http.db, stay);
    const feeMinor = stay === P1 ? 2_900 : 0;
    paid[stay.id] = await payStay(http.db, { stay, feeMinor, reference: `ref-${stay.id}`, at: DAY });
  }
  await http.db.insertInto('owner').values({ id: 'owner-3', name: 'No money', email: 'o@example.com' }).execute();
  await http.db
    .updateTable('property')
    .set({ agent_ids: ['agent-1'] })
    .where('id', '=', 'property-1')
    .execute();
  await payOut(http.db, P1, of(P1));
  refundId = await refundStay(http.db, P1, of(P1));
  await refundStay(http.db, P1B, of(P1B), { paid: false });
}, 60_000);
afterAll(() => http?.stop());

function of(stay: MoneyStay): PaidStay {
  const found = paid[stay.id];
  if (!found) throw new Error(`${stay.id} is not paid`);
  return found;
}
const get = (path: string, call: Call = {}) => http.call('GET', path, call);
const asOwner = (sub: string): Call => ({ as: 'OWNER', sub });
const currencies = (answer: Answer): readonly Record<string, number>[] =>
  at(answer.body, 'data', 'currencies') as readonly Record<string, number>[];
const sums = (answer: Answer, currency = 'AED') => currencies(answer).find((row) => at(row, 'currency') === currency);
/** Everything but the id of the request. */
const comparable = ({ status, body }: Answer) => ({ status, ...body, requestId: '' });
const minor = (value: unknown, exponent = 2): number => Math.round(Number(value) * 10 ** exponent);

describe('the financial summary', () => {
  it('is the ledger, to the minor unit, each currency for itself', async () => {
    const answer = await get(SUMMARY);
    expect(currencies(answer).map((row) => at(row, 'currency'))).toEqual(['AED', 'KWD']);
    expect(sums(answer)).toEqual({
      currency: 'AED',
      received: 2333.35,
      refunded: 500,
      settled: 0,
      netReceived: 1833.35,
      ownerShare: 350 + 116.67 + 700,
      ownerDue: -350 + 116.67 + 700,
      ownerPaid: 700,
      agencyFee: 125 + 41.67 + 250,
      referral: { agents: 25, retained: 8.33 + 50 },
      gatewayFees: 29,
      ownerCosts: 0,
      guestCredit: 166.68,
      gatewayClearing: 1804.35,
      disputed: 0,
      bank: -700,
    });
    expect(sums(answer, 'KWD')).toMatchObject({ received: 3.335, ownerShare: 2.334, agencyFee: 0.834 });
  });

  it('keeps the accounts’ identity: what is held is what is owed or earned', async () => {
    for (const row of currencies(await get(SUMMARY))) {
      const exponent = at(row, 'currency') === 'KWD' ? 3 : 2;
      const of = (...path: string[]) => minor(at(row, ...path), exponent);
      expect(of('netReceived')).toBe(
        of('ownerShare') + of('agencyFee') + of('referral', 'agents') + of('referral', 'retained') + of('guestCredit'),
      );
      expect(of('gatewayClearing') + of('disputed') + of('bank')).toBe(
        of('netReceived') - of('gatewayFees') - of('ownerPaid'),
      );
    }
    const { rows } = await sql<{ kind: string; sum: number }>`
      SELECT a.kind, sum(e.amount)::bigint AS sum FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id
       WHERE e.currency = 'AED' GROUP BY a.kind`.execute(http.db);
    const balance = (kind: string) => rows.find((row) => row.kind === kind)?.sum ?? 0;
    const aed = sums(await get(SUMMARY));
    expect(minor(aed?.ownerDue)).toBe(-balance('OWNER_PAYABLE'));
    expect(minor(aed?.agencyFee)).toBe(-balance('AGENCY_FEE'));
    expect(minor(aed?.guestCredit)).toBe(-balance('GUEST_CREDIT'));
    expect(minor(aed?.gatewayClearing)).toBe(balance('GATEWAY_CLEARING'));
    expect(minor(aed?.bank)).toBe(balance('BANK'));
    expect(rows.reduce((sum, row) => sum + row.sum, 0)).toBe(0);
  });

  it('is narrowed by property, owner, stay, currency and time', async () => {
    expect(sums(await get(`${SUMMARY}?propertyId=property-2`))).toMatchObject({ received: 1000, ownerPaid: 0 });
    expect(sums(await get(`${SUMMARY}?ownerId=owner-1&currency=AED`))).toMatchObject({
      received: 1333.35,
      ownerPaid: 700,
    });
    expect(sums(await get(`${SUMMARY}?reservationId=stay-1`))).toMatchObject({ received: 1000, gatewayFees: 29 });
    expect(currencies(await get(`${SUMMARY}?currency=KWD`))).toHaveLength(1);
    expect(currencies(await get(`${SUMMARY}?asOf=2024-01-01`))).toEqual([]);
    expect(currencies(await get(`${SUMMARY}?to=2024-01-01`))).toEqual([]);
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
    expect(currencies(await get(`${SUMMARY}?from=${tomorrow}`))).toEqual([]);
    expect(sums(await get(`${SUMMARY}?from=2024-01-01&to=${tomorrow}`))).toMatchObject({ received: 2333.35 });
    expect(sums(await get(`${SUMMARY}?asOf=${tomorrow}`))).toMatchObject({ received: 2333.35 });
    expect((await get(`${SUMMARY}?ownerID=x`)).status).toBe(422);
  });

  it('Z2: shows an owner its own money, under few names', async () => {
    const answer = await get(SUMMARY, asOwner('owner-1'));
    expect(currencies(answer)).toEqual([
      { currency: 'AED', ownerShare: 466.67, ownerDue: -233.33, ownerPaid: 700, ownerCosts: 0 },
    ]);
    expect(answer.text).not.toMatch(/agency|received|gateway|referral|guest|bank/i);
    const { rows } = await sql<{ due: number }>`
      SELECT -sum(e.amount)::bigint AS due FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id
        JOIN ledger_tx x ON x.id = e.tx_id JOIN reservation r ON r.id = x.reservation_id
       WHERE a.kind = 'OWNER_PAYABLE' AND r.property_id = 'property-1'`.execute(http.db);
    expect(minor(sums(answer)?.ownerDue)).toBe(rows[0]?.due);
    expect(currencies(await get(`${SUMMARY}?propertyId=property-2`, asOwner('owner-2')))).toHaveLength(2);
    expect(currencies(await get(SUMMARY, asOwner('owner-3')))).toEqual([]);
  });

  it('is for an agent only of its portfolio', async () => {
    const answer = await get(SUMMARY, { as: 'AGENT', sub: 'agent-1' });
    expect(sums(answer)).toMatchObject({ received: 1333.35, agencyFee: 166.67 });
    expect(currencies(answer)).toHaveLength(1);
    expect(currencies(await get(SUMMARY, { as: 'AGENT', sub: 'agent-2' }))).toEqual([]);
    expect((await get(`${SUMMARY}?ownerId=owner-1`, { as: 'AGENT', sub: 'agent-1' })).status).toBe(200);
  });

  it('is whole for finance and for a service with the scope', async () => {
    const whole = (await get(SUMMARY)).text;
    expect((await get(SUMMARY, { as: 'FINANCE', sub: 'finance-1' })).text).toBe(whole);
    expect((await get(SUMMARY, { as: { scope: 'finance:read' }, sub: 'erp' })).text).toBe(whole);
  });

  it.each([
    ['propertyId', 'property-2', asOwner('owner-1')],
    ['ownerId', 'owner-2', asOwner('owner-1')],
    ['reservationId', 'stay-2', asOwner('owner-1')],
    ['propertyId', 'property-2', { as: 'AGENT', sub: 'agent-1' }],
    ['ownerId', 'owner-2', { as: 'AGENT', sub: 'agent-1' }],
    ['reservationId', 'stay-2', { as: 'AGENT', sub: 'agent-1' }],
    ['propertyId', 'nowhere', { as: 'ADMIN' }],
    ['ownerId', 'nobody', { as: 'FINANCE' }],
    ['reservationId', 'never', { as: { scope: 'finance:read' } }],
  ] as const)('Z1: does not tell foreign from absent: %s %s', async (filter, foreign, call) => {
    const refused = await get(`${SUMMARY}?${filter}=${foreign}`, call);
    expect(refused).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect(comparable(refused)).toEqual(comparable(await get(`${SUMMARY}?${filter}=absent-id`, call)));
  });
});

describe('an owner’s balance and statement', () => {
  const balance = (id: string, call?: Call) => get(`${API}/owners/${id}/balance`, call);
  const statement = (id: string, query = '', call?: Call) => get(`${API}/owners/${id}/statement${query}`, call);

  it('carries what an owner owes after a refund', async () => {
    const answer = await balance('owner-1', asOwner('owner-1'));
    expect(at(answer.body, 'data')).toEqual({
      ownerId: 'owner-1',
      currencies: [
        {
          currency: 'AED',
          balance: -233.33,
          carriedForward: -233.33,
          shares: 466.67,
          fees: 0,
          costs: 0,
          paid: 700,
          openPayouts: 116.67,
          heldPayouts: 0,
          owedByOwner: 350,
        },
      ],
    });
    expect(at((await balance('owner-2', { as: 'FINANCE' })).body, 'data', 'currencies')).toHaveLength(2);
    expect(at((await balance('owner-3')).body, 'data', 'currencies')).toEqual([]);
  });

  it('lists what made it, oldest first, with the balance after each line', async () => {
    const { body } = await statement('owner-1');
    expect(at(body, 'data')).toMatchObject([
      { kind: 'OWNER_SHARE', reservationId: 'stay-1', amount: 700, balance: 700, netted: null },
      { kind: 'OWNER_SHARE', reservationId: 'stay-1b', amount: 233.34, balance: 933.34 },
      { kind: 'OWNER_PAYOUT', amount: -700, balance: 233.34, netted: 0 },
      { kind: 'REFUND', transactionId: refundId, amount: -350, balance: -116.66 },
      { kind: 'REFUND', reservationId: 'stay-1b', amount: -116.67, balance: -233.33 },
    ]);
    expect(at(body, 'balances')).toEqual([{ currency: 'AED', opening: 0, closing: -233.33, carriedForward: -233.33 }]);
  });

  it('goes on from page to page and begins with what stood before', async () => {
    const first = await statement('owner-1', '?limit=3');
    const cursor = String(at(first.body, 'nextCursor'));
    const second = await statement('owner-1', `?limit=3&cursor=${cursor}`);
    expect(at(second.body, 'data')).toMatchObject([{ balance: -116.66 }, { balance: -233.33 }]);
    expect(at(second.body, 'nextCursor')).toBeNull();
    expect((await statement('owner-2', `?limit=3&cursor=${cursor}`)).body.code).toBe('INVALID_CURSOR');
    const since = String(at(first.body, 'data', 2, 'at'));
    const later = await statement('owner-1', `?from=${since}`);
    expect(at(later.body, 'balances', 0)).toMatchObject({ opening: 933.34, closing: -233.33 });
    const earlier = await statement('owner-1', `?to=${since}`);
    expect(at(earlier.body, 'balances', 0)).toMatchObject({ opening: 0, closing: 933.34, carriedForward: 0 });
    const dinars = await statement('owner-2', '?currency=KWD');
    expect(at(dinars.body, 'data')).toMatchObject([{ amount: 2.334, balance: 2.334, currency: 'KWD' }]);
  });

  it.each([balance, statement])('is nobody else’s', async (ask) => {
    const foreign =
      ask === balance
        ? await balance('owner-2', asOwner('owner-1'))
        : await statement('owner-2', '', asOwner('owner-1'));
    const absent =
      ask === balance ? await balance('nobody', asOwner('owner-1')) : await statement('nobody', '', asOwner('owner-1'));
    expect(foreign.status).toBe(404);
    expect(comparable(foreign)).toEqual(comparable(absent));
  });
});

describe('a transaction', () => {
  it('shows its saga, its actor, its entries and where it stands at the gateway', async () => {
    const answer = await get(`${API}/transactions/${of(P1).transactions.GUEST_PAYMENT}`, { as: 'FINANCE' });
    expect(at(answer.body, 'data')).toMatchObject({
      type: 'GUEST_PAYMENT',
      amountSettled: 1000,
      gatewayId: 'sandbox',
      gatewayReference: 'ref-stay-1',
      providerId: 'ch-ref-stay-1',
      actor: 'agent-1',
      saga: { id: of(P1).sagaId, name: 'processPayment', status: 'completed' },
      entries: [
        {
          kind: 'GUEST_PAYMENT',
          purpose: 'RECEIPT',
          account: 'gateway_clearing:sandbox:AED',
          debit: 1000,
          credit: null,
        },
        { account: 'guest_credit:guest-1:AED', debit: null, credit: 1000, postedBy: 'agent-1' },
      ],
      reverses: null,
      reversedBy: [],
    });
    const fee = await get(`${API}/transactions/${of(P1).transactions.REFERRAL_FEE}`);
    expect(at(fee.body, 'data')).toMatchObject({ beneficiary: 'agent-7', retainedBy: null });
    const payout = await get(`${API}/transactions/${of(P1).transactions.OWNER_PAYOUT}`);
    expect(at(payout.body, 'data')).toMatchObject({
      payoutSagaName: 'processOwnerPayout',
      scheduledFor: DAY.toISOString(),
    });
    expect(at(payout.body, 'data', 'entries')).toHaveLength(4);
  });

  it('names what it reverses and what reversed it', async () => {
    const stay: MoneyStay = { id: 'stay-back', propertyId: 'property-9', ownerId: 'owner-9' };
    await seedMoneyStay(http.db, stay);
    const sold = await payStay(http.db, { stay, sagaStatus: 'compensated' });
    await takeBack(http.db, stay, sold);
    const reversed = await get(`${API}/transactions/${sold.transactions.AGENCY_FEE}`);
    expect(at(reversed.body, 'data')).toMatchObject({
      status: 'REVERSED',
      reversedBy: [expect.stringMatching(/^transaction-/)],
    });
    const reversal = await get(`${API}/transactions/${at(reversed.body, 'data', 'reversedBy', 0)}`);
    expect(at(reversal.body, 'data')).toMatchObject({
      type: 'REVERSAL',
      reverses: sold.transactions.AGENCY_FEE,
      entries: [{ kind: 'REVERSAL', credit: 250 }, { debit: 250 }],
    });
  });

  it('is found from a line of the bank: by reference, by the gateway’s id, with all that came of it', async () => {
    const ask = async (reference: string) => {
      const answer = await get(`${API}/transactions?gatewayReference=${reference}`);
      return (at(answer.body, 'data') as readonly unknown[]).map((row) =>
        [at(row, 'type'), at(row, 'actor')].join(' '),
      );
    };
    const all = ['AGENCY_FEE', 'GATEWAY_FEE', 'GUEST_PAYMENT', 'OWNER_PAYOUT', 'REFERRAL_FEE', 'REFUND'];
    expect((await ask('ref-stay-1')).sort()).toEqual(all.map((type) => `${type} agent-1`));
    expect((await ask('ch-ref-stay-1')).sort()).toEqual(all.map((type) => `${type} agent-1`));
    expect(await ask(`re-${refundId}`)).toEqual(['REFUND agent-1']);
    expect(await ask('ref-nobody')).toEqual([]);
    const knownAs = async (providerId: string) =>
      (at((await get(`${API}/transactions?providerId=${providerId}`)).body, 'data') as readonly unknown[]).map((row) =>
        at(row, 'type'),
      );
    expect((await knownAs('ch-ref-stay-1')).sort()).toEqual(all);
    expect(await knownAs(`re-${refundId}`)).toEqual(['REFUND']);
    expect(await knownAs('ref-stay-1')).toEqual([]);
  });
});

describe('integrity', () => {
  it('is reported to those who answer for the money', async () => {
    const answer = await get(`${API}/financial/integrity`, { as: 'FINANCE' });
    expect(at(answer.body, 'data')).toMatchObject({ ok: true, differenceCount: 0, differences: [] });
    expect((await get(`${API}/financial/integrity`, { as: 'AGENT' })).status).toBe(403);
  });
});
