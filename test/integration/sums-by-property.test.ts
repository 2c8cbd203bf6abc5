import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { type StatementLine, statementLines, statementTotals } from '../../src/domain/finance/balances.ts';
import { checkIntegrity } from '../../src/domain/finance/integrity.ts';
import type { MoneyFilter, MoneyScope } from '../../src/domain/finance/scope.ts';
import { financialSummary } from '../../src/domain/finance/summary.ts';
import { addUpLedger } from '../../src/domain/finance/totals.ts';
import type { Page, Position } from '../../src/domain/paging.ts';
import { RoomyError } from '../../src/kernel/errors.ts';
import { createTestDatabase } from '../setup/database.ts';
import { type MoneyStay, type PaidStay, payOut, payStay, refundStay, seedMoneyStay, tamper } from '../setup/ledger.ts';

/**
 * An accountant's check: whatever was booked, moved, sold and added up, a summary that is read from kept sums is the sum of
 * the journals, for every scope with every combination of filters.
 */

const BOOKS = Number(process.env['ROOMY_RANDOM_BOOKS'] ?? 3);
const PROPERTIES = ['property-1', 'property-2', 'property-3'];
const OWNERS = ['owner-1', 'owner-2'];
const AGENTS = ['agent-1', 'agent-2'];
const CURRENCIES = ['AED', 'USD'];
const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString();

let db: Db;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 2, applicationName: 'sums-by-property-test' }));
  drop = database.drop;
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await drop?.();
});

interface Stay extends MoneyStay {
  readonly paid: PaidStay;
  isDone: boolean;
}
const stays: Stay[] = [];

const one = <T>(values: readonly T[]) => fc.constantFrom(...values);
const act = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('pay' as const),
      property: fc.nat(PROPERTIES.length - 1),
      totalMinor: fc.integer({ min: 100, max: 500_000 }),
      feeMinor: fc.integer({ min: 0, max: 90 }),
      currency: one(CURRENCIES),
      hasAgent: fc.boolean(),
      daysAgo: one([0, 5, 40, 70, 400]),
    }),
  },
  fc.record({ kind: fc.constant('refund' as const), stay: fc.nat(), percent: one([10, 50, 100]), paid: fc.boolean() }),
  fc.record({ kind: fc.constant('payOut' as const), stay: fc.nat() }),
  fc.record({ kind: fc.constant('move' as const), stay: fc.nat(), to: one(PROPERTIES) }),
  fc.record({ kind: fc.constant('sell' as const), property: one(PROPERTIES), to: one(OWNERS) }),
  fc.record({ kind: fc.constant('entrust' as const), property: one(PROPERTIES), to: fc.subarray(AGENTS) }),
  fc.record({ kind: fc.constant('addUp' as const) }),
);
type Act = typeof act extends fc.Arbitrary<infer One> ? One : never;

async function doIt(acted: Act): Promise<void> {
  switch (acted.kind) {
    case 'pay': {
      const { property, totalMinor, feeMinor, currency, hasAgent } = acted;
      const stay = {
        id: `stay-${stays.length}`,
        propertyId: PROPERTIES[property] ?? 'property-1',
        ownerId: OWNERS[property % OWNERS.length] ?? 'owner-1',
        agentId: hasAgent ? 'agent-1' : null,
        totalMinor,
        currency,
      };
      await seedMoneyStay(db, stay);
      const paid = await payStay(db, { stay, feeMinor });
      const at = sql`${daysAgo(acted.daysAgo)}::timestamptz`;
      await tamper(db, sql`UPDATE ledger_tx SET created_at = ${at} WHERE reservation_id = ${stay.id}`);
      await sql`UPDATE ledger_owner_line SET at = ${at}
        WHERE tx_id IN (SELECT id FROM ledger_tx WHERE reservation_id = ${stay.id})`.execute(db);
      stays.push({ ...stay, paid, isDone: false });
      return;
    }
    case 'refund':
    case 'payOut': {
      const open = stays.filter(({ isDone }) => !isDone);
      const stay = open[acted.stay % Math.max(1, open.length)];
      if (!stay) return;
      stay.isDone = true;
      if (acted.kind === 'payOut') await payOut(db, stay, stay.paid);
      else await refundStay(db, stay, stay.paid, { percent: acted.percent, paid: acted.paid });
      return;
    }
    case 'move': {
      const stay = stays[acted.stay % Math.max(1, stays.length)];
      if (stay) await sql`UPDATE reservation SET property_id = ${acted.to} WHERE id = ${stay.id}`.execute(db);
      return;
    }
    case 'sell':
      await sql`UPDATE property SET owner_id = ${acted.to} WHERE id = ${acted.property}`.execute(db);
      return;
    case 'entrust':
      await sql`UPDATE property SET agent_ids = ${acted.to}::text[] WHERE id = ${acted.property}`.execute(db);
      return;
    case 'addUp':
      await addUpLedger(db);
  }
}

const SCOPES: readonly MoneyScope[] = [
  { kind: 'ALL' },
  ...AGENTS.map((agentId) => ({ kind: 'PORTFOLIO', agentId }) as const),
  ...OWNERS.map((ownerId) => ({ kind: 'OWNER', ownerId }) as const),
];
const orNone = <T>(values: readonly T[]): readonly (T | undefined)[] => [undefined, ...values];

function* filters(): Generator<MoneyFilter> {
  const until = [{}, { to: daysAgo(10) }, { asOf: daysAgo(100) }, { to: daysAgo(3), asOf: daysAgo(66) }];
  for (const propertyId of orNone(PROPERTIES))
    for (const ownerId of orNone(OWNERS))
      for (const currency of orNone(CURRENCIES))
        for (const moment of until) yield { propertyId, ownerId, currency, ...moment };
}

type Answer = Awaited<ReturnType<typeof financialSummary>> | 'NOT_FOUND';
const summary = (scope: MoneyScope, filter: MoneyFilter): Promise<Answer> =>
  financialSummary(db, scope, filter).catch((error: unknown) => {
    if (error instanceof RoomyError && error.code === 'NOT_FOUND') return 'NOT_FOUND';
    throw error;
  });

/** A currency in which everything was given back has a line or has none. */
const withoutEmpty = (answer: Answer): Answer =>
  answer === 'NOT_FOUND' ? answer : answer.filter((line) => JSON.stringify(line).match(/:-?\d*[1-9]/) !== null);

interface Entry {
  readonly property_id: string | null;
  readonly agent_ids: readonly string[];
  readonly owner_id: string | null;
  readonly account: string;
  readonly party_id: string | null;
  readonly currency: string;
  readonly amount: number;
  readonly at: Date;
}
/** Row by row, with what decides whose it is: the owner of the transaction, before the owner of the place. */
const entries = async (): Promise<readonly Entry[]> => {
  const { rows } = await sql<Entry>`
    SELECT p.id AS property_id, coalesce(p.agent_ids, '{}') AS agent_ids, coalesce(t.owner_id, p.owner_id) AS owner_id, a.kind AS account,
           a.party_id, e.currency::text AS currency, e.amount, x.created_at AS at
      FROM ledger_entry e JOIN ledger_tx x ON x.id = e.tx_id JOIN ledger_account a ON a.id = e.account_id
      LEFT JOIN transaction t ON t.id = x.transaction_id LEFT JOIN reservation r ON r.id = x.reservation_id
      LEFT JOIN property p ON p.id = r.property_id`.execute(db);
  return rows;
};

/** What is owed to owners, in minor units by currency. */
function ownerDue(all: readonly Entry[], scope: MoneyScope, filter: MoneyFilter): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const entry of all) {
    const at = entry.at.getTime();
    const isMeant =
      entry.account === 'OWNER_PAYABLE' &&
      (scope.kind !== 'PORTFOLIO' || entry.agent_ids.includes(scope.agentId)) &&
      (scope.kind !== 'OWNER' || entry.party_id === scope.ownerId) &&
      (filter.propertyId === undefined || entry.property_id === filter.propertyId) &&
      (filter.ownerId === undefined || entry.owner_id === filter.ownerId) &&
      (filter.currency === undefined || entry.currency === filter.currency) &&
      (filter.to === undefined || at < Date.parse(filter.to)) &&
      (filter.asOf === undefined || at <= Date.parse(filter.asOf));
    if (isMeant) sums[entry.currency] = (sums[entry.currency] ?? 0) - entry.amount;
  }
  return Object.fromEntries(Object.entries(sums).filter(([, minor]) => minor !== 0));
}

/** The whole statement, in pages of three: each line leaves the balance before it and itself, and the last leaves what is owed. */
async function expectStatement(ownerId: string): Promise<void> {
  const { rows: booked } = await sql<{ id: string; currency: string; amount: number }>`
    SELECT x.id, e.currency::text AS currency, -sum(e.amount)::bigint AS amount
      FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id JOIN ledger_tx x ON x.id = e.tx_id
     WHERE a.kind = 'OWNER_PAYABLE' AND a.party_id = ${ownerId} GROUP BY x.id, e.currency ORDER BY x.created_at, x.id`.execute(
    db,
  );
  const balances: Record<string, number> = {};
  const expected = booked.map(({ id, currency, amount }) => {
    balances[currency] = (balances[currency] ?? 0) + amount;
    return { id, currency, amount: amount / 100, balance: balances[currency] / 100 };
  });
  const shown: unknown[] = [];
  let after: Position | null = null;
  do {
    const page: Page<StatementLine> = await statementLines(db, ownerId, {}, { limit: 3, after });
    shown.push(...page.items.map(({ id, currency, amount, balance }) => ({ id, currency, amount, balance })));
    after = page.next;
  } while (after !== null);
  expect(shown).toEqual(expected);
  const totals = await statementTotals(db, { kind: 'ALL' }, ownerId, {});
  expect(totals.map(({ currency, opening, closing }) => ({ currency, opening, closing }))).toEqual(
    Object.entries(balances)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([currency, minor]) => ({ currency, opening: 0, closing: minor / 100 })),
  );
}

it('answers from kept sums what the journals answer, for every combination of filters', {
  timeout: 300_000,
}, async () => {
  for (const [n, propertyId] of PROPERTIES.entries())
    await seedMoneyStay(db, { id: `first-${n}`, propertyId, ownerId: OWNERS[n % 2] ?? 'owner-1', agentId: 'agent-1' });
  let combinations = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 15, maxLength: 30 }), async (acts) => {
      for (const one of acts) await doIt(one);
      expect((await checkIntegrity(db)).differences.filter(({ check }) => check === 'ledger-total')).toEqual([]);
      for (const ownerId of OWNERS) await expectStatement(ownerId);
      const all = await entries();
      for (const scope of SCOPES) {
        for (const filter of filters()) {
          const kept = await summary(scope, filter);
          // From the beginning of time on: the journals themselves are added up.
          const journals = await summary(scope, { ...filter, from: '2000-01-01T00:00:00Z' });
          expect({ scope, filter, is: withoutEmpty(kept) }).toEqual({ scope, filter, is: withoutEmpty(journals) });
          if (kept !== 'NOT_FOUND') {
            const due = kept.map(({ currency, ownerDue: major }) => [currency, Math.round(major * 100)] as const);
            expect(Object.fromEntries(due.filter(([, minor]) => minor !== 0))).toEqual(ownerDue(all, scope, filter));
          }
          combinations += 1;
        }
      }
    }),
    // A book grows from one run to the next, so a smaller one shows nothing.
    { numRuns: BOOKS, endOnFailure: true },
  );
  expect(combinations).toBe(BOOKS * SCOPES.length * 4 * 3 * 3 * 4);
});

it('names a sum of one property that was changed, or is another one’s', async () => {
  await addUpLedger(db);
  const found = async () =>
    (await checkIntegrity(db)).differences.filter(({ check }) => check === 'ledger-total').map(({ ref }) => ref);
  const row = sql`(property_id, owner_id, account_kind, party_id, currency, purpose, kind) =
    (SELECT property_id, owner_id, account_kind, party_id, currency, purpose, kind FROM ledger_property_total WHERE property_id <> '' AND amount <> 0
      ORDER BY property_id, owner_id, account_kind, party_id, currency, purpose, kind LIMIT 1)`;
  await sql`UPDATE ledger_property_total SET amount = amount + 1 WHERE ${row}`.execute(db);
  expect(await found()).toEqual([expect.stringMatching(/ at property-\d of owner-\d$/)]);
  await sql`UPDATE ledger_property_total SET property_id = 'property-0' WHERE ${row}`.execute(db);
  expect(await found()).toHaveLength(2);
  await sql`SELECT ledger_totals_anew()`.execute(db);
  expect(await found()).toEqual([]);
  const first = sql`(owner_id, at, tx_id) = (SELECT owner_id, at, tx_id FROM ledger_owner_line ORDER BY owner_id, at, tx_id LIMIT 1)`;
  await sql`UPDATE ledger_owner_line SET amount = amount + 1 WHERE ${first}`.execute(db);
  expect(await found()).toEqual([expect.stringMatching(/^statement owner_payable:owner-1:/)]);
  await sql`DELETE FROM ledger_owner_line WHERE owner_id = 'owner-2'`.execute(db);
  expect((await found()).filter((ref) => ref.startsWith('statement owner_payable:owner-2:'))).not.toEqual([]);
  await sql`SELECT ledger_totals_anew()`.execute(db);
  expect(await found()).toEqual([]);
});
