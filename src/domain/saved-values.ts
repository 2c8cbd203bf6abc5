import { sql } from 'kysely';
import type { Db } from '../db/client.ts';
import { isLocale } from '../kernel/locale.ts';
import { isCurrency } from '../kernel/money.ts';
import { canonicalPhone } from '../kernel/phone.ts';
import { isTimeZone } from '../kernel/time-zone.ts';

/**
 * Values that were saved before they were judged by what uses them, and that cannot be used: zones that `Temporal` does
 * not know, numbers that cannot be called, locales and currencies that do not exist. Each costs its own row only
 * (domain/sweeps); here they are named, so that a person can mend them before something fails.
 */
export interface UnusableValues {
  /** `guest.time_zone`, as it stands in the database. */
  readonly column: string;
  /** How many rows were found; those beyond the bound are not counted. */
  readonly rows: number;
  /** Ids of the first rows, for people. The values themselves may be personal and stay out of logs. */
  readonly ids: readonly string[];
}

interface Judged {
  readonly column: string;
  /** Each row that has a value, newest first. */
  readonly rows: ReturnType<typeof sql<{ id: string; value: string }>>;
  readonly isUsable: (value: string) => boolean;
}

/** Rows looked at in each column, so that a start costs the same after years. */
const MAX_ROWS = 50_000;
const MAX_IDS = 20;

const column = (table: 'guest' | 'owner' | 'staff' | 'property' | 'reservation', name: string) =>
  sql<{ id: string; value: string }>`
    SELECT id, ${sql.ref(name)} AS value FROM ${sql.table(table)} WHERE ${sql.ref(name)} IS NOT NULL
     ORDER BY id DESC LIMIT ${MAX_ROWS}`;
const isCallable = (phone: string): boolean => canonicalPhone(phone) !== null;

const JUDGED: readonly Judged[] = [
  { column: 'property.time_zone', rows: column('property', 'time_zone'), isUsable: isTimeZone },
  { column: 'guest.time_zone', rows: column('guest', 'time_zone'), isUsable: isTimeZone },
  {
    column: 'staff.shifts',
    rows: sql<{ id: string; value: string }>`
      SELECT staff.id, shift ->> 'zone' AS value FROM staff, jsonb_array_elements(CASE jsonb_typeof(shifts) WHEN 'array' THEN shifts ELSE '[]' END) AS shift
       ORDER BY staff.id DESC LIMIT ${MAX_ROWS}`,
    isUsable: isTimeZone,
  },
  { column: 'guest.locale', rows: column('guest', 'locale'), isUsable: isLocale },
  { column: 'owner.locale', rows: column('owner', 'locale'), isUsable: isLocale },
  { column: 'guest.phone', rows: column('guest', 'phone'), isUsable: isCallable },
  { column: 'owner.phone', rows: column('owner', 'phone'), isUsable: isCallable },
  { column: 'staff.phone', rows: column('staff', 'phone'), isUsable: isCallable },
  { column: 'reservation.currency', rows: column('reservation', 'currency'), isUsable: isCurrency },
];

/** What of the newest 50 000 rows of each column cannot be used; empty when all is well. */
export async function findUnusableValues(db: Db): Promise<readonly UnusableValues[]> {
  const found: UnusableValues[] = [];
  for (const { column: name, rows, isUsable } of JUDGED) {
    const { rows: saved } = await rows.execute(db);
    const bad = [...new Set(saved.filter(({ value }) => !isUsable(value)).map(({ id }) => id))];
    if (bad.length > 0) found.push({ column: name, rows: bad.length, ids: bad.slice(0, MAX_IDS) });
  }
  return found;
}
