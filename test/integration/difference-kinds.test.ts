import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import type { DifferenceKind, FieldDifference } from '../../src/db/schema.ts';
import type { SettledMovement } from '../../src/domain/finance/reconciliation-match.ts';
import { DifferenceKind as DeclaredKind } from '../../src/http/schemas/differences.ts';
import { createTestDatabase } from '../setup/database.ts';
import { balanceOf, payOut, refundStay, takeBack } from '../setup/ledger.ts';
import { movement, NOON, newGateway } from '../setup/movements.ts';

/** Every kind of difference between a gateway's record and ours, from its first sight to its end. */

let db: Db;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 6, applicationName: 'difference-kinds-test' }));
  drop = database.drop;
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await drop?.();
});

type Gateway = ReturnType<typeof newGateway>;
interface Case {
  readonly name: string;
  readonly kind: DifferenceKind;
  readonly differs: readonly FieldDifference[];
  /** Books ours, and answers with what the gateway says. */
  readonly make: (gateway: Gateway) => Promise<readonly SettledMovement[]>;
  /** The gateway's record once both sides agree; nothing where that cannot come from the gateway. */
  readonly agreed?: readonly SettledMovement[];
  /** Whether the money comes all the same, minor units into the bank. */
  readonly handedOver: number;
}
const LATER = new Date(NOON.getTime() + 3 * 86_400_000 + 1);
const charge = (more: Partial<SettledMovement> = {}): SettledMovement =>
  movement('CHARGE', 'ref', { feeMinor: 2_900, settled: true, ...more });
const paid = (says: SettledMovement) => async (gateway: Gateway) => {
  await gateway.pay('ref', { feeMinor: 2_900 });
  return [says];
};
const refunded = async (gateway: Gateway, isPaid: boolean): Promise<void> => {
  const { stay, paid: sold } = await gateway.pay('ref', { feeMinor: 2_900 });
  await refundStay(db, stay, sold, { paid: isPaid, gatewayId: gateway.gatewayId, at: NOON });
};
const refund = (more: Partial<SettledMovement> = {}) => movement('REFUND', 'ref', { amountMinor: 50_000, ...more });

const CASES: readonly Case[] = [
  {
    name: 'another fee of a charge, as in the issue',
    kind: 'FEE_MISMATCH',
    differs: [{ what: 'FEE', ledger: 2_900, gateway: 3_150 }],
    make: paid(charge({ feeMinor: 3_150 })),
    agreed: [charge()],
    handedOver: 100_000 - 3_150,
  },
  {
    name: 'a fee that we did not know',
    kind: 'FEE_MISMATCH',
    differs: [{ what: 'FEE', ledger: 0, gateway: 2_900 }],
    make: async (gateway) => {
      await gateway.pay('ref');
      return [charge()];
    },
    agreed: [charge({ feeMinor: 0 })],
    handedOver: 100_000 - 2_900,
  },
  {
    name: 'a fee of a refund',
    kind: 'FEE_MISMATCH',
    differs: [{ what: 'FEE', ledger: 0, gateway: 25 }],
    make: async (gateway) => {
      const { stay, paid: sold } = await gateway.pay('ref');
      const id = await refundStay(db, stay, sold, { gatewayId: gateway.gatewayId, at: NOON });
      return [charge({ feeMinor: 0 }), refund({ providerId: `re-${id}`, feeMinor: 25, settled: true })];
    },
    handedOver: 100_000 - 50_000 - 25,
  },
  {
    name: 'a fee that was kept of a charge that both sides took back',
    kind: 'FEE_MISMATCH',
    differs: [{ what: 'FEE', ledger: 0, gateway: 2_900 }],
    make: async (gateway) => {
      const { stay, paid: sold } = await gateway.pay('ref', { feeMinor: 2_900 });
      await takeBack(db, stay, sold);
      return [charge(), refund({ amountMinor: 100_000, feeMinor: 0, settled: true })];
    },
    agreed: [charge(), refund({ amountMinor: 100_000, feeMinor: -2_900, settled: true })],
    handedOver: -2_900,
  },
  {
    name: 'another amount',
    kind: 'AMOUNT_MISMATCH',
    differs: [{ what: 'AMOUNT', ledger: 100_000, gateway: 99_999 }],
    make: paid(charge({ amountMinor: 99_999 })),
    agreed: [charge()],
    handedOver: 0,
  },
  {
    name: 'another amount and another fee',
    kind: 'AMOUNT_MISMATCH',
    differs: [
      { what: 'AMOUNT', ledger: 100_000, gateway: 90_000 },
      { what: 'FEE', ledger: 2_900, gateway: 2_610 },
    ],
    make: paid(charge({ amountMinor: 90_000, feeMinor: 2_610 })),
    agreed: [charge()],
    handedOver: 0,
  },
  {
    name: 'another currency with the same figure',
    kind: 'CURRENCY_MISMATCH',
    differs: [{ what: 'CURRENCY', ledger: 'AED', gateway: 'JPY' }],
    make: paid(charge({ currency: 'JPY' })),
    agreed: [charge()],
    handedOver: 0,
  },
  {
    name: 'a refund that the gateway has made and we are still asking for',
    kind: 'STATUS_MISMATCH',
    differs: [{ what: 'STATUS', ledger: 'PENDING', gateway: 'COMPLETED' }],
    make: async (gateway) => {
      await refunded(gateway, false);
      return [charge({ settled: false }), refund({ settled: true })];
    },
    handedOver: 0,
  },
  {
    name: 'a refund that we count as made and that came back',
    kind: 'STATUS_MISMATCH',
    differs: [{ what: 'STATUS', ledger: 'COMPLETED', gateway: 'FAILED' }],
    make: async (gateway) => {
      const { stay, paid: sold } = await gateway.pay('ref');
      const id = await refundStay(db, stay, sold, { gatewayId: gateway.gatewayId, at: NOON });
      return [charge({ settled: false, feeMinor: 0 }), refund({ providerId: `re-${id}`, failed: true, settled: true })];
    },
    handedOver: 0,
  },
  {
    name: 'a charge that we took back and the gateway did not',
    kind: 'STATUS_MISMATCH',
    differs: [{ what: 'STATUS', ledger: 'REVERSED', gateway: 'COMPLETED' }],
    make: async (gateway) => {
      const { stay, paid: sold } = await gateway.pay('ref', { feeMinor: 2_900 });
      await takeBack(db, stay, sold);
      return [charge()];
    },
    handedOver: 0,
  },
  {
    name: 'another date than three days around ours',
    kind: 'DATE_MISMATCH',
    differs: [{ what: 'DATE', ledger: NOON.toISOString(), gateway: LATER.toISOString() }],
    make: paid(charge({ at: LATER })),
    agreed: [charge({ at: new Date(LATER.getTime() - 1) })],
    handedOver: 97_100,
  },
  {
    name: 'what only the gateway has',
    kind: 'MISSING_IN_LEDGER',
    differs: [{ what: 'AMOUNT', ledger: null, gateway: 100_000 }],
    make: async () => [charge()],
    handedOver: 0,
  },
  {
    name: 'what only we have',
    kind: 'MISSING_AT_GATEWAY',
    differs: [{ what: 'AMOUNT', ledger: 100_000, gateway: null }],
    make: async (gateway) => {
      await gateway.pay('ref', { feeMinor: 2_900 });
      return [];
    },
    agreed: [charge()],
    handedOver: 0,
  },
  {
    name: 'another amount of a payout',
    kind: 'AMOUNT_MISMATCH',
    differs: [{ what: 'AMOUNT', ledger: 70_000, gateway: 69_000 }],
    make: async (gateway) => {
      const { stay, paid: sold } = await gateway.pay('ref');
      await payOut(db, stay, sold, { providerId: 'po-differs', gatewayId: gateway.gatewayId, at: NOON });
      return [
        charge({ settled: false, feeMinor: 0 }),
        movement('PAYOUT', 'po-differs', { providerId: 'po-differs', amountMinor: 69_000 }),
      ];
    },
    handedOver: 0,
  },
];

describe('a difference', () => {
  it('is tried in every kind that there is', () => {
    expect(new Set(CASES.map(({ kind }) => kind))).toEqual(new Set(DeclaredKind.options));
  });

  it.each(CASES)('is named with both values: $name', async ({ kind, differs, make, handedOver }) => {
    const gateway = newGateway(db);
    const says = await make(gateway);
    const before = await balanceOf(db, 'bank:AED');
    const done = await gateway.run(says);
    const found = (await gateway.lines(done.id)).filter(({ status }) => status !== 'MATCHED');
    expect(found.map(({ status }) => status)).toEqual([kind]);
    expect(done).toMatchObject({ ok: false, open: 1, explained: 0, resolved: 0 });
    const [line] = found;
    const rows = await sql<{ differs: readonly FieldDifference[] }>`
      SELECT differs FROM reconciliation_line WHERE reconciliation_id = ${done.id} AND status <> 'MATCHED'`.execute(db);
    expect(rows.rows[0]?.differs).toEqual(differs);
    // Never a line on which what is shown is the same.
    expect(line?.differs.length).toBeGreaterThan(0);
    for (const { ledger, gateway: theirs } of line?.differs ?? []) expect(ledger).not.toEqual(theirs);
    const bank = (await balanceOf(db, 'bank:AED')) - before;
    expect(bank).toBe(handedOver);
    expect(await gateway.differences()).toMatchObject([
      { kind, status: 'OPEN', id: line?.differenceId, foundIn: done.id, version: 1 },
    ]);
  });

  it.each(CASES)(
    'found again with the same values is the same one, and calls nobody again: $name',
    async ({ make }) => {
      const gateway = newGateway(db);
      const says = await make(gateway);
      const first = await gateway.run(says);
      const second = await gateway.run(says);
      const alerts = async (id: string): Promise<number> => {
        const { rows } = await sql`SELECT id FROM notification WHERE params ->> 'sagaId' = ${id}`.execute(db);
        return rows.length;
      };
      expect([await alerts(first.id), await alerts(second.id), second.settlementsPosted]).toEqual([1, 0, 0]);
      expect(await gateway.differences()).toMatchObject([{ foundIn: first.id, seenIn: second.id, version: 1 }]);
      expect(second).toMatchObject({ ok: false, open: 1 });
    },
  );

  it.each(CASES.flatMap((one) => (one.agreed ? [{ ...one, agreed: one.agreed }] : [])))(
    'is resolved by itself when both sides agree: $name',
    async ({ make, agreed }) => {
      const gateway = newGateway(db);
      const first = await gateway.run(await make(gateway));
      const others = (await gateway.lines(first.id)).filter(({ status }) => status === 'MATCHED');
      const second = await gateway.run(agreed);
      expect(second).toMatchObject({ ok: true, open: 0 });
      expect(others.length).toBeLessThanOrEqual(second.matched);
      expect((await gateway.differences()).map(({ status }) => status)).toEqual(['RESOLVED']);
    },
  );

  it('of what the gateway had first is resolved when it is booked', async () => {
    const gateway = newGateway(db);
    await gateway.run([charge()]);
    await gateway.pay('ref', { feeMinor: 2_900 });
    expect(await gateway.run([charge()])).toMatchObject({ ok: true, matched: 1 });
    expect(await gateway.differences()).toMatchObject([{ kind: 'MISSING_IN_LEDGER', status: 'RESOLVED' }]);
  });

  it('in a fee is not resolved by a file that does not say the fee', async () => {
    const gateway = newGateway(db);
    await gateway.pay('ref', { feeMinor: 2_900 });
    await gateway.run([charge({ feeMinor: 3_150 })]);
    expect(await gateway.run([charge({ feeMinor: null })])).toMatchObject({ ok: true, matched: 1 });
    expect(await gateway.differences()).toMatchObject([{ kind: 'FEE_MISMATCH', status: 'OPEN' }]);
  });

  it('shows each amount in the decimals of its own currency', async () => {
    const gateway = newGateway(db);
    await gateway.pay('ref');
    const done = await gateway.run([charge({ currency: 'JPY', amountMinor: 40_000 })]);
    expect(await gateway.lines(done.id)).toMatchObject([
      { ledgerAmount: 1_000, gatewayAmount: 40_000, currency: 'JPY', status: 'CURRENCY_MISMATCH' },
    ]);
  });

  it('is one for each of two charges of one reference that we have not booked yet', async () => {
    const gateway = newGateway(db);
    const { stay, paid: sold } = await gateway.pay('ref');
    await takeBack(db, stay, sold);
    await gateway.run([charge({ providerId: 'ch-a' }), charge({ providerId: 'ch-b' })]);
    expect((await gateway.differences()).map(({ providerId }) => providerId).toSorted()).toEqual(['ch-a', 'ch-b']);
  });

  it('of what failed and was never booked is none', async () => {
    const gateway = newGateway(db);
    const done = await gateway.run([refund({ failed: true }), movement('PAYOUT', 'po', { failed: true })]);
    expect(done).toMatchObject({ ok: true, matched: 0, open: 0 });
    expect(await gateway.lines(done.id)).toEqual([]);
  });
});

it('what comes at once from many sides is kept once', async () => {
  const gateway = newGateway(db);
  const references = Array.from({ length: 20 }, (_, n) => `ref-${n}`);
  for (const reference of references) await gateway.pay(reference, { feeMinor: 2_900 });
  const says = references.map((reference) => movement('CHARGE', reference, { feeMinor: 3_000, settled: true }));
  await Promise.all([says, says.toReversed(), says, says.toReversed()].map((order) => gateway.run(order)));
  expect(await gateway.differences()).toHaveLength(20);
  // 97.00 of each has come, and 1.00 too many stands in clearing.
  expect(await balanceOf(db, gateway.clearing)).toBe(20 * 100);
});
