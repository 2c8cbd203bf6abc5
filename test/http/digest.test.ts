import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { deliverAll } from '../setup/deliver.ts';

import { API, at, type Http, seed, startHttp } from './harness.ts';

/** A person who supervises much work gets one message a day. */

let http: Http;
beforeAll(async () => {
  http = await startHttp();
  await seed(http.db);
  await http.db
    .updateTable('property')
    .set({ agent_ids: ['agent-1'] })
    .where('id', '=', 'property-1')
    .execute();
  const agent = { id: 'agent-1', name: 'Ann', email: 'ann@example.com', role: 'AGENT' } as const;
  await http.db
    .insertInto('staff')
    .values(agent)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
}, 60_000);
afterAll(() => http?.stop());

const PREFERENCES = `${API}/staff/agent-1/notification-preferences`;
async function completed(type: 'INSPECTION' | 'MAINTENANCE'): Promise<void> {
  const task = { type, title: 'Look', propertyId: 'property-1', scheduledDate: '2031-03-01T09:00:00Z' };
  const made = await http.call('POST', `${API}/tasks`, { body: task });
  const body = type === 'INSPECTION' ? { outcome: 'PASSED' } : {};
  const done = await http.call('POST', `${API}/tasks/${at(made.body, 'data', 'id')}/complete`, { body });
  expect(done.status).toBe(200);
}
const deliver = (): Promise<void> => deliverAll(http.db);
const notified = () =>
  http.db
    .selectFrom('notification')
    .selectAll()
    .where('event', '=', 'TASK_COMPLETED')
    .where('recipient_id', '=', 'agent-1')
    .orderBy('created_at')
    .execute();

it('each by itself, unless it is asked for', async () => {
  await completed('INSPECTION');
  await deliver();
  expect((await notified()).map(({ status }) => status)).toEqual(['SENT']);
});

it('of a day in one mail at its hour on the property’s clock', async () => {
  const { status, body } = await http.call('PUT', PREFERENCES, { body: { optOuts: [], digest: true } });
  expect([status, at(body, 'data', 'digest')]).toEqual([200, true]);
  await completed('INSPECTION');
  await completed('MAINTENANCE');
  await deliver();
  const [, first, second, digest, ...rest] = await notified();
  expect(rest).toEqual([]);
  for (const row of [first, second]) {
    expect(row).toMatchObject({ status: 'SKIPPED', reason: 'IN_DIGEST', digest_id: digest?.id });
  }
  expect(digest).toMatchObject({ status: 'QUEUED', template: 'task-digest.staff@1' });
  const { rows } = await sql<{ hour: string; isNext: boolean }>`
    SELECT to_char(due_at AT TIME ZONE 'Asia/Dubai', 'HH24:MI') AS hour, due_at - now() BETWEEN interval '0' AND interval '1 day 1 minute' AS "isNext"
      FROM notification WHERE id = ${digest?.id ?? ''}`.execute(http.db);
  expect(rows).toEqual([{ hour: '18:00', isNext: true }]);
  await http.db
    .updateTable('notification')
    .set({ due_at: sql<Date>`now()` })
    .where('id', '=', digest?.id ?? '')
    .execute();
  await deliver();
  const mail = await http.db.selectFrom('dev_mail').selectAll().where('subject', 'like', 'Done since%').execute();
  expect(mail).toMatchObject([{ subject: 'Done since yesterday: 2 tasks' }]);
  expect(mail[0]?.body).toMatch(/Marina 1204: inspection; Marina 1204: maintenance/);
});

it('is nobody’s but the staff’s, and can be taken back', async () => {
  const owner = `${API}/owners/owner-1/notification-preferences`;
  expect((await http.call('PUT', owner, { body: { optOuts: [], digest: true } })).status).toBe(422);
  expect((await http.call('PUT', PREFERENCES, { body: { optOuts: [], digest: false } })).status).toBe(200);
  await completed('INSPECTION');
  await deliver();
  expect((await notified()).at(-1)).toMatchObject({ status: 'SENT', digest_id: null });
});
