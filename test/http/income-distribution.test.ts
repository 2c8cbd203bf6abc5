import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTerms, termsInForce } from '../../src/domain/finance/terms.ts';
import { RoomyError } from '../../src/kernel/errors.ts';
import { type Answer, API, at, type Http, startHttp } from './harness.ts';

let http: Http;
beforeAll(async () => {
  http = await startHttp();
}, 60_000);
afterAll(() => http?.stop());

const PATH = `${API}/financial/income-distribution`;
const split = { ownerIncome: 60, roomyAgencyFee: 30, referringAgent: 10 };
const read = (query = ''): Promise<Answer> => http.call('GET', PATH + query, { as: 'FINANCE' });
const put = (body: unknown, ifMatch?: string, as: 'FINANCE' | 'ADMIN' = 'FINANCE'): Promise<Answer> =>
  http.call('PUT', PATH, {
    as,
    sub: 'finance-1',
    body,
    ...(ifMatch === undefined ? {} : { headers: { 'if-match': ifMatch } }),
  });
const putNow = async (body: unknown): Promise<Answer> => put(body, (await read()).headers.get('etag') ?? '');
const versions = async (): Promise<number> => {
  const { rows } = await sql<{ n: number }>`SELECT count(*) AS n FROM income_distribution`.execute(http.db);
  return rows[0]?.n ?? -1;
};
const trail = (): Promise<Answer> => http.call('GET', `${API}/audit?event=INCOME_DISTRIBUTION_SET`);

describe('the income distribution', () => {
  it('begins as the brief has it, with its version for an ETag', async () => {
    const answer = await read();
    expect([answer.status, answer.headers.get('etag')]).toEqual([200, '"1"']);
    expect(at(answer.body, 'data')).toEqual({
      version: 1,
      ownerIncome: 70,
      roomyAgencyFee: 25,
      referringAgent: 5,
      unassignedReferral: 'RETAIN',
      gatewayFeeBearer: 'AGENCY',
      agencyFeeRefundable: true,
      payoutPolicy: 'AFTER_CHECK_IN',
      refundBase: 'PAID',
      refundTiers: [
        { days: 7, percent: 100 },
        { days: 3, percent: 50 },
        { days: 1, percent: 25 },
      ],
      effectiveFrom: '2000-01-01T00:00:00.000Z',
      setBy: 'system',
      setAt: expect.any(String),
      upcoming: null,
    });
  });

  it('is set as a new version, which the audit trail tells; the old one stays readable', async () => {
    const set = await put(split, '"1"');
    expect([set.status, set.headers.get('etag')]).toEqual([200, '"2"']);
    expect(at(set.body, 'data')).toMatchObject({
      version: 2,
      ...split,
      setBy: 'finance-1',
      gatewayFeeBearer: 'AGENCY',
    });
    const now = await read();
    expect([now.headers.get('etag'), at(now.body, 'data', 'version')]).toEqual(['"2"', 2]);
    const old = await read('?version=1');
    expect([old.headers.get('etag'), at(old.body, 'data', 'ownerIncome')]).toEqual(['"1"', 70]);
    expect(at(old.body, 'data', 'upcoming')).toBeUndefined();
    const entry = at((await trail()).body, 'data', 0);
    expect(entry).toMatchObject({
      event: 'INCOME_DISTRIBUTION_SET',
      userId: 'finance-1',
      outcome: 'success',
      details: { version: 2, follows: 1, ownerBp: 6_000, agencyBp: 3_000, referrerBp: 1_000 },
    });
    expect(at(entry, 'details', 'fields')).toEqual(['agencyBp', 'ownerBp', 'referrerBp']);
  });

  it('takes all settings, and keeps those that a change leaves out', async () => {
    const settings = {
      unassignedReferral: 'PRO_RATA',
      gatewayFeeBearer: 'OWNER',
      agencyFeeRefundable: false,
      payoutPolicy: 'MONTHLY:15',
      refundBase: 'TOTAL',
      refundTiers: [{ days: 14, percent: 90 }],
    };
    const set = await putNow({ ...split, ...settings });
    expect(at(set.body, 'data')).toMatchObject(settings);
    const kept = await putNow({ ownerIncome: 33.33, roomyAgencyFee: 33.33, referringAgent: 33.34 });
    expect(at(kept.body, 'data')).toMatchObject({ ...settings, ownerIncome: 33.33, referringAgent: 33.34 });
    const none = await putNow({ ...split, refundTiers: [], agencyFeeRefundable: true });
    expect(at(none.body, 'data')).toMatchObject({ refundTiers: [], agencyFeeRefundable: true });
  });

  it('is listed with its history, newest first, page by page', async () => {
    const all = await http.call('GET', `${PATH}/versions?limit=100`, { as: 'OWNER' });
    const numbers = Array.from({ length: await versions() }, (_, i) => i + 1).toReversed();
    expect(numbers.map((_, i) => at(all.body, 'data', i, 'version'))).toEqual(numbers);
    const walked: unknown[] = [];
    let cursor = '';
    for (let pages = 0; pages < 20; pages += 1) {
      const answer = await http.call('GET', `${PATH}/versions?limit=2${cursor}`, { as: 'AGENT' });
      const data = at(answer.body, 'data');
      walked.push(...(Array.isArray(data) ? data.map((one) => at(one, 'version')) : []));
      if (answer.body.nextCursor === null) break;
      cursor = `&cursor=${String(answer.body.nextCursor)}`;
    }
    expect(walked).toEqual(numbers);
    expect((await http.call('GET', `${PATH}/versions?cursor=nope`)).body.code).toBe('INVALID_CURSOR');
  });

  it.each([
    ['ADMIN', 200, 428],
    ['FINANCE', 200, 428],
    ['AGENT', 200, 403],
    ['OWNER', 200, 403],
    ['OPS', 403, 403],
    ['CLEANER', 403, 403],
    ['GUEST', 403, 403],
    [{ scope: 'finance:read' }, 200, 403],
    [{ scope: 'finance:configure' }, 403, 403],
  ] as const)('is for %j to read: %i, and to set: %i', async (as, reading, setting) => {
    expect((await http.call('GET', PATH, { as })).status).toBe(reading);
    expect((await http.call('GET', `${PATH}/versions`, { as })).status).toBe(reading);
    expect((await http.call('PUT', PATH, { as, body: split })).status).toBe(setting);
  });
});

describe('M8: a change that is refused', () => {
  const refused = async (body: unknown, status: number, code: string, ifMatch = '*'): Promise<Answer> => {
    const before = await versions();
    const answer = await put(body, ifMatch);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(await versions()).toBe(before);
    return answer;
  };
  const shares = (ownerIncome: unknown, roomyAgencyFee: unknown, referringAgent: unknown) => ({
    ownerIncome,
    roomyAgencyFee,
    referringAgent,
  });

  it.each([
    [70, 25, 4.99],
    [70, 25, 5.01],
    [0, 0, 0],
    [100, 100, 100],
    [33.33, 33.33, 33.33],
  ])('does not sum to 100: %d, %d, %d', async (owner, agency, referrer) => {
    const answer = await refused(shares(owner, agency, referrer), 422, 'DISTRIBUTION_SUM_INVALID');
    expect(answer.body.error).toBe('The shares must sum to exactly 100');
    expect(at(answer.body, 'details', 'issues', 0, 'message')).toContain('must sum to exactly 100, not');
  });

  it.each([
    [-5, 100, 5],
    [101, -1, 0],
    [33.333, 33.333, 33.333],
    [33.334, 33.333, 33.333],
    ['70', 25, 5],
    [null, 95, 5],
    [true, 95, 5],
    [1e-7, 95, 5],
  ])('has no shares: %j, %j, %j', async (owner, agency, referrer) => {
    const answer = await refused(shares(owner, agency, referrer), 422, 'VALIDATION_FAILED');
    expect(at(answer.body, 'details', 'issues', 0, 'path')).toMatch(/ownerIncome|roomyAgencyFee/);
  });

  it.each(['-0', '1e1', '70.00000000000000000001', '9007199254740993'])('has a share written %s', async (owner) => {
    const raw = `{"ownerIncome":${owner},"roomyAgencyFee":25,"referringAgent":5}`;
    const headers = { 'content-type': 'application/json', 'if-match': '*' };
    const answer = await http.call('PUT', PATH, { as: 'FINANCE', raw, headers });
    expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
  });

  it.each([
    { payoutPolicy: 'MONTHLY:29' },
    { payoutPolicy: 'WEEKLY' },
    { unassignedReferral: 'NOBODY' },
    { gatewayFeeBearer: 'GUEST' },
    { agencyFeeRefundable: 'yes' },
    { refundBase: 'HALF' },
    {
      refundTiers: [
        { days: 3, percent: 50 },
        { days: 3, percent: 25 },
      ],
    },
    {
      refundTiers: [
        { days: 1, percent: 50 },
        { days: 3, percent: 25 },
      ],
    },
    {
      refundTiers: [
        { days: 7, percent: 50 },
        { days: 3, percent: 75 },
      ],
    },
    { refundTiers: [{ days: 7, percent: 101 }] },
    { refundTiers: [{ days: 7, percent: 33.3 }] },
    { refundTiers: [{ days: -1, percent: 10 }] },
    { effectiveFrom: '2024-01-01' },
    { effectiveFrom: '2024-01-01T00:00:00Z' },
    { version: 7 },
    { setBy: 'admin-1' },
  ])('has wrong settings: %j', async (settings) => {
    await refused({ ...split, ...settings }, 422, 'VALIDATION_FAILED');
  });

  it('names no version, and is told where to find it', async () => {
    const before = await versions();
    const answer = await put(split);
    expect([answer.status, answer.body.code]).toEqual([428, 'PRECONDITION_REQUIRED']);
    expect(answer.body.error).toContain(`GET ${PATH}`);
    expect(await versions()).toBe(before);
    expect((await put({ ...split, ownerIncome: 61 })).body.code).toBe('DISTRIBUTION_SUM_INVALID');
  });

  it('names a version that is not the newest, or not strongly', async () => {
    const newest = await versions();
    const answer = await refused(split, 412, 'PRECONDITION_FAILED', '"1"');
    expect(at(answer.body, 'details', 'currentVersion')).toBe(newest);
    await refused(split, 412, 'PRECONDITION_FAILED', `W/"${newest}"`);
    await refused(split, 412, 'PRECONDITION_FAILED', `"${newest + 1}"`);
    await refused(split, 412, 'PRECONDITION_FAILED', '');
  });

  it('finds no version that is not there', async () => {
    expect((await read('?version=999')).body.code).toBe('NOT_FOUND');
    for (const query of ['?version=0', '?version=1.5', '?version=x', '?version=9999999999', '?at=now']) {
      expect((await read(query)).body.code, query).toBe('VALIDATION_FAILED');
    }
  });

  it('leaves one winner of many at once', async () => {
    const etag = (await read()).headers.get('etag') ?? '';
    const before = await versions();
    const answers = await Promise.all(Array.from({ length: 12 }, () => put(split, etag)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array(11).fill(412)]);
    expect(await versions()).toBe(before + 1);
    const anyway = await Promise.all(Array.from({ length: 6 }, () => put(split, '*')));
    expect(anyway.map(({ status }) => status)).toEqual(Array(6).fill(200));
    const { rows } = await sql<{ ordered: boolean }>`
      SELECT bool_and(later) AS ordered FROM (SELECT effective_from >= lag(effective_from) OVER (ORDER BY version) AS later
        FROM income_distribution) v`.execute(http.db);
    expect(rows[0]?.ordered).toBe(true);
  });
});

describe('a change for a later day', () => {
  const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();
  const versionAt = async (days: number): Promise<number> =>
    (await termsInForce(http.db, new Date(inDays(days)))).version;

  it('is upcoming until then, and the next change must have seen it', async () => {
    const before = await read();
    const effectiveFrom = inDays(10);
    const later = await putNow({
      ownerIncome: 80,
      roomyAgencyFee: 15,
      referringAgent: 5,
      payoutPolicy: 'ON_PAYMENT',
      effectiveFrom,
    });
    const number = Number(at(later.body, 'data', 'version'));
    expect(at(later.body, 'data', 'effectiveFrom')).toBe(effectiveFrom);
    const now = await read();
    expect(at(now.body, 'data', 'version')).toBe(at(before.body, 'data', 'version'));
    expect(at(now.body, 'data', 'upcoming')).toMatchObject({ version: number, ownerIncome: 80, effectiveFrom });
    expect(now.headers.get('etag')).toBe(later.headers.get('etag'));
    expect((await put(split, before.headers.get('etag') ?? '')).status).toBe(412);
    expect([await versionAt(0), await versionAt(11)]).toEqual([at(before.body, 'data', 'version'), number]);
  });

  it('follows what holds then, and gives way to no change that holds at once', async () => {
    const upcoming = at((await read()).body, 'data', 'upcoming', 'version');
    const atOnce = await putNow({ ...split, payoutPolicy: 'AFTER_CHECK_OUT' });
    const after = await putNow({ ...split, effectiveFrom: inDays(20) });
    expect(at(after.body, 'data', 'payoutPolicy')).toBe('ON_PAYMENT');
    expect([await versionAt(0), await versionAt(11), await versionAt(21)]).toEqual([
      at(atOnce.body, 'data', 'version'),
      upcoming,
      at(after.body, 'data', 'version'),
    ]);
    expect(at((await read()).body, 'data', 'upcoming', 'version')).toBe(upcoming);
  });

  it('may lie back by as much as clocks differ, and then holds at once', async () => {
    const set = await putNow({ ...split, effectiveFrom: new Date(Date.now() - 30_000).toISOString() });
    expect(set.status).toBe(200);
    expect(at((await read()).body, 'data', 'version')).toBe(at(set.body, 'data', 'version'));
    const late = await putNow({ ...split, effectiveFrom: new Date(Date.now() - 120_000).toISOString() });
    expect(at(late.body, 'details', 'issues')).toEqual([{ path: 'effectiveFrom', message: 'must not be in the past' }]);
  });

  it('M8: is kept by the stays that pinned it; a version that was never set is a bug', async () => {
    expect(await readTerms(http.db, 1)).toMatchObject({ version: 1, ownerBp: 7_000 });
    await expect(readTerms(http.db, 999)).rejects.toThrow('missing: the terms of a stay');
    await expect(readTerms(http.db, 999)).rejects.not.toBeInstanceOf(RoomyError);
  });
});
