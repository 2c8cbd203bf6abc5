import { sql } from 'kysely';
import { InvariantError } from '../kernel/errors.ts';
import type { CipherKey } from '../kernel/field-cipher.ts';
import { newNonce } from '../kernel/ids.ts';
import { type Db, fieldKeysOf, type Tx } from './client.ts';
import type { FieldKeys, WrappedKey } from './field-keys.ts';

/** The only statements that write `data_key`. */

/** Whose key it is: of secrets that are nobody's. People's are `owner:<id>` and so on. */
export const INSTALLATION = 'installation';

const KEY_BYTES = 32;
const ID_BYTES = 12;

/** A row, and whether it was committed before this transaction began: what may still be rolled back must not be remembered. */
type Found = WrappedKey & { readonly is_settled: boolean };
const COLUMNS = sql`id, subject, wrapped, wrapped_by, created_at < now() AS is_settled`;

/**
 * The keys of subjects, made where there are none yet: nothing is asked of the database for those that are known, one statement for all
 * others, and two more the first time that something of a subject is sealed. Null: nothing is sealed here.
 */
export async function keysOfSubjects(
  db: Db | Tx,
  subjects: readonly string[],
): Promise<ReadonlyMap<string, CipherKey> | null> {
  const keys = fieldKeysOf(db);
  if (keys === null) return null;
  const found = new Map<string, CipherKey>();
  const missing = new Set<string>();
  for (const subject of subjects) {
    const known = keys.known.bySubject(subject);
    if (known === undefined) missing.add(subject);
    else found.set(subject, known);
  }
  const look = async (): Promise<void> => {
    if (missing.size === 0) return;
    const { rows } = await sql<Found>`
      SELECT ${COLUMNS} FROM data_key WHERE subject = ANY(${[...missing]}::text[])`.execute(db);
    for (const row of rows) {
      missing.delete(row.subject);
      found.set(row.subject, remember(keys, row));
    }
  };
  await look();
  if (missing.size === 0) return found;
  await make(db, keys, [...missing].toSorted());
  await look();
  return found;
}

/** Of two who make a key at once, the second waits for the first, whose key it is; so all make theirs in the same order. */
async function make(db: Db | Tx, keys: FieldKeys, subjects: readonly string[]): Promise<void> {
  const rows = subjects.map((subject) => {
    const key = { id: newNonce(ID_BYTES).toString('base64url'), bytes: newNonce(KEY_BYTES) };
    return { id: key.id, subject, wrapped: keys.wrap(key, subject) };
  });
  await sql`
    INSERT INTO data_key (id, subject, wrapped, wrapped_by)
    SELECT n.id, n.subject, n.wrapped, ${keys.current}
      FROM unnest(${rows.map(({ id }) => id)}::text[], ${subjects}::text[], ${rows.map(({ wrapped }) => wrapped)}::bytea[])
        AS n (id, subject, wrapped)
    ON CONFLICT (subject) DO NOTHING`.execute(db);
}

function remember(keys: FieldKeys, row: Found): CipherKey {
  const key = keys.unwrap(row);
  if (row.is_settled) keys.known.add(row.subject, key);
  return key;
}

/**
 * Keys by their ids, in one statement for those that are not known; one that is erased is not among them. Throws `InvariantError`
 * for a key whose wrapping key is not in the configuration.
 */
export async function keysById(db: Db | Tx, ids: readonly string[]): Promise<ReadonlyMap<string, CipherKey>> {
  const found = new Map<string, CipherKey>();
  if (ids.length === 0) return found;
  const keys = fieldKeysOf(db);
  if (keys === null) throw new InvariantError('FIELD_KEYS is not set, and the database has sealed values');
  const missing: string[] = [];
  for (const id of new Set(ids)) {
    const known = keys.known.byId(id);
    if (known === undefined) missing.push(id);
    else found.set(id, known);
  }
  if (missing.length === 0) return found;
  const { rows } = await sql<Found>`SELECT ${COLUMNS} FROM data_key WHERE id = ANY(${missing}::text[])`.execute(db);
  for (const row of rows) found.set(row.id, remember(keys, row));
  return found;
}

/** The name of a key that wraps some data key and that this program does not have; null: it has all, or nothing is sealed yet. */
export async function missingKey(db: Db): Promise<string | null> {
  const names = fieldKeysOf(db)?.names ?? [];
  const { rows } = await sql<{ wrapped_by: string }>`
    SELECT wrapped_by FROM data_key WHERE wrapped_by <> ALL(${names}::text[]) LIMIT 1`.execute(db);
  return rows[0]?.wrapped_by ?? null;
}

/** Rows of one statement, so that a rotation never holds many locks. */
const SLICE = 500;

export interface Rotation {
  /** Data keys that the current key wraps now and did not before. */
  readonly rewrapped: number;
  /** Names of keys that still wrap some and that the configuration does not have, with how many. */
  readonly unknown: Readonly<Record<string, number>>;
}

/**
 * Wraps all data keys by the current key, in slices, beside programs that run: what is sealed stays as it is. Keys that are made
 * meanwhile by a program whose first key is an older one are left for the next run.
 */
export async function rewrapAll(db: Db, keys: FieldKeys): Promise<Rotation> {
  let rewrapped = 0;
  const unknown: Record<string, number> = {};
  let after: string | null = '';
  while (after !== null) {
    const slice: Slice = await rewrapSlice(db, keys, after);
    rewrapped += slice.rewrapped;
    for (const name of slice.unknown) unknown[name] = (unknown[name] ?? 0) + 1;
    after = slice.next;
  }
  return { rewrapped, unknown };
}

interface Slice {
  readonly rewrapped: number;
  readonly unknown: readonly string[];
  /** The last id that was looked at; null: there are no more. */
  readonly next: string | null;
}

const rewrapSlice = (db: Db, keys: FieldKeys, after: string): Promise<Slice> =>
  db.transaction().execute(async (tx) => {
    const rows = await tx
      .selectFrom('data_key')
      .select(['id', 'subject', 'wrapped', 'wrapped_by'])
      .where('id', '>', after)
      .where('wrapped_by', '<>', keys.current)
      .orderBy('id')
      .limit(SLICE)
      .forUpdate()
      .execute();
    const mine = rows.filter((row) => keys.names.includes(row.wrapped_by));
    if (mine.length > 0) {
      const wrapped = mine.map((row) => keys.wrap(keys.unwrap(row), row.subject));
      await sql`
        UPDATE data_key k SET wrapped = n.wrapped, wrapped_by = ${keys.current}
          FROM unnest(${mine.map(({ id }) => id)}::text[], ${wrapped}::bytea[]) AS n (id, wrapped)
         WHERE k.id = n.id`.execute(tx);
    }
    return {
      rewrapped: mine.length,
      unknown: rows.filter((row) => !mine.includes(row)).map((row) => row.wrapped_by),
      next: rows.length < SLICE ? null : (rows.at(-1)?.id ?? null),
    };
  });
