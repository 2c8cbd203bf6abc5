import { type RawBuilder, sql } from 'kysely';
import { required } from '../kernel/errors.ts';
import { keyIdOf, openText, SEALED_PATTERN, sealText } from '../kernel/field-cipher.ts';
import type { Db, Tx } from './client.ts';
import { fieldKeysOf } from './client.ts';
import { INSTALLATION, keysById, keysOfSubjects } from './data-keys.ts';
import { literal } from './literal.ts';
import { inEachPartition } from './partitions.ts';
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
  /** SQL of a row `t`: whose key seals it. */
  readonly subject: RawBuilder<string>;
  /** Of a table that grows with time: a migration does not wait until all of it is sealed. */
  readonly isHistory?: true;
}
const OF_INSTALLATION = sql<string>`${literal(INSTALLATION)}`;
const content = {
  table: 'notification_content',
  row: 'notification_id',
  subject: sql<string>`(SELECT CASE n.recipient_type WHEN 'OPS' THEN ${literal(INSTALLATION)} ELSE lower(n.recipient_type) || ':' || n.recipient_id END
    FROM notification n WHERE n.id = t.notification_id)`,
  isHistory: true,
} as const;
/** A mail of the mailbox stands there by its message alone, which says whose it is. */
const mail = { table: 'dev_mail', row: 'message_id', subject: OF_INSTALLATION, isHistory: true } as const;
const FIELDS = {
  'webhook_endpoint.secret': {
    table: 'webhook_endpoint',
    row: 'id',
    columns: ['secret', 'previous_secret'],
    subject: OF_INSTALLATION,
  },
  // It is forgotten after the stay, and the stay may become another guest's.
  'amenity_grant.access_code': {
    table: 'amenity_grant',
    row: 'reservation_id',
    columns: ['access_code'],
    subject: OF_INSTALLATION,
  },
  'owner.payout_account': {
    table: 'owner',
    row: 'id',
    columns: ['payout_account', 'payout_account_before'],
    subject: sql<string>`'owner:' || t.id`,
  },
  'notification_content.subject': { ...content, columns: ['subject'] },
  'notification_content.body': { ...content, columns: ['body'] },
  'dev_mail.recipient': { ...mail, columns: ['recipient'] },
  'dev_mail.subject': { ...mail, columns: ['subject'] },
  'dev_mail.body': { ...mail, columns: ['body'] },
} as const satisfies Readonly<Record<string, Field>>;
export type FieldName = keyof typeof FIELDS;

/** Whose key seals what is said to somebody. */
export const subjectOf = (type: 'GUEST' | 'OWNER' | 'STAFF' | 'OPS', id: string): string =>
  type === 'OPS' ? INSTALLATION : `${type.toLowerCase()}:${id}`;

const contextOf = (field: FieldName, row: string): string => `${field}\n${row}`;

/** A text of the field of a row, and whose key seals it. */
interface ClearValue {
  readonly row: string;
  readonly subject: string;
  readonly text: string;
}

/**
 * Texts as the field of their rows holds them: in clear where the programs have no keys. Makes keys that are not there yet. What is empty
 * stays so and needs no key: it says nothing.
 */
export async function sealEach(
  db: Db | Tx,
  field: FieldName,
  values: readonly ClearValue[],
): Promise<readonly string[]> {
  if (values.length === 0) return [];
  const keys = await keysOfSubjects(
    db,
    values.flatMap(({ subject, text }) => (text === '' ? [] : subject)),
  );
  if (keys === null) return values.map(({ text }) => text);
  return values.map(({ row, subject, text }) =>
    text === ''
      ? text
      : sealText(required(keys.get(subject), 'a data key that was just made'), contextOf(field, row), text),
  );
}

/** One of them. */
export async function sealField(
  db: Db | Tx,
  field: FieldName,
  { row, subject }: { readonly row: string; readonly subject: string },
  text: string,
): Promise<string> {
  const [sealed = ''] = await sealEach(db, field, [{ row, subject, text }]);
  return sealed;
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

/** Rows of one statement, sealed or not: it reads no more, however large the table is. */
const SLICE = 200;

/**
 * Seals what stands in clear: of an earlier version, of a time without keys, or written by a program that is still the earlier one.
 * In slices by the tables' keys, beside programs that run; a value that changes meanwhile is left to who changed it. Safe to repeat.
 * `settings`: leaves out what grows with time. Answers how many values were sealed by field; null without keys.
 */
export async function sealClearValues(
  db: Db,
  which: 'settings' | 'all',
): Promise<Readonly<Record<string, number>> | null> {
  if (fieldKeysOf(db) === null) return null;
  const counts: Record<string, number> = {};
  for (const [field, spec] of Object.entries(FIELDS) as [FieldName, Field][]) {
    if (which === 'settings' && spec.isHistory === true) continue;
    counts[field] = 0;
    for (const column of spec.columns) counts[field] += await sealColumn(db, field, spec, column);
  }
  return counts;
}

interface PageRow {
  readonly row: string;
  /** Null: there is nothing to seal. */
  readonly text: string | null;
  readonly subject: string | null;
}

async function sealColumn(db: Db, field: FieldName, { table, row, subject }: Field, column: string): Promise<number> {
  const [name, key, value] = [sql.table(table), sql.ref(`t.${row}`), sql.ref(`t.${column}`)];
  const isClear = sql<boolean>`(${value} <> '' AND ${value} !~ ${SEALED_PATTERN})`;
  let sealed = 0;
  let after: string | null = '';
  while (after !== null) {
    const { rows }: { readonly rows: readonly PageRow[] } = await sql<PageRow>`
      SELECT ${key} AS "row", CASE WHEN ${isClear} THEN ${value} END AS text,
             CASE WHEN ${isClear} THEN coalesce(${subject}, ${literal(INSTALLATION)}) END AS subject
        FROM (SELECT t.* FROM ${name} t WHERE ${key} > ${after} ORDER BY ${key} LIMIT ${SLICE}::int) t
       ORDER BY ${key}`.execute(db);
    const clear = rows.flatMap(({ row: id, text, subject: whose }) =>
      text === null || whose === null ? [] : [{ row: id, text, subject: whose }],
    );
    if (clear.length > 0) sealed += await sealRows(db, field, { table, row, column }, clear);
    after = rows.length < SLICE ? null : (rows.at(-1)?.row ?? null);
  }
  return sealed;
}

/** Answers how many still held what was read. */
async function sealRows(
  db: Db,
  field: FieldName,
  { table, row, column }: Pick<Field, 'table' | 'row'> & { readonly column: string },
  clear: readonly ClearValue[],
): Promise<number> {
  const texts = await sealEach(db, field, clear);
  const { numAffectedRows } = await sql`
    UPDATE ${sql.table(table)} t SET ${sql.ref(column)} = v.sealed
      FROM unnest(${clear.map((each) => each.row)}::text[], ${clear.map(({ text }) => text)}::text[], ${texts}::text[])
        AS v ("row", clear, sealed)
     WHERE ${sql.ref(`t.${row}`)} = ${inEachPartition(sql`v."row"`)} AND ${sql.ref(`t.${column}`)} = v.clear`.execute(
    db,
  );
  return Number(numAffectedRows ?? 0n);
}
