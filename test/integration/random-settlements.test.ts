import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { bookDifference, explainDifference } from '../../src/domain/finance/difference-resource.ts';
import { checkIntegrity } from '../../src/domain/finance/integrity.ts';
import type { SettledMovement } from '../../src/domain/finance/reconciliation-match.ts';
import { readSettlementFile } from '../../src/domain/finance/settlement-file.ts';
import { createTestDatabase } from '../setup/database.ts';
import { balanceOf, refundStay } from '../setup/ledger.ts';
import { movement, NOON, newGateway } from '../setup/movements.ts';

/**
 * Whatever files a gateway sends and whatever its own record says meanwhile, in parts, twice, in any order, under other ids
 * and without fees: in the end everything that was handed over is in the bank once, less what the gateway kept, and
 * nothing is left in clearing once the differences in fees are booked.
 */

let db: Db;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 6, applicationName: 'random-settlements-test' }));
  drop = database.drop;
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await drop?.();
});

const charge = fc.record({
  amountMinor: fc.integer({ min: 100, max: 500_000 }),
  bookedFee: fc.integer({ min: 0, max: 100 }),
  /** The gateway's fee less the booked one. */
  feeMore: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -50, max: 50 }) },
  ),
  refundPercent: fc.option(fc.integer({ min: 1, max: 100 }), { freq: 2 }),
});
/** One word of the gateway: which of its movements it tells, and how. */
const word = fc.record({
  source: fc.constantFrom('GATEWAY' as const, 'CSV' as const),
  picks: fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 12 }),
  settled: fc.boolean(),
  saysFees: fc.boolean(),
  otherIds: fc.boolean(),
});
const books = fc.record({
  charges: fc.array(charge, { minLength: 1, maxLength: 6 }),
  words: fc.array(word, { maxLength: 6 }),
  atOnce: fc.boolean(),
});

const CSV_HEADER = 'type,reference,provider_id,amount,currency,fee,date,settled';
const csvOf = (movements: readonly SettledMovement[]): string =>
  [
    CSV_HEADER,
    ...movements.map(({ kind, reference, providerId, amountMinor, feeMinor, currency, at, settled }) =>
      [
        kind.toLowerCase(),
        reference,
        providerId,
        (amountMinor / 100).toFixed(2),
        currency,
        feeMinor === null ? '' : (feeMinor / 100).toFixed(2),
        at.toISOString(),
        settled ? 'yes' : 'no',
      ].join(','),
    ),
    '',
  ].join('\n');
async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}

it('settlements of random files and records end in the bank once', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(books, async ({ charges, words, atOnce }) => {
      const gateway = newGateway(db);
      const truth: SettledMovement[] = [];
      for (const [n, one] of charges.entries()) {
        const bookedFee = Math.min(one.bookedFee, one.amountMinor);
        const feeMinor = Math.max(0, Math.min(one.amountMinor, bookedFee + one.feeMore));
        const { amountMinor } = one;
        const { stay, paid } = await gateway.pay(`r-${n}`, { amountMinor, feeMinor: bookedFee });
        truth.push(movement('CHARGE', `r-${n}`, { providerId: `ch-r-${n}`, amountMinor, feeMinor, settled: true }));
        if (one.refundPercent === null) continue;
        const percent = one.refundPercent;
        const backMinor = Math.round((amountMinor * percent) / 100);
        if (backMinor === 0) continue;
        const id = await refundStay(db, stay, paid, { percent, gatewayId: gateway.gatewayId, at: NOON });
        truth.push(
          movement('REFUND', `r-${n}`, { providerId: `re-${id}`, amountMinor: backMinor, feeMinor: 0, settled: true }),
        );
      }
      const before = await balanceOf(db, 'bank:AED');
      const report = async ({ source, picks, settled, saysFees, otherIds }: (typeof words)[number]) => {
        const lines = [...new Set(picks.map((pick) => pick % truth.length))].flatMap((index) => {
          const one = truth[index];
          if (!one) return [];
          // A file may have names of its own; what a refund is of is then known by its reference alone.
          const providerId = otherIds && one.kind === 'CHARGE' ? `file-${one.providerId}` : one.providerId;
          return [{ ...one, providerId, settled, feeMinor: saysFees ? one.feeMinor : null }];
        });
        const movements = source === 'CSV' ? (await readSettlementFile(bytes(csvOf(lines)), 'UTC')).movements : lines;
        // A line that it leaves out this time is not missing.
        await gateway.run(movements, { source, to: new Date(NOON.getTime() + 1), from: NOON });
      };
      if (atOnce) await Promise.all(words.map(report));
      else for (const one of words) await report(one);
      // The last word: all of it, twice.
      await gateway.run(truth);
      const last = await gateway.run(truth.toReversed(), { source: 'CSV' });
      expect(last.settlementsPosted).toBe(0);
      const net = truth.reduce(
        (sum, { kind, amountMinor, feeMinor }) =>
          sum + (kind === 'CHARGE' ? amountMinor : -amountMinor) - (feeMinor ?? 0),
        0,
      );
      expect((await balanceOf(db, 'bank:AED')) - before).toBe(net);
      for (const { id, status, kind } of await gateway.differences()) {
        if (status === 'RESOLVED') continue;
        expect(kind).toBe('FEE_MISMATCH');
        const author = { actor: 'finance-1', requestId: null };
        await db
          .transaction()
          .execute((tx) => explainDifference(tx, id, { reason: 'as agreed', expected: null }, author));
        await db.transaction().execute((tx) => bookDifference(tx, id, null, author));
      }
      expect(await balanceOf(db, gateway.clearing)).toBe(0);
      expect(await gateway.run(truth)).toMatchObject({ ok: true, open: 0, settlementsPosted: 0 });
    }),
    { numRuns: 30, endOnFailure: true },
  );
  const { differences } = await checkIntegrity(db);
  expect(differences).toEqual([]);
});
