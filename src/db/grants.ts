import { CompiledQuery, sql } from 'kysely';
import pg from 'pg';
import { createDb, type Db, hearErrors } from './client.ts';
import { scramVerifier } from './scram.ts';

/**
 * Rights of the accounts that programs and readers use, which own nothing: so they can neither change the schema nor switch a
 * trigger off. Given anew after each migration, for the tables that there are then, and for partitions that are made later.
 */
export interface DatabaseRoles {
  /** Of the API and the workers: rows, but in what is only added to no change and no removal. */
  readonly app: string;
  /** Of reports: reads, but no secrets and no sign-ins. */
  readonly readonly: string;
}

/** An installation that has accounts of these names uses them. */
export const DATABASE_ROLES: DatabaseRoles = { app: 'roomy_app', readonly: 'roomy_readonly' };

/** Sign-ins, secrets, tokens of links and the texts of mails: no report needs them, and the readers' account may not see them. */
const SECRET_TABLES = [
  ...['account', 'session', 'one_time', 'passkey', 'identity', 'api_key', 'calendar_feed', 'webhook_endpoint'],
  ...['dev_mail', 'idempotency_key', 'notification_content', 'task_offer', 'repair_approval', 'amenity_grant'],
  ...['stream_ticket', 'data_key'],
] as const;
/** Locked by those who read them, for which Postgres asks for the right to change a column; their triggers forbid the change. */
const LOCKED_BY: Readonly<Record<string, string>> = { ledger_account: 'id' };

/**
 * As the owner of all tables. Answers which of the accounts there are; what does not exist is given nothing. With a password the
 * programs' account is made, or has that password from now on.
 */
export async function grantRights(
  databaseUrl: string,
  roles = DATABASE_ROLES,
  appPassword?: string,
): Promise<readonly string[]> {
  const pool = hearErrors(new pg.Pool({ connectionString: databaseUrl, max: 1 }));
  const db = createDb(pool);
  try {
    return await db.transaction().execute(async (tx) => {
      // Programs that migrate at once would change the same rows of the catalogue.
      await sql`SELECT pg_advisory_xact_lock(hashtextextended('roomy grants', 0))`.execute(tx);
      if (appPassword !== undefined) await letIn(tx, roles.app, appPassword);
      const names = [roles.app, roles.readonly];
      const { rows } = await sql<{ name: string }>`
        SELECT r.rolname AS name FROM pg_roles r WHERE r.rolname = ANY(${names}::text[]) AND NOT r.rolsuper
          AND NOT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
            AND pg_has_role(r.oid, c.relowner, 'MEMBER'))`.execute(tx);
      // Who owns a table, or may act as its owner, cannot be given less.
      const there = new Set(rows.map(({ name }) => name));
      if (there.has(roles.app)) await grantToApp(tx, roles.app);
      if (there.has(roles.readonly)) await grantToReader(tx, roles.readonly);
      return names.filter((name) => there.has(name));
    });
  } finally {
    await db.destroy();
  }
}

/** A statement about accounts has no parameters. */
async function letIn(tx: Db, role: string, password: string): Promise<void> {
  const { rows } = await sql<{ text: string }>`
    SELECT format('%s ROLE %I LOGIN PASSWORD %L',
      CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = ${role}::text) THEN 'ALTER' ELSE 'CREATE' END,
      ${role}::text, ${scramVerifier(password)}::text) AS text`.execute(tx);
  for (const { text } of rows) await tx.executeQuery(CompiledQuery.raw(text));
}

async function grantToApp(tx: Db, role: string): Promise<void> {
  const app = sql.id(role);
  await enterOnly(tx, role);
  await sql`GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ${app}`.execute(tx);
  await sql`ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${app}`.execute(
    tx,
  );
  for (const { name, mayUpdate, mayDelete } of await tables(tx)) {
    const rights = sql.join([
      sql`SELECT, INSERT`,
      ...(mayUpdate ? [sql`UPDATE`] : []),
      ...(mayDelete ? [sql`DELETE`] : []),
    ]);
    await sql`GRANT ${rights} ON ${sql.table(name)} TO ${app}`.execute(tx);
    const column = mayUpdate ? undefined : LOCKED_BY[name];
    if (column !== undefined) await sql`GRANT UPDATE (${sql.id(column)}) ON ${sql.table(name)} TO ${app}`.execute(tx);
  }
  await sql`REVOKE INSERT, UPDATE, DELETE ON kysely_migration, kysely_migration_lock FROM ${app}`.execute(tx);
}

async function grantToReader(tx: Db, role: string): Promise<void> {
  const reader = sql.id(role);
  await enterOnly(tx, role);
  await sql`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${reader}`.execute(tx);
  // Each partition has rights of its own. What is made later is read through its parent, or after the next migration.
  const { rows } = await sql<{ name: string }>`
    SELECT p.relid::regclass::text AS name FROM unnest(${[...SECRET_TABLES]}::text[]) AS secret,
      pg_partition_tree(secret::regclass) AS p`.execute(tx);
  const names = new Set([...SECRET_TABLES, ...rows.map(({ name }) => name)]);
  for (const name of names) await sql`REVOKE ALL ON ${sql.table(name)} FROM ${reader}`.execute(tx);
}

/** What it had before is taken first: a table that is only added to by now was not before. */
async function enterOnly(tx: Db, role: string): Promise<void> {
  const who = sql.id(role);
  const { rows } = await sql<{ name: string }>`SELECT current_database() AS name`.execute(tx);
  for (const { name } of rows) {
    await sql`GRANT CONNECT ON DATABASE ${sql.id(name)} TO ${who}`.execute(tx);
    await sql`REVOKE TEMPORARY ON DATABASE ${sql.id(name)} FROM PUBLIC`.execute(tx);
  }
  await sql`REVOKE CREATE ON SCHEMA public FROM PUBLIC`.execute(tx);
  await sql`GRANT USAGE ON SCHEMA public TO ${who}`.execute(tx);
  await sql`REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ${who}`.execute(tx);
}

interface Table {
  readonly name: string;
  readonly mayUpdate: boolean;
  readonly mayDelete: boolean;
}

/** What the triggers of a table forbid to everybody, its account has no right to either (bits of `tgtype`: 8 DELETE, 16 UPDATE). */
async function tables(tx: Db): Promise<readonly Table[]> {
  const { rows } = await sql<Table>`
    SELECT c.relname AS name,
        NOT coalesce(bool_or(t.tgtype & 16 > 0), false) AS "mayUpdate",
        NOT coalesce(bool_or(t.tgtype & 8 > 0), false) AS "mayDelete"
      FROM pg_class c LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgfoid = 'forbid()'::regprocedure
          AND t.tgqual IS NULL AND t.tgattr = ''
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
     GROUP BY c.relname ORDER BY c.relname`.execute(tx);
  return rows;
}
