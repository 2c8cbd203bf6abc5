import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { migrate } from '../../src/db/migrate.ts';
import { type SimulatedClock, simulateTime } from './simulated-clock.ts';
import { asLeast } from './template.ts';

export interface TestDatabase {
  readonly url: string;
  drop(): Promise<void>;
}
export interface SimulatedDatabase extends TestDatabase {
  readonly clock: SimulatedClock;
}

/** Where databases are copied, and from which. */
export interface DatabaseSource {
  readonly server: string;
  readonly template: string;
}
/** The run's own. */
export const sharedSource = (): DatabaseSource => ({
  server: inject('postgresUrl'),
  template: inject('templateDatabase'),
});

/** A migrated database of its own, copied from the run's template. */
export async function createTestDatabase(source = sharedSource()): Promise<TestDatabase> {
  const { server, template } = source;
  const name = `${template.replace('template', 'file')}_${randomBytes(6).toString('hex')}`;
  await administer(server, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.toString(), drop: () => administer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

/** One without a schema. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  const server = inject('postgresUrl');
  const name = `${inject('templateDatabase').replace('template', 'file')}_${randomBytes(6).toString('hex')}`;
  await administer(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => administer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

/** One whose time a test moves; migrated on its own, because its defaults go by that clock. */
export async function createSimulatedDatabase(): Promise<SimulatedDatabase> {
  const server = inject('postgresUrl');
  const name = `${inject('templateDatabase').replace('template', 'file')}_${randomBytes(6).toString('hex')}`;
  await administer(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const clock = await simulateTime(url.href);
  await migrate(url.href);
  await asLeast(url.href);
  return {
    url: url.href,
    clock,
    drop: async () => {
      await clock.close();
      await administer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

const COPY_ATTEMPTS = 50;

/** Two copies of one template at once: Postgres refuses the second while the first is made ("being accessed by other users"). */
async function administer(server: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await client.query(statement);
        return;
      } catch (error) {
        const busy = error instanceof pg.DatabaseError && error.code === '55006';
        if (!busy || attempt === COPY_ATTEMPTS) throw error;
        await client.query('SELECT pg_sleep(0.1)');
      }
    }
  } finally {
    await client.end();
  }
}
