import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDb, createPool } from '../../src/db/client.ts';
import { classifyDbError } from '../../src/db/errors.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';

/** What an operator may do to a database that programs use: each is an outage, which ends, and no fault of a request. */

let database: TestDatabase;
let admin: pg.Client;
let name: string;
beforeAll(async () => {
  database = await createTestDatabase();
  const url = new URL(database.url);
  name = url.pathname.slice(1);
  url.pathname = '/postgres';
  admin = new pg.Client({ connectionString: url.href });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await database.drop();
});
const kindOf = async (url: string): Promise<unknown> => {
  const db = createDb(createPool({ connectionString: url, max: 1, applicationName: 'test' }));
  const error = await db
    .selectFrom('saga')
    .select('id')
    .execute()
    .catch((cause: unknown) => cause);
  await db.destroy();
  return classifyDbError(error).kind;
};

it('that takes no connections is away, and is back when it does', async () => {
  await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
  // A superuser is let in anyway.
  await admin.query(`CREATE ROLE ${name}_app LOGIN PASSWORD 'of-a-test'`);
  const url = new URL(database.url);
  url.username = `${name}_app`;
  url.password = 'of-a-test';
  try {
    expect(await kindOf(url.href)).toBe('unreachable');
  } finally {
    await admin.query(`DROP ROLE ${name}_app; ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
  }
  expect(await kindOf(database.url)).toBe('other');
});

it.each([
  ['whose name is another one by now', (url: URL) => Object.assign(url, { pathname: '/renamed_since' })],
  ['whose account has another password', (url: URL) => Object.assign(url, { password: 'of-yesterday' })],
  ['whose account is gone', (url: URL) => Object.assign(url, { username: 'gone' })],
])('%s is away', async (_name, change) => {
  expect(await kindOf(change(new URL(database.url)).href)).toBe('unreachable');
});
