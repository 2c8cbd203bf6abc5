import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { at, type Http, recordKeeper, startHttp } from './harness.ts';
import { fixtureOf, MUTATIONS, prepareWorld, sendTo } from './valid-requests.ts';

/** docs/security.md K11: what an act changed is in the trail, and nothing that somebody is or wrote. */

let http: Http;
beforeAll(async () => {
  http = await startHttp({ ports: recordKeeper([]), closing: AbortSignal.abort() });
  await prepareWorld(http.db);
}, 60_000);
afterAll(() => http?.stop());

/** Acts on a record that change no field of it: a message is sent again, and a text has a version more, which is kept itself. */
const CHANGE_NO_ROW = new Set(['NOTIFICATION_RESENT', 'TEMPLATE_SAVED']);
/** Fields of bodies that are a person's, a secret, or free text. */
const PRIVATE =
  /^(?:name|email|phone|address|notes?|title|description|payoutAccount|url|message|location|homeLocation|findings)$/;

const privateTexts = (value: unknown, isPrivate = false): string[] => {
  if (typeof value === 'string') return isPrivate && value.length > 3 ? [value] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => privateTexts(inner, isPrivate || PRIVATE.test(name)));
};
const rowsOf = (requestId: string) =>
  http.db
    .selectFrom('audit_log')
    .select(['event', 'body'])
    .where('request_id', '=', requestId)
    .orderBy('seq')
    .execute();

describe('K11: what the trail says of a change', () => {
  it.each(MUTATIONS)('has the values of before and after, and nobody’s own words: %s', async (endpoint) => {
    const request = await fixtureOf(endpoint).prepare(http);
    const id = `walk-${MUTATIONS.indexOf(endpoint)}`;
    const answer = await sendTo(http, endpoint, request, { 'x-request-id': id });
    expect(answer.status).toBeLessThan(300);
    for (const { event, body } of await rowsOf(id)) {
      for (const text of privateTexts(request.body))
        expect(body, event).not.toContain(JSON.stringify(text).slice(1, -1));
      const details = at(JSON.parse(body), 'details');
      if (at(details, 'fields') === undefined || CHANGE_NO_ROW.has(event)) continue;
      expect(at(details, 'changes'), `${endpoint}: ${event}`).toBeTypeOf('object');
    }
  });

  it('shows what runs the business, and hides whom it is about', async () => {
    const made = await http.call('POST', '/api/production/guests', {
      body: { name: 'Amal Canary', email: 'amal.canary@example.com', locale: 'ar' },
    });
    const path = `/api/production/guests/${String(at(made.body, 'data', 'id'))}`;
    await http.call('PATCH', path, {
      body: { email: 'other.canary@example.com', phone: '+971501234567', timeZone: 'Asia/Dubai', locale: 'ar' },
      headers: { 'x-request-id': 'guest-changed', 'if-match': '"1"' },
    });
    const [row] = await rowsOf('guest-changed');
    expect(at(JSON.parse(row?.body ?? '{}'), 'details')).toMatchObject({
      fields: ['email', 'locale', 'phone', 'timeZone'],
      changes: {
        email: { before: '***', after: '***' },
        phone: { after: '***' },
        timeZone: { after: 'Asia/Dubai' },
      },
    });
    expect(row?.body).not.toMatch(/canary|5012345|"locale":\{/i);
  });

  it('has the terms by which money is shared, as they were and as they are', async () => {
    const set = await http.call('PUT', '/api/production/financial/income-distribution', {
      body: { ownerIncome: 80, roomyAgencyFee: 15, referringAgent: 5 },
      headers: { 'x-request-id': 'terms-set', 'if-match': String(await versionOfTerms()) },
    });
    expect(set.status).toBe(200);
    const [row] = await rowsOf('terms-set');
    const changes = at(JSON.parse(row?.body ?? '{}'), 'details', 'changes');
    expect(at(changes, 'ownerBp')).toMatchObject({ after: 8_000 });
    expect(at(changes, 'agencyBp')).toMatchObject({ after: 1_500 });
  });
});

async function versionOfTerms(): Promise<string> {
  const { headers } = await http.call('GET', '/api/production/financial/income-distribution');
  return headers.get('etag') ?? '';
}
