import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../setup/database.ts';

/** The hand-written table types against the migrated database, column by column. */
const source = readFileSync(path.join(import.meta.dirname, '../../src/db/schema.ts'), 'utf8');

function interfaces(): Map<string, { parent: string | null; columns: string[] }> {
  const found = new Map<string, { parent: string | null; columns: string[] }>();
  for (const match of source.matchAll(/interface (\w+)(?: extends (\w+))? \{\n([\s\S]*?)\n\}/g)) {
    const columns = [...(match[3] ?? '').matchAll(/^ {2}(\w+):/gm)].map((column) => column[1] ?? '');
    found.set(match[1] ?? '', { parent: match[2] ?? null, columns });
  }
  return found;
}

function declaredColumns(): Map<string, string[]> {
  const all = interfaces();
  const tables = [
    ...(/interface Database \{\n([\s\S]*?)\n\}/.exec(source)?.[1] ?? '').matchAll(/^ {2}(\w+): (\w+);/gm),
  ];
  return new Map(
    tables.map(([, table = '', type = '']) => {
      const own = all.get(type);
      const inherited = own?.parent ? (all.get(own.parent)?.columns ?? []) : [];
      return [table, [...inherited, ...(own?.columns ?? [])].toSorted()];
    }),
  );
}

describe('the table types', () => {
  let client: pg.Client;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    const database = await createTestDatabase();
    drop = database.drop;
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await drop();
  });

  it('name exactly the columns that the migrations make', async () => {
    const { rows } = await client.query<{ table_name: string; columns: string[] }>(
      `SELECT table_name, array_agg(column_name::text ORDER BY column_name COLLATE "C") AS columns FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name NOT LIKE 'kysely_%' GROUP BY table_name`,
    );
    const actual = new Map(rows.map((row) => [row.table_name, row.columns]));
    expect([...declaredColumns().keys()].toSorted()).toEqual([...actual.keys()].toSorted());
    for (const [table, columns] of declaredColumns())
      expect({ table, columns }).toEqual({ table, columns: actual.get(table) });
  });
});

it('numbers migrations without a gap and without a double', () => {
  const numbers = readdirSync(path.join(import.meta.dirname, '../../migrations')).map((name) =>
    Number(name.slice(0, 4)),
  );
  expect(numbers.toSorted((a, b) => a - b)).toEqual(numbers.map((_number, index) => index + 1));
});
