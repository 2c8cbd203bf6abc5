import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { initialsOf } from '../../kernel/initials.ts';

/** Whom an incident concerns, for the person who is told: the property, the guest's initials, the days of the stay. */
export interface StayInBrief {
  readonly reservationId: string;
  readonly property: string;
  /** `A.B.`: the whole name is nobody's business who runs the system. */
  readonly initials: string;
  /** Dates at the property, `YYYY-MM-DD`. */
  readonly arrival: string;
  readonly departure: string;
}

/** Of those of the ids that there are, by their id. */
export async function staysInBrief(db: Db, ids: readonly string[]): Promise<ReadonlyMap<string, StayInBrief>> {
  if (ids.length === 0) return new Map();
  const { rows } = await sql<Omit<StayInBrief, 'initials'> & { readonly name: string }>`
    SELECT r.id AS "reservationId", p.name AS property, g.name, r.check_in_date::text AS arrival,
           coalesce(r.departure_date, r.check_out_date)::text AS departure
      FROM reservation r JOIN property p ON p.id = r.property_id JOIN guest g ON g.id = r.guest_id WHERE r.id = ANY(${ids}::text[])`.execute(
    db,
  );
  return new Map(rows.map(({ name, ...stay }) => [stay.reservationId, { ...stay, initials: initialsOf(name) }]));
}

const MAX_FINANCE = 20;
/** Addresses of those who look after the money: of the role FINANCE, or where nobody has it, of the administrators. */
export async function financeEmails(db: Db): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('account')
    .select(['email', 'role'])
    .where('role', 'in', ['FINANCE', 'ADMIN'])
    .where('status', '=', 'ACTIVE')
    .orderBy('id')
    .execute();
  const finance = rows.filter(({ role }) => role === 'FINANCE');
  return (finance.length > 0 ? finance : rows).slice(0, MAX_FINANCE).map(({ email }) => email);
}
