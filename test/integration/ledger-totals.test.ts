import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { checkIntegrity } from '../../src/domain/finance/integrity.ts';
import { financialSummary } from '../../src/domain/finance/summary.ts';
import { addUpLedger } from '../../src/domain/finance/totals.ts';
import { createTestDatabase } from '../setup/database.ts';
import { payOut, payStay, refundStay, seedMoneyStay, tamper } from '../setup/ledger.ts';

let db: Db;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 2, applicationName: 'ledger-totals-test' }));
  drop = database.drop;
  const early = { id: 'early', agentId: 'agent-1' };
  await seedMoneyStay(db, early);
  await refundStay(db, early, await payStay(db, { stay: early, feeMinor: 2_900 }));
  const late = { id: 'late', propertyId: 'property-2', ownerId: 'owner-2', totalMinor: 33_335 };
  await seedMoneyStay(db, late);
  await payOut(db, late, await payStay(db, { stay: late }));
  await tamper(db, sql`UPDATE ledger_tx SET created_at = now() - interval '30 days' WHERE reservation_id = 'early'`);
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await drop?.();
});

const found = async (): Promise<readonly string[]> =>
  (await checkIntegrity(db)).differences.map(
    ({ check, ref, expected, actual }) => `${check} ${ref} ${expected} ${actual}`,
  );

describe('what is kept as sums of the ledger', () => {
  it('equals the entries, before and after the parts are added up', async () => {
    expect(await found()).toEqual([]);
    expect(await addUpLedger(db)).toBeGreaterThan(0);
    expect(await found()).toEqual([]);
  });

  it.each(['ledger_total', 'ledger_part'] as const)('is named where a row of %s was changed', async (table) => {
    if (table === 'ledger_part') {
      const dinars = { id: 'dinars', currency: 'KWD', totalMinor: 3_335 };
      await seedMoneyStay(db, dinars);
      await payStay(db, { stay: dinars });
    }
    const currency = table === 'ledger_part' ? 'KWD' : 'AED';
    const change = (by: number) => sql`UPDATE ${sql.table(table)} SET amount = amount + ${by}
      WHERE account_kind = 'AGENCY_FEE' AND purpose = 'DISTRIBUTION' AND kind = 'AGENCY_FEE' AND currency = ${currency}`;
    await tamper(db, change(7));
    expect(await found()).toEqual([
      expect.stringMatching(new RegExp(`^ledger-total AGENCY_FEE ${currency} DISTRIBUTION AGENCY_FEE -`)),
    ]);
    await tamper(db, change(-7));
    expect(await found()).toEqual([]);
  });

  it('is named where a row is gone, and where there is one too many', async () => {
    await tamper(
      db,
      sql`INSERT INTO ledger_total (account_kind, party_id, currency, purpose, kind, amount) VALUES ('BANK', '', 'USD', 'PAYOUT', 'OWNER_PAYOUT', 5)`,
    );
    expect(await found()).toEqual(['ledger-total BANK USD PAYOUT OWNER_PAYOUT 0 5']);
    await tamper(db, sql`DELETE FROM ledger_total WHERE currency = 'USD'`);
    await tamper(db, sql`DELETE FROM ledger_total WHERE account_kind = 'BANK' AND purpose = 'PAYOUT'`);
    expect(await found()).toEqual([expect.stringMatching(/^ledger-total BANK AED PAYOUT OWNER_PAYOUT -\d+ 0$/)]);
    await sql`SELECT ledger_totals_anew()`.execute(db);
    expect(await found()).toEqual([]);
  });
});

describe('a summary up to a moment, which is what is kept less what was booked since', () => {
  const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString();
  it.each([
    ['ALL', { kind: 'ALL' }],
    ['an owner', { kind: 'OWNER', ownerId: 'owner-1' }],
  ] as const)('equals the sum of the journals until then: %s', async (_, scope) => {
    for (const days of [40, 30.5, 20, -1]) {
      for (const bound of [{ to: daysAgo(days) }, { asOf: daysAgo(days) }, { to: daysAgo(-2), asOf: daysAgo(days) }]) {
        // From the beginning of time on: the journals themselves are added up.
        const journals = await financialSummary(db, scope, { ...bound, from: '2000-01-01T00:00:00Z' });
        expect(await financialSummary(db, scope, bound)).toEqual(journals);
      }
    }
  });

  it('has no line for a currency in which nothing was booked by then', async () => {
    const currencies = async (to: string) =>
      (await financialSummary(db, { kind: 'ALL' }, { to })).map((row) => row.currency);
    expect(await currencies(daysAgo(40))).toEqual([]);
    expect(await currencies(daysAgo(20))).toEqual(['AED']);
    expect(await currencies(daysAgo(-1))).toEqual(['AED', 'KWD']);
  });
});
