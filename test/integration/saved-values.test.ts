import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { findUnknownGateways } from '../../src/domain/finance/booked-gateways.ts';
import { gatewayUnknown, type Ports } from '../../src/domain/ports.ts';
import { findUnusableValues } from '../../src/domain/saved-values.ts';
import { RoomyError } from '../../src/kernel/errors.ts';
import { recordKeeper } from '../http/harness.ts';
import { createTestDatabase } from '../setup/database.ts';
import { payStay, refundStay, seedMoneyStay } from '../setup/ledger.ts';

let db: Db;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 2, applicationName: 'saved-values-test' }));
  drop = database.drop;
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await drop?.();
});

const person = { name: 'Ada', email: 'ada@example.com' };
const shift = (zone: string) => JSON.stringify([{ weekday: 1, from: '09:00', to: '17:00', zone }]);
const good = { phone: '+971500000001', locale: 'ar-AE' };

describe('values that were saved before they were judged by what uses them', () => {
  it('are none in rows that are well', async () => {
    await db
      .insertInto('owner')
      .values({ id: 'owner-1', ...person, ...good })
      .execute();
    await db
      .insertInto('guest')
      .values({ id: 'guest-1', ...person, ...good, time_zone: 'Europe/Paris' })
      .execute();
    await db
      .insertInto('guest')
      .values({ id: 'guest-2', ...person })
      .execute();
    await db
      .insertInto('staff')
      .values({ id: 'staff-1', ...person, role: 'CLEANER', shifts: shift('Asia/Dubai') })
      .execute();
    await db.insertInto('property').values({ id: 'property-1', name: 'Marina', owner_id: 'owner-1' }).execute();
    expect(await findUnusableValues(db)).toEqual([]);
  });

  it('are named by column and row, never by value', async () => {
    await db
      .insertInto('guest')
      .values({ id: 'guest-ist', ...person, time_zone: 'IST', phone: '12345', locale: 'not a tag' })
      .execute();
    await db
      .insertInto('owner')
      .values({ id: 'owner-bad', ...person, phone: '050', locale: '_' })
      .execute();
    await db
      .insertInto('staff')
      .values({ id: 'staff-bad', ...person, role: 'AGENT', phone: 'none', shifts: shift('Mars/Base') })
      .execute();
    await db
      .insertInto('property')
      .values({ id: 'property-bad', name: 'Base', owner_id: 'owner-1', time_zone: 'Mars/Base' })
      .execute();
    const dates = { check_in_date: '2027-05-03', check_out_date: '2027-05-05' };
    await db
      .insertInto('reservation')
      .values({
        id: 'stay-bad',
        property_id: 'property-1',
        guest_id: 'guest-1',
        ...dates,
        total_minor: 1,
        currency: 'XXQ',
        created_by: 'x',
      })
      .execute();
    const one = (column: string, id: string) => ({ column, rows: 1, ids: [id] });
    expect(await findUnusableValues(db)).toEqual([
      one('property.time_zone', 'property-bad'),
      one('guest.time_zone', 'guest-ist'),
      one('staff.shifts', 'staff-bad'),
      one('guest.locale', 'guest-ist'),
      one('owner.locale', 'owner-bad'),
      one('guest.phone', 'guest-ist'),
      one('owner.phone', 'owner-bad'),
      one('staff.phone', 'staff-bad'),
      one('reservation.currency', 'stay-bad'),
    ]);
  });
});

describe('gateways on which money is open', () => {
  const ports = (gatewayIds: readonly string[], accounts: RegExp): Ports => {
    const keeper = recordKeeper([]);
    return {
      ...keeper,
      gatewayIds,
      gateway: (id) => {
        if (!gatewayIds.includes(id)) throw gatewayUnknown(id, gatewayIds);
        return keeper.gateway('sandbox');
      },
      payouts: (account) => {
        if (!accounts.test(account)) throw new RoomyError('GATEWAY_UNKNOWN');
        return keeper.payouts(account);
      },
    };
  };

  it('are named when this process does not know them, one by one, with what is open', async () => {
    for (const id of ['stay-open', 'stay-refunded', 'stay-over']) {
      await seedMoneyStay(db, { id, propertyId: `property-of-${id}` });
    }
    await payStay(db, { stay: { id: 'stay-open' }, reference: 'ref-open' });
    const back = await payStay(db, { stay: { id: 'stay-refunded' }, reference: 'ref-back' });
    await payStay(db, { stay: { id: 'stay-over' }, reference: 'ref-over' });
    await refundStay(db, { id: 'stay-refunded' }, back, { paid: false });
    await sql`UPDATE reservation SET status = 'CHECKED_OUT' WHERE id = 'stay-over'`.execute(db);
    await sql`UPDATE reservation SET status = 'CANCELLED' WHERE id = 'stay-refunded'`.execute(db);
    await sql`UPDATE owner SET payout_account = 'acct_old'`.execute(db);
    const { rows } = await sql<{ id: string }>`SELECT DISTINCT gateway_id AS id FROM payment`.execute(db);
    const known = rows.map(({ id }) => id);
    expect(known).toHaveLength(1);
    expect(await findUnknownGateways(db, ports(known, /^acct_/))).toEqual([]);
    expect(await findUnknownGateways(db, ports(['stripe'], /^acct_/))).toEqual([
      { gatewayId: known[0], payments: 1, refunds: 1, payouts: 0, ids: ['stay-open', 'stay-refunded'] },
    ]);
    const [bank, ...others] = await findUnknownGateways(db, ports(known, /^AE/));
    expect(others).toEqual([]);
    expect(bank).toMatchObject({ gatewayId: 'bank', payments: 0, refunds: 0 });
    expect(bank?.payouts).toBeGreaterThan(0);
    expect(JSON.stringify(bank)).not.toContain('acct_old');
  });
});
