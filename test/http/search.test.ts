import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SearchKind } from '../../src/domain/search/hits.ts';
import { addSaga, payOut, payStay, refundStay, seedMoneyStay } from '../setup/ledger.ts';
import { API, at, type Call, type Http, PUBLIC_URL, startHttp } from './harness.ts';
import { type Kind, PEOPLE, prepareRights } from './rights.ts';

/** What a search finds, and that nobody finds by it what their lists would not show. */

interface Hit {
  readonly kind: SearchKind;
  readonly id: string;
  readonly title: string;
  readonly detail: string | null;
  readonly reservationId: string | null;
  readonly amount: number | null;
  readonly link: string | null;
  readonly related?: readonly Hit[];
}
const REQUEST = 'request-019b76da-a800-7000-8000-000000000000';
const STAY = { id: 'stay-own', propertyId: 'property-1', ownerId: 'owner-1' };
const FOREIGN = { id: 'stay-9', propertyId: 'property-9', ownerId: 'owner-9' };

let http: Http;
const made = { refund: '', payout: '', parked: '', foreign: '' };
beforeAll(async () => {
  http = await startHttp();
  const { db } = http;
  await prepareRights(http);
  await db
    .updateTable('guest')
    .set({ name: 'Juan Carlos López', email: 'juan.lopez@example.net', phone: '+971 50 123 4567' })
    .where('id', '=', 'guest-1')
    .execute();
  await db
    .updateTable('guest')
    .set({ name: 'محمد الرئيسي', email: 'foreign@example.net', phone: '+971 50 123 9999' })
    .where('id', '=', 'guest-9')
    .execute();
  await db.updateTable('property').set({ name: 'Villa Juanita' }).where('id', '=', 'property-9').execute();
  // A stay of its own, paid, half of it given back, and the rest paid out.
  const paid = { ...STAY, id: 'stay-paid' };
  await seedMoneyStay(db, paid);
  const payment = await payStay(db, { stay: paid, reference: 'ref-of-paid' });
  made.refund = await refundStay(db, paid, payment, { percent: 50 });
  await payOut(db, paid, payment, { providerId: 'bank-77', netMinor: 35_000 });
  made.payout = payment.transactions.OWNER_PAYOUT ?? '';
  made.parked = await parked('stay-own', 'DEVICE_UNREACHABLE');
  made.foreign = await parked('stay-9', 'DEVICE_UNREACHABLE');
  await payStay(db, { stay: FOREIGN, reference: 'ref-of-nine' });
  await db
    .insertInto('task')
    .values({
      id: 'task-9',
      type: 'CLEANING',
      occurrence: 'task-9',
      title: 'Work',
      property_id: 'property-9',
      reservation_id: 'stay-9',
      status: 'ASSIGNED',
      assignee_id: 'cleaner-9',
      scheduled_at: new Date('2031-01-01T00:00:00Z'),
      ends_at: new Date('2031-01-01T01:00:00Z'),
    })
    .execute();
  const counted = { severity: 'CRITICAL' as const, count: 1, most: 1, since: sql<Date>`now()`, details: '{}' };
  await db
    .insertInto('incident')
    .values({ ...counted, id: 'incident-engine', kind: 'NO_WORKER', subject: 'sagas', area: 'ENGINE' })
    .execute();
  await db
    .insertInto('audit_log')
    .values({
      stream_id: 'asked',
      at: new Date('2026-01-01T00:00:01Z'),
      event: 'RESERVATION_UPDATED',
      actor: 'agent-1',
      request_id: REQUEST,
      body: '{}',
    })
    .execute();
}, 120_000);
afterAll(() => http?.stop());

async function parked(stay: string, errorCode: string): Promise<string> {
  const id = await addSaga(http.db, { name: 'checkOut', subjectId: stay, status: 'parked', errorCode });
  await sql`UPDATE saga SET request_id = ${`request-of-${stay}`} WHERE id = ${id}`.execute(http.db);
  return id;
}

async function find(q: string, call: Call = {}, more: Readonly<Record<string, string>> = {}): Promise<readonly Hit[]> {
  const answer = await http.call('GET', `${API}/search?${new URLSearchParams({ q, perKind: '50', ...more })}`, call);
  expect(answer.status, answer.text).toBe(200);
  return (at(answer.body, 'data', 'kinds') as { hits: Hit[] }[]).flatMap(({ hits }) => hits);
}
const namesOf = (hits: readonly Hit[]): readonly string[] => hits.map(({ kind, id }) => `${kind} ${id}`);
const AGENT: Call = { as: 'AGENT', sub: 'agent-1' };

describe('a search finds', () => {
  it('a guest by the beginning of any word, two words in either order, an address or a number, and the stays with the guest', async () => {
    for (const q of [
      'juan',
      'JUAN C',
      'carl',
      'lópez, juan',
      'López',
      'juan.lopez@ex',
      '+971501234567',
      '00971 50 1234567',
      '050-1234567',
      '97150 1234567',
    ]) {
      for (const call of [{}, AGENT]) {
        const hits = namesOf(await find(q, call));
        expect(hits, q).toContain('GUEST guest-1');
        expect(hits, q).toContain('RESERVATION stay-own');
        expect(hits, q).not.toContain('GUEST guest-9');
      }
    }
    expect(namesOf(await find('محمد'))).toContain('GUEST guest-9');
    for (const q of ['uan', 'juan x', 'example.net', '123456', '%', '_', 'j%'])
      expect(namesOf(await find(q.padEnd(2, q))), q).not.toContain('GUEST guest-1');
  });

  it('who was renamed by the new name alone', async () => {
    await http.db.insertInto('guest').values({ id: 'guest-n', name: 'Quixote', email: 'n@example.com' }).execute();
    await http.db.insertInto('owner').values({ id: 'owner-n', name: 'Quixote', email: 'n@example.com' }).execute();
    await seedMoneyStay(http.db, { id: 'stay-n' });
    await http.db.updateTable('reservation').set({ guest_id: 'guest-n' }).where('id', '=', 'stay-n').execute();
    const both = ['GUEST guest-n', 'OWNER owner-n', 'RESERVATION stay-n'];
    expect(namesOf(await find('quix')).toSorted()).toEqual(both);
    expect(namesOf(await find('quix', AGENT)).toSorted()).toEqual(['GUEST guest-n', 'RESERVATION stay-n']);
    await http.db.updateTable('guest').set({ name: 'Afterwards' }).where('id', '=', 'guest-n').execute();
    await http.db.updateTable('owner').set({ name: 'Afterwards' }).where('id', '=', 'owner-n').execute();
    expect(await find('quix')).toEqual([]);
    expect(await find('quix', AGENT)).toEqual([]);
    expect(namesOf(await find('afterw')).toSorted()).toEqual(both);
    expect(namesOf(await find('afterw', AGENT)).toSorted()).toEqual(['GUEST guest-n', 'RESERVATION stay-n']);
    // Another guest's from now on: the guest is no longer of this agent.
    await http.db.updateTable('reservation').set({ guest_id: 'guest-1' }).where('id', '=', 'stay-n').execute();
    expect(await find('afterw', AGENT)).toEqual([]);
    await http.db.deleteFrom('guest').where('id', '=', 'guest-n').execute();
    const { rows } = await sql`SELECT FROM guest_word WHERE guest_id = 'guest-n'`.execute(http.db);
    expect(rows).toEqual([]);
  });

  it('by words that are those which the migration wrote, whatever has changed since', async () => {
    const { rows } = await sql<{ n: number }>`
      WITH anew (kind, place, word, id) AS (
        SELECT 'GUEST', places.place, said.word, g.id FROM guest g, search_words(g.name, g.email, g.phone) said (word),
          LATERAL (SELECT '' UNION SELECT 'by ' || g.created_by UNION SELECT 'at ' || r.property_id FROM reservation r WHERE r.guest_id = g.id) places (place)
         WHERE places.place IS NOT NULL
        UNION ALL SELECT 'PROPERTY', '', said.word, p.id FROM property p, search_words(p.name, NULL, NULL) said (word)
        UNION ALL SELECT 'OWNER', '', said.word, o.id FROM owner o, search_words(o.name, o.email, o.phone) said (word)
        UNION ALL SELECT 'STAFF', '', said.word, s.id FROM staff s, search_words(s.name, s.email, s.phone) said (word)),
      kept AS (SELECT 'GUEST', place, word, guest_id FROM guest_word UNION ALL SELECT kind, '', word, id FROM name_word)
      SELECT count(*)::int AS n FROM ((TABLE anew EXCEPT ALL TABLE kept) UNION ALL (TABLE kept EXCEPT ALL TABLE anew)) differing`.execute(
      http.db,
    );
    expect(rows).toEqual([{ n: 0 }]);
  });

  it('with a stay its sagas, refunds and payouts', async () => {
    const [stay] = (await find('stay-paid')).filter(({ kind }) => kind === 'RESERVATION');
    const related = stay?.related ?? [];
    expect(namesOf(related)).toContain(`TRANSACTION ${made.refund}`);
    expect(namesOf(related)).toContain(`TRANSACTION ${made.payout}`);
    const titles = related.filter(({ kind }) => kind === 'SAGA').map(({ title }) => title);
    expect(titles).toContain('cancelReservation');
    expect(titles).toContain('processOwnerPayout');
    // Also when it was found by its guest.
    const byGuest = (await find('lópez', AGENT)).find(({ id }) => id === 'stay-paid');
    expect(namesOf(byGuest?.related ?? []).toSorted()).toEqual(namesOf(related).toSorted());
  });

  it('money by a reference of a gateway, by one of a bank, and by its own id', async () => {
    const byReference = await find('ref-of-paid');
    expect(namesOf(byReference)).toContain(`TRANSACTION ${made.refund}`);
    expect(byReference.some(({ kind, reservationId }) => kind === 'PAYMENT' && reservationId === 'stay-paid')).toBe(
      true,
    );
    expect(namesOf(await find('bank-77'))).toEqual([`TRANSACTION ${made.payout}`]);
    const byId = await find(made.payout, AGENT);
    expect(byId.find(({ kind }) => kind === 'TRANSACTION')?.reservationId).toBe('stay-paid');
    expect(byId.find(({ kind, title }) => kind === 'SAGA' && title === 'processOwnerPayout')?.reservationId).toBe(
      'stay-paid',
    );
  });

  it('sagas by their error in either spelling, their request and who asked', async () => {
    for (const q of ['DEVICE_UNREACHABLE', 'device_unreachable']) {
      expect(namesOf(await find(q)).toSorted()).toEqual([`SAGA ${made.parked}`, `SAGA ${made.foreign}`].toSorted());
      expect(namesOf(await find(q, AGENT))).toEqual([`SAGA ${made.parked}`]);
    }
    expect(namesOf(await find('request-of-stay-own'))).toEqual([`SAGA ${made.parked}`]);
    expect(namesOf(await find('agent-1'))).toContain(`SAGA ${made.parked}`);
  });

  it('incidents by their kind, those of money alone for who answers for money', async () => {
    expect(namesOf(await find('no_worker'))).toEqual(['INCIDENT incident-engine']);
    expect(await find('NO_WORKER', { as: 'FINANCE', sub: 'finance-1' })).toEqual([]);
    expect((await find('SAGA_PARKED', { as: 'FINANCE', sub: 'finance-1' })).length).toBe(1);
  });

  it('a request with what it was, once', async () => {
    const hits = await find(REQUEST);
    expect(hits).toHaveLength(1);
    expect(hits[0]).toMatchObject({ kind: 'REQUEST', id: REQUEST, title: 'RESERVATION_UPDATED', detail: 'agent-1' });
    expect(namesOf(await find('agent-1', { as: 'OPS', sub: 'ops-1' }))).toContain(`REQUEST ${REQUEST}`);
  });

  it('a day: who comes or leaves, what is due, what was asked', async () => {
    const { db } = http;
    await seedMoneyStay(db, { id: 'stay-of-day' });
    const dates = { check_in_date: '2032-03-04', check_out_date: '2032-03-06' };
    await db.updateTable('reservation').set(dates).where('id', '=', 'stay-of-day').execute();
    for (const day of ['2032-03-04', '2032-03-06'])
      for (const call of [{}, AGENT]) expect(namesOf(await find(day, call))).toEqual(['RESERVATION stay-of-day']);
    expect(await find('2032-03-05')).toEqual([]);
    expect(namesOf(await find('2031-01-01'))).toEqual(expect.arrayContaining(['TASK task-own', 'TASK task-9']));
    expect(namesOf(await find('2031-01-01', AGENT))).not.toContain('TASK task-9');
    expect(namesOf(await find('2026-01-01', {}, { zone: 'UTC' }))).toEqual([]);
    expect(await find('2032-13-45')).toEqual([]);
  });

  it('what is of a property, and of a period, where these are asked for', async () => {
    const own = namesOf(await find('DEVICE_UNREACHABLE', {}, { propertyId: 'property-9' }));
    expect(own).toEqual([`SAGA ${made.foreign}`]);
    expect(namesOf(await find('juan', {}, { propertyId: 'property-9' }))).toEqual(['PROPERTY property-9']);
    const dates = { check_in_date: '2099-01-01', check_out_date: '2099-01-03' };
    await http.db.updateTable('reservation').set(dates).where('id', '=', 'stay-9').execute();
    expect(namesOf(await find('juanita'))).toEqual(['RESERVATION stay-9', 'PROPERTY property-9']);
    expect(namesOf(await find('juanita', {}, { to: '2098-12-31' }))).toEqual(['PROPERTY property-9']);
    expect(await find('DEVICE_UNREACHABLE', {}, { to: '2020-01-01' })).toEqual([]);
    const since = namesOf(await find('DEVICE_UNREACHABLE', {}, { from: '2020-01-01' }));
    expect(since).toHaveLength(2);
    const foreign = await http.call('GET', `${API}/search?q=juan&propertyId=property-9`, AGENT);
    expect([foreign.status, foreign.body['code']]).toEqual([404, 'NOT_FOUND']);
  });

  it('so many of each kind, and says that there are more', async () => {
    const answer = await http.call('GET', `${API}/search?q=work&perKind=1`);
    expect(answer.status).toBe(200);
    const two = await http.call('GET', `${API}/search?q=DEVICE_UNREACHABLE&perKind=1`);
    expect(at(two.body, 'data', 'kinds', 0)).toMatchObject({ kind: 'SAGA', hasMore: true, hits: { length: 1 } });
    for (const wrong of ['q=x', 'q=juan&perKind=0', 'q=juan&perKind=51', 'q=juan&unknown=1', `q=${'x'.repeat(201)}`])
      expect((await http.call('GET', `${API}/search?${wrong}`)).status, wrong).toBe(422);
    expect(at((await http.call('GET', `${API}/search`)).body, 'data', 'kinds')).toEqual([]);
  });

  it('pages of the console for people, and none for programs', async () => {
    const [stay] = await find('stay-own');
    expect(stay?.link).toBe(`${PUBLIC_URL}/console/stays/stay-own`);
    const scope = 'search:read reservations:read';
    const [bare] = await find('stay-own', { as: { scope }, sub: 'desk-1' });
    expect(bare).toMatchObject({ kind: 'RESERVATION', link: null, detail: null, related: [] });
  });
});

/** Every list by the kind that it shows: who may ask it, and which ids it has. */
const LISTS: Readonly<Record<Exclude<SearchKind, 'PAYMENT'>, readonly (readonly [path: string, field: string])[]>> = {
  // Who runs the system sees the stays of a day.
  RESERVATION: [
    ['/reservations?limit=100', 'id'],
    ['/day', 'reservationId'],
  ],
  GUEST: [['/guests?limit=100', 'id']],
  PROPERTY: [['/properties?limit=100', 'id']],
  OWNER: [['/owners?limit=100', 'id']],
  STAFF: [['/staff?limit=100', 'id']],
  SAGA: [['/sagas?limit=100', 'id']],
  TRANSACTION: [['/transactions?limit=100', 'id']],
  TASK: [['/tasks?limit=100', 'id']],
  MESSAGE: [['/notifications?limit=100', 'id']],
  INCIDENT: [['/incidents?limit=100', 'id']],
  REQUEST: [['/audit?limit=100', 'requestId']],
  TEXT: [['/templates', 'key']],
};
const SEARCHERS = PEOPLE.filter(({ role }) => ['ADMIN', 'AGENT', 'FINANCE', 'OPS', 'OWNER'].includes(String(role)));
const CALLERS = SEARCHERS.flatMap(({ name, own, stranger }: Kind) => [
  { name, call: own },
  ...(stranger === null ? [] : [{ name: `${name}, another one`, call: stranger }]),
]);
const everything: string[] = [];

describe('rights: a search shows', () => {
  /** What the lists show the caller, as `KIND id`. */
  async function listed(call: Call): Promise<ReadonlySet<string>> {
    const shown = new Set<string>();
    for (const [kind, paths] of Object.entries(LISTS)) {
      for (const [path, field] of paths) {
        const { status, body } = await http.call('GET', `${API}${path}`, call);
        if (path === '/day') {
          // Any stay is on some day.
          if (status === 200 && call.as === 'OPS') for (const id of stays) shown.add(`RESERVATION ${id}`);
          continue;
        }
        expect([200, 403], path).toContain(status);
        if (status !== 200) continue;
        expect(body['nextCursor'] ?? null, path).toBeNull();
        for (const row of body['data'] as Record<string, string>[]) {
          if (row[field]) shown.add(`${kind} ${row[field]}`);
          if (kind === 'TRANSACTION' && row['paymentId']) shown.add(`PAYMENT ${row['paymentId']}`);
        }
      }
    }
    return shown;
  }
  let stays: readonly string[] = [];
  beforeAll(async () => {
    const idsOf = async (table: string, kind: string) => {
      const { rows } = await sql<{ id: string }>`SELECT id FROM ${sql.table(table)}`.execute(http.db);
      everything.push(...rows.map(({ id }) => `${kind} ${id}`));
      return rows.map(({ id }) => id);
    };
    stays = await idsOf('reservation', 'RESERVATION');
    for (const [kind, table] of [
      ['GUEST', 'guest'],
      ['PROPERTY', 'property'],
      ['OWNER', 'owner'],
      ['STAFF', 'staff'],
      ['SAGA', 'saga'],
      ['TRANSACTION', 'transaction'],
      ['PAYMENT', 'payment'],
      ['TASK', 'task'],
      ['MESSAGE', 'notification'],
      ['INCIDENT', 'incident'],
    ] as const)
      expect((await idsOf(table, kind)).length, table).toBeGreaterThan(0);
    everything.push(`REQUEST ${REQUEST}`, 'TEXT reservation-confirmed.guest@1');
  });

  it.each(CALLERS)('$name by its id each record that their lists show, and no other one', async ({ call }) => {
    const shown = await listed(call);
    const wrong: string[] = [];
    for (const record of everything) {
      const id = record.slice(record.indexOf(' ') + 1);
      const hits = await find(id, call);
      if (namesOf(hits).includes(record) !== shown.has(record)) wrong.push(`${record}: ${shown.has(record)}`);
      for (const one of hits.flatMap((hit) => [hit, ...(hit.related ?? [])]))
        if (!shown.has(`${one.kind} ${one.id}`)) wrong.push(`${id} shows ${one.kind} ${one.id}`);
    }
    expect(wrong).toEqual([]);
  });

  it.each(CALLERS)('$name by a name, a reference, an error or a day nothing else either', async ({ call }) => {
    const shown = await listed(call);
    const wrong: string[] = [];
    const names = ['juan', 'محمد', 'nine', 'john', 'layla', 'amina', 'villa', 'marina', 'foreign@', '0501239999'];
    const others = [
      'ref-of-nine',
      'ref-of-paid',
      'bank-77',
      'DEVICE_UNREACHABLE',
      'SAGA_PARKED',
      'NO_WORKER',
      'RESERVATION_CONFIRMED',
    ];
    for (const q of [
      ...names,
      ...others,
      'agent-1',
      'admin-1',
      'request-of-stay-9',
      '2031-01-01',
      '2024-01-05',
      today(),
    ]) {
      for (const one of (await find(q, call)).flatMap((hit) => [hit, ...(hit.related ?? [])]))
        if (!shown.has(`${one.kind} ${one.id}`)) wrong.push(`${q} shows ${one.kind} ${one.id}`);
    }
    expect(wrong).toEqual([]);
  });

  it('no name and no amount to who runs the system, and nobody by a name', async () => {
    const ops: Call = { as: 'OPS', sub: 'ops-1' };
    for (const q of ['juan', 'lópez', 'juan.lopez@example.net', '+971501234567', 'ref-of-paid'])
      expect(await find(q, ops), q).toEqual([]);
    for (const record of everything) {
      const hits = await find(record.slice(record.indexOf(' ') + 1), ops);
      for (const one of hits.flatMap((hit) => [hit, ...(hit.related ?? [])])) {
        expect(JSON.stringify(one), record).not.toMatch(/Juan Carlos|juan\.lopez|محمد/);
        expect([one.amount, one.kind === 'TRANSACTION'], record).toEqual([null, false]);
      }
    }
  });

  it('an owner the own stays without their guest', async () => {
    const owner: Call = { as: 'OWNER', sub: 'owner-1' };
    expect(await find('guest-1', owner)).toEqual([]);
    expect((await find('stay-own', owner)).map(({ detail }) => detail)).toEqual([null]);
  });
});
const today = (): string => new Date().toISOString().slice(0, 10);
