import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { pruneContents } from '../../src/domain/notifications/store/contents.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { DEFAULT_RETENTION, type KeptKind } from '../../src/kernel/retention.ts';
import { maintain, type TableReport } from '../../src/maintenance.ts';
import { forgetOldRecords } from '../../src/workers/sweeps.ts';
import { createSimulatedDatabase, type SimulatedDatabase } from '../setup/database.ts';
import { insertRaw } from '../sweeps/harness.ts';

/** ENG-20: time goes by, and what is old is deleted unless it is held. Which table has which rule: test/architecture/retention.test.ts. */

let database: SimulatedDatabase;
let db: Db;
beforeAll(async () => {
  database = await createSimulatedDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 2, applicationName: 'retention' }));
});
afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});

/** With the columns that it must have, and the statement by which some of each are made; `<n>` is another one for each. */
const RECORDS: Readonly<Record<Exclude<KeptKind, 'events'>, readonly [table: string, made: string, days: number]>> = {
  photos: [
    'task_photo',
    `INSERT INTO task (id, property_id, type, occurrence, title, status, scheduled_at, ends_at, completed_at)
       VALUES ('task-<n>', 'p', 'CLEANING', '<n>', 't', 'COMPLETED', now(), now() + interval '1 hour', now());
     INSERT INTO task_photo (task_id, id, content_type, bytes, sha256, uploaded_by) VALUES ('task-<n>', 'photo-1', 'image/png', '\\x00', '\\x00', 's')`,
    DEFAULT_RETENTION.photos,
  ],
  messages: [
    'notification_content',
    `INSERT INTO notification (id, effect_key, event, template, channel, recipient_type, recipient_id, status)
       VALUES ('notification-t-<n>', 'k<n>', 'E', 't@1', 'EMAIL', 'GUEST', 'g', 'SENT');
     INSERT INTO notification_content (notification_id, subject, body) VALUES ('notification-t-<n>', 's', 'Dear guest')`,
    DEFAULT_RETENTION.messages,
  ],
  mailbox: [
    'dev_mail',
    `INSERT INTO dev_mail (message_id, channel, recipient, body) VALUES ('<n>', 'SMS', '+971500000001', 'Dear guest')`,
    DEFAULT_RETENTION.mailbox,
  ],
  'webhook-attempts': [
    'webhook_attempt',
    `INSERT INTO webhook_attempt (endpoint_id, seq, type, attempt, ms) VALUES ('e', 1, 't', 1, 1)`,
    DEFAULT_RETENTION['webhook-attempts'],
  ],
  notices: [
    'incident_notice',
    `INSERT INTO incident_notice (what, target, ended_at, told) VALUES ('DIGEST', 'OPS', now(), true)`,
    DEFAULT_RETENTION.notices,
  ],
  keys: [
    'idempotency_key',
    `INSERT INTO idempotency_key (principal, key, request_hash, accepted_status, accepted_body) VALUES ('p', '<n>', '\\x00', 200, '\\x00')`,
    30,
  ],
  failures: [
    'sweep_failure',
    `INSERT INTO sweep_failure (sweep, row_id, reason, next_try_at) VALUES ('offers', '<n>', 'x', now())`,
    2,
  ],
  sessions: [
    'session',
    `INSERT INTO session (id, account_id, key_hash, method, expires_at) VALUES ('s<n>', 'a', '\\x<n>', 'LINK', now())`,
    90,
  ],
  links: ['one_time', `INSERT INTO one_time (hash, kind, expires_at) VALUES ('\\x<n>', 'LINK', now())`, 7],
};
const kinds = Object.keys(RECORDS) as (keyof typeof RECORDS)[];

let made = 1_000;
async function make(kind: keyof typeof RECORDS): Promise<void> {
  made += 1;
  await insertRaw(db, RECORDS[kind][1].replaceAll('<n>', String(made)));
}
async function countOf(kind: keyof typeof RECORDS): Promise<number> {
  const { rows } = await sql<{ n: number }>`SELECT count(*) AS n FROM ${sql.table(RECORDS[kind][0])}`.execute(db);
  return Number(rows[0]?.n);
}
const DAY_MS = 86_400_000;
const START = Date.parse('2030-01-01T12:00:00Z');
const at = (days: number) => database.clock.moveTo(new Date(START + days * DAY_MS).toISOString());
async function round(held: readonly KeptKind[] = []): Promise<ReadonlyMap<string, TableReport>> {
  const isHeld = (kind: KeptKind): boolean => held.includes(kind);
  await forgetOldRecords({ db, retentionDays: 400, isHeld });
  const parts = { db, log: createLogger('maintain', 'silent'), archiveAfterDays: 90, eventRetentionDays: 400 };
  const reports = await maintain({ ...parts, isHeld, between: async () => undefined });
  return new Map((reports ?? []).map((report) => [report.table, report]));
}

beforeEach(async () => {
  for (const kind of kinds) await insertRaw(db, `TRUNCATE ${RECORDS[kind][0]} CASCADE`);
});

it.each(kinds)('K10: %s go when they are old enough, and no day sooner, and the report says how many', async (kind) => {
  const [table, , days] = RECORDS[kind];
  await at(0);
  await make(kind);
  await make(kind);
  await at(1);
  await make(kind);
  await at(days - 0.1);
  await round();
  expect(await countOf(kind)).toBe(3);
  await at(days + 0.1);
  const reports = await round();
  expect(await countOf(kind)).toBe(1);
  // Some are deleted hourly by a worker instead.
  if (reports.has(table)) expect(reports.get(table)).toMatchObject({ pruned: 2 });
});

it('K10: what is held stays, whatever its age, until it is held no more', async () => {
  await at(0);
  for (const kind of kinds) await make(kind);
  await at(5_000);
  const reports = await round(kinds);
  for (const kind of kinds) {
    expect(await countOf(kind), kind).toBe(1);
    const report = reports.get(RECORDS[kind][0]);
    if (report) expect(report).toMatchObject({ pruned: 0, held: true });
  }
  await round(['photos']);
  for (const kind of kinds) expect(await countOf(kind), kind).toBe(kind === 'photos' ? 1 : 0);
});

it('K10: texts that stay keep none back of those that go', async () => {
  await at(0);
  for (let text = 0; text < 5; text += 1) await make('messages');
  await sql`UPDATE notification SET status = 'QUEUED' WHERE id IN (SELECT notification_id FROM notification_content ORDER BY 1 LIMIT 3)`.execute(
    db,
  );
  await at(DEFAULT_RETENTION.messages + 1);
  await make('messages');
  expect(await pruneContents(db, DEFAULT_RETENTION.messages, 1)).toBe(1);
  expect(await pruneContents(db, DEFAULT_RETENTION.messages, 2)).toBe(1);
  expect(await pruneContents(db, DEFAULT_RETENTION.messages, 2)).toBe(0);
  expect(await countOf('messages')).toBe(4);
});

it('K10: photos of a task that is not over, texts on their way and notices of an incident that is open stay', async () => {
  await at(0);
  await make('photos');
  await make('messages');
  await insertRaw(
    db,
    `UPDATE task SET status = 'UNASSIGNED', completed_at = NULL; UPDATE notification SET status = 'QUEUED';
     INSERT INTO incident (id, kind, subject, area, severity, count, most, since, details) VALUES ('i', 'NO_WORKER', 's', 'ENGINE', 'WARNING', 1, 1, now(), '{}');
     INSERT INTO incident_notice (incident_id, what, target, ended_at, told) VALUES ('i', 'OPENED', 'OPS', now(), true)`,
  );
  await at(5_000);
  await round();
  for (const kind of ['photos', 'messages', 'notices'] as const) expect(await countOf(kind), kind).toBe(1);
});
