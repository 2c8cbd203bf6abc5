import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccountRow } from '../../src/domain/people/accounts.ts';
import { type Http, startHttp } from './harness.ts';
import { addPerson, type Browser, signInByMail } from './people.ts';
import { digestOfEverything, prepareWorld } from './valid-requests.ts';

/** Who does which task, from the day's page: given to somebody, and taken from who is ill. */

const DATE = '2031-05-10';
let http: Http;
let admin: Browser;
beforeAll(async () => {
  http = await startHttp();
  await prepareWorld(http.db);
  await http.db
    .insertInto('reservation')
    .values({
      ...{ id: 'comes', property_id: 'property-1', guest_id: 'guest-1', created_by: 'test' },
      ...{ check_in_date: DATE, check_out_date: '2031-05-12', total_minor: 100_000, currency: 'AED' },
      status: 'CONFIRMED',
    })
    .execute();
  for (const [id, name] of Object.entries({ 'nina-1': 'Nina <Petrova>', 'omar-1': 'Omar Said' }))
    await http.db
      .insertInto('staff')
      .values({ id, name, email: `${id}@example.com`, role: 'CLEANER' })
      .execute();
  admin = await signedIn('ADMIN');
}, 60_000);
afterAll(() => http?.stop());

let tasks = 0;
/** A cleaning of the stay, from this hour on. */
async function addTask(from: Date, assignee_id: string | null): Promise<string> {
  tasks += 1;
  const id = `cleaning-${tasks}`;
  await http.db
    .insertInto('task')
    .values({
      ...{ id, type: 'CLEANING', occurrence: `MANUAL-${id}`, title: `Windows ${tasks}` },
      ...{ property_id: 'property-1', reservation_id: 'comes', assignee_id },
      status: assignee_id === null ? 'UNASSIGNED' : 'ASSIGNED',
      scheduled_at: from,
      ends_at: new Date(from.getTime() + 3_600_000),
      next_assign_at: null,
    })
    .execute();
  return id;
}
async function signedIn(role: AccountRow['role'], links: Parameters<typeof addPerson>[2] = {}): Promise<Browser> {
  const account = await addPerson(http.db, role, links);
  const browser = await signInByMail(http.app, http.db, account.email);
  await sql`UPDATE session SET mfa_at = now() WHERE account_id = ${account.id}`.execute(http.db);
  return browser;
}
const keyOf = (text: string): string => /name="key" value="([^"]+)"/.exec(text)?.[1] ?? '';
const assigneeOf = async (id: string) =>
  (await http.db.selectFrom('task').select('assignee_id').where('id', '=', id).executeTakeFirstOrThrow()).assignee_id;

describe('a task that nobody has', () => {
  it('is given to somebody from the page of the day, and the reader is back there', async () => {
    const id = await addTask(new Date(`${DATE}T08:00:00Z`), null);
    expect((await admin.get(`/console/today?date=${DATE}`)).text).toContain(`/console/tasks/${id}?date=${DATE}`);
    const { text } = await admin.get(`/console/tasks/${id}?date=${DATE}`);
    expect(text).toContain('Nina &lt;Petrova&gt;');
    // An agent does no cleaning.
    expect(text).not.toContain('value="agent-1"');
    const digests = async () => {
      const { session: _, ...rest } = await digestOfEverything(http.db);
      return rest;
    };
    const before = await digests();
    const asked = { plan: 'first', date: DATE, assigneeId: 'nina-1' };
    const planned = (await admin.post(`/console/tasks/${id}/assign`, asked)).text;
    for (const words of [
      'Nothing has been done yet',
      'Nina &lt;Petrova&gt;',
      'Changed',
      'nina-1',
      'Do it: Give it to somebody',
    ])
      expect(planned).toContain(words);
    expect(planned).toContain(`href="/console/tasks/${id}?date=${DATE}"`);
    expect([await assigneeOf(id), await digests()]).toEqual([null, before]);
    const sure = planned.slice(planned.indexOf(`/console/tasks/${id}/assign`));
    const form = { key: keyOf(sure), date: DATE, assigneeId: 'nina-1' };
    expect(sure).toContain('name="assigneeId" value="nina-1"');
    const { location } = await admin.post(`/console/tasks/${id}/assign`, form);
    expect(location).toBe(`/console/today?date=${DATE}&told=assign`);
    expect(await assigneeOf(id)).toBe('nina-1');
    const day = (await admin.get(location ?? '')).text;
    expect(day).toContain('role="status">The task has somebody.');
    expect(day).toContain('/console/staff/nina-1');
  });

  it('says why somebody cannot have it', async () => {
    const at = new Date('2031-06-01T08:00:00Z');
    await addTask(at, 'omar-1');
    const id = await addTask(at, null);
    for (const how of [{ plan: 'first' }, { key: 'a-1' }]) {
      const refused = await admin.post(`/console/tasks/${id}/assign`, { ...how, assigneeId: 'omar-1' });
      expect(refused.text).toContain('role="alert"');
    }
    expect(await assigneeOf(id)).toBeNull();
    expect((await admin.post(`/console/tasks/${id}/assign`, { key: 'a-2', assigneeId: 'agent-1' })).text).toContain(
      'role="alert"',
    );
    expect((await admin.get('/console/tasks/none')).status).toBe(404);
  });

  it('is read, but not given, by those who may only read it', async () => {
    const id = await addTask(new Date('2031-06-02T08:00:00Z'), null);
    const finance = await signedIn('FINANCE');
    expect((await finance.get(`/console/tasks/${id}`)).text).not.toContain(`${id}/assign`);
    expect((await finance.post(`/console/tasks/${id}/assign`, { key: 'f', assigneeId: 'nina-1' })).status).toBe(303);
    expect(await assigneeOf(id)).toBeNull();
    const stranger = await signedIn('AGENT', { staffId: 'agent-1' });
    await http.db.updateTable('property').set({ agent_ids: [] }).where('id', '=', 'property-1').execute();
    expect((await stranger.post(`/console/tasks/${id}/assign`, { key: 's', assigneeId: 'nina-1' })).status).toBe(404);
    await http.db
      .updateTable('property')
      .set({ agent_ids: ['agent-1'] })
      .where('id', '=', 'property-1')
      .execute();
  });
});

describe('who is ill', () => {
  it('is marked as absent; the tasks of that time go to others, and the page says with whom they are', async () => {
    const soon = new Date(Date.now() + 2 * 3_600_000);
    const later = new Date(Date.now() + 20 * 86_400_000);
    const [mine, after] = [await addTask(soon, 'nina-1'), await addTask(later, 'nina-1')];
    const { text } = await admin.get('/console/staff/nina-1');
    expect(text).toContain('Nina &lt;Petrova&gt;');
    expect(text).toContain(`/console/tasks/${mine}`);
    const day = (at: Date): string => at.toISOString().slice(0, 10);
    const form = {
      key: keyOf(text),
      from: day(new Date(Date.now() - 86_400_000)),
      to: day(new Date(Date.now() + 86_400_000)),
    };
    const { location } = await admin.post('/console/staff/nina-1/leave', { ...form, reason: 'Ill' });
    expect(location).toContain(`released=${mine}`);
    expect([await assigneeOf(mine), await assigneeOf(after)]).toEqual([null, 'nina-1']);
    const told = (await admin.get(location ?? '')).text;
    expect(told).toContain('The absence is entered.');
    expect(told).toContain('somebody is being looked for');
    expect(told).toContain('Absent now');
    await admin.post(`/console/tasks/${mine}/assign`, { key: 'b-1', assigneeId: 'omar-1' });
    expect((await admin.get(location ?? '')).text).toContain('now with');
    const leave = /name="leave" value="([^"]+)"/.exec(told)?.[1] ?? '';
    const back = await admin.post('/console/staff/nina-1/return', { key: 'b-2', leave });
    expect((await admin.get(back.location ?? '')).text).toContain('The absence is taken back');
    expect((await admin.get('/console/staff/nina-1')).text).toContain('No absence is known');
    expect(await assigneeOf(mine)).toBe('omar-1');
  });

  it('is not entered twice, nor backwards, nor by who may not', async () => {
    const period = { from: '2031-07-01', to: '2031-07-02' };
    for (let press = 0; press < 2; press += 1)
      await admin.post('/console/staff/omar-1/leave', { key: 'once', ...period });
    const rows = await http.db.selectFrom('staff_leave').select('id').where('staff_id', '=', 'omar-1').execute();
    expect(rows).toHaveLength(1);
    const backwards = { key: 'back', from: '2031-07-02', to: '2031-07-01' };
    expect((await admin.post('/console/staff/omar-1/leave', backwards)).text).toContain('role="alert"');
    const ops = await signedIn('OPS');
    expect((await ops.post('/console/staff/omar-1/leave', { key: 'o', ...period })).status).toBe(303);
    expect((await http.db.selectFrom('staff_leave').select('id').execute()).length).toBe(1);
  });
});
