import { readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FOLDER } from '../../scripts/sql/book.ts';
import { allStatements } from '../../scripts/sql/statements.ts';
import { createTestDatabase } from '../setup/database.ts';

/** The texts of `docs/sql`, comments included, on the migrated database. */
const GENERIC_PLAN_SINCE = 160_000;

describe('the statements of docs/sql', () => {
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

  it.each(allStatements())(
    '$file runs with the parameters that it names, and gives no row for a saga that is not due',
    async ({ file, parameters, itemsAt }) => {
      const text = readFileSync(path.join(FOLDER, file), 'utf8');
      const notDue = [{ saga_id: 'saga-unknown', generation: 1, vals: {}, end: null, note: null }];
      const { rows } = await client.query(text, [...parameters.with(itemsAt, JSON.stringify(notDue))]);
      expect(rows).toEqual([]);
    },
  );

  it.each(allStatements())('$file can be explained without its parameters', async ({ file }) => {
    const { rows: server } = await client.query<{ version: number }>(
      `SELECT current_setting('server_version_num')::int AS version`,
    );
    if ((server[0]?.version ?? 0) < GENERIC_PLAN_SINCE) return;
    const text = readFileSync(path.join(FOLDER, file), 'utf8');
    const { rows } = await client.query(`EXPLAIN (GENERIC_PLAN) ${text}`);
    expect(rows.length).toBeGreaterThan(0);
  });
});
