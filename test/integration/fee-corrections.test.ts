import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import type { GatewayFeeBearer } from '../../src/db/schema.ts';
import { bookDifference } from '../../src/domain/finance/difference-resource.ts';
import { checkIntegrity } from '../../src/domain/finance/integrity.ts';
import { createTestDatabase } from '../setup/database.ts';
import { balanceOf, payOut, takeBack } from '../setup/ledger.ts';
import { movement, newGateway } from '../setup/movements.ts';

/** The difference between a gateway's fee and the booked one is borne by those who bear its fees. */

let db: Db;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 4, applicationName: 'fee-corrections-test' }));
  drop = database.drop;
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await drop?.();
});

async function termsWith(bearer: GatewayFeeBearer): Promise<number> {
  const { version } = await db
    .insertInto('income_distribution')
    .values({ owner_bp: 7_000, agency_bp: 2_500, referrer_bp: 500, gateway_fee_bearer: bearer, set_by: 'tester' })
    .returning('version')
    .executeTakeFirstOrThrow();
  return version;
}

interface Case {
  readonly bearer: GatewayFeeBearer;
  readonly paidOut: boolean;
  /** The fee that is booked after the payment, in minor units; the payment itself books none. */
  readonly fees: readonly [number, ...number[]];
  readonly agentId: string | null;
}
const CASES: readonly Case[] = (['AGENCY', 'OWNER', 'PRO_RATA'] as const).flatMap((bearer) =>
  [false, true].flatMap((paidOut) =>
    [null, 'agent-1'].map((agentId) => ({ bearer, paidOut, agentId, fees: [3_150, 2_901, 0, 100_000] as const })),
  ),
);

describe('a fee that is corrected again and again', () => {
  it.each(CASES)('leaves the books in order: $bearer bears it, paid out $paidOut, agent $agentId', async (one) => {
    const { bearer, paidOut, fees, agentId } = one;
    const gateway = newGateway(db);
    const version = await termsWith(bearer);
    const { stay, paid } = await gateway.pay('ref', { stay: { agentId } });
    await db.updateTable('reservation').set({ distribution_version: version }).where('id', '=', stay.id).execute();
    await db
      .updateTable('transaction')
      .set({ distribution_version: version })
      .where('reservation_id', '=', stay.id)
      .execute();
    if (paidOut) await payOut(db, stay, paid);
    const owner = `owner_payable:${stay.ownerId}:AED`;
    const owed = async () => -(await balanceOf(db, owner));
    const before = await owed();
    for (const feeMinor of fees) {
      await gateway.run([movement('CHARGE', 'ref', { feeMinor, settled: true })]);
      const [difference] = await gateway.differences();
      expect(difference).toMatchObject({ status: 'OPEN', bookable: true });
      const author = { actor: 'finance-1', requestId: null };
      await db.transaction().execute((tx) => bookDifference(tx, difference?.id ?? '', null, author));
      expect(await balanceOf(db, gateway.clearing)).toBe(0);
      const share = { AGENCY: 0, OWNER: feeMinor, PRO_RATA: Math.round(feeMinor * 0.7) }[bearer];
      expect(before - (await owed())).toBe(share);
      expect((await checkIntegrity(db)).differences).toEqual([]);
      const open = await db
        .selectFrom('transaction')
        .select((eb) => eb.fn.coalesce(eb.fn.sum<number>('amount_minor'), eb.val(0)).as('open'))
        .where('reservation_id', '=', stay.id)
        .where('type', '=', 'OWNER_PAYOUT')
        .where('status', '=', 'PENDING')
        .executeTakeFirstOrThrow();
      // Nothing more is going to be paid out than is owed, but for what was paid out and is owed back.
      if (!paidOut) expect(Number(open.open)).toBe(Math.max(0, await owed()));
    }
  });

  it('of a charge that came to nothing is the agency’s, by each rule of fees', async () => {
    const gateway = newGateway(db);
    const version = await termsWith('OWNER');
    const { stay, paid } = await gateway.pay('ref', { feeMinor: 2_900, sagaStatus: 'compensated' });
    await db.updateTable('reservation').set({ distribution_version: version }).where('id', '=', stay.id).execute();
    await takeBack(db, stay, paid);
    const says = [
      movement('CHARGE', 'ref', { feeMinor: 2_900, settled: true }),
      movement('REFUND', 'ref', { feeMinor: 0, settled: true }),
    ];
    await gateway.run(says);
    const [difference] = await gateway.differences();
    expect(difference).toMatchObject({ kind: 'FEE_MISMATCH', bookable: true });
    expect(await balanceOf(db, gateway.clearing)).toBe(2_900);
    const before = await balanceOf(db, 'gateway_fee:AED');
    const author = { actor: 'finance-1', requestId: null };
    await db.transaction().execute((tx) => bookDifference(tx, difference?.id ?? '', null, author));
    expect(await balanceOf(db, gateway.clearing)).toBe(0);
    expect((await balanceOf(db, 'gateway_fee:AED')) - before).toBe(2_900);
    expect(await balanceOf(db, `owner_payable:${stay.ownerId}:AED`)).toBe(0);
    expect(await gateway.run(says)).toMatchObject({ ok: true, settlementsPosted: 0 });
    expect((await checkIntegrity(db)).differences).toEqual([]);
  });
});
