import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { grantRights } from '../../src/db/grants.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';

/**
 * What the accounts of programs and of readers may do, by asking for everything else. That the programs can live with their rights
 * is what all other tests show: their processes have no more.
 */

let database: TestDatabase;
let owner: pg.Client;
let app: pg.Client;
let reader: pg.Client;
const PASSWORD = `o'f "a" te\\st`;
const suffix = randomBytes(4).toString('hex');
const roles = { app: `app_${suffix}`, readonly: `reader_${suffix}` };

beforeAll(async () => {
  database = await createTestDatabase();
  owner = await connect(database.url);
  await owner.query(`CREATE ROLE ${roles.readonly} LOGIN PASSWORD ${owner.escapeLiteral(PASSWORD)}`);
  expect(await grantRights(database.url, roles, PASSWORD)).toEqual([roles.app, roles.readonly]);
  app = await connect(urlOf(roles.app));
  reader = await connect(urlOf(roles.readonly));
});
afterAll(async () => {
  await Promise.all([app.end(), reader.end()]);
  for (const role of Object.values(roles)) await owner.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  await owner.end();
  await database.drop();
});
async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return client;
}
function urlOf(role: string): string {
  const url = new URL(database.url);
  url.username = role;
  url.password = PASSWORD;
  return url.href;
}
async function connectedAgain(): Promise<pg.Client> {
  await app.end();
  app = await connect(urlOf(roles.app));
  return app;
}
const codeOf = async (client: pg.Client, text: string): Promise<unknown> =>
  client.query(text).then(
    () => 'done',
    (error: unknown) => Reflect.get(Object(error), 'code'),
  );
const DENIED = '42501';

/** What triggers forbid to everybody, by table. */
async function forbidden(what: 'UPDATE' | 'DELETE'): Promise<string[]> {
  const { rows } = await owner.query<{ name: string }>(
    `SELECT DISTINCT t.tgrelid::regclass::text AS name FROM pg_trigger t
      WHERE t.tgfoid = 'forbid()'::regprocedure AND t.tgattr = '' AND t.tgtype & $1::int > 0 ORDER BY 1`,
    [what === 'UPDATE' ? 16 : 8],
  );
  return rows.map(({ name }) => name);
}

describe('the account of the programs', () => {
  it('K7: changes and removes nothing in what is only added to', async () => {
    const [unchanged, kept] = [await forbidden('UPDATE'), await forbidden('DELETE')];
    expect(unchanged).toEqual(expect.arrayContaining(['audit_log', 'audit_seal', 'ledger_tx', 'ledger_entry']));
    for (const table of unchanged) {
      // Locking a row asks for a right to change some column; the trigger still forbids it.
      const { rows } = await owner.query<{ column: string }>(
        `SELECT attname AS column FROM pg_attribute WHERE attrelid = '${table}'::regclass AND attnum > 0 AND attname <> 'id'
            AND attidentity = '' AND attgenerated = '' AND NOT attisdropped LIMIT 1`,
      );
      const column = rows[0]?.column;
      expect([table, await codeOf(app, `UPDATE ${table} SET ${column} = ${column}`)]).toEqual([table, DENIED]);
    }
    for (const table of kept) {
      expect([table, await codeOf(app, `DELETE FROM ${table}`)]).toEqual([table, DENIED]);
    }
    const { rows } = await owner.query<{ name: string }>(
      `SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')`,
    );
    expect(rows.length).toBeGreaterThan(60);
    for (const { name } of rows) expect([name, await codeOf(app, `TRUNCATE ${name}`)]).toEqual([name, DENIED]);
  });

  it.each([
    'ALTER TABLE audit_log DISABLE TRIGGER frozen',
    'ALTER TABLE saga ADD COLUMN mine text',
    'DROP TABLE audit_log',
    'DROP TRIGGER frozen ON audit_log',
    'CREATE TABLE mine (id int)',
    'CREATE TEMPORARY TABLE mine (id int)',
    'CREATE SCHEMA mine',
    'CREATE INDEX mine ON saga (id)',
    "CREATE OR REPLACE FUNCTION audit_hash(a audit_log) RETURNS bytea LANGUAGE sql AS 'SELECT a.hash'",
    'CREATE RULE mine AS ON INSERT TO audit_log DO INSTEAD NOTHING',
    'SET session_replication_role = replica',
    'CREATE ROLE mine SUPERUSER',
    'ALTER ROLE CURRENT_USER SUPERUSER',
    'SET ROLE pg_read_all_data',
    'SELECT * FROM pg_authid',
    "COPY saga TO PROGRAM 'true'",
    "COPY saga TO '/tmp/saga'",
    "SELECT pg_read_file('postgresql.conf')",
    'ALTER SYSTEM SET fsync = off',
    'DELETE FROM kysely_migration',
    'CREATE EXTENSION pg_stat_statements',
  ])('K8: may not %s', async (text) => {
    expect(await codeOf(app, text)).toBe(DENIED);
  });

  it('has what a partition that is made later needs', async () => {
    await owner.query('CREATE TABLE later (id text)');
    expect(await codeOf(app, "INSERT INTO later VALUES ('1')")).toBe('done');
  });

  it('loses with the next migration what has become unchangeable', async () => {
    await owner.query('CREATE TRIGGER frozen BEFORE UPDATE ON later FOR EACH STATEMENT EXECUTE FUNCTION forbid()');
    await grantRights(database.url, roles);
    expect(await codeOf(app, "UPDATE later SET id = '2'")).toBe(DENIED);
  });
});

describe('the account of readers', () => {
  it('K8: reads, without secrets and sign-ins, and writes nothing', async () => {
    for (const table of ['reservation', 'saga', 'ledger_entry', 'audit_log'])
      expect([table, await codeOf(reader, `SELECT * FROM ${table} LIMIT 1`)]).toEqual([table, 'done']);
    const { rows } = await owner.query<{ name: string }>(`
      SELECT p.relid::regclass::text AS name FROM unnest('{account,session,one_time,api_key,webhook_endpoint,dev_mail,notification_content,
        task_offer,repair_approval,amenity_grant}'::text[]) AS secret, pg_partition_tree(secret::regclass) AS p
      UNION SELECT unnest('{account,session,one_time,api_key,webhook_endpoint,task_offer,repair_approval,amenity_grant}'::text[])`);
    expect(rows.length).toBeGreaterThan(12);
    for (const { name } of rows)
      expect([name, await codeOf(reader, `SELECT * FROM ${name} LIMIT 1`)]).toEqual([name, DENIED]);
    for (const text of [
      "INSERT INTO audit_log (stream_id, event, actor, body) VALUES ('a', 'b', 'c', '{}')",
      'DELETE FROM task',
    ])
      expect(await codeOf(reader, text)).toBe(DENIED);
  });
});

it('takes nothing from an account that owns the tables, or may act as who does', async () => {
  const member = `member_${suffix}`;
  await owner.query(`CREATE ROLE ${member}; GRANT ${owner.escapeIdentifier(owner.user ?? '')} TO ${member}`);
  expect(await grantRights(database.url, { app: member, readonly: `nobody_${suffix}` })).toEqual([]);
  await owner.query(`DROP ROLE ${member}`);
});

it('is done by one of those who do it at once', async () => {
  const all = await Promise.all([1, 2, 3].map(() => grantRights(database.url, roles, PASSWORD)));
  expect(new Set(all.map(String)).size).toBe(1);
  expect(await codeOf(await connectedAgain(), 'SELECT 1')).toBe('done');
});

it('gives an account nothing that is a superuser, or not there', async () => {
  expect(
    await grantRights(database.url, {
      app: decodeURIComponent(new URL(database.url).username),
      readonly: `nobody_${suffix}`,
    }),
  ).toEqual([]);
});
