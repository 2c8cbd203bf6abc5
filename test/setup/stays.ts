import type { Db } from '../../src/db/client.ts';

/** A PENDING stay; what is not given is made up, on a property of its own. */
export interface StaySeed {
  readonly id: string;
  readonly propertyId?: string;
  readonly checkInDate?: string;
  readonly checkOutDate?: string;
}

/** Stays with their properties, one owner and one guest who has a phone. Safe to call again with other stays. */
export async function seedStays(db: Db, stays: readonly StaySeed[]): Promise<void> {
  await db
    .insertInto('owner')
    .values({ id: 'owner-1', name: 'Aisha Rahman', email: 'aisha@owners.example' })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  await db
    .insertInto('guest')
    .values({ id: 'guest-1', name: 'John Doe', email: 'john@guests.example', phone: '+971500000001' })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const propertyOf = ({ id, propertyId }: StaySeed): string => propertyId ?? `property-of-${id}`;
  const properties = [...new Set(stays.map(propertyOf))];
  await db
    .insertInto('property')
    .values(properties.map((id) => ({ id, name: `Home ${id}`, owner_id: 'owner-1' })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  await db
    .insertInto('reservation')
    .values(
      stays.map((stay) => ({
        id: stay.id,
        property_id: propertyOf(stay),
        guest_id: 'guest-1',
        check_in_date: stay.checkInDate ?? '2024-02-01',
        check_out_date: stay.checkOutDate ?? '2024-02-03',
        total_minor: 100_000,
        currency: 'AED',
        created_by: 'test',
      })),
    )
    .execute();
}
