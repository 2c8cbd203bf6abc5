import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/kernel/log.ts';
import { type Answer, API, addReservation, at, countRows, type Http, seed, startHttp } from './harness.ts';

/** Amounts that come in, and numbers of cards, which must never come in. */

let http: Http;
let before: Record<string, number>;
const logged: unknown[] = [];
const STAY = 'money-stay';
const PATH = `${API}/reservations/${STAY}/payment`;
const PAYMENT = {
  amount: 1000,
  currency: 'AED',
  paymentMethod: 'Credit Card',
  gatewayId: 'sandbox',
  gatewayReference: 'ref-456',
};

beforeAll(async () => {
  const log = createLogger('test', 'silent');
  const keep = (...line: unknown[]): void => void logged.push(line);
  const listening = Object.assign(Object.create(log), { info: keep, warn: keep, error: keep, debug: keep });
  http = await startHttp({ log: listening });
  await seed(http.db);
  await addReservation(http.db, STAY);
}, 60_000);
afterAll(() => http?.stop());
beforeEach(async () => {
  logged.length = 0;
  http.orchestrator.reset();
  before = await countRows(http.db);
});

const json = { 'content-type': 'application/json' };
const pay = (change: object): Promise<Answer> => http.call('POST', PATH, { body: { ...PAYMENT, ...change } });
const payRaw = (raw: string): Promise<Answer> => http.call('POST', PATH, { raw, headers: json });
/** A payment whose amount is written so. */
const payAs = (amount: string): Promise<Answer> =>
  payRaw(JSON.stringify({ ...PAYMENT, amount: '@' }).replace('"@"', amount));
const accepted = (): unknown => at(http.orchestrator.accepts, 0, 'request', 'input', 'amountMinor');
async function expectRefusal(answer: Answer, code: string): Promise<void> {
  expect([answer.status, answer.body.code]).toEqual([422, code]);
  expect(http.orchestrator.accepts).toEqual([]);
  expect(await countRows(http.db)).toEqual(before);
}

describe('M1: an amount', () => {
  it.each([
    ['-1', 'AMOUNT_NOT_POSITIVE'],
    ['0', 'AMOUNT_NOT_POSITIVE'],
    ['-0', 'AMOUNT_NOT_POSITIVE'],
    ['0.0', 'AMOUNT_NOT_POSITIVE'],
    ['-0.00', 'AMOUNT_NOT_POSITIVE'],
    ['"-5"', 'AMOUNT_NOT_POSITIVE'],
    ['0.001', 'AMOUNT_PRECISION'],
    ['10.005', 'AMOUNT_PRECISION'],
    ['1000.0000000000000001', 'AMOUNT_PRECISION'],
    ['1e3', 'AMOUNT_INVALID'],
    ['1E3', 'AMOUNT_INVALID'],
    ['1e-7', 'AMOUNT_INVALID'],
    ['1e309', 'AMOUNT_INVALID'],
    ['-1e309', 'AMOUNT_INVALID'],
    ['"1e3"', 'AMOUNT_INVALID'],
    ['"NaN"', 'AMOUNT_INVALID'],
    ['"Infinity"', 'AMOUNT_INVALID'],
    ['"0x10"', 'AMOUNT_INVALID'],
    ['"1_000"', 'AMOUNT_INVALID'],
    ['"ten"', 'AMOUNT_INVALID'],
    ['null', 'AMOUNT_INVALID'],
    ['true', 'AMOUNT_INVALID'],
    ['[1000]', 'AMOUNT_INVALID'],
    ['{"$gt":0}', 'AMOUNT_INVALID'],
    ['9007199254740993', 'AMOUNT_TOO_LARGE'],
    ['1000000000.01', 'AMOUNT_TOO_LARGE'],
  ])('written %s is refused: %s', async (amount, code) => {
    const answer = await payAs(amount);
    await expectRefusal(answer, code);
    expect(at(answer.body, 'details', 'issues', 0, 'path')).toBe('amount');
  });

  it.each(['NaN', 'Infinity', '0x10', '1_000', '01', '.5', '+1'])('written %s is not JSON', async (amount) => {
    expect((await payAs(amount)).status).toBe(400);
  });

  it.each([
    ['4.35', 435],
    ['0.29', 29],
    ['1.1', 110],
    ['1.10', 110],
    ['100.00', 10_000],
    ['"99.99"', 9_999],
    ['1000', 100_000],
  ])('written %s is %i minor units', async (amount, amountMinor) => {
    expect((await payAs(amount)).status).toBe(202);
    expect(accepted()).toBe(amountMinor);
  });

  it('N15: that stands twice counts as the last one', async () => {
    await payRaw(JSON.stringify(PAYMENT).replace('{', '{"amount":1,'));
    expect(accepted()).toBe(100_000);
  });

  it('that is missing is refused, and told before other mistakes', async () => {
    const { amount: _amount, ...rest } = PAYMENT;
    await expectRefusal(await http.call('POST', PATH, { body: rest }), 'AMOUNT_INVALID');
    await expectRefusal(await pay({ amount: -1, gatewayId: undefined, nonsense: 1 }), 'AMOUNT_NOT_POSITIVE');
    for (const raw of ['[]', 'null', '"x"', '7']) expect((await payRaw(raw)).body.code).toBe('VALIDATION_FAILED');
  });

  it('of a refund follows the same rules', async () => {
    const order = { amount: '@', currency: 'AED', reason: 'Goodwill', bearer: 'AGENCY' };
    const giveBack = (amount: string) => {
      http.orchestrator.reset();
      const raw = JSON.stringify(order).replace('"@"', amount);
      return http.call('POST', `${API}/reservations/${STAY}/refunds`, { raw, headers: json });
    };
    for (const [amount, amountMinor] of [
      ['4.35', 435],
      ['"99.99"', 9_999],
      ['1000', 100_000],
    ] as const) {
      expect((await giveBack(amount)).status, amount).toBe(202);
      expect(accepted(), amount).toBe(amountMinor);
    }
    for (const amount of ['1e3', '-0', '0', '10.005', '1000.0000000000000001', '9007199254740993', 'null', '[1]'])
      await expectRefusal(await giveBack(amount), at((await payAs(amount)).body, 'code') as string);
  });

  it('of a reservation follows the same rules', async () => {
    const stay =
      '{"propertyId":"property-1","guestId":"guest-1","checkInDate":"2024-03-01","checkOutDate":"2024-03-02","totalAmount":@}';
    const book = (amount: string) =>
      http.call('POST', `${API}/reservations`, { raw: stay.replace('@', amount), headers: json });
    for (const amount of ['1e3', '-0', '1000.0000000000000001', '9007199254740993']) {
      expect((await book(amount)).status, amount).toBe(422);
    }
    expect(at((await book('1000.50')).body, 'data', 'totalAmount')).toBe(1000.5);
  });
});

describe('M1: a number that a double cannot hold', () => {
  it('is never taken for null', async () => {
    const body = {
      propertyId: 'property-1',
      guestId: 'guest-1',
      checkInDate: '2024-04-01',
      checkOutDate: '2024-04-02',
      totalAmount: 1,
      guestCount: 3,
    };
    const made = await http.call('POST', `${API}/reservations`, { body });
    const address = `${API}/reservations/${String(at(made.body, 'data', 'id'))}`;
    for (const count of ['1e400', '-1e400', '9007199254740993']) {
      const answer = await http.call('PATCH', address, { raw: `{"guestCount":${count}}`, headers: json });
      expect([answer.status, answer.body.code], count).toEqual([422, 'VALIDATION_FAILED']);
    }
    expect(at((await http.call('GET', address)).body, 'data', 'guestCount')).toBe(3);
  });
});

describe('M2: a currency', () => {
  it.each(['aed', 'AED ', ' AED', '', 'ZZZ', 'DEM', 'XXX', null, 784, ['AED']])('%j is refused', async (currency) => {
    const answer = await pay({ currency });
    await expectRefusal(answer, 'CURRENCY_INVALID');
    expect(at(answer.body, 'details', 'issues', 0, 'path')).toBe('currency');
  });

  it('that is missing is refused', async () => {
    await expectRefusal(await pay({ currency: undefined }), 'CURRENCY_INVALID');
  });
});

describe('M12: the number of a card', () => {
  const NUMBER = '4111 1111 1111 1111';
  async function expectForgotten(answer: Answer): Promise<void> {
    await expectRefusal(answer, 'CARD_DATA_FORBIDDEN');
    expect(answer.body.details).toBeUndefined();
    for (const kept of [answer.text, JSON.stringify(logged), JSON.stringify([...answer.headers])]) {
      expect(kept.replaceAll(/[^0-9]/g, '')).not.toContain('4111111111111111');
    }
    const trail = await http.db.selectFrom('audit_log').selectAll().execute();
    expect(JSON.stringify(trail)).not.toMatch(/4111.?1111/);
  }

  it.each([
    { notes: NUMBER },
    { notes: `he gave ${NUMBER} 12/27 123` },
    { notes: '４１１１１１１１１１１１１１１１' },
    { paymentMethod: '4111111111111111' },
    { gatewayReference: '4111-1111-1111-1111' },
    { gatewayId: '4111111111111111' },
    { processedBy: '4111111111111111' },
    { notes: 'visa4111111111111111' },
    { nonsense: [{ deep: 4111111111111111 }] },
    { '4111111111111111': true },
    { cvv: '123' },
    { card: { card_number: 'tok_1' } },
    { cardHolder: 'J DOE' },
  ])('is refused wherever it stands: %j', async (change) => {
    await expectForgotten(await pay(change));
  });

  it('of nineteen digits is seen in a number that no double holds', async () => {
    await expectForgotten(await payRaw('{"notes":6304000000000000000,"x":6304000000000000018}'));
  });

  it.each(['4111111111111111', '"5555555555554444.00"'])('is not suspected in an amount: %s', async (amount) => {
    const { body } = await payAs(amount);
    expect(body.code).not.toBe('CARD_DATA_FORBIDDEN');
  });

  it('is not suspected in 9007199254740990 JPY: too large for a payment, but the price of a stay', async () => {
    const amount = 9007199254740990;
    await expectRefusal(await pay({ amount, currency: 'JPY' }), 'AMOUNT_TOO_LARGE');
    const stay = {
      propertyId: 'property-1',
      guestId: 'guest-1',
      checkInDate: '2024-03-01',
      checkOutDate: '2024-03-02',
    };
    const body = { ...stay, totalAmount: amount, currency: 'JPY' };
    const made = await http.call('POST', `${API}/reservations`, { body });
    expect([made.status, at(made.body, 'data', 'totalAmount')]).toEqual([201, amount]);
    await http.db
      .deleteFrom('reservation')
      .where('id', '=', String(at(made.body, 'data', 'id')))
      .execute();
  });

  it.each([
    ['1767225600007', 'a clock in milliseconds'],
    ['order-20261128-123456', 'a day and a number'],
    ['ref-4111111111111111', 'a part of a reference'],
  ])('is not suspected in the reference and the key %s (%s)', async (value) => {
    const body = { ...PAYMENT, gatewayReference: value, notes: 'stays 30.11.2026-05.12.2026' };
    const paid = await http.call('POST', PATH, { body, headers: { 'idempotency-key': value, 'x-request-id': value } });
    expect([paid.status, paid.headers.get('x-request-id')]).toEqual([202, value]);
  });

  it('is refused in whatever a guest, an owner or a member of staff is called', async () => {
    const person = { name: `Mei ${NUMBER}`, email: 'mei@example.com', role: 'CLEANER' };
    for (const path of ['guests', 'owners', 'staff']) {
      for (const body of [person, { ...person, name: 'Mei', phone: NUMBER }]) {
        expect((await http.call('POST', `${API}/${path}`, { body })).body.code, path).toBe('CARD_DATA_FORBIDDEN');
      }
    }
  });

  it('is refused in the path, the query and the headers that we keep', async () => {
    const call = (path: string, headers: Record<string, string> = {}) =>
      http.call('POST', path, { body: PAYMENT, headers });
    await expectForgotten(await call(`${API}/reservations/4111111111111111/payment`));
    await expectForgotten(await call(`${API}/reservations/4111%201111%201111%201111/payment`));
    await expectForgotten(await call(`${PATH}?note=1&note=4111111111111111`));
    for (const header of ['idempotency-key', 'x-request-id', 'prefer']) {
      await expectForgotten(await call(PATH, { [header]: '4111-1111-1111-1111' }));
    }
  });

  it('is refused by every saga that starts with a body, and by what it starts from', async () => {
    const calls = [
      ['POST', `${API}/reservations/${STAY}/confirm`],
      ['POST', `${API}/reservations/${STAY}/cancel`],
      ['POST', `${API}/transactions/transaction-1/payout`],
      ['POST', `${API}/reservations`],
      ['PATCH', `${API}/reservations/${STAY}`],
      ['PUT', `${API}/financial/income-distribution`],
    ] as const;
    for (const [method, path] of calls) {
      const answer = await http.call(method, path, { body: { notes: NUMBER } });
      expect([answer.status, answer.body.code], path).toEqual([422, 'CARD_DATA_FORBIDDEN']);
    }
    expect(http.orchestrator.accepts).toEqual([]);
    expect(await countRows(http.db)).toEqual(before);
  });

  it('is not suspected in the ids that we make, nor in a phone number', async () => {
    const uuid = '0199a1b2-4111-7111-8111-111111111111';
    const paid = await http.call('POST', PATH, {
      body: { ...PAYMENT, gatewayReference: uuid, notes: 'stays 2024-02-01 2024-02-03' },
      headers: { 'idempotency-key': uuid, 'x-request-id': uuid },
    });
    expect([paid.status, paid.headers.get('x-request-id')]).toEqual([202, uuid]);
    const guest = { name: 'Mei', email: 'mei@example.com', phone: '+39 3911 2345 6789' };
    expect((await http.call('POST', `${API}/guests`, { body: guest })).status).toBe(201);
  });
});

describe('a reference', () => {
  it.each([['ref-456'], ['ref-456 '], ['\u00a0ref-456'], ['\u202aref-456\u202c'], ['ref-456\u200b']])(
    'is the one that it is however it was pasted: %j',
    async (gatewayReference) => {
      const answer = await pay({ gatewayReference });
      expect(answer.status).toBeLessThan(300);
      expect(at(http.orchestrator.accepts, 0, 'request', 'input', 'gatewayReference')).toBe('ref-456');
    },
  );
  it('with an invisible character in it is refused: it would be charged as another one', async () => {
    await expectRefusal(await pay({ gatewayReference: 'ref\u200b-456' }), 'VALIDATION_FAILED');
  });
});
