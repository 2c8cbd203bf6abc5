import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { payStay, seedMoneyStay } from '../setup/ledger.ts';
import { type Answer, API, at, countRows, type Http, recordKeeper, startHttp } from './harness.ts';

const PATH = `${API}/financial/reconciliations`;
const DAY = new Date('2024-03-01T12:00:00Z');
const HEADER = 'type,reference,provider_id,amount,currency,fee,date,settled';

let http: Http;
beforeAll(async () => {
  const charge = {
    kind: 'CHARGE',
    feeMinor: 2_900,
    currency: 'AED',
    at: DAY,
    amountMinor: 100_000,
    settled: false,
    failed: false,
  } as const;
  http = await startHttp({ ports: recordKeeper([{ ...charge, reference: 'ref-1', providerId: 'ch-ref-1' }]) });
  for (const id of ['1', '2']) {
    await seedMoneyStay(http.db, { id: `stay-${id}` });
    await payStay(http.db, { stay: { id: `stay-${id}` }, reference: `ref-${id}`, at: DAY, feeMinor: 2_900 });
  }
}, 60_000);
afterAll(() => http?.stop());

const file = (...lines: readonly string[]): string => [HEADER, ...lines, ''].join('\n');
const send = (
  raw: NonNullable<RequestInit['body']>,
  query = '?gatewayId=sandbox',
  type = 'text/csv',
): Promise<Answer> =>
  http.call('POST', `${PATH}${query}`, { as: 'FINANCE', sub: 'finance-1', raw, headers: { 'content-type': type } });

describe('reconciling with a gateway’s own record', () => {
  const body = { gatewayId: 'sandbox', from: '2024-03-01', to: '2024-03-02' };

  it('answers with the counts and can be read again, line by line', async () => {
    const answer = await http.call('POST', PATH, { as: 'FINANCE', sub: 'finance-1', body });
    expect(answer.status).toBe(201);
    expect(at(answer.body, 'data')).toMatchObject({
      source: 'GATEWAY',
      matched: 1,
      missingAtGateway: 1,
      startedBy: 'finance-1',
    });
    const location = answer.headers.get('location') ?? '';
    const first = await http.call('GET', `${location}?limit=1`);
    expect(at(first.body, 'data', 'lines')).toMatchObject([
      { reference: 'ref-1', status: 'MATCHED', ledgerAmount: 1000 },
    ]);
    const second = await http.call('GET', `${location}?limit=1&cursor=${at(first.body, 'data', 'nextCursor')}`);
    expect(at(second.body, 'data')).toMatchObject({
      lines: [{ line: 2, status: 'MISSING_AT_GATEWAY' }],
      nextCursor: null,
    });
    const bad = await http.call('GET', `${location}?status=MISSING_AT_GATEWAY`);
    expect(at(bad.body, 'data', 'lines')).toHaveLength(1);
    const trail = await http.call('GET', `${API}/audit?event=RECONCILED&actor=finance-1`);
    expect(at(trail.body, 'data', 0)).toMatchObject({
      outcome: 'differs',
      requestId: answer.headers.get('x-request-id'),
    });
    const list = await http.call('GET', `${PATH}?gatewayId=sandbox`);
    expect(at(list.body, 'data', 0, 'id')).toBe(at(answer.body, 'data', 'id'));
  });

  it('is done again when asked again, but once under one key', async () => {
    const headers = { 'idempotency-key': 'night-1' };
    const first = await http.call('POST', PATH, { body, headers });
    const second = await http.call('POST', PATH, { body, headers });
    const third = await http.call('POST', PATH, { body });
    expect([first.status, second.status, third.status]).toEqual([201, 201, 201]);
    expect([second.text, second.headers.get('idempotency-replayed')]).toEqual([first.text, 'true']);
    expect(at(third.body, 'data', 'id')).not.toBe(at(first.body, 'data', 'id'));
  });

  it.each([
    [{ ...body, gatewayId: 'nobody' }, 'GATEWAY_UNKNOWN'],
    [{ ...body, to: '2024-02-29' }, 'VALIDATION_FAILED'],
    [{ ...body, from: '2024-03-01T00:00:00Z', to: '2024-03-01T00:00:00Z' }, 'VALIDATION_FAILED'],
    [{ ...body, zone: 'IST' }, 'VALIDATION_FAILED'],
    [{ ...body, to: '2025-03-01' }, 'VALIDATION_FAILED'],
    [{ ...body, extra: 1 }, 'VALIDATION_FAILED'],
    [{}, 'VALIDATION_FAILED'],
  ])('refuses %j', async (wrong, code) => {
    const answer = await http.call('POST', PATH, { body: wrong });
    expect([answer.status, answer.body.code]).toEqual([422, code]);
  });
});

describe('reconciling with a settlement file', () => {
  it('matches, books what has been settled, and takes the same file once', async () => {
    const text = file(
      'charge,ref-1,ch-ref-1,1000.00,AED,29.00,2024-03-01T12:00:00Z,yes',
      'charge,ref-2,ch-ref-2,999.00,AED,29.00,2024-03-01T12:00:00Z,yes',
      'charge,=cmd|x,ch-9,5,AED,,2024-03-01T13:00:00Z,no',
    );
    const answer = await send(text);
    expect(answer.status).toBe(201);
    expect(at(answer.body, 'data')).toMatchObject({
      source: 'CSV',
      matched: 1,
      amountMismatch: 1,
      missingInLedger: 1,
      settlementsPosted: 1,
      from: '2024-03-01T12:00:00.000Z',
    });
    const again = await send(text, '?gatewayId=sandbox', 'text/csv; charset=utf-8');
    expect([again.status, at(again.body, 'data', 'replayed')]).toEqual([200, true]);
    const summary = await http.call('GET', `${API}/financial/summary?reservationId=stay-1`);
    expect(at(summary.body, 'data', 'currencies', 0)).toMatchObject({ bank: 971, gatewayClearing: 0 });
    const csv = await http.call('GET', `${PATH}/${at(answer.body, 'data', 'id')}?format=csv`);
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(csv.text.split('\r\n')).toEqual([
      'line,kind,reference,currency,ledgerAmount,gatewayAmount,status,transactionId,ledgerFee,gatewayFee,differs,differenceStatus,reason',
      expect.stringMatching(/^1,CHARGE,ref-1,AED,1000,1000,MATCHED,transaction-[^,]+,29,29,,,$/),
      expect.stringMatching(
        /^2,CHARGE,ref-2,AED,1000,999,AMOUNT_MISMATCH,transaction-[^,]+,29,29,AMOUNT 1000 \/ 999,OPEN,$/,
      ),
      "3,CHARGE,'=cmd|x,AED,,5,MISSING_IN_LEDGER,,,,AMOUNT - / 5,OPEN,",
      '',
    ]);
  });

  it('says which line cannot be read, and keeps nothing', async () => {
    const before = await countRows(http.db);
    const answer = await send(file('charge,ref-1,ch-1,x,AED,,2024-03-01,yes'));
    expect(answer).toMatchObject({ status: 422, body: { code: 'SETTLEMENT_FILE_INVALID' } });
    expect(at(answer.body, 'details')).toMatchObject({ line: 2, column: 'amount' });
    expect(await countRows(http.db)).toEqual(before);
  });

  it('refuses a file without a gateway, of an unknown one, without a body, of another type, or too large', async () => {
    const good = file('charge,ref-1,ch-1,1,AED,,2024-03-01,yes');
    const refused = async (answer: Promise<Answer>) => (await answer).body.code;
    expect(await refused(send(good, ''))).toBe('VALIDATION_FAILED');
    expect(await refused(send(good, '?gatewayId=nobody'))).toBe('GATEWAY_UNKNOWN');
    expect(await refused(send(good, '?gatewayId=sandbox&x=1'))).toBe('VALIDATION_FAILED');
    expect(await refused(send('', '?gatewayId=sandbox'))).toMatch(/MALFORMED_REQUEST|SETTLEMENT_FILE_INVALID/);
    expect(await refused(send(good, '?gatewayId=sandbox', 'text/html'))).toBe('UNSUPPORTED_MEDIA_TYPE');
    expect(await refused(send(new Uint8Array(5 * 1024 * 1024 + 1).fill(10)))).toBe('PAYLOAD_TOO_LARGE');
  });
});

describe('a reconciliation that is not there', () => {
  it('is not found', async () => {
    expect((await http.call('GET', `${PATH}/none`)).body.code).toBe('NOT_FOUND');
    expect((await http.call('GET', `${PATH}/none?format=csv`)).body.code).toBe('NOT_FOUND');
  });
});
