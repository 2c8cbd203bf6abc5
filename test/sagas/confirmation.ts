import type { Db } from '../../src/db/client.ts';

let stays = 0;

/** People and properties that a stay needs. */
export async function prepareStays(db: Db): Promise<void> {
  await db.insertInto('owner').values({ id: 'owner-1', name: 'Olga Owner', email: 'olga@example.com' }).execute();
  await db
    .insertInto('guest')
    .values({ id: 'guest-1', name: 'John Doe', email: 'john@example.com', phone: '+971501234567' })
    .execute();
}

/** A stay at a property of its own, which nobody else wants. */
export async function seedStay(db: Db): Promise<string> {
  return seedStayAt(db, await seedProperty(db));
}

/** Stays that cannot all be confirmed: the same property, the same nights. */
export async function seedRivals(db: Db, count: number): Promise<readonly string[]> {
  const propertyId = await seedProperty(db);
  return Promise.all(Array.from({ length: count }, () => seedStayAt(db, propertyId)));
}

let properties = 0;
async function seedProperty(db: Db): Promise<string> {
  properties += 1;
  const id = `property-${properties}`;
  await db.insertInto('property').values({ id, name: 'Marina 12', owner_id: 'owner-1' }).execute();
  return id;
}

async function seedStayAt(db: Db, propertyId: string): Promise<string> {
  stays += 1;
  const id = `reservation-${stays}`;
  await db
    .insertInto('reservation')
    .values({
      id,
      property_id: propertyId,
      guest_id: 'guest-1',
      check_in_date: '2031-02-01',
      check_out_date: '2031-02-03',
      total_minor: 100_000,
      currency: 'AED',
      created_by: 'tester',
    })
    .execute();
  return id;
}

export const readStay = (db: Db, id: string) =>
  db.selectFrom('reservation').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

/** Whether another stay at the same property and on the same dates could be confirmed now. */
export async function datesAreFree(db: Db, reservationId: string): Promise<boolean> {
  const stay = await readStay(db, reservationId);
  class Undo extends Error {}
  try {
    await db.transaction().execute(async (tx) => {
      const { property_id, guest_id, check_in_date, check_out_date, total_minor, currency, created_by } = stay;
      await tx
        .insertInto('reservation')
        .values({
          id: `${stay.id}-rival`,
          status: 'CONFIRMED',
          ...{ property_id, guest_id, check_in_date, check_out_date, total_minor, currency, created_by },
        })
        .execute();
      throw new Undo();
    });
  } catch (error) {
    if (error instanceof Undo) return true;
    if (error instanceof Error && /no_double_booking/.test(error.message)) return false;
    throw error;
  }
  return false;
}

export const endings = async (db: Db, sagaId: string): Promise<readonly string[]> => {
  const rows = await db
    .selectFrom('audit_log')
    .select('event')
    .where('saga_id', '=', sagaId)
    .where('ends', '=', true)
    .execute();
  return rows.map((row) => row.event);
};
