import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StaffRole, TaskType } from '../../src/db/schema.ts';
import { assignDueTasks } from '../../src/domain/assignment/assign-sweep.ts';
import { ROLES } from '../../src/domain/assignment/candidates.ts';
import { endOfferLinks } from '../../src/domain/assignment/offer-link.ts';
import { reassignUnanswered } from '../../src/domain/assignment/offers.ts';
import { MATRIX } from '../../src/domain/messages/matrix-table.ts';
import { offerTextsOf } from '../../src/domain/messages/offer-texts.ts';
import { TEMPLATES } from '../../src/domain/messages/templates.ts';
import { deliverAll, keptTexts } from '../setup/deliver.ts';
import { linkTo } from '../setup/links.ts';
import { API, at, type Http, seed, startHttp } from './harness.ts';

/** Who is asked whether they take a task: until when, how they answer, and what silence leads to. */

let http: Http;
let made = 0;
const flat = (): string => `flat-${made}`;
const name = (id: string): string => `${id}-${made}`;
beforeAll(async () => {
  http = await startHttp();
  await seed(http.db);
}, 60_000);
afterAll(() => http?.stop());
beforeEach(async () => {
  made += 1;
  // All minutes count, so that what a test sees does not depend on when it runs; nights have tests of their own.
  await rules({ acceptQuietFrom: '00:00', acceptQuietTo: '00:00' });
  await http.db
    .insertInto('property')
    .values({ id: flat(), name: `Flat ${made}`, owner_id: 'owner-1', time_zone: 'Asia/Dubai', accept_minutes: 30 })
    .execute();
});

const rules = async (body: object): Promise<void> => {
  const changed = await http.call('PATCH', `${API}/assignment-rules`, { body });
  expect(changed, JSON.stringify(changed.body)).toMatchObject({ status: 200, body: { data: body } });
};
async function staff(id: string, role: StaffRole = 'CLEANER'): Promise<string> {
  const email = `${name(id)}@example.com`;
  await http.db
    .insertInto('staff')
    .values({ id: name(id), name: id, email, role, property_ids: [flat()] })
    .execute();
  return name(id);
}
async function makeTask(type: TaskType = 'CLEANING', scheduledAt = '2031-03-05T08:00:00Z'): Promise<string> {
  const id = `${name('task')}-${type}`;
  await http.db
    .insertInto('task')
    .values({
      id,
      property_id: flat(),
      type,
      occurrence: 'MANUAL',
      title: `Work ${made}`,
      status: 'UNASSIGNED',
      scheduled_at: scheduledAt,
      ends_at: new Date(Date.parse(scheduledAt) + 3_600_000),
      next_assign_at: sql<Date>`now()`,
    })
    .execute();
  return id;
}
const row = (id: string) => http.db.selectFrom('task').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const assign = () => assignDueTasks(http.db, 50);
/** The newest mail about a task to somebody, as it was sent. */
async function mailTo(
  taskId: string,
  who: string,
): Promise<{ readonly subject: string | null; readonly body: string }> {
  await deliverAll(http.db);
  return await http.db
    .selectFrom('notification as n')
    .innerJoin('dev_mail as m', (join) => join.on(sql<boolean>`m.message_id = '<' || n.effect_key || '@roomy>'`))
    .select(['m.subject', 'm.body'])
    .where('n.task_id', '=', taskId)
    .where('n.recipient_id', '=', who)
    .where('n.event', 'in', ['TASK_ASSIGNED', 'TASK_CHANGED'])
    .orderBy('m.id', 'desc')
    .executeTakeFirstOrThrow();
}
const addressIn = (body: string): string =>
  /<a href="https:\/\/roomy\.example(\/offers\/[0-9a-f]{32}\.[\w-]{43})"/.exec(body)?.[1] ??
  expect.fail(`no address: ${body}`);
const page = (method: string, path: string) => http.call(method, path, { as: null });
/** A form of the page leads back to the page, whatever came of it. */
async function say(address: string, answer: 'accept' | 'decline') {
  const { status, headers } = await page('POST', `${address}/${answer}`);
  expect([status, headers.get('location')]).toEqual([303, address]);
  return await page('GET', address);
}
const alerts = async (taskId: string): Promise<unknown> => {
  const { rows } = await sql<{ code: string }>`
    SELECT params ->> 'code' AS code FROM notification WHERE event = 'SYSTEM_ALERT' AND params ->> 'sagaId' = ${taskId} ORDER BY created_at, 1`.execute(
    http.db,
  );
  return rows.map(({ code }) => code);
};
/** The time to answer passes, and nobody has. */
async function silence(taskId: string): Promise<void> {
  await http.db
    .updateTable('task')
    .set({ accept_by: sql<Date>`now() - interval '1 second'` })
    .where('id', '=', taskId)
    .execute();
  expect(await reassignUnanswered(http.db, 50)).toBe(1);
}
async function assigneeOf(taskId: string): Promise<string | null> {
  await assign();
  return (await row(taskId)).assignee_id;
}

/** As the mail has it: Wednesday 5 March 2031 at 12:00 (Asia/Dubai). */
const printed = (instant: Date | null): string => {
  const options = { dateStyle: 'full', timeStyle: 'short', timeZone: 'Asia/Dubai' } as const;
  return `${new Intl.DateTimeFormat('en-GB', options).format(instant ?? 0)} (Asia/Dubai)`;
};

const ASKED = Object.entries(ROLES).filter(([, roles]) => roles.length > 0) as readonly [
  TaskType,
  readonly StaffRole[],
][];

describe.each(ASKED)('of %s, for each role that does it (%s)', (type, [role = 'CLEANER']) => {
  const says = async (id: string, who: string): Promise<void> => {
    const { accept_by } = await row(id);
    const { body } = await mailTo(id, who);
    expect(body).toContain(`Please answer by ${printed(accept_by)}`);
    const question = await page('GET', addressIn(body));
    expect(question).toMatchObject({ status: 200 });
    expect(question.text).toContain(printed(accept_by));
    expect(question.text).toMatch(/min left/);
  };

  it('is told until when to answer, and where: asked by the sweep, by hand, and about a new time', async () => {
    const [first, second] = [await staff('a', role), await staff('b', role)];
    const id = await makeTask(type);
    const chosen = await assigneeOf(id);
    expect([first, second]).toContain(chosen);
    await says(id, String(chosen));
    const other = chosen === first ? second : first;
    const moved = await http.call('PATCH', `${API}/tasks/${id}`, { body: { assigneeId: other } });
    expect(moved).toMatchObject({ status: 200, body: { data: { assigneeId: other, acceptedAt: null } } });
    await says(id, other);
    const accepted = await http.call('POST', `${API}/tasks/${id}/accept`, { as: role, sub: other });
    expect(accepted).toMatchObject({ status: 200 });
    const later = await http.call('PATCH', `${API}/tasks/${id}`, { body: { scheduledDate: '2031-03-06T08:00:00Z' } });
    expect(later).toMatchObject({ status: 200, body: { data: { assigneeId: other, acceptedAt: null } } });
    await says(id, other);
    expect((await mailTo(id, other)).subject).toContain('New time');
  });
});

it('goes by mail alone, whose texts all have the deadline and the link', () => {
  const channels = MATRIX.filter(
    ({ event, recipientType }) => recipientType === 'STAFF' && /^TASK_(ASSIGNED|CHANGED)$/.test(event),
  );
  expect(channels.map(({ event, channels: over }) => [event, over])).toEqual([
    ['TASK_ASSIGNED', ['EMAIL']],
    ['TASK_CHANGED', ['EMAIL']],
  ]);
  const texts = ['task-assigned.staff@1', 'task-assigned-instead.staff@1', 'task-changed.staff@1'].flatMap(
    offerTextsOf,
  );
  expect(texts).toHaveLength(6);
  for (const key of texts) {
    const text = JSON.stringify(TEMPLATES[key]?.message);
    expect(text, key).toContain('acceptBy');
    expect(text, key).toContain('answerUrl');
  }
});

it('where nobody is asked, the message asks nothing', async () => {
  await http.db.updateTable('property').set({ accept_minutes: null }).where('id', '=', flat()).execute();
  const who = await staff('a');
  const id = await makeTask();
  await assign();
  const { body } = await mailTo(id, who);
  expect(body).not.toMatch(/answer|offers/);
});

describe('by the link of the mail', () => {
  async function asked(): Promise<{ id: string; who: string; address: string }> {
    const who = await staff('a');
    const id = await makeTask();
    await assign();
    return { id, who, address: addressIn((await mailTo(id, who)).body) };
  }

  it('a task is accepted, once; looking at the page accepts nothing', async () => {
    const { id, who, address } = await asked();
    const question = await page('GET', address);
    expect(question.text).toContain('Yes, I take it');
    expect(question.headers.get('cache-control')).toContain('no-store');
    expect(question.headers.get('content-security-policy')).toContain("form-action 'self'");
    expect((await row(id)).accepted_at).toBeNull();
    const first = await say(address, 'accept');
    const { accepted_at, version } = await row(id);
    expect(first.text).toContain('This task is yours');
    expect(accepted_at).not.toBeNull();
    // Twice, also at the same moment, is once.
    await Promise.all([say(address, 'accept'), say(address, 'accept')]);
    expect(await row(id)).toMatchObject({ accepted_at, version, assignee_id: who });
    expect((await say(address, 'decline')).text).toContain('This task is yours');
    expect(await row(id)).toMatchObject({ assignee_id: who });
    const audit = await http.call('GET', `${API}/audit?event=TASK_ACCEPTED`);
    expect(at(audit.body, 'data')).toContainEqual(
      expect.objectContaining({ actor: expect.objectContaining({ id: who }) }),
    );
    expect((await keptTexts(http.db)).join()).not.toContain(address.slice('/offers/'.length));
  });

  it('a task is declined, once, and goes to the next; the page says that somebody else has it', async () => {
    const { id, who, address } = await asked();
    const other = await staff('b');
    for (const { text } of await Promise.all([say(address, 'decline'), say(address, 'decline')]))
      expect(text).toContain('You have declined this task.');
    expect(await assigneeOf(id)).toBe(other);
    const late = await say(address, 'accept');
    expect(late.text).toContain('You have declined this task. Somebody else has it now.');
    expect(late.text).not.toContain('<dt>Start</dt>');
    expect(await row(id)).toMatchObject({ assignee_id: other, accepted_at: null });
    const declines = await http.db.selectFrom('task_refusal').selectAll().where('task_id', '=', id).execute();
    expect(declines).toMatchObject([{ staff_id: who, reason: 'DECLINED', times: 1 }]);
  });

  it('an answer that was given elsewhere stands', async () => {
    const { id, who, address } = await asked();
    expect(await http.call('POST', `${API}/tasks/${id}/accept`, { as: 'CLEANER', sub: who })).toMatchObject({
      status: 200,
    });
    expect((await page('GET', address)).text).toContain('This task is yours');
    const { version, accepted_at } = await row(id);
    for (const answer of ['accept', 'decline'] as const)
      expect((await say(address, answer)).text).toContain('This task is yours');
    expect(await row(id)).toMatchObject({ version, accepted_at, assignee_id: who });
  });

  it('nothing is answered when it is too late, by neither way', async () => {
    const { id, who } = await asked();
    await http.db.updateTable('task').set({ accept_by: sql<Date>`now()` }).where('id', '=', id).execute();
    const { token } = await http.db
      .selectFrom('task_offer as o')
      .innerJoin('task as t', (join) => join.onRef('t.id', '=', 'o.task_id').onRef('t.accept_by', '=', 'o.accept_by'))
      .select('o.token')
      .where('o.task_id', '=', id)
      .executeTakeFirstOrThrow();
    for (const answer of ['accept', 'decline'] as const)
      expect((await say(`/offers/${linkTo('offer', token)}`, answer)).text).toContain('The time to answer is over.');
    const own = await http.call('POST', `${API}/tasks/${id}/accept`, { as: 'CLEANER', sub: who });
    expect([own.status, at(own.body, 'code')]).toEqual([409, 'OFFER_EXPIRED']);
    expect(await row(id)).toMatchObject({ assignee_id: who, accepted_at: null });
    // By telephone perhaps, noted by an administrator while nobody else has it.
    expect(await http.call('POST', `${API}/tasks/${id}/accept`)).toMatchObject({ status: 200 });
  });

  it('an older question is not answered, nor one about a task that is over or somebody else’s', async () => {
    const { id, address } = await asked();
    await http.call('PATCH', `${API}/tasks/${id}`, { body: { scheduledDate: '2031-03-07T08:00:00Z' } });
    expect((await say(address, 'accept')).text).toContain('once more since');
    const other = await staff('b');
    await http.call('PATCH', `${API}/tasks/${id}`, { body: { assigneeId: other } });
    const taken = await say(address, 'accept');
    expect(taken.text).toContain('This task is not yours any more. Somebody else has it now.');
    await http.db.updateTable('task').set({ status: 'CANCELLED' }).where('id', '=', id).execute();
    const over = await say(address, 'accept');
    expect(over.text).toContain('called off');
    expect((await row(id)).accepted_at).toBeNull();
  });

  it('K15: an address cannot be made by who reads the database; one of an earlier version opens until it ends', async () => {
    const { id, address, who } = await asked();
    const { token } = await http.db
      .selectFrom('task_offer')
      .select('token')
      .where('task_id', '=', id)
      .executeTakeFirstOrThrow();
    expect(address).toBe(`/offers/${linkTo('offer', token)}`);
    for (const forged of [`${token}${token}`, `${token}.${'A'.repeat(43)}`, linkTo('approval', token)])
      expect(await page('GET', `/offers/${forged}`)).toMatchObject({ status: 404 });
    const before = 'b'.repeat(64);
    await sql`UPDATE task_offer SET link_before = sha256(${before}::text::bytea) WHERE token = ${token}`.execute(
      http.db,
    );
    expect(await page('GET', `/offers/${before}`)).toMatchObject({ status: 200 });
    await http.db.transaction().execute((tx) => endOfferLinks(tx, who));
    for (const ended of [before, linkTo('offer', token)])
      expect(await page('GET', `/offers/${ended}`)).toMatchObject({ status: 404 });
  });

  it('an address that nobody was given is absent', async () => {
    for (const [method, rest] of [
      ['GET', ''],
      ['POST', '/accept'],
      ['POST', '/decline'],
    ] as const) {
      expect(await page(method, `/offers/${'a'.repeat(64)}${rest}`)).toMatchObject({ status: 404 });
      expect(await page(method, `/offers/x${rest}`)).toMatchObject({ status: 422 });
    }
  });

  it('either the answer or the end of its time wins, never both', async () => {
    for (let n = 0; n < 10; n += 1) {
      made += 1;
      await http.db
        .insertInto('property')
        .values({ id: flat(), name: 'Flat', owner_id: 'owner-1', accept_minutes: 30 })
        .execute();
      const { id, who, address } = await asked();
      const due = sql<Date>`clock_timestamp() + ${n * 3}::int * interval '1 millisecond'`;
      await http.db.updateTable('task').set({ accept_by: due }).where('id', '=', id).execute();
      const [, linkName = ''] = /([0-9a-f]{32})\./.exec(address) ?? [];
      await sql`UPDATE task_offer SET token = ${linkName} || '-before' WHERE token = ${linkName}`.execute(http.db);
      await sql`UPDATE task_offer o SET token = ${linkName} FROM task t WHERE t.id = ${id} AND o.task_id = t.id AND o.accept_by = t.accept_by`.execute(
        http.db,
      );
      await Promise.all([say(address, 'accept'), reassignUnanswered(http.db, 50), reassignUnanswered(http.db, 50)]);
      await reassignUnanswered(http.db, 50);
      const { assignee_id, accepted_at, status } = await row(id);
      const isTaken = accepted_at !== null;
      expect({ assignee_id, status }).toEqual(
        isTaken ? { assignee_id: who, status: 'ASSIGNED' } : { assignee_id: null, status: 'UNASSIGNED' },
      );
      const refused = await http.db.selectFrom('task_refusal').select('reason').where('task_id', '=', id).execute();
      expect(refused).toHaveLength(isTaken ? 0 : 1);
    }
  });
});

describe('who has not answered', () => {
  it('is asked once more when nobody else is left; then nobody has it, which is told once and explained', async () => {
    const [first, second] = [await staff('a'), await staff('b')];
    const id = await makeTask();
    expect(await assigneeOf(id)).toBe(first);
    await silence(id);
    expect(await assigneeOf(id)).toBe(second);
    await silence(id);
    expect(await alerts(id)).toEqual(['TASK_NOT_ANSWERED', 'TASK_NOT_ANSWERED']);

    const again = await assigneeOf(id);
    expect([first, second]).toContain(again);
    const { body, subject } = await mailTo(id, String(again));
    expect(subject).toContain('We still need your answer');
    expect(body).toContain('we do not ask you again');
    addressIn(body);
    const explained = await http.call('GET', `${API}/tasks/${id}/assignment`);
    expect(explained.body).toMatchObject({
      data: {
        explanation: { round: 2, chosen: again },
        refusals: [
          { staffId: first, reason: 'NO_ANSWER', times: 1 },
          { staffId: second, reason: 'NO_ANSWER', times: 1 },
        ],
      },
    });

    await silence(id);
    const last = again === first ? second : first;
    expect(await assigneeOf(id)).toBe(last);
    await silence(id);
    for (let tries = 0; tries < 3; tries += 1) {
      await http.db.updateTable('task').set({ next_assign_at: sql<Date>`now()` }).where('id', '=', id).execute();
      expect(await assigneeOf(id)).toBeNull();
    }
    expect(await alerts(id)).toEqual(['TASK_NOT_ANSWERED', 'TASK_NOT_ANSWERED', 'NOBODY_ANSWERED']);
    const ended = await http.call('GET', `${API}/tasks/${id}/assignment`);
    expect(at(ended.body, 'data', 'explanation')).toMatchObject({ chosen: null, candidates: [] });
    expect(at(ended.body, 'data', 'explanation', 'excluded')).toContainEqual({
      reason: 'REFUSED',
      count: 2,
      staffIds: [first, second],
    });
    expect(at(ended.body, 'data', 'refusals')).toMatchObject([{ times: 2 }, { times: 2 }]);

    // Somebody new is asked.
    const fresh = await staff('c');
    await http.db.updateTable('task').set({ next_assign_at: sql<Date>`now()` }).where('id', '=', id).execute();
    expect(await assigneeOf(id)).toBe(fresh);
  });

  it('alone, is asked once more and hears of that alone, not also that the task is somebody else’s', async () => {
    const only = await staff('a');
    const id = await makeTask();
    await assign();
    await deliverAll(http.db);
    await silence(id);
    expect(await assigneeOf(id)).toBe(only);
    await deliverAll(http.db);
    const messages = await http.db
      .selectFrom('notification')
      .select(['event', 'status'])
      .where('task_id', '=', id)
      .where('recipient_id', '=', only)
      .orderBy('created_at')
      .execute();
    expect(messages).toEqual([
      { event: 'TASK_ASSIGNED', status: 'SENT' },
      { event: 'TASK_WITHDRAWN', status: 'SKIPPED' },
      { event: 'TASK_ASSIGNED', status: 'SENT' },
    ]);
    expect((await mailTo(id, only)).subject).toContain('We still need your answer');
  });

  it('is not asked again instead of somebody who was not asked yet, nor who has declined', async () => {
    const [first, second] = [await staff('a'), await staff('b')];
    const id = await makeTask();
    expect(await assigneeOf(id)).toBe(first);
    const declined = await http.call('POST', `${API}/tasks/${id}/decline`, {
      as: 'CLEANER',
      sub: first,
      body: { reason: 'ill' },
    });
    expect(declined.status).toBe(200);
    expect(await assigneeOf(id)).toBe(second);
    await silence(id);
    expect(await assigneeOf(id)).toBe(second);
    await silence(id);
    expect(await assigneeOf(id)).toBeNull();
  });
});

describe('the night at the property', () => {
  const wallClock = (zone: string) => Temporal.Now.zonedDateTimeISO(zone).toPlainTime().round('minute');
  const hm = (time: Temporal.PlainTime) => time.toString().slice(0, 5);

  it('does not count, by the settings of the agency; for an emergency it does', async () => {
    // The night is now, at the property: from an hour ago until two hours from now.
    const now = wallClock('Asia/Dubai');
    await rules({ acceptQuietFrom: hm(now.subtract({ hours: 1 })), acceptQuietTo: hm(now.add({ hours: 2 })) });
    await staff('a');
    await staff('f', 'MAINTENANCE_STAFF');
    const [calm, urgent] = [await makeTask('CLEANING'), await makeTask('EMERGENCY')];
    await assign();
    const minutesOf = async (id: string) => (((await row(id)).accept_by?.getTime() ?? 0) - Date.now()) / 60_000;
    const [calmMinutes, urgentMinutes] = [await minutesOf(calm), await minutesOf(urgent)];
    expect(calmMinutes).toBeGreaterThan(147);
    expect(calmMinutes).toBeLessThan(152);
    expect(urgentMinutes).toBeGreaterThan(13);
    expect(urgentMinutes).toBeLessThan(16);
    // The same for who is chosen by hand.
    const other = await staff('b');
    await http.call('PATCH', `${API}/tasks/${calm}`, { body: { assigneeId: other } });
    expect(await minutesOf(calm)).toBeGreaterThan(147);
    expect(await reassignUnanswered(http.db, 50)).toBe(0);
  });

  it('is from 21:00 to 07:00 unless it is set, and leaves an hour of the day', async () => {
    const { rows } = await sql<{ fallback: string }>`
      SELECT column_default AS fallback FROM information_schema.columns WHERE table_name = 'assignment_rule' AND column_name LIKE 'accept_quiet%' ORDER BY column_name`.execute(
      http.db,
    );
    expect(rows.map(({ fallback }) => fallback.slice(1, 6))).toEqual(['21:00', '07:00']);
    await rules({ acceptQuietFrom: '08:00', acceptQuietTo: '07:00' });
    for (const body of [{ acceptQuietTo: '07:30' }, { acceptQuietFrom: '07:01' }, { acceptQuietFrom: '25:00' }]) {
      expect(await http.call('PATCH', `${API}/assignment-rules`, { body })).toMatchObject({ status: 422 });
    }
  });
});
