import { spawn } from 'node:child_process';
import path from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clockOfThisProcess } from '../../scripts/services/process.ts';
import type { Db } from '../../src/db/client.ts';
import { archiveOrders } from '../../src/engine/store/outbox.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { maintain } from '../../src/maintenance.ts';
import { patternOf } from '../history/copies.ts';
import { book, live } from '../history/life.ts';
import { requestsOf, type Values } from '../history/requests.ts';
import { openSystem, type QuietSystem } from '../history/system.ts';
import { valuesOf } from '../history/values.ts';
import { API, tokenFor } from '../http/harness.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { until } from '../setup/engine.ts';

/** What history answers once it has left the hot tables, and the program that takes it there. */
let database: TestDatabase;
let system: QuietSystem;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase();
  system = await openSystem(database.url);
  db = system.db;
  // Into the partitions that are open, as if no maintenance had run for long.
  for (const table of ['domain_event', 'dev_mail'])
    await sql`SELECT setval(pg_get_serial_sequence(${table}, 'id'), 4500000)`.execute(db);
  await live(system);
}, 120_000);
afterAll(async () => {
  await system?.close();
  await database?.drop();
});

const round = (archiveAfterDays = 90) =>
  maintain({
    db,
    log: createLogger('maintain', 'silent'),
    archiveAfterDays,
    eventRetentionDays: 400,
    between: async () => undefined,
  });
const countOf = async (table: 'outbox' | 'archived_outbox') =>
  Number((await db.selectFrom(table).select(db.fn.countAll().as('n')).executeTakeFirstOrThrow()).n);

/** The values of a long history, about the stays that were lived here. */
async function ownValues(): Promise<Values> {
  const values = await valuesOf(db, await patternOf(database.url));
  const own = (value: string): string => value.replace(/-200$/, '').replace(/-h1$/, '-h0');
  return Object.fromEntries(Object.entries(values).map(([name, all]) => [name, all.map(own)]));
}
async function answersTo(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const answers = new Map<string, string>();
  for (const one of paths) {
    const { status, text } = await system.call('GET', one, { role: 'ADMIN', sub: 'admin-1' });
    answers.set(one, `${status} ${text}`);
  }
  return answers;
}
/** A confirmation under a key. */
async function confirm(
  id: string,
): Promise<{ readonly status: number; readonly text: string; readonly again: string | null }> {
  const response = await system.app.request(`${API}/reservations/${id}/confirm`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await tokenFor({ role: 'ADMIN' }, 'admin-1')}`,
      'content-type': 'application/json',
      'idempotency-key': `confirm-${id}`,
    },
    body: '{}',
  });
  return { status: response.status, text: await response.text(), again: response.headers.get('idempotency-replayed') };
}

/** The same again. It is not waited for here, so a slow machine answers 202 first. */
const repeated = (id: string) =>
  until('the repeated request has its answer', async () => {
    const answer = await confirm(id);
    return answer.status === 202 ? undefined : answer;
  });

describe('history that has left the hot tables', () => {
  it('answers every GET as before, and repeated requests too', async () => {
    await book(system, 'stay-keyed', 100, 102);
    await confirm('stay-keyed');
    const { id: sagaId } = await db
      .selectFrom('saga')
      .select('id')
      .where('subject_id', '=', 'stay-keyed')
      .executeTakeFirstOrThrow();
    await system.finish(sagaId);
    await sql`UPDATE outbox SET published_at = now() WHERE published_at IS NULL`.execute(db);
    const first = await repeated('stay-keyed');
    expect(first).toMatchObject({ status: 200, again: 'true' });

    const paths = [...new Set(requestsOf(system.app, await ownValues()).map((request) => request.path))];
    const before = await answersTo(paths);
    // Some tell the instant at which they are asked.
    const stable = [...(await answersTo(paths))].filter(([one, answer]) => before.get(one) === answer);
    expect(stable.length).toBeGreaterThan(300);
    expect(stable.filter(([, answer]) => answer.startsWith('200')).length).toBeGreaterThan(200);

    const reports = await round(0);
    const done = Object.fromEntries((reports ?? []).map((report) => [report.table, report]));
    expect(done['domain_event']).toMatchObject({ made: 1 });
    expect(done['dev_mail']).toMatchObject({ made: 1 });
    expect(done['outbox']?.moved).toBeGreaterThan(8);
    expect(await countOf('outbox')).toBe(0);

    const after = await answersTo(stable.map(([one]) => one));
    expect([...after].filter(([one, answer]) => before.get(one) !== answer)).toEqual([]);
    expect(await repeated('stay-keyed')).toEqual(first);
  });
});

describe('an order', () => {
  const addOrder = (
    key: string,
    {
      saga = null,
      ago = '100 days',
      published = true,
    }: { saga?: string | null; ago?: string; published?: boolean } = {},
  ) =>
    sql`INSERT INTO outbox (kind, dedupe_key, saga_id, payload, created_at, published_at)
        VALUES ('ALERT', ${key}, ${saga}, '{}', now() - ${ago}::interval, CASE WHEN ${published}::boolean THEN now() - ${ago}::interval END)`.execute(
      db,
    );
  const archived = async () =>
    (await db.selectFrom('archived_outbox').select('dedupe_key').execute()).map((row) => row.dedupe_key);

  it('moves once it has gone out and its saga has ended, both long ago', async () => {
    await book(system, 'stay-open', 110, 112);
    await confirm('stay-open');
    const { id: open } = await db
      .selectFrom('saga')
      .select('id')
      .where('finished_at', 'is', null)
      .executeTakeFirstOrThrow();
    const { id: ended } = await db
      .selectFrom('saga')
      .select('id')
      .where('finished_at', 'is not', null)
      .executeTakeFirstOrThrow();
    await addOrder('old');
    await addOrder('unpublished', { published: false });
    await addOrder('young', { ago: '10 days' });
    await addOrder('of-an-open-saga', { saga: open });
    await addOrder('of-a-saga-that-ended-today', { saga: ended });
    const before = await countOf('outbox');
    expect((await round())?.at(-1)).toMatchObject({ table: 'outbox', moved: 1 });
    expect(await countOf('outbox')).toBe(before - 1);
    expect(await archived()).toContain('old');
    expect(await archived()).not.toContain('young');
  });

  it('is refused under a key that is archived', async () => {
    await addOrder('again');
    await round();
    await expect(addOrder('again')).rejects.toMatchObject({ code: '23505', constraint: 'archived_outbox_pkey' });
    await expect(sql`DELETE FROM archived_outbox`.execute(db)).rejects.toThrow('is forbidden');
  });

  it('is passed over in batches of which none moves', async () => {
    const { moved, lastId } = await archiveOrders(db, { afterId: 0, days: 90, limit: 1 });
    expect(moved).toBe(0);
    const next = await archiveOrders(db, { afterId: lastId ?? 0, days: 90, limit: 1 });
    expect(next.lastId).toBeGreaterThan(lastId ?? 0);
    expect(await archiveOrders(db, { afterId: 1e12, days: 90, limit: 1 })).toEqual({ moved: 0, lastId: null });
  });
});

describe('npm run maintain', () => {
  const ROOT = path.join(import.meta.dirname, '../..');
  const start = (...options: readonly string[]) => {
    const child = spawn(process.execPath, ['src/maintain.ts', ...options], {
      cwd: ROOT,
      env: { ...clockOfThisProcess(), PATH: process.env['PATH'], NODE_ENV: 'test', DATABASE_URL: database.url },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    return {
      child,
      ended,
      lines: () =>
        text
          .trim()
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line)),
    };
  };
  const ORDERS = 20_000;
  const addOrders = () =>
    sql`INSERT INTO outbox (kind, dedupe_key, payload, created_at, published_at)
        SELECT 'ALERT', 'bulk-' || n, '{}', now() - interval '100 days', now() - interval '100 days' FROM generate_series(1, ${ORDERS}) n`.execute(
      db,
    );
  const bulk = async () => {
    const { rows } = await sql<{ hot: number; old: number; keys: number }>`
      SELECT (SELECT count(*)::int FROM outbox WHERE dedupe_key LIKE 'bulk-%') AS hot,
        (SELECT count(*)::int FROM archived_outbox WHERE dedupe_key LIKE 'bulk-%') AS old,
        (SELECT count(DISTINCT dedupe_key)::int FROM (SELECT dedupe_key FROM outbox UNION ALL SELECT dedupe_key FROM archived_outbox) k
          WHERE dedupe_key LIKE 'bulk-%') AS keys`.execute(db);
    return rows[0];
  };

  it('loses nothing when it is killed, and goes on', async () => {
    await addOrders();
    const killed = start('--daily');
    await until('it has moved some', async () => ((await bulk())?.old ?? 0) > 0 || undefined);
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(await bulk()).toMatchObject({ keys: ORDERS });
    const whole = start();
    expect(await whole.ended).toBe(0);
    expect(await bulk()).toEqual({ hot: 0, old: ORDERS, keys: ORDERS });
    const lines = whole.lines();
    expect(lines.filter(({ msg }) => msg === 'maintained').map(({ table }) => table)).toEqual([
      'domain_event',
      'dev_mail',
      'saga_step',
      'step_attempt',
      'notification_content',
      'one_time',
      'session',
      'amenity_grant',
      'task_photo',
      'webhook_attempt',
      'incident_notice',
      'outbox',
    ]);
    expect(lines.at(-2)).toMatchObject({ table: 'outbox', made: 0, dropped: 0, bytes: expect.any(Number) });
    expect(lines.at(-1)).toMatchObject({ msg: 'maintenance done' });
  });

  it('stays with --daily, and ends in order', async () => {
    const daily = start('--daily');
    await until(
      'a round is done',
      async () => daily.lines().some(({ msg }) => msg === 'maintenance done') || undefined,
    );
    daily.child.kill('SIGTERM');
    expect(await daily.ended).toBe(0);
  });

  it('ends with 1 when it cannot do its work', async () => {
    const refused = start('--weekly');
    expect(await refused.ended).toBe(1);
    await sql`ALTER TABLE saga_step_open RENAME TO saga_step_elsewhere`.execute(db);
    const failed = start();
    expect(await failed.ended).toBe(1);
    // The others are done all the same.
    expect(failed.lines()).toContainEqual(
      expect.objectContaining({ msg: 'could not be maintained', table: 'saga_step' }),
    );
    expect(failed.lines().filter(({ msg }) => msg === 'maintained')).toHaveLength(11);
    await sql`ALTER TABLE saga_step_elsewhere RENAME TO saga_step_open`.execute(db);
    expect(await start().ended).toBe(0);
  });
});
