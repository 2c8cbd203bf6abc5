import fs from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateFrom } from '../../scripts/db/schema.ts';
import { createDb, createPool } from '../../src/db/client.ts';
import { MIGRATION_FILE, MIGRATIONS, migrate, migrationsPending } from '../../src/db/migrate.ts';
import { readCatalog } from '../setup/catalog.ts';
import { createEmptyDatabase, type TestDatabase } from '../setup/database.ts';
import { withClient } from '../setup/template.ts';

/** Those of the releases whose migrations were TypeScript: the names that their databases hold. */
const FORMER_NAMES = `
  0001_foundation 0002_money 0003_tasks_around_cancellations 0004_stays 0005_assignment 0006_completion
  0007_recurring_work 0008_work_feeds 0009_messages 0010_events 0011_templates 0012_channels 0013_agreed_times
  0014_repairs 0015_digests 0016_more_events 0017_late_agreements 0018_parked_answers 0019_event_types
  0020_idempotent_answers 0021_long_history 0022_sweep_failures 0023_card_fingerprints 0024_sweep_failure_lists
  0025_bulk_resends 0026_lists_of_portfolios 0027_integrity_marks 0028_overtaken_tasks 0029_free_stays
  0030_refunds_that_have_gone 0031_amounts_received 0032_refunds_with_a_bearer 0033_displaced_tasks
  0034_answers_to_offers 0035_gateway_news 0036_access_that_follows 0037_addresses 0038_disputes
  0039_reconciliation_differences 0040_refunds_to_send 0041_disputes_are_settled 0042_finance_tasks_outlive_stays
`
  .trim()
  .split(/\s+/);

let migrated: TestDatabase;
let empty: TestDatabase;
beforeAll(async () => {
  // Without the rights that the databases of other tests have.
  migrated = await createEmptyDatabase();
  await migrate(migrated.url);
  empty = await createEmptyDatabase();
});
afterAll(async () => {
  await migrated.drop();
  await empty.drop();
});

describe('what is generated from the migrations', () => {
  it('is up to date (npm run db:schema)', async () => {
    for (const [file, text] of await generateFrom(migrated.url))
      expect(fs.readFileSync(file, 'utf8'), `${path.basename(file)}: npm run db:schema`).toBe(text);
  });

  it('makes the same schema in an empty database', async () => {
    const catalogOf = async (url: string, script = '') => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      try {
        await client.query(script);
        return await readCatalog(client);
      } finally {
        await client.end();
      }
    };
    const loaded = await catalogOf(empty.url, fs.readFileSync(path.join(MIGRATIONS, 'schema.sql'), 'utf8'));
    expect(loaded).toEqual(await catalogOf(migrated.url));
    // Otherwise both could be equal for want of anything to compare.
    for (const kind of ['relations', 'columns', 'constraints', 'indexes', 'triggers', 'functions', 'sequences'])
      expect({ kind, found: loaded[kind]?.length ?? 0 }).toEqual({ kind, found: expect.toSatisfy((n) => n > 5) });
  });
});

describe('a database that was migrated before migrations were SQL files', () => {
  it('is up to date', async () => {
    const files = fs.readdirSync(MIGRATIONS).flatMap((file) => MIGRATION_FILE.exec(file)?.[1] ?? []);
    const names = [...FORMER_NAMES, ...files.toSorted().slice(FORMER_NAMES.length)];
    await withClient(migrated.url, async (client) => {
      await client.query('DELETE FROM kysely_migration');
      await client.query(
        `INSERT INTO kysely_migration (name, timestamp)
         SELECT name, to_char(now() + no * interval '1 ms', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
           FROM unnest($1::text[]) WITH ORDINALITY AS n(name, no)`,
        [names],
      );
    });
    const db = createDb(createPool({ connectionString: migrated.url, max: 1, applicationName: 'schema' }));
    try {
      expect(await migrationsPending(db)).toBe(false);
    } finally {
      await db.destroy();
    }
    expect(await migrate(migrated.url)).toEqual([]);
  });

  it('is refused when it has one that this version does not know', async () => {
    await withClient(migrated.url, (client) =>
      client.query("INSERT INTO kysely_migration (name, timestamp) VALUES ('9999_of_a_later_version', '9999')"),
    );
    await expect(migrate(migrated.url)).rejects.toThrow(/9999_of_a_later_version is missing/);
  });
});
