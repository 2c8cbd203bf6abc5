import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { accounts, credit, debit, type Journal, post, reverseJournal } from '../../src/domain/finance/ledger.ts';
import { createTestDatabase } from '../setup/database.ts';
import { balanceOf } from '../setup/ledger.ts';

/** The ledger's rules are the database's own: wrong code cannot break them. */
let db: Db;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await createTestDatabase();
  drop = database.drop;
  db = createDb(createPool({ connectionString: database.url, max: 2, applicationName: 'ledger-test' }));
});
afterAll(async () => {
  await db.destroy();
  await drop();
});

let keys = 0;
function journal(lines: Journal['lines'], currency = 'AED'): Journal {
  keys += 1;
  return {
    effectKey: `key-${keys}`,
    kind: 'SETTLEMENT',
    purpose: 'SETTLEMENT',
    currency,
    transactionId: null,
    reservationId: null,
    paymentId: null,
    sagaId: null,
    postedBy: 'tester',
    lines,
  };
}
const postAlone = (one: Journal) => db.transaction().execute((tx) => post(tx, one));
const settled = (amountMinor: number, currency = 'AED') =>
  journal(
    [debit(accounts.bank(currency), amountMinor), credit(accounts.gatewayClearing('g', currency), amountMinor)],
    currency,
  );

describe('the ledger', () => {
  it('refuses a journal that does not balance, has one line, or mixes currencies', async () => {
    const bank = accounts.bank('AED');
    await expect(postAlone(journal([debit(bank, 5), credit(accounts.gatewayFee('AED'), 4)]))).rejects.toThrow(
      /unbalanced/,
    );
    await expect(postAlone(journal([debit(bank, 5)]))).rejects.toThrow(/unbalanced/);
    const mixed = [debit(bank, 5), credit(accounts.bank('EUR'), 5)];
    await expect(postAlone(journal(mixed))).rejects.toThrow();
  });

  it('posts nothing where all lines are zero', async () => {
    expect(await postAlone(settled(0))).toBeNull();
  });

  it('is never changed, and a closed journal takes no more lines', async () => {
    const id = await postAlone(settled(971));
    const line = sql`INSERT INTO ledger_entry VALUES (${id}, 3, 'bank:AED', 'AED', 1), (${id}, 4, 'gateway_clearing:g:AED', 'AED', -1)`;
    await expect(line.execute(db)).rejects.toThrow(/is closed/);
    await expect(sql`UPDATE ledger_entry SET amount = amount + 1`.execute(db)).rejects.toThrow(/forbidden/);
    await expect(sql`DELETE FROM ledger_tx`.execute(db)).rejects.toThrow(/forbidden/);
    await expect(sql`TRUNCATE ledger_entry`.execute(db)).rejects.toThrow(/forbidden/);
  });

  it('reverses a journal once, exactly', async () => {
    const id = await postAlone(settled(100, 'KWD'));
    const reverse = (effectKey: string) =>
      db.transaction().execute((tx) => reverseJournal(tx, id ?? '', { sagaId: null, postedBy: 'tester', effectKey }));
    await reverse('reversal-1');
    expect(await balanceOf(db, 'bank:KWD')).toBe(0);
    await expect(reverse('reversal-2')).rejects.toMatchObject({ code: 'ALREADY_REVERSED' });
  });
});
