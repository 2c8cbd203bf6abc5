import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { deliverDue } from '../../src/domain/messages/delivery.ts';
import { resendLost } from '../../src/domain/messages/resend-lost.ts';
import { raiseAlert } from '../../src/domain/notifications/alerts.ts';
import type { Messenger, SendOutcome } from '../../src/domain/ports.ts';
import { required } from '../../src/kernel/errors.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { deliverAll, mailboxDeps } from '../setup/deliver.ts';

/** The queries that operators are given, as they stand in the pages. */
const docs = path.join(import.meta.dirname, '../../docs');
const queries = readdirSync(docs)
  .filter((name) => name.endsWith('.md'))
  .flatMap((name) =>
    [...readFileSync(path.join(docs, name), 'utf8').matchAll(/psql "\$DATABASE_URL" -\w+ "([^"]+)"/g)].map(
      ([, query = '']) => query,
    ),
  );
const runbook = readFileSync(path.join(docs, 'runbook.md'), 'utf8');
const probes = queries.filter((query) => runbook.indexOf(query) > runbook.indexOf('### Probes that you need'));

let database: TestDatabase;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 2, applicationName: 'roomy-probe' }));
});
afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});

const seconds = async (query: string): Promise<number> => {
  const { rows } = await sql<{
    s: number;
  }>`SELECT extract(epoch FROM (${sql.raw(query)})::interval)::float8 AS s`.execute(db);
  return rows[0]?.s ?? Number.NaN;
};
const probe = (...parts: readonly string[]): string =>
  required(
    probes.find((query) => parts.every((part) => query.includes(part))),
    `the probe with ${parts.join(', ')}`,
  );
const ROLLBACK = new Error('rolled back');

describe('the queries of the documents', () => {
  it('are found', () => {
    expect(queries.length).toBeGreaterThan(9);
    expect(probes).toHaveLength(5);
  });

  it.each(queries)('%s', async (query) => {
    await expect(
      db.transaction().execute(async (tx) => {
        await sql`SET TRANSACTION READ ONLY`.execute(tx);
        await sql.raw(query).execute(tx);
        throw ROLLBACK;
      }),
    ).rejects.toBe(ROLLBACK);
  });
});

describe('the probes of messages', () => {
  const unsent = async (): Promise<number> => {
    const { rows } = await sql.raw<{ count: number }>(probe("'MAINTENANCE_ALERT'", 'count(*)')).execute(db);
    return Number(rows[0]?.count);
  };
  const waiting = () => seconds(probe('due_rule IS NULL'));
  const answering = (outcome: SendOutcome): Messenger => ({
    maxBatch: 100,
    send: async (messages) => messages.map(() => outcome),
    close: async () => undefined,
  });
  /** One attempt at everything, as at the hour at which it falls due. */
  async function attempt(outcome: SendOutcome): Promise<void> {
    await db.updateTable('notification').set({ due_at: sql<Date>`now()` }).where('status', '=', 'QUEUED').execute();
    const EMAIL = answering(outcome);
    await deliverDue({ ...mailboxDeps(db), messengers: { EMAIL, SMS: EMAIL } });
  }
  const madeBefore = (minutes: number) =>
    db
      .updateTable('notification')
      .set({ created_at: sql<Date>`now() - ${minutes}::int * interval '1 minute'` })
      .where('resend_of', 'is', null)
      .execute();

  beforeEach(async () => {
    await raiseAlert(db, {
      about: 'queue',
      id: 'relay',
      source: 'queues',
      step: 'relay',
      code: 'SWEEP_FAILS',
      group: 'x',
    });
    await madeBefore(12);
  });
  afterEach(() => sql`DELETE FROM notification`.execute(db));

  it('count an alert that failed until it is resent and has gone', async () => {
    await attempt({ sent: false, permanent: true, reason: 'SMTP_550' });
    expect(await unsent()).toBe(1);
    await db
      .transaction()
      .execute((tx) => resendLost(tx, { status: 'FAILED' }, null, { actor: 'ops-1', requestId: 'r', ip: null }));
    await deliverAll(db);
    expect(await unsent()).toBe(0);
    expect(await waiting()).toBe(0);
  });

  it('see a mail outage by when the message was made, though each attempt moves it ahead', async () => {
    for (let n = 0; n < 2; n += 1) await attempt({ sent: false, permanent: false, reason: 'SMTP_421' });
    expect(await waiting()).toBeGreaterThan(11 * 60);
  });

  it('see an open circuit', async () => {
    await attempt({ sent: false, waitUntil: new Date(Date.now() + 60_000), reason: 'CIRCUIT_OPEN' });
    expect(await waiting()).toBeGreaterThan(11 * 60);
  });

  it('leave alone what is planned for later', async () => {
    await db.updateTable('notification').set({ due_at: sql<Date>`now() + interval '1 day'` }).execute();
    expect(await waiting()).toBe(0);
  });
});

describe('the probes of sagas', () => {
  const looked = () => seconds(probe('updated_at'));
  const begun = () => seconds(probe("status = 'pending'"));
  const undone = () => seconds(probe("'STEP_FAILED'"));

  it('tell workers that are gone from an undo that waits for a gateway', async () => {
    const made = (id: string, status: string, checked: string) =>
      sql`INSERT INTO saga (id, name, definition_ver, subject_type, subject_id, input, input_hash, requested_by, total_steps, deadline_at, status, requested_at, updated_at)
        VALUES (${id}, 'processPayment', 1, 'reservation', ${id}, '{}', '', 'tester', 3, now(), ${status}, now() - interval '104 s', now() - ${checked}::interval)`.execute(
        db,
      );
    await made('saga-undone', 'compensating', '3 s');
    await made('saga-parked', 'parked', '104 s');
    expect([await looked(), await begun()].map((s) => s < 60)).toEqual([true, true]);
    expect(await undone()).toBe(0);
    await made('saga-new', 'pending', '104 s');
    expect([await looked(), await begun()].map((s) => s > 100)).toEqual([true, true]);
  });
});
