import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forgetEvents, numberEvents, readEvents } from '../../src/domain/events/feed.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { type System, startSystem } from '../setup/system.ts';
import { API } from './harness.ts';

/** The feed: every change of state once, in one order, without gaps, through whichever door. */

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
});
afterAll(() => system?.close());

interface Event {
  readonly seq: number;
  readonly id: string;
  readonly type: string;
  readonly resource: { readonly type: string; readonly id: string };
  readonly data: Readonly<Record<string, unknown>>;
}
const act = (id: string, action: string, body: object = {}) =>
  system.call('POST', `/reservations/${id}/${action}`, { body });
async function all(query = ''): Promise<readonly Event[]> {
  const events: Event[] = [];
  for (let after = 0; ; ) {
    const { body } = await system.call('GET', `/events?after=${after}&limit=50${query}`);
    events.push(...body.data);
    if (body.data.length === 0) return events;
    after = body.nextAfter;
  }
}
const newest = async (): Promise<number> => numberEvents(system.bed.db);

describe('the feed', () => {
  it('has one event for every change of state of a stay, its tasks and its money', async () => {
    const id = await seedStay(system.bed.db);
    await act(id, 'confirm');
    const paid = {
      amount: 1000,
      currency: 'AED',
      paymentMethod: 'Card',
      gatewayId: GATEWAY,
      gatewayReference: `ref-${id}`,
    };
    expect((await act(id, 'payment', paid)).status).toBe(200);
    await act(id, 'check-in');
    await act(id, 'check-out');
    const events = await all(`&reservationId=${id}`);
    const typesOf = (resource: string) =>
      events.filter((event) => event.resource.type === resource).map(({ type }) => type);
    expect(typesOf('reservation')).toEqual([
      'reservation.created',
      'reservation.confirmed',
      'reservation.payment_status_changed',
      'reservation.checked_in',
      'reservation.checked_out',
    ]);
    expect(typesOf('task').filter((type) => type === 'task.created')).toHaveLength(4);
    expect(typesOf('payment')).toEqual(['payment.processing', 'payment.completed']);
    expect(typesOf('saga').filter((type) => type === 'saga.completed')).toHaveLength(4);
    // The present state of each record is that of its last event.
    for (const table of ['reservation', 'task', 'transaction'] as const) {
      const { rows } = await sql<{ id: string; status: string }>`
        SELECT id, status FROM ${sql.table(table)} WHERE ${sql.ref(table === 'reservation' ? 'id' : 'reservation_id')} = ${id}`.execute(
        system.bed.db,
      );
      for (const row of rows)
        expect(events.findLast(({ resource }) => resource.id === row.id)?.data['status']).toBe(row.status);
    }
    expect(JSON.stringify(events)).not.toMatch(/example\.com|John|\+971/);
  });

  it('has one for what became of a message, and for people, and says nothing about them', async () => {
    const id = await seedStay(system.bed.db);
    await act(id, 'confirm');
    const before = await newest();
    const { db } = system.bed;
    await db
      .updateTable('notification')
      .set({ status: 'SKIPPED', reason: 'STALE' })
      .where('reservation_id', '=', id)
      .execute();
    const path = '/guests';
    const made = await system.call('POST', path, { body: { name: 'Nora Nobody', email: 'nora@example.com' } });
    await system.call('PATCH', `${path}/${made.body.data.id}`, { body: { locale: 'ar' } });
    const { events } = await readEvents(db, before, 100);
    const notified = await db.selectFrom('notification').select('id').where('reservation_id', '=', id).execute();
    expect(events.filter(({ type }) => type === 'notification.skipped')).toHaveLength(notified.length);
    const ofGuest = events.filter(({ resource }) => resource.id === made.body.data.id);
    expect(ofGuest.map(({ type }) => type)).toEqual(['guest.created', 'guest.updated']);
    expect(JSON.stringify(events)).not.toMatch(/Nora|example\.com/);
  });

  it('counts what was undone as well, and nothing of what never was', async () => {
    const before = await newest();
    const id = await seedStay(system.bed.db);
    // Nobody can be found, so all is undone.
    expect((await act(id, 'confirm', { requireAssignment: true })).status).toBe(409);
    const types = (await all(`&reservationId=${id}`)).map(({ type }) => type);
    expect(types.filter((type) => type.startsWith('reservation.'))).toEqual([
      'reservation.created',
      'reservation.confirmed',
      'reservation.unconfirmed',
    ]);
    expect(types.filter((type) => type.startsWith('saga.'))).toEqual([
      'saga.accepted',
      'saga.compensating',
      'saga.compensated',
    ]);
    await system.bed.db
      .transaction()
      .execute(async (tx) => {
        await tx.updateTable('reservation').set({ status: 'CANCELLED' }).where('id', '=', id).execute();
        throw new Error('never mind');
      })
      .catch(() => undefined);
    expect((await all(`&reservationId=${id}`)).map(({ type }) => type)).toEqual(types);
    expect(await newest()).toBeGreaterThan(before);
  });

  it('is dense and in order for everybody, while others write, roll back and read', async () => {
    const { db } = system.bed;
    const ids = await Promise.all(Array.from({ length: 8 }, () => seedStay(db)));
    const start = await newest();
    let writing = true;
    const rounds = 12;
    const write = async (id: string, n: number): Promise<void> => {
      for (let round = 1; round <= rounds; round += 1) {
        await db
          .transaction()
          .execute(async (tx) => {
            await tx
              .updateTable('reservation')
              .set({ version: 100 + round, notes: `${round}` })
              .where('id', '=', id)
              .execute();
            // Commits come in another order than ids.
            await sql`SELECT pg_sleep(${((n * 7 + round * 3) % 10) / 1000})`.execute(tx);
            if (round % 4 === 0) throw new Error('rolled back');
          })
          .catch(() => undefined);
      }
    };
    const read = async (): Promise<number[]> => {
      const seen: number[] = [];
      for (let position = start, idle = 0; idle < 2; ) {
        const { events, last } = await readEvents(db, position, 7);
        seen.push(...events.map(({ seq }) => seq));
        position = last;
        idle = events.length === 0 && !writing ? idle + 1 : 0;
      }
      return seen;
    };
    const readers = [read(), read(), read()];
    await Promise.all(ids.map(write));
    writing = false;
    const [first = [], ...others] = await Promise.all(readers);
    expect(first).toHaveLength(ids.length * rounds * 0.75);
    expect(first).toEqual(first.map((_, index) => start + 1 + index));
    for (const other of others) expect(other).toEqual(first);
    const events = (await readEvents(db, start, 1_000)).events;
    for (const id of ids) {
      const versions = events.filter(({ resource }) => resource.id === id).map(({ data }) => data['version']);
      expect(versions).toEqual([...versions].toSorted((a, b) => Number(a) - Number(b)));
    }
  });

  it('is filtered, bounded, and for operators', async () => {
    const created = await all('&type=reservation.created');
    expect(new Set(created.map(({ type }) => type))).toEqual(new Set(['reservation.created']));
    expect(new Set((await all('&type=task.*')).map(({ resource }) => resource.type))).toEqual(new Set(['task']));
    const { status, body } = await system.call('GET', '/events?after=999999');
    expect([status, body.code, body.details.last]).toEqual([409, 'EVENTS_NOT_REACHED', await newest()]);
    for (const query of ['after=-1', 'limit=0', 'limit=1001', 'type=task', 'type=a.b.c', 'x=1']) {
      expect((await system.call('GET', `/events?${query}`)).status, query).toBe(422);
    }
    expect((await system.call('GET', '/events', { role: 'AGENT' })).status).toBe(403);
  });
});

describe('the stream', () => {
  const open = async (query = '', headers: Record<string, string> = {}) => {
    const { app, headers: own } = await system.as({ headers });
    const ended = new AbortController();
    const response = await app.request(`${API}/events/stream${query}`, { headers: own, signal: ended.signal });
    let text = '';
    const reader = response.body?.getReader();
    void (async () => {
      for (;;) {
        const part = await reader?.read().catch(() => undefined);
        if (!part || part.done) return;
        text += Buffer.from(part.value).toString();
      }
    })();
    return {
      response,
      ids: () => [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1])),
      text: () => text,
      close: async () => {
        ended.abort();
        await reader?.cancel().catch(() => undefined);
      },
    };
  };

  it('tells what happens, and goes on where a client left it', async () => {
    const start = await newest();
    const stream = await open();
    expect(stream.response.headers.get('content-type')).toContain('text/event-stream');
    const id = await seedStay(system.bed.db);
    await expect.poll(stream.ids, { timeout: 5_000 }).toEqual([start + 1, start + 2]);
    expect(stream.text()).toContain('event: reservation.created');
    await stream.close();
    await system.call('PATCH', `/reservations/${id}`, { body: { guestCount: 2 } });
    const again = await open('', { 'last-event-id': String(start + 1) });
    await expect.poll(again.ids, { timeout: 5_000 }).toEqual([start + 2, start + 3]);
    await again.close();
    const from = await open(`?after=${start + 2}&reservationId=${id}`);
    await expect.poll(from.ids, { timeout: 5_000 }).toEqual([start + 3]);
    await from.close();
  });

  it('needs a place that there is', async () => {
    expect((await system.call('GET', '/events/stream', { headers: { 'last-event-id': 'x' } })).status).toBe(422);
  });

  it('lets go of the database when nobody listens any more', async () => {
    const stream = await open();
    await stream.close();
    await sleep(0);
    const { rows } = await sql<{ n: number }>`SELECT count(*)::int AS n FROM event_feed`.execute(system.bed.db);
    expect(rows[0]?.n).toBe(1);
  });
});

describe('events that are old', () => {
  it('are deleted once every endpoint has got them, and a reader who needs them is told', async () => {
    const { db } = system.bed;
    const last = await newest();
    const endpoint = { id: 'slow', url: 'https://example.com/', secret: 'x', created_by: 'tester' };
    await db
      .insertInto('webhook_endpoint')
      .values({ ...endpoint, next_seq: 3 })
      .execute();
    await db
      .updateTable('domain_event')
      .set({ at: new Date('2020-01-01') } as never)
      .where(
        sql<boolean>`id = ANY (ARRAY(SELECT run.event_id + place - run.seq FROM event_run run, generate_series(run.seq, run.seq + run.events - 1) AS place WHERE place <= ${last}))`,
      )
      .execute();
    expect(await forgetEvents(db, 400)).toBe(2);
    await db.deleteFrom('webhook_endpoint').execute();
    expect((await system.call('GET', '/events?after=2&limit=1')).body.data[0].seq).toBe(3);
    const expired = await system.call('GET', '/events?after=0');
    expect([expired.status, expired.body.code, expired.body.details.oldest]).toEqual([410, 'EVENTS_EXPIRED', 3]);
    expect(await forgetEvents(db, 400)).toBe(last - 2);
  });
});
