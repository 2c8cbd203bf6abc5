import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { claimDue, recordVerdicts } from '../../src/domain/messages/delivery-rows.ts';
import { createTestDatabase } from '../setup/database.ts';

/** `notification_due` holds what waits or is being sent, and nothing else, whichever statement moves a message. */

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 4, applicationName: 'waiting-messages-test' }));
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});
beforeEach(async () => {
  await sql`DELETE FROM notification`.execute(db);
});

async function order(ids: readonly string[], due = 'now()'): Promise<void> {
  await sql`INSERT INTO notification (id, effect_key, event, template, channel, recipient_type, recipient_id, due_at)
    SELECT id, id, 'SYSTEM_ALERT', 'system-alert.ops@1', 'EMAIL', 'OPS', 'ops', ${sql.raw(due)} FROM unnest(${ids}::text[]) AS id`.execute(
    db,
  );
}
const ids = (n: number): readonly string[] => Array.from({ length: n }, (_, i) => `n-${i}`);
/** What is in one of the two and not in the other. */
async function differing(): Promise<readonly unknown[]> {
  const { rows } = await sql`
    SELECT n.id, n.status, d.notification_id, d.due_at FROM (SELECT * FROM notification WHERE status IN ('QUEUED', 'SENDING')) n
      FULL JOIN notification_due d ON d.notification_id = n.id AND d.due_at = n.due_at
     WHERE n.id IS NULL OR d.notification_id IS NULL`.execute(db);
  return rows;
}
const update = async (set: string, where: string): Promise<void> => {
  await sql.raw(`UPDATE notification SET ${set} WHERE ${where}`).execute(db);
  expect(await differing(), `${set} of ${where}`).toEqual([]);
};
const claim = (limit: number) => claimDue(db, 'together', { limit, ids: null });

describe('what waits to be sent', () => {
  it('is what the messages say, after every move that there is', async () => {
    await order(ids(12));
    expect(await differing()).toEqual([]);
    await update(`status = 'SENDING', lease_until = now(), attempts = 1`, `id <> 'n-0'`);
    await update(`status = 'QUEUED', lease_until = NULL, due_at = now() + interval '1 hour'`, `id = 'n-1'`);
    await update(`status = 'SENT', lease_until = NULL, sent_at = now()`, `id IN ('n-2', 'n-3', 'n-4')`);
    await update(`status = 'SKIPPED', lease_until = NULL, reason = 'STALE'`, `id IN ('n-5', 'n-6')`);
    await update(`status = 'FAILED', lease_until = NULL`, `id = 'n-7'`);
    await update(`status = 'BLOCKED', lease_until = NULL`, `id = 'n-8'`);
    await update(`status = 'DELIVERED'`, `id = 'n-2'`);
    await update(`status = 'QUEUED', due_at = now()`, `id = 'n-5'`);
    await update(`due_at = now() - interval '1 day'`, `id IN ('n-0', 'n-3', 'n-5')`);
    await update(`id = 'n-0-moved'`, `id = 'n-0'`);
    await sql`INSERT INTO notification (id, effect_key, event, template, channel, recipient_type, recipient_id, status)
      VALUES ('n-x', 'n-x', 'SYSTEM_ALERT', 'system-alert.ops@1', 'EMAIL', 'OPS', 'ops', 'SKIPPED')`.execute(db);
    await sql`DELETE FROM notification WHERE id IN ('n-0-moved', 'n-2', 'n-x')`.execute(db);
    expect(await differing()).toEqual([]);
    await sql`TRUNCATE notification CASCADE`.execute(db);
    expect(await differing()).toEqual([]);
  });

  it('is given to one worker each, and one that is put off by another one meanwhile to nobody', async () => {
    await order(ids(60));
    const claims = await Promise.all([claim(20), claim(20), claim(20)]);
    const taken = claims.flat().map(({ id }) => id);
    expect(new Set(taken).size).toBe(taken.length);
    await sql`UPDATE notification SET status = 'QUEUED', lease_until = NULL, due_at = now()`.execute(db);
    const put = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<void>();
    const postponing = db.transaction().execute(async (tx) => {
      await sql`UPDATE notification SET due_at = now() + interval '1 hour'`.execute(tx);
      locked.resolve();
      await put.promise;
    });
    await locked.promise;
    expect(await claim(100)).toEqual([]);
    put.resolve();
    await postponing;
    expect(await claim(100)).toEqual([]);
  });

  it('costs its row when it is claimed and sent by mail, and no entry of an index', async () => {
    // Half a page is left for what is written next: the room comes from rows' old versions, which go as soon as nobody
    // can see them any more. In a server that others use that is a matter of luck, so here there is room for all three.
    const { rows: options } = await sql<{ reloptions: readonly string[] }>`
      SELECT reloptions FROM pg_class WHERE oid = 'notification'::regclass`.execute(db);
    expect(options).toEqual([{ reloptions: ['fillfactor=30'] }]);
    await sql`TRUNCATE notification CASCADE`.execute(db);
    await sql`ALTER TABLE notification SET (fillfactor = 20)`.execute(db);
    await order(ids(100));
    const updates = async () => {
      await sql`SELECT pg_stat_force_next_flush()`.execute(db);
      const { rows } = await sql<{ all: number; hot: number }>`
        SELECT n_tup_upd::int AS "all", n_tup_hot_upd::int AS hot FROM pg_stat_user_tables WHERE relname = 'notification'`.execute(
        db,
      );
      return rows[0] ?? { all: 0, hot: 0 };
    };
    const before = await updates();
    const rendered = {
      locale: 'en',
      wantedLocale: null,
      version: 1,
      subject: 's',
      toldStart: null,
      body: 'b',
      hash: '00'.repeat(32),
    };
    const claimed = await claim(100);
    const verdict = { status: 'SENT', providerId: 'provider-1', rendered } as const;
    expect(
      await recordVerdicts(
        db,
        claimed.map((row) => ({ ...row, verdict })),
      ),
    ).toBe(100);
    const after = await updates();
    expect(after.all - before.all).toBe(200);
    expect(after.hot - before.hot).toBe(200);
  });
});
