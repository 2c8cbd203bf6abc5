import { CompiledQuery, type RawBuilder, sql } from 'kysely';
import type { Tx } from '../db/client.ts';
import { InvariantError } from '../kernel/errors.ts';

/**
 * What the schema forbids and does by itself, taken off the tables while rows are laid in them and put back as it was: triggers, as
 * the rows have been through them already, and references, which are checked as a whole afterwards, without a list of rows to look at.
 * Everything else holds meanwhile: types, checks, and what must be unique. The owner of the tables may do all of it.
 */
export interface Loosened {
  /** Throws where a row refers to one that is not there, and when the schema is not what it was before. */
  tighten(): Promise<void>;
}

export async function loosen(tx: Tx): Promise<Loosened> {
  await sql`SET CONSTRAINTS ALL IMMEDIATE`.execute(tx);
  const before = await shapeOf(tx);
  const triggers = await statements(tx, TRIGGERS_AS_THEY_ARE);
  const references = await statements(tx, REFERENCES);
  await runAll(tx, await statements(tx, TRIGGERS_OFF));
  await runAll(tx, await statements(tx, REFERENCES_OFF));
  await runAll(tx, await statements(tx, ALL_EMPTY));
  return {
    async tighten() {
      await runAll(tx, references);
      await runAll(tx, triggers);
      const after = await shapeOf(tx);
      if (after !== before) throw new InvariantError('the schema is not what it was before its rows');
    },
  };
}

const TABLES = sql`pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')`;

const TRIGGERS_OFF = sql<{ text: string }>`
  SELECT format('ALTER TABLE ONLY %s DISABLE TRIGGER USER', c.oid::regclass) AS text FROM ${TABLES} ORDER BY c.relname`;

/** `tgenabled`: O as usual, A always, R for replicas alone, D never. */
const TRIGGERS_AS_THEY_ARE = sql<{ text: string }>`
  SELECT format('ALTER TABLE ONLY %s %s TRIGGER %I', t.tgrelid::regclass,
      CASE t.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'D' THEN 'DISABLE' ELSE 'ENABLE' END, t.tgname) AS text
    FROM pg_trigger t, ${TABLES} AND c.oid = t.tgrelid AND NOT t.tgisinternal ORDER BY t.tgrelid, t.tgname`;

/** Those of partitions come with those of their tables. */
const OWN_REFERENCES = sql`pg_constraint k, ${TABLES} AND c.oid = k.conrelid AND k.contype = 'f' AND k.conparentid = 0`;
const REFERENCES = sql<{ text: string }>`
  SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid)) AS text
    FROM ${OWN_REFERENCES} ORDER BY c.relispartition DESC, c.relname, k.conname`;
const REFERENCES_OFF = sql<{ text: string }>`
  SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::regclass, k.conname) AS text FROM ${OWN_REFERENCES} ORDER BY c.relname, k.conname`;

/** Migrations write rows too, which the backup has as they are by now. */
const ALL_EMPTY = sql<{ text: string }>`
  SELECT format('TRUNCATE %s', string_agg(c.oid::regclass::text, ', ')) AS text FROM ${TABLES} AND NOT c.relispartition`;

async function statements(tx: Tx, query: RawBuilder<{ text: string }>): Promise<readonly string[]> {
  return (await query.execute(tx)).rows.map(({ text }) => text);
}

async function runAll(tx: Tx, texts: readonly string[]): Promise<void> {
  for (const text of texts) await tx.executeQuery(CompiledQuery.raw(text));
}

/** All triggers with how they are switched, and all constraints with whether they are validated, as one text. */
async function shapeOf(tx: Tx): Promise<string> {
  const { rows } = await sql<{ line: string }>`
    SELECT format('%s %s %s %s', t.tgrelid::regclass, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid)) AS line
      FROM pg_trigger t, ${TABLES} AND c.oid = t.tgrelid AND NOT t.tgisinternal
    UNION ALL
    SELECT format('%s %s %s %s', k.conrelid::regclass, k.conname, k.convalidated, pg_get_constraintdef(k.oid))
      FROM pg_constraint k, ${TABLES} AND c.oid = k.conrelid
    ORDER BY 1`.execute(tx);
  return rows.map(({ line }) => line).join('\n');
}
