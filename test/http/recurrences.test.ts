import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API, at, type Http, seed, startHttp } from './harness.ts';

let http: Http;
beforeAll(async () => {
  http = await startHttp();
  await seed(http.db);
  await http.db
    .insertInto('property')
    .values({ id: 'property-2', name: 'Creek', owner_id: 'owner-1', agent_ids: ['agent-1'] })
    .execute();
}, 60_000);
afterAll(() => http?.stop());

const RULES = `${API}/recurrences`;
const rule = {
  propertyId: 'property-2',
  type: 'INSPECTION',
  title: 'Inspection',
  every: 'MONTHLY',
  anchorDate: '2099-01-31',
};
const agent = { as: 'AGENT', sub: 'agent-1' } as const;
const stranger = { as: 'AGENT', sub: 'agent-9' } as const;
const add = (body: object = {}, call: object = {}) => http.call('POST', RULES, { body: { ...rule, ...body }, ...call });

describe('rules of recurring work', () => {
  it.each(['QUARTERLY', { days: 10 }, { stays: 3 }, { nights: 30 }])(
    'every %j are made, read and listed',
    async (every) => {
      const made = await add({ every, checklist: ['Smoke alarm'], description: 'All rooms' });
      expect(made).toMatchObject({
        status: 201,
        body: { data: { every, active: true, localTime: '11:00', version: 1 } },
      });
      const id = String(at(made.body, 'data', 'id'));
      expect((await http.call('GET', `${RULES}/${id}`)).body).toMatchObject({
        data: { id, checklist: ['Smoke alarm'] },
      });
      const list = await http.call('GET', `${RULES}?propertyId=property-2&type=INSPECTION&active=true&limit=1`);
      expect(at(list.body, 'data', 0, 'id')).toBe(id);
    },
  );

  it('begin with the period that is running, not with those that are over', async () => {
    const made = await add({ anchorDate: '2020-01-31' });
    expect(Number(at(made.body, 'data', 'nextPeriod'))).toBeGreaterThan(60);
    expect(at((await add({ every: { stays: 3 }, anchorDate: '2020-01-31' })).body, 'data', 'nextPeriod')).toBe(1);
  });

  it('change and end, under a version', async () => {
    const id = String(at((await add({ id: 'rule-1' })).body, 'data', 'id'));
    const changed = await http.call('PATCH', `${RULES}/${id}`, {
      body: { localTime: '09:00', checklist: ['Door'], description: null },
      headers: { 'if-match': '"1"' },
    });
    expect(changed).toMatchObject({
      status: 200,
      body: { data: { localTime: '09:00', checklist: ['Door'], version: 2 } },
    });
    const cleared = await http.call('PATCH', `${RULES}/${id}`, { body: { checklist: null } });
    expect(at(cleared.body, 'data', 'checklist')).toBeNull();
    const late = { headers: { 'if-match': '"1"' } };
    const refused = await http.call('PATCH', `${RULES}/${id}`, { body: { title: 'x' }, ...late });
    expect(refused).toMatchObject({ status: 412, body: { code: 'PRECONDITION_FAILED' } });
    const kept = await http.call('DELETE', `${RULES}/${id}`, late);
    expect(kept.status).toBe(412);
    const ended = await http.call('DELETE', `${RULES}/${id}`);
    expect(ended.body).toMatchObject({ data: { active: false } });
    const trail = await http.call('GET', `${API}/audit?event=RECURRENCE_ENDED`);
    expect(at(trail.body, 'data', 0, 'event')).toBe('RECURRENCE_ENDED');
  });

  it('of other portfolios are not there for an agent', async () => {
    const mine = await add({}, agent);
    expect(mine.status).toBe(201);
    const path = `${RULES}/${String(at(mine.body, 'data', 'id'))}`;
    expect((await http.call('GET', path, agent)).status).toBe(200);
    expect((await add({}, stranger)).body).toMatchObject({ code: 'REFERENCE_NOT_FOUND' });
    for (const [method, body] of [['GET'], ['DELETE'], ['PATCH', { title: 'x' }]] as const) {
      const answer = await http.call(method, path, { ...stranger, ...(body && { body }) });
      expect(answer).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    }
    expect((await http.call('GET', RULES, stranger)).body).toMatchObject({ data: [], nextCursor: null });
    expect(at((await http.call('GET', RULES, agent)).body, 'data', 0, 'propertyId')).toBe('property-2');
  });

  it.each([
    [{ every: 'WEEKLY' }],
    [{ every: { days: 0 } }],
    [{ every: { stays: 2, nights: 2 } }],
    [{ type: 'EMERGENCY' }],
    [{ anchorDate: '2027-02-30' }],
    [{ localTime: '25:00' }],
    [{ durationMinutes: 0 }],
    [{ checklist: [] }],
    [{ status: 'DONE' }],
  ])('%j are refused', async (body) => {
    expect(await add(body)).toMatchObject({ status: 422, body: { code: 'VALIDATION_FAILED' } });
  });

  it('are refused for what is not there, twice the same, and other roles', async () => {
    expect((await add({ propertyId: 'property-9' })).body).toMatchObject({ code: 'REFERENCE_NOT_FOUND' });
    await add({ id: 'rule-2' });
    expect(await add({ id: 'rule-2' })).toMatchObject({ status: 409, body: { code: 'ALREADY_EXISTS' } });
    expect((await http.call('GET', `${RULES}/rule-9`)).status).toBe(404);
    expect((await http.call('GET', `${RULES}?cursor=x`)).body).toMatchObject({ code: 'INVALID_CURSOR' });
    expect((await http.call('PATCH', `${RULES}/rule-2`, { body: {} })).status).toBe(422);
    expect((await http.call('GET', RULES, { as: 'FINANCE' })).status).toBe(403);
    expect((await http.call('GET', RULES, { as: null })).status).toBe(401);
    expect((await http.call('POST', RULES, { raw: '{', headers: { 'content-type': 'application/json' } })).status).toBe(
      400,
    );
    expect((await http.call('POST', RULES, { raw: 'x', headers: { 'content-type': 'text/plain' } })).status).toBe(415);
  });
});
