import { sql } from 'kysely';
import { keyIdOf, openText, SEALED_PATTERN, sealText } from '../kernel/field-cipher.ts';
import type { Db, Tx } from './client.ts';
import { fieldKeysOf } from './client.ts';
import { INSTALLATION, keyOfSubject, keysById } from './data-keys.ts';
import type { Database } from './schema.ts';

/**
 * Fields that stand sealed in the database, each for its row: `enc1.<id of the data key>.<nonce, ciphertext and tag>`. A value that
 * stands in clear, of an earlier version or of an installation without keys, is read as it is until `sealClearValues` has sealed it.
 */
interface Field {
  readonly table: keyof Database;
  /** The column whose value names the row. */
  readonly row: string;
  /** All that hold this field, now and before: a value may move from one to another of the same row. */
  readonly columns: readonly [string, ...string[]];
  /** Whose key seals it. */
  readonly subject: (row: string) => string;
}
const FIELDS = {
  'webhook_endpoint.secret': {
    table: 'webhook_endpoint',
    row: 'id',
    columns: ['secret', 'previous_secret'],
    subject: () => INSTALLATION,
  },
  // It is forgotten after the stay, and the stay may become another guest's.
  'amenity_grant.access_code': {
    table: 'amenity_grant',
    row: 'reservation_id',
    columns: ['access_code'],
    subject: () => INSTALLATION,
  },
  'owner.payout_account': {
    table: 'owner',
    row: 'id',
    columns: ['payout_account', 'payout_account_before'],
    subject: (id) => `owner:${id}`,
  },
} as const satisfies Readonly<Record<string, Field>>;
export type FieldName = keyof typeof FIELDS;

const contextOf = (field: FieldName, row: string): string => `${field}\n${row}`;

/** The text as the field of a row holds it: in clear where the programs have no keys. Makes the subject's key if there is none. */
export async function sealField(db: Db | Tx, field: FieldName, row: string, text: string): Promise<string> {
  const key = await keyOfSubject(db, FIELDS[field].subject(row));
  return key === null ? text : sealText(key, contextOf(field, row), text);
}

/** The text of a field; null where there is none, or where its key was erased. Throws `InvariantError` for what does not belong there. */
export async function openField(
  db: Db | Tx,
  field: FieldName,
  row: string,
  stored: string | null,
): Promise<string | null> {
  const [opened = null] = await openAll(db, field, [{ row, stored }]);
  return opened;
}

/** Rows with one column opened; one look for all keys that are not known. `row`: names the row of the field. */
export async function openColumn<Column extends string, Row extends Readonly<Record<Column, string | null>>>(
  db: Db | Tx,
  field: FieldName,
  column: Column,
  rows: readonly Row[],
  row: (of: Row) => string | null,
): Promise<readonly Row[]> {
  if (rows.every((each) => each[column] === null)) return rows;
  const opened = await openAll(
    db,
    field,
    rows.map((each) => ({ row: row(each) ?? '', stored: each[column] })),
  );
  return rows.map((each, index) => ({ ...each, [column]: opened[index] ?? null }));
}

async function openAll(
  db: Db | Tx,
  field: FieldName,
  values: readonly { readonly row: string; readonly stored: string | null }[],
): Promise<readonly (string | null)[]> {
  const ids = values.map(({ stored }) => (stored === null ? null : keyIdOf(stored)));
  const keys = await keysById(
    db,
    ids.filter((id) => id !== null),
  );
  return values.map(({ row, stored }, index) => {
    const id = ids[index] ?? null;
    if (stored === null || id === null) return stored;
    const key = keys.get(id);
    return key === undefined ? null : openText(key, contextOf(field, row), stored);
  });
}

/** Rows of one look. */
const SLICE = 200;

/**
 * Seals what stands in clear: of an earlier version, of a time without keys, or written by a program that is still the earlier one.
 * In slices by the tables' keys, beside programs that run; a value that changes meanwhile is left to who changed it. Safe to repeat.
 * Answers how many values were sealed by field; null without keys.
 */
export async function sealClearValues(db: Db): Promise<Readonly<Record<string, number>> | null> {
  if (fieldKeysOf(db) === null) return null;
  const counts: Record<string, number> = {};
  for (const field of Object.keys(FIELDS) as FieldName[]) {
    for (const column of FIELDS[field].columns)
      counts[field] = (counts[field] ?? 0) + (await sealColumn(db, field, column));
  }
  return counts;
}

async function sealColumn(db: Db, field: FieldName, column: string): Promise<number> {
  const { table, row } = FIELDS[field];
  const names = { table: sql.table(table), row: sql.ref(row), column: sql.ref(column) };
  let sealed = 0;
  let after: string | null = '';
  while (after !== null) {
    const { rows }: { readonly rows: readonly { readonly row: string; readonly clear: string }[] } = await sql<{
      row: string;
      clear: string;
    }>`
      SELECT ${names.row} AS "row", ${names.column} AS clear FROM ${names.table}
       WHERE ${names.row} > ${after} AND ${names.column} IS NOT NULL AND ${names.column} !~ ${SEALED_PATTERN}
       ORDER BY ${names.row} LIMIT ${SLICE}::int`.execute(db);
    for (const { row: of, clear } of rows) {
      const { numAffectedRows } = await sql`
        UPDATE ${names.table} SET ${names.column} = ${await sealField(db, field, of, clear)}
         WHERE ${names.row} = ${of} AND ${names.column} = ${clear}`.execute(db);
      sealed += Number(numAffectedRows ?? 0n);
    }
    after = rows.length < SLICE ? null : (rows.at(-1)?.row ?? null);
  }
  return sealed;
}
