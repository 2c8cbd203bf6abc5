import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deliverDue } from '../../src/domain/messages/delivery.ts';
import { recordFailures } from '../../src/domain/sweeps/failures.ts';
import { deliverAll, mailboxDeps } from '../setup/deliver.ts';
import { type Answer, API, at, type Http, startHttp } from './harness.ts';

/** Messages that were lost because of one bad value are sent in one call, once the value is mended. */

let http: Http;
const NUMBERS = Array.from({ length: 20 }, (_, n) => n);
const POISONED = 7;

beforeEach(async () => {
  http = await startHttp({ closing: AbortSignal.abort() });
  const { db } = http;
  const email = 'someone@example.com';
  await db.insertInto('owner').values({ id: 'owner-1', name: 'Layla', email }).execute();
  await db
    .insertInto('guest')
    .values(NUMBERS.map((n) => ({ id: `guest-${n}`, name: `Guest ${n}`, email: `g${n}@example.com` })))
    .execute();
  await db
    .insertInto('property')
    .values(
      NUMBERS.map((n) => ({
        id: `property-${n}`,
        name: `Home ${n}`,
        owner_id: 'owner-1',
        agent_ids: n < 10 ? ['agent-1'] : ['agent-2'],
      })),
    )
    .execute();
  await db
    .insertInto('reservation')
    .values(
      NUMBERS.map((n) => ({
        id: `stay-${n}`,
        property_id: `property-${n}`,
        guest_id: `guest-${n}`,
        check_in_date: '2090-03-01',
        check_out_date: '2090-03-03',
        status: 'CONFIRMED' as const,
        total_minor: 100_000,
        currency: 'AED',
        created_by: 'test',
      })),
    )
    .execute();
  // No hour is quiet, but the recipient's clock is asked.
  await sql`UPDATE message_rule SET quiet_channels = '{EMAIL,SMS}', quiet_from = '21:00', quiet_to = '21:00'`.execute(
    db,
  );
});
afterEach(() => http?.stop());

const addMessages = (fields: Readonly<Record<string, unknown>> = {}, which = NUMBERS) =>
  http.db
    .insertInto('notification')
    .values(
      which.map((n) => ({
        id: `message-${n}`,
        effect_key: `message-${n}`,
        reservation_id: `stay-${n}`,
        event: 'RESERVATION_CONFIRMED',
        template: 'reservation-confirmed.guest@1',
        channel: 'EMAIL' as const,
        recipient_type: 'GUEST' as const,
        recipient_id: `guest-${n}`,
        ...fields,
      })),
    )
    .execute();
const sentTo = async () => {
  const rows = await http.db
    .selectFrom('notification')
    .select('recipient_id')
    .where('status', '=', 'SENT')
    .where('recipient_type', '=', 'GUEST')
    .execute();
  return rows.map(({ recipient_id }) => Number(recipient_id.replace('guest-', ''))).toSorted((a, b) => a - b);
};
const others = NUMBERS.filter((n) => n !== POISONED);
const resend = (body: object, call: object = {}): Promise<Answer> =>
  http.call('POST', `${API}/notifications/resend`, { body, ...call });
const failures = (query = '') => http.call('GET', `${API}/sweep-failures${query}`);

describe('a guest with a time zone that does not exist', () => {
  beforeEach(async () => {
    await sql`UPDATE guest SET time_zone = 'IST' WHERE id = ${`guest-${POISONED}`}`.execute(http.db);
    await addMessages();
    await deliverAll(http.db);
  });

  it('costs only that guest’s message, is named, and one call sends it once the zone is mended', async () => {
    expect(await sentTo()).toEqual(others);
    const { body } = await failures();
    expect(body['data']).toMatchObject([
      { id: `messages:message-${POISONED}`, sweep: 'messages', kind: 'notification', rowId: `message-${POISONED}` },
    ]);
    expect(at(body, 'data', 0, 'reason')).toMatch(/time zone/);

    const mended = await http.call('PATCH', `${API}/guests/guest-${POISONED}`, { body: { timeZone: 'Asia/Kolkata' } });
    expect(mended.status).toBe(200);
    const retried = await http.call('POST', `${API}/sweep-failures/retry`, {
      body: { reason: 'The zone is mended' },
      headers: { 'idempotency-key': 'retry-1' },
    });
    expect(retried.body['data']).toEqual({ released: 1, resent: 1, more: false });
    await deliverAll(http.db);
    expect(await sentTo()).toEqual(NUMBERS);
    expect((await failures()).body['data']).toEqual([]);
    // A second call finds nothing to do.
    const again = await http.call('POST', `${API}/sweep-failures/retry`, { body: {} });
    expect(again.body['data']).toEqual({ released: 0, resent: 0, more: false });
  });

  it('can be resent by the bulk call of messages as well', async () => {
    await sql`UPDATE guest SET time_zone = NULL WHERE id = ${`guest-${POISONED}`}`.execute(http.db);
    const answer = await resend({ status: 'BLOCKED', reason: 'RENDER_FAILED' });
    expect(answer.body['data']).toEqual({ resent: 1, more: false, from: null, to: null });
    await deliverAll(http.db);
    expect(await sentTo()).toEqual(NUMBERS);
    expect((await failures()).body['data']).toEqual([]);
  });
});

describe('messages that were lost before', () => {
  const LOST = { status: 'FAILED' as const, reason: 'LEASE_EXPIRED', attempts: 7 };
  const audits = async () => {
    const rows = await http.db
      .selectFrom('audit_log')
      .select('stream_id')
      .where('event', '=', 'NOTIFICATION_RESENT')
      .execute();
    return rows.length;
  };

  it('are all sent by one call, each once, and audited', async () => {
    await addMessages(LOST);
    const answer = await resend({ reason: 'LEASE_EXPIRED' }, { headers: { 'idempotency-key': 'all' } });
    expect(answer.body['data']).toMatchObject({ resent: 20, more: false });
    const repeated = await resend({ reason: 'LEASE_EXPIRED' }, { headers: { 'idempotency-key': 'all' } });
    expect(repeated.text).toBe(answer.text);
    expect((await resend({ reason: 'LEASE_EXPIRED' })).body['data']).toMatchObject({ resent: 0, more: false });
    await deliverAll(http.db);
    expect(await sentTo()).toEqual(NUMBERS);
    expect(await audits()).toBe(20);
  });

  it('are sent once when two people ask at the same moment', async () => {
    await addMessages(LOST);
    const answers = await Promise.all([resend({}), resend({}), resend({})]);
    const counts = answers.map((answer) => Number(at(answer.body, 'data', 'resent')));
    expect(counts.reduce((sum, n) => sum + n, 0)).toBe(20);
    await deliverAll(http.db);
    expect(await sentTo()).toEqual(NUMBERS);
  });

  it('are those of a filter only', async () => {
    await addMessages({ ...LOST, created_at: '2024-02-01T10:00:00Z' }, [1]);
    await addMessages(LOST, [2]);
    await addMessages({ status: 'FAILED', reason: 'INVALID_PHONE' }, [3]);
    await addMessages({ status: 'BLOCKED', reason: 'RENDER_FAILED' }, [4]);
    await addMessages({ status: 'SKIPPED', reason: 'STALE' }, [5]);
    const count = async (body: object) => at((await resend(body)).body, 'data', 'resent');
    expect(await count({ ids: ['message-5'] })).toBe(0);
    expect(await count({ status: 'BLOCKED', reason: 'LEASE_EXPIRED' })).toBe(0);
    expect(await count({ event: 'WELCOME' })).toBe(0);
    // Of the last 30 days, unless a period is named.
    expect(await count({ reason: 'LEASE_EXPIRED' })).toBe(1);
    expect(await count({ from: '2024-02-02', to: '2024-02-02' })).toBe(0);
    expect(await count({ from: '2024-02-01', to: '2024-02-01' })).toBe(1);
    expect(await count({ ids: ['message-3'] })).toBe(1);
    expect(await count({})).toBe(1);
  });

  it('are not those that were told over the other channel, and none that has become untrue is sent', async () => {
    await addMessages(LOST, [1, 2]);
    await addMessages(
      { id: 'instead', effect_key: 'message-1-instead', fallback_of: 'message-1', status: 'SENT' },
      [1],
    );
    await sql`UPDATE reservation SET status = 'CANCELLED' WHERE id = 'stay-2'`.execute(http.db);
    expect((await resend({})).body['data']).toMatchObject({ resent: 1 });
    while ((await deliverDue(mailboxDeps(http.db))) > 0);
    const rows = await http.db.selectFrom('notification').selectAll().where('resend_of', 'is not', null).execute();
    expect(rows.map((row) => [row.resend_of, row.status, row.reason])).toEqual([['message-2', 'SKIPPED', 'STALE']]);
  });

  it('keep quiet hours as first sends do, by whichever call they are sent again', async () => {
    // Quiet since ten minutes ago, for the next half day.
    const clock = (minutes: number): string => new Date(Date.now() + minutes * 60_000).toISOString().slice(11, 16);
    await sql`UPDATE message_rule SET quiet_from = ${clock(-10)}, quiet_to = ${clock(720)}`.execute(http.db);
    await sql`UPDATE guest SET time_zone = 'UTC'`.execute(http.db);
    await addMessages(LOST, [1, 2]);
    await addMessages({ ...LOST, event: 'WELCOME', template: 'welcome.guest@1' }, [3]);
    await sql`UPDATE reservation SET status = 'CHECKED_IN' WHERE id = 'stay-3'`.execute(http.db);
    await recordFailures(http.db, 'messages', [{ id: 'message-2', error: new Error('x') }]);
    const retried = await http.call('POST', `${API}/sweep-failures/retry`, { body: {} });
    expect(retried.body['data']).toMatchObject({ resent: 1 });
    expect((await resend({})).body['data']).toMatchObject({ resent: 2 });
    const one = await http.call('POST', `${API}/notifications/message-1/resend`, { body: {} });
    expect(one.status, one.text).toBeLessThan(300);
    await deliverAll(http.db);
    const rows = await http.db
      .selectFrom('notification')
      .select(['resend_of', 'in_bulk', 'status', 'reason'])
      .where('resend_of', 'is not', null)
      .orderBy('resend_of')
      .orderBy('in_bulk')
      .execute();
    expect(rows.map((row) => Object.values(row).join(' '))).toEqual([
      'message-1 false SENT ',
      'message-1 true QUEUED QUIET_HOURS',
      'message-2 true QUEUED QUIET_HOURS',
      expect.stringMatching(/^message-3 true (?!.*QUIET_HOURS)/),
    ]);
  });

  it('are those of an agent’s portfolio for an agent', async () => {
    await addMessages(LOST);
    const asAgent = (sub: string) => resend({}, { as: 'AGENT', sub });
    expect((await asAgent('agent-1')).body['data']).toMatchObject({ resent: 10 });
    expect((await asAgent('agent-3')).body['data']).toMatchObject({ resent: 0 });
    expect((await resend({}, { as: 'FINANCE' })).status).toBe(403);
  });

  it('come in parts when there are many', async () => {
    await sql`
      INSERT INTO notification (id, effect_key, reservation_id, event, template, channel, recipient_type, recipient_id, params, status, reason)
      SELECT 'many-' || n, 'many-' || n, 'stay-1', 'RESERVATION_CONFIRMED', 'reservation-confirmed.guest@1', 'EMAIL', 'GUEST', 'guest-1', '{}',
        'FAILED', 'SEND_FAILED' FROM generate_series(1, 501) n`.execute(http.db);
    expect((await resend({})).body['data']).toMatchObject({ resent: 500, more: true });
    expect((await resend({})).body['data']).toMatchObject({ resent: 1, more: false });
  });
});

describe('rows that are set aside', () => {
  it('are listed by sweep and page by page, and tried again by sweep or by id', async () => {
    const { db } = http;
    const error = new Error('bad');
    for (const n of [1, 2, 3]) await recordFailures(db, 'offers', [{ id: `task-${n}`, error }]);
    await recordFailures(db, 'payouts', [{ id: 'owner-1 AED', error }]);
    const first = await failures('?limit=2&sweep=offers');
    expect(at(first.body, 'data', 0, 'rowId')).toBe('task-3');
    const second = await failures(`?limit=2&sweep=offers&cursor=${String(first.body['nextCursor'])}`);
    expect(second.body['data']).toMatchObject([{ rowId: 'task-1' }]);
    expect(second.body['nextCursor']).toBeNull();
    const all: unknown[] = [];
    let cursor = '';
    do {
      const { body } = await failures(`?limit=1${cursor}`);
      all.push(at(body, 'data', 0, 'id'));
      cursor = typeof body['nextCursor'] === 'string' ? `&cursor=${body['nextCursor']}` : '';
    } while (cursor !== '');
    expect(all).toEqual(['payouts:owner-1 AED', 'offers:task-3', 'offers:task-2', 'offers:task-1']);

    const waiting = async () => {
      const rows = await db
        .selectFrom('sweep_failure')
        .select('row_id')
        .where('next_try_at', '>', sql<Date>`now()`)
        .orderBy('row_id')
        .execute();
      return rows.map((row) => row.row_id);
    };
    const retry = (body: object, as: 'OPS' | 'AGENT' = 'OPS') =>
      http.call('POST', `${API}/sweep-failures/retry`, { body, as });
    expect((await retry({ ids: ['payouts:owner-1 AED', 'offers:task-9'] })).body['data']).toMatchObject({
      released: 1,
    });
    expect(await waiting()).toEqual(['task-1', 'task-2', 'task-3']);
    expect((await retry({ sweep: 'offers' })).body['data']).toEqual({ released: 3, resent: 0, more: false });
    expect(await waiting()).toEqual([]);
    expect((await retry({ ids: ['task-1'] })).status).toBe(422);
    expect((await retry({ sweep: 'nothing' })).status).toBe(422);
    expect((await retry({}, 'AGENT')).status).toBe(403);
    const audit = await db
      .selectFrom('audit_log')
      .select('body')
      .where('event', '=', 'SWEEP_FAILURES_RETRIED')
      .execute();
    expect(audit).toHaveLength(2);
  });
});
