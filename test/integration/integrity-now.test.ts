import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { integrityNow, passNightly, verifyMarked } from '../../src/domain/finance/integrity-now.ts';
import { createTestDatabase } from '../setup/database.ts';
import { addSaga, type MoneyStay, payStay, seedMoneyStay, tamper } from '../setup/ledger.ts';

/** The check of integrity looks at what has changed, and never finds less than a look at everything. */

let db: Db;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 4, applicationName: 'integrity-now' }));
  drop = database.drop;
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await drop?.();
});

async function pay(id: string): Promise<void> {
  const stay: MoneyStay = { id };
  await seedMoneyStay(db, stay);
  await payStay(db, { stay, feeMinor: 290 });
}
const settle = () => verifyMarked(db, { after: '0' });
const found = async () => (await integrityNow(db, false)).differences.map(({ check, ref }) => `${check} ${ref}`);
const owed = (by: number) =>
  sql`UPDATE payment SET refunded_minor = refunded_minor + ${by} WHERE reservation_id = 'old'`;

it('looks at everything when that has never been done, then at what has changed', async () => {
  await pay('old');
  expect(await integrityNow(db, false)).toMatchObject({ ok: true, full: true, lookedAt: null, checked: { stays: 1 } });
  expect(await integrityNow(db, false)).toMatchObject({ ok: true, full: false, lookedAt: ['old'], waiting: 0 });
  await settle();
  expect(await integrityNow(db, false)).toMatchObject({ ok: true, full: false, lookedAt: [], checked: { stays: 0 } });
  await pay('new');
  expect(await integrityNow(db, false)).toMatchObject({
    ok: true,
    lookedAt: ['new'],
    checked: { payments: 1, stays: 1 },
  });
  await settle();
});

it('finds a row of long ago at once that was changed in the database with triggers off, until it agrees again', async () => {
  await tamper(db, owed(5));
  const [difference] = await found();
  expect(difference).toMatch(/^payment-refunded /);
  await settle();
  expect(await found()).toContain(difference);
  await tamper(db, owed(-5));
  expect(await found()).toEqual([]);
  await settle();
  expect((await integrityNow(db, false)).lookedAt).toEqual([]);
});

it.each([
  [
    'a line of the ledger',
    sql`UPDATE ledger_entry SET amount = amount + 1 WHERE tx_id = (SELECT min(id) FROM ledger_tx) AND line = 1`,
  ],
  ['a line that is deleted', sql`DELETE FROM ledger_entry WHERE tx_id = (SELECT min(id) FROM ledger_tx) AND line = 1`],
  [
    'a journal',
    sql`UPDATE ledger_tx SET kind = 'ADJUSTMENT' WHERE id = (SELECT x.id FROM ledger_tx x WHERE x.kind = 'GUEST_PAYMENT' LIMIT 1)`,
  ],
  [
    'a transaction',
    sql`UPDATE transaction SET settled_minor = settled_minor + 1 WHERE id = (SELECT id FROM transaction WHERE type = 'AGENCY_FEE' LIMIT 1)`,
  ],
  ['the status of a stay', sql`UPDATE reservation SET payment_status = 'UNPAID' WHERE id = 'old'`],
  [
    'the end of a saga',
    sql`UPDATE saga SET status = 'compensated' WHERE id = (SELECT saga_id FROM payment WHERE reservation_id = 'old')`,
  ],
])('a change by SQL is found at once: %s', async (_, change) => {
  await settle();
  await expect(
    db.transaction().execute(async (tx) => {
      await sql`SET LOCAL session_replication_role = replica`.execute(tx);
      await change.execute(tx);
      const { rows } = await sql<{ n: number }>`SELECT count(*)::int AS n FROM integrity_mark`.execute(tx);
      throw new Error(`marks: ${rows[0]?.n}`);
    }),
  ).rejects.toThrow(/^marks: [1-9]/);
});

it('finds what was changed past the marks when all is looked at, and names it from then on', async () => {
  await settle();
  const pastMarks = async (by: number) => {
    await sql`ALTER TABLE payment DISABLE TRIGGER USER`.execute(db);
    await owed(by).execute(db);
    await sql`ALTER TABLE payment ENABLE TRIGGER USER`.execute(db);
    for (const name of ['marks_of_new', 'marks_of_change', 'marks_of_gone'])
      await sql`ALTER TABLE payment ENABLE ALWAYS TRIGGER ${sql.raw(name)}`.execute(db);
  };
  await pastMarks(7);
  expect(await found()).toEqual([]);
  expect(await integrityNow(db, true)).toMatchObject({ ok: false, full: true, lookedAt: null });
  expect(await found()).toContainEqual(expect.stringMatching(/^payment-refunded /));
  await pastMarks(-7);
  expect(await found()).toEqual([]);
  await settle();
});

it('names a sum that does not agree from one look at all to the next', async () => {
  await sql`UPDATE ledger_part SET amount = amount + 1 WHERE id = (SELECT min(id) FROM ledger_part)`.execute(db);
  expect(await integrityNow(db, true)).toMatchObject({ ok: false });
  expect(await found()).toEqual([expect.stringMatching(/^ledger-total /)]);
  await sql`SELECT ledger_totals_anew()`.execute(db);
  expect(await integrityNow(db, true)).toMatchObject({ ok: true });
  expect(await found()).toEqual([]);
});

it('looks at all again once an account was changed', async () => {
  await tamper(db, sql`UPDATE ledger_account SET party_id = party_id WHERE id = (SELECT min(id) FROM ledger_account)`);
  expect(await integrityNow(db, false)).toMatchObject({ full: true });
  expect(await integrityNow(db, false)).toMatchObject({ full: false });
});

it('keeps the mark of a stay that a saga is at work on', async () => {
  await settle();
  const saga = await addSaga(db, { subjectId: 'old', status: 'running' });
  await tamper(db, sql`UPDATE payment SET status = status WHERE reservation_id = 'old'`);
  await settle();
  expect(await integrityNow(db, false)).toMatchObject({ lookedAt: ['old'], inFlight: 1 });
  await tamper(db, sql`DELETE FROM saga WHERE id = ${saga}`);
  await settle();
  expect((await integrityNow(db, false)).lookedAt).toEqual([]);
});

it('the night looks at everything once, and calls a person for what does not agree', async () => {
  await sql`UPDATE integrity_pass SET at = now() - interval '2 days'`.execute(db);
  await tamper(db, owed(9));
  expect(await passNightly(db)).toBe(true);
  expect(await passNightly(db)).toBe(false);
  const { rows } = await sql`SELECT FROM notification WHERE params ->> 'code' = 'MONEY_DIFFERS'`.execute(db);
  expect(rows).toHaveLength(1);
  await tamper(db, owed(-9));
});

it('a batch reads its own marks, however many wait behind it', async () => {
  await settle();
  await sql`INSERT INTO integrity_mark (kind, ref) SELECT 'reservation', 'gone-' || n FROM generate_series(1, 12000) n`.execute(
    db,
  );
  await sql`ANALYZE integrity_mark`.execute(db);
  const read = async () => {
    await sql`SELECT pg_stat_force_next_flush()`.execute(db);
    const { rows } = await sql<{ n: number }>`
      SELECT (seq_tup_read + idx_tup_fetch)::int AS n FROM pg_stat_user_tables WHERE relname = 'integrity_mark'`.execute(
      db,
    );
    return rows[0]?.n ?? 0;
  };
  const before = await read();
  const place = { after: '0' };
  let rounds = 0;
  while ((await verifyMarked(db, place)) > 0) rounds += 1;
  expect(rounds).toBe(6);
  // Each mark is read to be taken up, looked at and deleted, and the last round finds none.
  expect((await read()) - before).toBeLessThan(5 * 12_000);
  expect((await integrityNow(db, false)).lookedAt).toEqual([]);
});
