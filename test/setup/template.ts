import pg from 'pg';
import { migrate } from '../../src/db/migrate.ts';

/** A migrated database to copy; nobody connects to it. */
export async function createTemplate(server: string, name: string): Promise<void> {
  await withClient(server, (client) => client.query(`CREATE DATABASE ${name}`));
  const url = new URL(server);
  url.pathname = `/${name}`;
  await migrate(url.toString());
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
