import type { Tx } from '../db/client.ts';
import { DEMO_AUTHOR } from './places.ts';

/**
 * Records with the ids of the brief's examples, so that each of them runs as printed. Existing records are left as they
 * are.
 */
export async function loadFixed(db: Tx): Promise<void> {
  await loadPeople(db);
  await loadAccounts(db);
  await loadProperties(db);
  await loadStays(db);
  await loadRecurrence(db);
}

async function loadPeople(db: Tx): Promise<void> {
  await db
    .insertInto('owner')
    .values([
      {
        id: 'owner-1',
        name: 'Aisha Rahman',
        email: 'aisha@owners.example',
        phone: '+971500000010',
        payout_account: 'acct-owner-1',
      },
      {
        id: 'owner-2',
        name: 'Marc Dubois',
        email: 'marc@owners.example',
        locale: 'en-GB',
        payout_account: 'acct-owner-2',
      },
    ])
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  await db
    .insertInto('guest')
    .values([
      { id: 'guest-1', name: 'John Doe', email: 'john@guests.example', phone: '+971500000001', locale: 'en-GB' },
      {
        id: 'guest-2',
        name: 'Maria Rossi',
        email: 'maria@guests.example',
        phone: '+393300000002',
        time_zone: 'Europe/Rome',
      },
      { id: 'guest-3', name: 'Omar Haddad', email: 'omar@guests.example' },
    ])
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  await db
    .insertInto('staff')
    .values([
      { id: 'agent-1', name: 'Sara Malik', email: 'sara@staff.example', role: 'AGENT' },
      { id: 'agent-2', name: 'Luc Martin', email: 'luc@staff.example', role: 'AGENT' },
      { id: 'cleaner-1', name: 'Nina Petrova', email: 'nina@staff.example', role: 'CLEANER' },
      { id: 'cleaner-2', name: 'Ravi Kumar', email: 'ravi@staff.example', role: 'CLEANER' },
      { id: 'maintenance-1', name: 'Ali Hassan', email: 'ali@staff.example', role: 'MAINTENANCE_STAFF' },
    ])
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** One for each role, signed in by one click on the sign-in page: for development only (`accounts.ts`). */
async function loadAccounts(db: Tx): Promise<void> {
  const made = { status: 'ACTIVE', invited_by: DEMO_AUTHOR } as const;
  await db
    .insertInto('account')
    .values([
      { ...made, id: 'demo-1', email: 'hana@office.example', name: 'Hana Saleh', role: 'ADMIN' },
      { ...made, id: 'demo-2', email: 'tariq@office.example', name: 'Tariq Aziz', role: 'FINANCE' },
      { ...made, id: 'demo-3', email: 'olga@office.example', name: 'Olga Weiss', role: 'OPS' },
      { ...made, id: 'demo-4', email: 'sara@staff.example', name: 'Sara Malik', role: 'AGENT', staff_id: 'agent-1' },
      {
        ...made,
        id: 'demo-5',
        email: 'nina@staff.example',
        name: 'Nina Petrova',
        role: 'CLEANER',
        staff_id: 'cleaner-1',
      },
      {
        ...made,
        id: 'demo-6',
        email: 'ali@staff.example',
        name: 'Ali Hassan',
        role: 'MAINTENANCE_STAFF',
        staff_id: 'maintenance-1',
      },
      {
        ...made,
        id: 'demo-7',
        email: 'aisha@owners.example',
        name: 'Aisha Rahman',
        role: 'OWNER',
        owner_id: 'owner-1',
      },
      { ...made, id: 'demo-8', email: 'john@guests.example', name: 'John Doe', role: 'GUEST', guest_id: 'guest-1' },
    ])
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

async function loadProperties(db: Tx): Promise<void> {
  await db
    .insertInto('property')
    .values([
      {
        id: 'property-1',
        name: 'Marina View 1204',
        owner_id: 'owner-1',
        region: 'Dubai Marina',
        agent_ids: ['agent-1'],
        amenity_device: 'lock-1',
      },
      {
        id: 'property-2',
        name: 'Canal Loft',
        owner_id: 'owner-2',
        region: 'Paris',
        time_zone: 'Europe/Paris',
        agent_ids: ['agent-2'],
      },
    ])
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

async function loadStays(db: Tx): Promise<void> {
  const stay = { property_id: 'property-1', guest_id: 'guest-1', currency: 'AED', created_by: 'demo' };
  await db
    .insertInto('reservation')
    .values([
      { ...stay, id: 'reservation-1', check_in_date: '2024-02-01', check_out_date: '2024-02-03', total_minor: 100_000 },
      // Overlaps reservation-1: confirming both shows the brief's conflict.
      {
        ...stay,
        id: 'reservation-2',
        guest_id: 'guest-2',
        check_in_date: '2024-02-02',
        check_out_date: '2024-02-04',
        total_minor: 90_000,
      },
      // Begins on the day when reservation-1 ends: both can be confirmed.
      {
        ...stay,
        id: 'reservation-3',
        guest_id: 'guest-3',
        check_in_date: '2024-02-03',
        check_out_date: '2024-02-06',
        total_minor: 150_000,
        referring_agent_id: 'agent-1',
      },
      {
        ...stay,
        id: 'reservation-4',
        property_id: 'property-2',
        guest_id: 'guest-2',
        check_in_date: '2027-03-27',
        check_out_date: '2027-03-29',
        total_minor: 42_050,
        currency: 'EUR',
      },
    ])
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

async function loadRecurrence(db: Tx): Promise<void> {
  await db
    .insertInto('recurrence')
    .values({
      id: 'recurrence-1',
      property_id: 'property-1',
      type: 'INSPECTION',
      title: 'Monthly inspection',
      every: JSON.stringify('MONTHLY'),
      anchor_date: '2027-01-31',
      local_time: '12:00',
      duration_minutes: 60,
      next_period: 0,
      created_by: 'demo',
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
