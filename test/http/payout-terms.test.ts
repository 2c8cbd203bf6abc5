import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API, at, type Http, startHttp } from './harness.ts';

let http: Http;
beforeAll(async () => {
  http = await startHttp();
}, 60_000);
afterAll(() => http?.stop());

describe('an owner’s payout terms', () => {
  const terms = {
    policy: 'MONTHLY:1',
    hold: true,
    minimums: [
      { currency: 'AED', amount: 100.5 },
      { currency: 'KWD', amount: 1.005 },
    ],
    workingCapital: [{ currency: 'JPY', amount: 500 }],
  };
  const owner = { id: 'owner-terms', name: 'Olga', email: 'olga@example.com', payoutTerms: terms };
  const address = `${API}/owners/owner-terms`;

  it('are kept in minor units and read in major ones, by those who pay', async () => {
    const made = await http.call('POST', `${API}/owners`, { body: owner });
    expect([made.status, at(made.body, 'data', 'payoutTerms')]).toEqual([201, terms]);
    const { payout_terms } = await http.db
      .selectFrom('owner')
      .select('payout_terms')
      .where('id', '=', owner.id)
      .executeTakeFirstOrThrow();
    expect(payout_terms).toEqual({
      policy: 'MONTHLY:1',
      hold: true,
      minimumMinor: { AED: 10_050, KWD: 1_005 },
      workingCapitalMinor: { JPY: 500 },
    });
    expect(at((await http.call('GET', address, { as: 'FINANCE' })).body, 'data', 'payoutTerms')).toEqual(terms);
    expect((await http.call('GET', address, { as: 'AGENT' })).text).not.toContain('payoutTerms');
  });

  it('are changed as a whole, left alone when not named, and taken away by null', async () => {
    const patch = async (body: unknown) =>
      at((await http.call('PATCH', address, { body })).body, 'data', 'payoutTerms');
    expect(await patch({ name: 'Olga O.' })).toEqual(terms);
    expect(await patch({ payoutTerms: { minimums: [{ currency: 'AED', amount: '0.50' }] } })).toEqual({
      minimums: [{ currency: 'AED', amount: 0.5 }],
    });
    expect(await patch({ payoutTerms: {} })).toEqual({});
    expect(await patch({ payoutTerms: null })).toBeNull();
    const fresh = await http.call('POST', `${API}/owners`, { body: { name: 'Omar', email: 'omar@example.com' } });
    expect(at(fresh.body, 'data', 'payoutTerms')).toBeNull();
  });

  it.each([
    [{ policy: 'WEEKLY' }, 'VALIDATION_FAILED'],
    [{ hold: 'yes' }, 'VALIDATION_FAILED'],
    [{ minimumMinor: { AED: 1 } }, 'VALIDATION_FAILED'],
    [{ minimums: [{ currency: 'AED', amount: -1 }] }, 'VALIDATION_FAILED'],
    [{ minimums: [{ currency: 'aed', amount: 1 }] }, 'VALIDATION_FAILED'],
    [{ minimums: [{ currency: 'AED', amount: '1e3' }] }, 'VALIDATION_FAILED'],
    [{ minimums: [{ currency: 'JPY', amount: 1.5 }] }, 'AMOUNT_PRECISION'],
    [
      {
        workingCapital: [
          { currency: 'AED', amount: 1 },
          { currency: 'AED', amount: 2 },
        ],
      },
      'VALIDATION_FAILED',
    ],
  ])('are refused when wrong: %j', async (payoutTerms, code) => {
    const answer = await http.call('PATCH', address, { body: { payoutTerms } });
    expect([answer.status, answer.body.code]).toEqual([422, code]);
  });
});
