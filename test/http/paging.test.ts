import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { addSaga, payStay, seedMoneyStay } from '../setup/ledger.ts';
import { type Answer, API, at, type Call, declaredRoutes, type Http, startHttp } from './harness.ts';

/** Every list, walked in pages of one and of two, is the whole list, also where rows were made at the same instant. */

let http: Http;
beforeAll(async () => {
  http = await startHttp();
  await prepare();
}, 60_000);
afterAll(() => http?.stop());

const MANY = [1, 2, 3, 4, 5];
const email = 'someone@example.com';

/** Five of everything, each kind made in one statement or at one instant. */
async function prepare(): Promise<void> {
  const { db } = http;
  const made = new Date('2024-02-01T10:00:00Z');
  const five = <T>(row: (n: number) => T): T[] => MANY.map(row);
  await db
    .insertInto('owner')
    .values(five((n) => ({ id: `owner-${n}`, name: 'Olga', email })))
    .execute();
  await db
    .insertInto('guest')
    .values(five((n) => ({ id: `guest-${n}`, name: 'Gil', email })))
    .execute();
  await db
    .insertInto('staff')
    .values(five((n) => ({ id: `staff-${n}`, name: 'Sam', email, role: 'CLEANER' as const })))
    .execute();
  await db
    .insertInto('property')
    .values(five((n) => ({ id: `property-${n}`, name: 'Palm', owner_id: 'owner-1' })))
    .execute();
  const hour = (n: number): Date => new Date(made.getTime() + n * 3_600_000);
  await db
    .insertInto('task')
    .values(
      five((n) => ({
        id: `task-${n}`,
        type: 'INSPECTION' as const,
        occurrence: 'MANUAL',
        title: 'Look',
        property_id: 'property-1',
        status: 'ASSIGNED' as const,
        assignee_id: 'staff-1',
        scheduled_at: hour(n),
        ends_at: new Date(hour(n).getTime() + 60_000),
      })),
    )
    .execute();
  await db
    .insertInto('staff_leave')
    .values(
      five((n) => ({
        id: `leave-${n}`,
        staff_id: 'staff-1',
        starts_at: made,
        ends_at: hour(1),
        created_by: 'x',
        created_at: made,
      })),
    )
    .execute();
  await db
    .insertInto('recurrence')
    .values(
      five((n) => ({
        id: `rule-${n}`,
        property_id: 'property-1',
        type: 'INSPECTION' as const,
        title: 'Look',
        every: JSON.stringify('MONTHLY'),
        anchor_date: '2024-02-01',
        local_time: '11:00',
        duration_minutes: 60,
        next_period: 1,
        created_by: 'x',
      })),
    )
    .execute();
  await db
    .insertInto('income_distribution')
    .values(five(() => ({ owner_bp: 7_000, agency_bp: 2_500, referrer_bp: 500, set_by: 'x' })))
    .execute();
  for (const n of MANY) {
    const stay = { id: `stay-${n}`, propertyId: `property-${n}`, ownerId: 'owner-1' };
    await seedMoneyStay(db, stay);
    await payStay(db, { stay, at: made });
    await addSaga(db, { subjectId: stay.id, requestedAt: made });
  }
  await db
    .insertInto('notification')
    .values(
      five((n) => ({
        id: `message-${n}`,
        effect_key: `message-${n}`,
        event: 'TESTED',
        template: 'x',
        channel: 'EMAIL' as const,
        recipient_type: 'GUEST' as const,
        recipient_id: 'guest-1',
      })),
    )
    .execute();
  for (const n of MANY) {
    await db
      .insertInto('audit_log')
      .values({ stream_id: `stream:${n}`, at: made, event: 'TESTED', actor: 'x', body: '{}' })
      .execute();
  }
  const reconciliation = { gateway_id: 'gateway-123', source: 'GATEWAY' as const, started_by: 'x' };
  await db
    .insertInto('reconciliation')
    .values(five((n) => ({ ...reconciliation, id: `reconciliation-${n}`, occasion: `${n}` })))
    .execute();
  await db
    .insertInto('reconciliation_line')
    .values(
      five((n) => ({
        reconciliation_id: 'reconciliation-1',
        line: n,
        kind: 'CHARGE' as const,
        reference: `r-${n}`,
        currency: 'AED',
        status: 'MATCHED' as const,
      })),
    )
    .execute();
  const differs = { gateway_id: 'gateway-123', found_in: 'reconciliation-1', seen_in: 'reconciliation-1' };
  await db
    .insertInto('difference')
    .values(
      five((n) => ({
        ...differs,
        id: `difference-${n}`,
        movement: 'CHARGE' as const,
        subject: `theirs:${n}`,
        kind: 'MISSING_IN_LEDGER' as const,
        differs: '[]',
        reference: `r-${n}`,
        currency: 'AED',
      })),
    )
    .execute();
  const endpoint = { url: 'https://example.com/', secret: 'x', next_seq: 1, created_by: 'x' };
  await db
    .insertInto('webhook_endpoint')
    .values(five((n) => ({ ...endpoint, id: `hook-${n}` })))
    .execute();
  await db
    .insertInto('api_key')
    .values(
      five((n) => ({
        id: `key-${n}`,
        name: 'x',
        key_hash: Buffer.from(`${n}`),
        prefix: 'rk_live_xxxx',
        scopes: [],
        created_by: 'x',
        created_at: made,
        expires_at: made,
      })),
    )
    .execute();
  await db
    .insertInto('account')
    .values(
      five((n) => ({
        id: `account-${n}`,
        name: 'Omar',
        email: `${n}@example.com`,
        role: 'OPS' as const,
        created_at: made,
      })),
    )
    .execute();
  await db
    .insertInto('approval')
    .values(
      five((n) => ({
        id: `approval-${n}`,
        kind: 'PAYOUT_ACCOUNT' as const,
        subject_type: 'owner' as const,
        subject_id: `owner-${n}`,
        asked: 'x',
        asked_by: 'x',
        asked_at: made,
        expires_at: made,
      })),
    )
    .execute();
  await db
    .insertInto('webhook_attempt')
    .values(five((n) => ({ endpoint_id: 'hook-1', seq: n, type: 'task.created', attempt: 1, ms: 1 })))
    .execute();
  await db
    .insertInto('incident')
    .values(
      five((n) => ({
        id: `incident-${n}`,
        kind: 'QUEUE_PAUSED',
        subject: `queue-${n}`,
        area: 'ENGINE' as const,
        severity: 'CRITICAL' as const,
        count: 1,
        most: 1,
        since: made,
        details: '{}',
        first_at: made,
      })),
    )
    .execute();
  await db
    .insertInto('hold')
    .values(
      five((n) => ({
        id: `hold-${n}`,
        scope: 'SAGA' as const,
        subject: `saga-${n}`,
        reason: 'x',
        held_by: 'x',
        held_at: made,
      })),
    )
    .execute();
  await db
    .insertInto('sweep_failure')
    .values(
      five((n) => ({
        sweep: 'holds',
        row_id: `hold-${n}`,
        reason: 'x',
        first_at: made,
        last_at: made,
        next_try_at: made,
      })),
    )
    .execute();
}

/** Values for the parameters of a path. */
const PATHS: Readonly<Record<string, string>> = {
  '/owners/{id}/statement': '/owners/owner-1/statement',
  '/financial/reconciliations/{id}': '/financial/reconciliations/reconciliation-1',
  '/webhook-endpoints/{id}/deliveries': '/webhook-endpoints/hook-1/deliveries',
  '/staff/{id}/leave': '/staff/staff-1/leave',
  '/reservations/{id}/timeline': '/reservations/stay-1/timeline',
  '/properties/{id}/timeline': '/properties/property-1/timeline',
  '/owners/{id}/timeline': '/owners/owner-1/timeline',
  '/staff/{id}/timeline': '/staff/staff-1/timeline',
};
const CALLS: Readonly<Record<string, { readonly call?: Call; readonly query?: string }>> = {
  '/me/tasks': { call: { as: 'CLEANER', sub: 'staff-1' }, query: 'from=2024-01-01' },
  '/me/stays': { call: { as: 'GUEST', sub: 'guest-1' } },
};
const isList = (query: unknown): boolean =>
  typeof query === 'object' && query !== null && 'shape' in query && 'limit' in (query as z.ZodObject).shape;

const rowsIn = (answer: Answer): readonly object[] => {
  const data = at(answer.body, 'data');
  return (Array.isArray(data) ? data : at(data, 'lines')) as readonly object[];
};
const cursorIn = (answer: Answer): unknown =>
  at(answer.body, 'nextCursor') ?? at(answer.body, 'data', 'nextCursor') ?? null;

describe('every list', () => {
  it('in pages of one, two and three is the whole of it, once each', { timeout: 60_000 }, async () => {
    const walked: string[] = [];
    for (const { route } of declaredRoutes(http.app)) {
      if (route.method !== 'get' || !isList(route.request?.query)) continue;
      const name = route.path.replace(API, '');
      const { call = {}, query = '' } = CALLS[name] ?? {};
      const path = `${API}${PATHS[name] ?? name}?${query}`;
      const get = async (limit: number, cursor: unknown): Promise<Answer> => {
        const answer = await http.call(
          'GET',
          `${path}&limit=${limit}${cursor === null ? '' : `&cursor=${cursor}`}`,
          call,
        );
        expect(answer.status, `${path}: ${answer.text}`).toBe(200);
        return answer;
      };
      const all = await get(100, null);
      const whole = rowsIn(all);
      expect(whole.length, name).toBeGreaterThanOrEqual(MANY.length);
      expect(cursorIn(all), name).toBeNull();
      for (const limit of [1, 2, 3]) {
        const rows: object[] = [];
        let cursor: unknown = null;
        do {
          const page = await get(limit, cursor);
          expect(rowsIn(page).length, name).toBeLessThanOrEqual(limit);
          rows.push(...rowsIn(page));
          cursor = cursorIn(page);
        } while (cursor !== null && rows.length <= whole.length);
        expect(rows, `${name} by ${limit}`).toEqual(whole);
      }
      walked.push(name);
    }
    expect(walked).toContain('/events');
    expect(walked.length).toBeGreaterThanOrEqual(19);
  });
});

describe('a place beyond the end of the feed', () => {
  const last = async (): Promise<number> =>
    Number(at((await http.call('GET', `${API}/events?limit=1000`)).body, 'nextAfter'));

  it('is told with the last place that there is, through every door', async () => {
    const end = await last();
    const ask = (call: Call, method: string, path: string) => http.call(method, `${API}${path}`, call);
    for (const answer of [
      await ask({}, 'GET', `/events?after=${end + 1}`),
      await ask({}, 'GET', `/events/stream?after=${end + 1}`),
      await ask({ headers: { 'last-event-id': String(end + 1) } }, 'GET', '/events/stream'),
      await ask({ body: { afterSeq: end + 1 } }, 'POST', '/webhook-endpoints/hook-1/replay'),
    ]) {
      expect([answer.status, answer.body['code'], answer.body['details']]).toEqual([
        409,
        'EVENTS_NOT_REACHED',
        { asked: end + 1, last: end },
      ]);
    }
    // The end itself is a place: nothing is missed by going on from there.
    expect(at((await ask({}, 'GET', `/events?after=${end}`)).body, 'nextAfter')).toBe(end);
    expect((await ask({ body: { afterSeq: end } }, 'POST', '/webhook-endpoints/hook-1/replay')).status).toBe(200);
  });

  it('is met by who was ahead of a database that was restored', async () => {
    const end = await last();
    await sql`DELETE FROM domain_event WHERE id = ANY (ARRAY(SELECT run.event_id + place - run.seq
      FROM event_run run, generate_series(run.seq, run.seq + run.events - 1) AS place WHERE place > ${end - 3}))`.execute(
      http.db,
    );
    await sql`DELETE FROM event_run WHERE seq > ${end - 3}`.execute(http.db);
    await sql`UPDATE event_run SET events = least(events, ${end - 3} + 1 - seq)`.execute(http.db);
    await sql`UPDATE event_feed SET last_seq = ${end - 3}`.execute(http.db);
    const answer = await http.call('GET', `${API}/events?after=${end}`);
    expect([answer.status, at(answer.body, 'details', 'last')]).toEqual([409, end - 3]);
  });

  it.each(['x', '-1', '1.5', '1e3', '9'.repeat(16), ' 1', '0x10', '١'])('is no number: %j', async (place) => {
    const after = encodeURIComponent(place);
    for (const path of [`/events?after=${after}`, `/events/stream?after=${after}`]) {
      expect((await http.call('GET', `${API}${path}`)).status, path).toBe(422);
    }
    if (/^[\x21-\x7e]+$/.test(place)) {
      const headers = { 'last-event-id': place };
      expect((await http.call('GET', `${API}/events/stream`, { headers })).status).toBe(422);
    }
    const body = { afterSeq: place };
    expect((await http.call('POST', `${API}/webhook-endpoints/hook-1/replay`, { body })).status).toBe(422);
  });
});
