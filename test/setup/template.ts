import pg from 'pg';
import { grantRights } from '../../src/db/grants.ts';
import { migrate } from '../../src/db/migrate.ts';

/** A migrated database to copy; nobody connects to it. */
export async function createTemplate(server: string, name: string): Promise<void> {
  await withClient(server, (client) => client.query(`CREATE DATABASE ${name}`));
  const url = new URL(server);
  url.pathname = `/${name}`;
  await migrate(url.toString());
  await asLeast(url.toString());
  // A test must not depend on the hour at which it runs; those of the quiet hours set them.
  await withClient(url.toString(), (client) => client.query("UPDATE message_rule SET quiet_channels = '{}'"));
}

export async function withClient(server: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** The account that the programs of tests use: it owns nothing, as in production. */
export const APP_ROLE = 'roomy_test_app';

/** Gives the programs' account its rights in a migrated database. */
export async function asLeast(databaseUrl: string): Promise<void> {
  await withClient(databaseUrl, (client) =>
    client.query(
      `DO $$ BEGIN CREATE ROLE ${APP_ROLE}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`,
    ),
  );
  await grantRights(databaseUrl, { app: APP_ROLE, readonly: 'roomy_test_reader' });
}
