import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API, at, type Http, seed, startHttp } from './harness.ts';

let http: Http;
beforeAll(async () => {
  http = await startHttp();
  await seed(http.db);
}, 60_000);
afterAll(() => http?.stop());

describe('an emergency', () => {
  const task = {
    type: 'EMERGENCY',
    title: 'Water',
    propertyId: 'property-1',
    scheduledDate: '2027-03-01T09:00:00Z',
  };
  const call = (body: object = {}) => http.call('POST', `${API}/tasks`, { body: { ...task, ...body } });

  it('is urgent, due to be assigned, and told to operations at once', async () => {
    const made = await call({ priority: 'LOW' });
    expect(made).toMatchObject({ status: 201, body: { data: { priority: 'URGENT', blockId: null } } });
    const id = String(at(made.body, 'data', 'id'));
    const mails = await http.db
      .selectFrom('notification')
      .selectAll()
      .where('task_id', '=', id)
      .orderBy('id')
      .execute();
    expect(mails).toMatchObject([
      { event: 'MAINTENANCE_ALERT', template: 'maintenance-alert-emergency.ops@1' },
      { event: 'MAINTENANCE_REQUIRED', template: 'maintenance-ordered.owner@1' },
    ]);
    const due = http.db
      .selectFrom('task')
      .select('id')
      .where('id', '=', id)
      .whereRef('next_assign_at', '<=', 'created_at');
    expect(await due.execute()).toHaveLength(1);
  });

  it('blocks nights that are free, and the property is out of order', async () => {
    const blockCalendar = { from: '2027-03-01', to: '2027-03-04' };
    const made = await call({ blockCalendar });
    const blockId = String(at(made.body, 'data', 'blockId'));
    const block = await http.call('GET', `${API}/reservations/${blockId}`);
    expect(block.body).toMatchObject({
      data: {
        kind: 'MAINTENANCE_BLOCK',
        guestId: null,
        status: 'CONFIRMED',
        checkInDate: '2027-03-01',
        totalAmount: 0,
      },
    });
    const list = await http.call('GET', `${API}/reservations?propertyId=property-1`);
    expect(at(list.body, 'data', 0)).toMatchObject({ id: blockId, kind: 'MAINTENANCE_BLOCK' });
    const property = await http.db.selectFrom('property').selectAll().where('id', '=', 'property-1').executeTakeFirst();
    expect(property?.readiness).toBe('OUT_OF_ORDER');
    const before = await http.db.selectFrom('task').select('id').execute();
    const taken = await call({ blockCalendar: { from: '2027-03-03', to: '2027-03-05' } });
    expect(taken).toMatchObject({ status: 409, body: { code: 'RESERVATION_CONFLICT' } });
    expect(await http.db.selectFrom('task').select('id').execute()).toHaveLength(before.length);
  });

  it.each([
    [{ type: 'MAINTENANCE', blockCalendar: { from: '2027-05-01', to: '2027-05-02' } }],
    [{ blockCalendar: { from: '2027-05-02', to: '2027-05-02' } }],
    [{ blockCalendar: { from: '2027-05-02' } }],
  ])('refuses %j', async (body) => {
    expect(await call(body)).toMatchObject({ status: 422, body: { code: 'VALIDATION_FAILED' } });
  });
});
