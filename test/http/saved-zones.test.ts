import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { assertPayable } from '../../src/domain/finance/payable.ts';
import { API, addReservation, at, type Http, startHttp } from './harness.ts';

/** A stay whose guest or property has a time zone that does not exist: refused in so many words, and no other stay is. */

let http: Http;
beforeAll(async () => {
  http = await startHttp({ closing: AbortSignal.abort() });
  const { db } = http;
  const email = 'someone@example.com';
  await db.insertInto('owner').values({ id: 'owner-1', name: 'Layla', email }).execute();
  await db
    .insertInto('guest')
    .values(['guest-1', 'guest-2'].map((id) => ({ id, name: id, email, phone: '+971500000001' })))
    .execute();
  for (const id of ['good', 'bad-guest', 'bad-property', 'absent-property']) {
    await db.insertInto('property').values({ id, name: id, owner_id: 'owner-1' }).execute();
    await addReservation(db, `stay-${id}`, id);
  }
  await sql`UPDATE reservation SET check_in_date = '2090-03-01', check_out_date = '2090-03-03'`.execute(db);
  await sql`UPDATE reservation SET guest_id = 'guest-2' WHERE id = 'stay-bad-guest'`.execute(db);
  await sql`UPDATE guest SET time_zone = 'IST' WHERE id = 'guest-2'`.execute(db);
  await sql`UPDATE property SET time_zone = 'IST' WHERE id = 'bad-property'`.execute(db);
  await sql`UPDATE property SET time_zone = 'Mars/Base' WHERE id = 'absent-property'`.execute(db);
}, 60_000);
afterAll(() => http?.stop());
beforeEach(() => http.orchestrator.reset());

const STAYS = ['good', 'bad-guest', 'bad-property', 'absent-property'];
const BAD = ['bad-property', 'absent-property'];
const READS: Readonly<Record<string, (stay: string) => string>> = {
  'the stay': (stay) => `reservations/stay-${stay}?include=tasks,notifications`,
  'the forecast': (stay) => `reservations/stay-${stay}/forecast`,
  'the quote of a cancellation': (stay) => `reservations/stay-${stay}/cancellation-quote`,
  'the report of a departure': (stay) => `reservations/stay-${stay}/check-out-report`,
  'a period of days': (stay) => `tasks?propertyId=${stay}&from=2024-02-01&to=2024-02-02`,
  'stays from an instant on': (stay) => `reservations?propertyId=${stay}&from=2024-02-01T10:00:00Z`,
};

describe.each(Object.entries(READS))('%s', (_name, pathOf) => {
  it.each(STAYS)('of %s is answered or refused in so many words', async (stay) => {
    const answer = await http.call('GET', `${API}/${pathOf(stay)}`);
    expect(answer.status, answer.text).toBeLessThan(500);
    if (!BAD.includes(stay)) expect(answer.body['code']).not.toBe('TIME_ZONE_UNKNOWN');
    if (answer.body['code'] !== 'TIME_ZONE_UNKNOWN') return;
    expect(answer.status).toBe(409);
  });
});

it('a forecast and a quote name the zone of the property', async () => {
  for (const what of ['forecast', 'cancellation-quote']) {
    const answer = await http.call('GET', `${API}/reservations/stay-bad-property/${what}`);
    expect([answer.status, answer.body['code'], at(answer.body, 'details', 'timeZone')]).toEqual([
      409,
      'TIME_ZONE_UNKNOWN',
      'IST',
    ]);
    expect((await http.call('GET', `${API}/reservations/stay-good/${what}`)).status).toBe(200);
  }
});

it('a payment is refused before anything is charged', async () => {
  const pay = (stay: string) =>
    assertPayable(
      http.db,
      {
        reservationId: `stay-${stay}`,
        amountMinor: 100,
        currency: 'AED',
        gatewayId: 'gateway-123',
        gatewayReference: `ref-${stay}`,
        captured: false,
      },
      new Date('2026-01-01T00:00:00Z'),
      'saga-1',
    );
  for (const stay of BAD) await expect(pay(stay), stay).rejects.toMatchObject({ code: 'TIME_ZONE_UNKNOWN' });
  await expect(pay('good')).resolves.toMatchObject({ reservationId: 'stay-good' });
  await expect(pay('bad-guest')).resolves.toMatchObject({ reservationId: 'stay-bad-guest' });
});

it('every use of a time zone in the product asks for it in the same way', () => {
  const root = path.join(import.meta.dirname, '../../src');
  const unguarded = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.endsWith('kernel/time-zone.ts'))
    .flatMap((file) =>
      readFileSync(path.join(root, file), 'utf8')
        .split('\n')
        .filter((line) => /toZonedDateTime(?:ISO)?\(/.test(line) && !line.includes('savedZone('))
        .map((line) => `${file}: ${line.trim()}`),
    );
  expect(unguarded).toEqual([]);
});
