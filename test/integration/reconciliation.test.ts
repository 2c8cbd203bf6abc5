import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { listDifferences } from '../../src/domain/finance/difference-resource.ts';
import { checkIntegrity } from '../../src/domain/finance/integrity.ts';
import { type ReconcileOrder, reconcile } from '../../src/domain/finance/reconciliation.ts';
import type { SettledMovement } from '../../src/domain/finance/reconciliation-match.ts';
import { reconcileNight, reconcileWithGateway } from '../../src/domain/finance/reconciliation-night.ts';
import { reconciliationLines } from '../../src/domain/finance/reconciliation-views.ts';
import type { GatewayMovement, Ports } from '../../src/domain/ports.ts';
import { RoomyError } from '../../src/kernel/errors.ts';
import { createTestDatabase } from '../setup/database.ts';
import { NO_DEVICES } from '../setup/engine.ts';
import { balanceOf, type MoneyStay, payOut, payStay, refundStay, seedMoneyStay, takeBack } from '../setup/ledger.ts';

let db: Db;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 6, applicationName: 'reconciliation-test' }));
  drop = database.drop;
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await drop?.();
});

const NOON = new Date('2024-03-01T12:00:00Z');
let gateways = 0;
/** A gateway of its own, so that tests do not see each other's movements. */
function newGateway() {
  gateways += 1;
  const gatewayId = `gateway-${gateways}`;
  let stays = 0;
  const movements: SettledMovement[] = [];
  const order = (more: Partial<ReconcileOrder> = {}): ReconcileOrder => ({
    gatewayId,
    source: 'GATEWAY',
    from: new Date('2024-03-01T00:00:00Z'),
    to: new Date('2030-01-01T00:00:00Z'),
    movements,
    occasion: `occasion-${gatewayId}`,
    startedBy: 'finance-1',
    ...more,
  });
  return {
    gatewayId,
    movements,
    order,
    /** Pays a stay of 1000.00 by this gateway. */
    pay: async (reference: string, more: { at?: Date; feeMinor?: number } = {}) => {
      stays += 1;
      const stay: MoneyStay = {
        id: `${gatewayId}-stay-${stays}`,
        ownerId: `owner-${gatewayId}`,
        propertyId: `property-${gatewayId}`,
      };
      await seedMoneyStay(db, stay);
      const paid = await payStay(db, { stay, gatewayId, reference, at: NOON, ...more });
      return { stay, paid };
    },
    moves: (kind: SettledMovement['kind'], reference: string, more: Partial<SettledMovement> = {}): void => {
      const movement = { kind, reference, providerId: `${kind}-${reference}`, amountMinor: 100_000, feeMinor: null };
      movements.push({ ...movement, currency: 'AED', at: NOON, settled: false, failed: false, ...more });
    },
    run: (more: Partial<ReconcileOrder> = {}) => reconcile(db, order(more)),
    lines: async (id: string) => {
      const { items } = await reconciliationLines(db, id, {}, { after: null, limit: 100 });
      return items.map(({ kind, reference, status }) => `${status} ${kind} ${reference}`);
    },
  };
}
const alertsOf = async (id: string): Promise<unknown[]> => {
  const { rows } =
    await sql`SELECT params ->> 'code' AS code FROM notification WHERE event = 'SYSTEM_ALERT' AND params ->> 'sagaId' = ${id}`.execute(
      db,
    );
  return rows;
};

describe('a reconciliation', () => {
  it('finds every charge, refund and payout that both sides have', async () => {
    const gateway = newGateway();
    const { stay, paid } = await gateway.pay('ref-a');
    const refund = await refundStay(db, stay, paid, { gatewayId: gateway.gatewayId, at: NOON });
    const other = await gateway.pay('ref-b');
    await payOut(db, other.stay, other.paid, { providerId: 'po-1', gatewayId: gateway.gatewayId, at: NOON });
    gateway.moves('CHARGE', 'ref-a', { providerId: 'ch-ref-a' });
    gateway.moves('CHARGE', 'ref-b');
    gateway.moves('REFUND', 'ref-a', { providerId: `re-${refund}`, amountMinor: 50_000 });
    gateway.moves('PAYOUT', 'po-1', { providerId: 'po-1', amountMinor: 70_000 });
    const done = await gateway.run();
    expect(done).toMatchObject({ ok: true, matched: 4, replayed: false });
    expect(await alertsOf(done.id)).toEqual([]);
  });

  it('tells other amounts and currencies, what only the gateway has, and what only we have; and calls a person', async () => {
    const gateway = newGateway();
    await gateway.pay('ref-less');
    await gateway.pay('ref-dollars');
    await gateway.pay('ref-ours');
    gateway.moves('CHARGE', 'ref-less', { amountMinor: 99_999 });
    gateway.moves('CHARGE', 'ref-dollars', { currency: 'USD' });
    gateway.moves('CHARGE', 'ref-theirs');
    gateway.moves('PAYOUT', 'acct-of-somebody', { providerId: 'po-theirs' });
    const done = await gateway.run();
    expect(await gateway.lines(done.id)).toEqual([
      'AMOUNT_MISMATCH CHARGE ref-less',
      'CURRENCY_MISMATCH CHARGE ref-dollars',
      'MISSING_IN_LEDGER CHARGE ref-theirs',
      'MISSING_IN_LEDGER PAYOUT po-theirs',
      'MISSING_AT_GATEWAY CHARGE ref-ours',
    ]);
    const counts = { matched: 0, amountMismatch: 1, currencyMismatch: 1, missingInLedger: 2, missingAtGateway: 1 };
    expect(done).toMatchObject({ ok: false, open: 5, ...counts });
    expect(await alertsOf(done.id)).toEqual([{ code: 'MISSING_IN_LEDGER' }]);
    const { items } = await reconciliationLines(db, done.id, {}, { after: null, limit: 1 });
    expect(items[0]).toMatchObject({ ledgerAmount: 1000, gatewayAmount: 999.99, currency: 'AED' });
  });

  it('lets a second charge of one reference stand out', async () => {
    const gateway = newGateway();
    await gateway.pay('ref-twice');
    gateway.moves('CHARGE', 'ref-twice', { providerId: 'ch-other' });
    gateway.moves('CHARGE', 'ref-twice', { providerId: 'ch-ref-twice' });
    const done = await gateway.run();
    expect(await gateway.lines(done.id)).toEqual(['MISSING_IN_LEDGER CHARGE ref-twice', 'MATCHED CHARGE ref-twice']);
  });

  it('counts a charge that was taken back on both sides as nothing, and one that was not returned as missing', async () => {
    const gateway = newGateway();
    for (const reference of ['ref-back', 'ref-kept', 'ref-voided']) {
      const { stay, paid } = await gateway.pay(reference);
      await takeBack(db, stay, paid);
    }
    gateway.moves('CHARGE', 'ref-back');
    gateway.moves('REFUND', 'ref-back');
    gateway.moves('CHARGE', 'ref-kept');
    const done = await gateway.run();
    expect(await gateway.lines(done.id)).toEqual([
      'MATCHED CHARGE ref-back',
      'MATCHED REFUND ref-back',
      'STATUS_MISMATCH CHARGE ref-kept',
    ]);
  });

  it('names the row of a refund that the gateway has made and we have not booked', async () => {
    const gateway = newGateway();
    const { stay, paid } = await gateway.pay('ref-early');
    const refund = await refundStay(db, stay, paid, { paid: false, gatewayId: gateway.gatewayId });
    gateway.moves('CHARGE', 'ref-early');
    gateway.moves('REFUND', 'ref-early', { amountMinor: 50_000 });
    const done = await gateway.run();
    const { items } = await reconciliationLines(db, done.id, { status: 'STATUS_MISMATCH' }, { after: null, limit: 9 });
    const differs = [{ what: 'STATUS', ledger: 'PENDING', gateway: 'COMPLETED' }];
    expect(items).toMatchObject([{ kind: 'REFUND', transactionId: refund, gatewayAmount: 500, differs }]);
  });

  it('adds up the payouts of one instruction', async () => {
    const gateway = newGateway();
    for (const reference of ['ref-x', 'ref-y']) {
      const { stay, paid } = await gateway.pay(reference);
      await payOut(db, stay, paid, { providerId: `po-both-${gateway.gatewayId}`, at: NOON });
      gateway.moves('CHARGE', reference);
    }
    gateway.moves('PAYOUT', `po-both-${gateway.gatewayId}`, {
      providerId: `po-both-${gateway.gatewayId}`,
      amountMinor: 140_000,
    });
    expect(await gateway.run()).toMatchObject({ ok: true, matched: 3 });
  });

  it('is not misled by midnight between two clocks, and reports only what is within its time', async () => {
    const gateway = newGateway();
    const midnight = new Date('2024-03-02T00:00:00Z');
    await gateway.pay('ref-night', { at: new Date(midnight.getTime() + 20) });
    gateway.moves('CHARGE', 'ref-night', { at: new Date(midnight.getTime() - 20) });
    const days = [new Date('2024-03-01T00:00:00Z'), midnight, new Date('2024-03-03T00:00:00Z')] as const;
    const first = await gateway.run({ from: days[0], to: days[1], occasion: `${gateway.gatewayId}-1` });
    const second = await gateway.run({ from: days[1], to: days[2], occasion: `${gateway.gatewayId}-2` });
    expect([first.ok, first.matched, second.ok, second.matched]).toEqual([true, 1, true, 0]);
  });

  it('happens once on one occasion, however many ask at once', async () => {
    const gateway = newGateway();
    await gateway.pay('ref-once', { feeMinor: 2_900 });
    gateway.moves('CHARGE', 'ref-once', { settled: true });
    const all = await Promise.all([1, 2, 3, 4].map(() => gateway.run()));
    expect(new Set(all.map(({ id }) => id)).size).toBe(1);
    expect(all.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(all.reduce((sum, { settlementsPosted }) => sum + settlementsPosted, 0)).toBe(1);
  });
});

describe('what has been settled', () => {
  it('moves from the gateway to the bank once, net of fees, whichever file says it', async () => {
    const gateway = newGateway();
    const clearing = () => balanceOf(db, `gateway_clearing:${gateway.gatewayId}:AED`);
    const before = await balanceOf(db, 'bank:AED');
    const { stay, paid } = await gateway.pay('ref-s', { feeMinor: 2_900 });
    const refund = await refundStay(db, stay, paid, { percent: 25, gatewayId: gateway.gatewayId, at: NOON });
    await gateway.pay('ref-t');
    gateway.moves('CHARGE', 'ref-s', { settled: true });
    gateway.moves('REFUND', 'ref-s', { settled: true, providerId: `re-${refund}`, amountMinor: 25_000 });
    gateway.moves('CHARGE', 'ref-t');
    gateway.moves('CHARGE', 'ref-unknown', { settled: true });
    expect(await gateway.run({ source: 'CSV' })).toMatchObject({ settlementsPosted: 2 });
    expect((await balanceOf(db, 'bank:AED')) - before).toBe(100_000 - 2_900 - 25_000);
    expect(await clearing()).toBe(100_000);
    const again = await gateway.run({ source: 'CSV', occasion: `again-${gateway.gatewayId}` });
    expect(again).toMatchObject({ replayed: false, settlementsPosted: 0 });
    expect(await clearing()).toBe(100_000);
    const { differences } = await checkIntegrity(db);
    expect(differences.filter(({ check }) => check.startsWith('journal') || check.startsWith('currency'))).toEqual([]);
  });

  it('goes by the file’s fee where it names one', async () => {
    const gateway = newGateway();
    await gateway.pay('ref-f', { feeMinor: 2_900 });
    gateway.moves('CHARGE', 'ref-f', { settled: true, feeMinor: 3_000 });
    expect(await gateway.run()).toMatchObject({ matched: 0, feeMismatch: 1, amountMismatch: 0, settlementsPosted: 1 });
    // A fee beyond the booked one stays visible.
    expect(await balanceOf(db, `gateway_clearing:${gateway.gatewayId}:AED`)).toBe(100);
  });
});

describe('asking gateways', () => {
  const portsOf = (
    answer: (gatewayId: string, from: Date, to: Date, limit: number) => readonly GatewayMovement[],
  ): Ports => ({
    amenities: NO_DEVICES,
    gatewayIds: [],
    gateway: (id) => {
      if (!id.startsWith('gateway-') && id !== 'bank') throw new RoomyError('GATEWAY_UNKNOWN');
      const movements = async (gatewayId: string, from: Date, to: Date, limit: number) =>
        answer(gatewayId, from, to, limit);
      return { movements, disputes: async () => [] } as Partial<ReturnType<Ports['gateway']>> as ReturnType<
        Ports['gateway']
      >;
    },
    payouts: () => {
      throw new Error('not asked');
    },
    amountStep: () => 1,
  });
  const charge = (n: number, at: Date): GatewayMovement => ({
    kind: 'CHARGE',
    reference: `ref-${n}`,
    providerId: `ch-${n}`,
    amountMinor: 100,
    feeMinor: 0,
    currency: 'AED',
    at,
    settled: false,
    failed: false,
  });

  it('knows payouts that bear no gateway in the record of the bank', async () => {
    const { pay } = newGateway();
    const night = '2023-06-07';
    const { stay, paid } = await pay('ref-bank');
    await payOut(db, stay, paid, { providerId: 'po-bank' });
    await sql`UPDATE transaction SET completed_at = ${`${night}T10:00:00Z`} WHERE provider_id = 'po-bank'`.execute(db);
    const order = { gatewayId: 'bank', from: new Date(night), to: new Date('2023-06-08'), startedBy: 'x' };
    const payout = { ...charge(1, new Date(`${night}T10:00:01Z`)), kind: 'PAYOUT', providerId: 'po-bank' } as const;
    const bank = portsOf(() => [{ ...payout, amountMinor: 70_000 }]);
    expect(await reconcileWithGateway(db, bank, { ...order, occasion: 'bank-1' })).toMatchObject({
      ok: true,
      matched: 1,
    });
    const silent = portsOf(() => []);
    const { done } = await reconcileNight(db, silent, night);
    expect(done.find(({ gatewayId }) => gatewayId === 'bank')).toMatchObject({ missingAtGateway: 1 });
  });

  it('refuses a time that holds more than can be compared', async () => {
    const { movements: _movements, source: _source, ...order } = newGateway().order();
    const ports = portsOf((_id, _from, _to, limit) => Array.from({ length: limit }, (_, n) => charge(n, NOON)));
    await expect(reconcileWithGateway(db, ports, order)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
  });

  it('books what of earlier days has been handed over since, in the night in which the gateway says so, once', async () => {
    const gateway = newGateway();
    const day = (n: number): string => new Date(Date.UTC(2023, 8, n)).toISOString().slice(0, 10);
    const at = new Date(`${day(1)}T10:00:00Z`);
    const early = await gateway.pay('ref-late-1', { at, feeMinor: 2_900 });
    await gateway.pay('ref-late-2', { at, feeMinor: 2_900 });
    const refund = await refundStay(db, early.stay, early.paid, { gatewayId: gateway.gatewayId, at });
    const settled = new Set<string>();
    const asked: string[] = [];
    const record = (): readonly GatewayMovement[] =>
      [
        {
          ...charge(1, at),
          amountMinor: 100_000,
          feeMinor: 2_900,
          reference: 'ref-late-1',
          providerId: 'ch-ref-late-1',
        },
        // Some days earlier on the clock of the gateway.
        {
          ...charge(2, new Date(`${day(0)}T10:00:00Z`)),
          amountMinor: 100_000,
          feeMinor: 2_900,
          reference: 'ref-late-2',
          providerId: 'ch-ref-late-2',
        },
        {
          ...charge(3, at),
          kind: 'REFUND' as const,
          amountMinor: 50_000,
          reference: 'ref-late-1',
          providerId: `re-${refund}`,
        },
        { ...charge(4, at), reference: 'of-nobody', providerId: 'ch-of-nobody' },
      ].map((one) => ({ ...one, settled: settled.has(one.providerId) }));
    const ports = portsOf((id, from, to) => {
      if (id !== gateway.gatewayId) return [];
      asked.push(from.toISOString().slice(0, 10));
      return record().filter((one) => one.at >= from && one.at < to);
    });
    const clearing = () => balanceOf(db, `gateway_clearing:${gateway.gatewayId}:AED`);
    const nights = async (): Promise<readonly string[]> => {
      const rows = await db
        .selectFrom('reconciliation')
        .select(['occasion', 'matched'])
        .where('gateway_id', '=', gateway.gatewayId)
        .where('occasion', 'like', 'settled-%')
        .orderBy('created_at')
        .execute();
      return rows.map(({ occasion, matched }) => `${occasion.slice(-10)} ${matched}`);
    };
    await reconcileNight(db, ports, day(1));
    await reconcileNight(db, ports, day(2));
    expect([await clearing(), await nights()]).toEqual([200_000 - 5_800 - 50_000, []]);
    settled.add('ch-ref-late-1').add('ch-of-nobody');
    await reconcileNight(db, ports, day(3));
    await reconcileNight(db, ports, day(3));
    expect([await clearing(), await nights()]).toEqual([97_100 - 50_000, [`${day(3)} 1`]]);
    settled.add('ch-ref-late-2').add(`re-${refund}`);
    await reconcileNight(db, ports, day(4));
    expect([await clearing(), await nights()]).toEqual([0, [`${day(3)} 1`, `${day(4)} 2`]]);
    asked.length = 0;
    await reconcileNight(db, ports, day(5));
    // With nothing to come, only the night itself is asked for.
    expect(asked).toEqual([day(4)]);
    expect([await clearing(), await nights()]).toEqual([0, [`${day(3)} 1`, `${day(4)} 2`]]);
    expect((await checkIntegrity(db)).differences.filter(({ check }) => check.startsWith('settlement'))).toEqual([]);
  });

  it('takes back out of the bank a refund that had been handed over and then failed', async () => {
    const gateway = newGateway();
    const day = (n: number): string => new Date(Date.UTC(2022, 8, n)).toISOString().slice(0, 10);
    const at = new Date(`${day(1)}T10:00:00Z`);
    const { stay, paid } = await gateway.pay('ref-failed', { at });
    const refund = await refundStay(db, stay, paid, { gatewayId: gateway.gatewayId, at });
    let failed = false;
    const ports = portsOf((id, from, to) =>
      (id === gateway.gatewayId
        ? [
            { ...charge(1, at), amountMinor: 100_000, reference: 'ref-failed', providerId: 'ch-ref-failed' },
            {
              ...charge(2, at),
              kind: 'REFUND' as const,
              amountMinor: 50_000,
              providerId: `re-${refund}`,
              settled: true,
              failed,
            },
          ]
        : []
      ).filter((one) => one.at >= from && one.at < to),
    );
    const bank = await balanceOf(db, 'bank:AED');
    await reconcileNight(db, ports, day(1));
    expect((await balanceOf(db, 'bank:AED')) - bank).toBe(-50_000);
    failed = true;
    await reconcileNight(db, ports, day(2));
    await reconcileNight(db, ports, day(3));
    expect((await balanceOf(db, 'bank:AED')) - bank).toBe(0);
    const found = await listDifferences(db, { gatewayId: gateway.gatewayId }, { after: null, limit: 9 });
    expect(found.items).toMatchObject([{ kind: 'STATUS_MISMATCH', status: 'OPEN', transactionId: refund }]);
    expect((await checkIntegrity(db)).differences.filter(({ check }) => check.startsWith('settlement'))).toEqual([]);
  });

  it('goes round every night once, and does not let one silent gateway keep the others waiting', async () => {
    const one = newGateway();
    const two = newGateway();
    const night = '2023-11-05';
    const at = new Date(`${night}T10:00:00Z`);
    await one.pay('ref-n1', { at });
    await two.pay('ref-n2', { at });
    const silent = portsOf((id) => {
      if (id === one.gatewayId) throw new RoomyError('GATEWAY_UNAVAILABLE');
      return [];
    });
    expect((await reconcileNight(db, silent, night)).failures).toMatchObject([{ code: 'GATEWAY_UNAVAILABLE' }]);
    const { done } = await reconcileNight(
      db,
      portsOf(() => []),
      night,
    );
    const of = (gatewayId: string) => done.find((row) => row.gatewayId === gatewayId);
    expect(of(one.gatewayId)).toMatchObject({ replayed: false, missingAtGateway: 1, startedBy: 'schedule' });
    expect(of(two.gatewayId)).toMatchObject({ replayed: true, missingAtGateway: 1 });
  });
});
