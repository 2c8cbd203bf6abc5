import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { assignDueTasks } from '../../src/domain/assignment/assign-sweep.ts';
import { newId } from '../../src/kernel/ids.ts';
import { seedStays } from '../setup/stays.ts';
import { type Answer, type System, startSystem } from '../setup/system.ts';

/** Assignment as a client meets it: refusals whose suggestions hold, offers, leave, and changes by hand. */

let system: System;
let made = 0;
const flat = (): string => `flat-${made}`;
const name = (id: string): string => `${id}-${made}`;
beforeAll(async () => {
  system = await startSystem();
  const { db } = system.bed;
  // Who is named by requests below; they take no work.
  const named = ['agent-1', 'agent-own', 'agent-strange', 'staff-9'];
  await db
    .insertInto('staff')
    .values(named.map((id) => ({ id, name: id, email: 'x@example.com', role: 'AGENT' as const, active: false })))
    .execute();
  await db.insertInto('owner').values({ id: 'owner-9', name: 'O', email: 'o@example.com' }).execute();
  await db.insertInto('property').values({ id: 'elsewhere', name: 'Far', owner_id: 'owner-9' }).execute();
});
afterAll(() => system?.close());
beforeEach(async () => {
  made += 1;
  await system.bed.db
    .insertInto('owner')
    .values({ id: 'owner-1', name: 'Olga', email: 'olga@example.com' })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  await system.bed.db.insertInto('property').values({ id: flat(), name: 'Flat', owner_id: 'owner-1' }).execute();
});

const call: System['call'] = (...request) => system.call(...request);
const ok = async (answer: Promise<Answer>): Promise<Answer['body']> => {
  const { status, body, text } = await answer;
  expect([200, 201], text).toContain(status);
  return body.data;
};
async function staff(id: string, role = 'CLEANER', values: object = {}): Promise<string> {
  const body = { id: name(id), name: id, email: `${id}@example.com`, role, propertyIds: [flat()], ...values };
  await ok(call('POST', '/staff', { body }));
  return name(id);
}
const NOON = '2031-03-05T08:00:00.000Z';
const taskBody = (values: object = {}) => ({
  type: 'MAINTENANCE',
  title: 'Tap drips',
  propertyId: flat(),
  scheduledDate: NOON,
  ...values,
});
const createRequired = (values: object = {}) =>
  call('POST', '/tasks', { body: taskBody({ requireAssignment: true, ...values }) });
const task = async (values: object = {}): Promise<string> =>
  (await ok(call('POST', '/tasks', { body: taskBody(values) }))).id;

/** Of no stay, for nobody yet. */
async function cleaning(scheduledAt: string, minutes = 60): Promise<string> {
  const { id } = await system.bed.db
    .insertInto('task')
    .values({
      id: newId('task'),
      property_id: flat(),
      type: 'CLEANING',
      occurrence: 'MANUAL',
      title: 'Other',
      status: 'UNASSIGNED',
      scheduled_at: scheduledAt,
      ends_at: new Date(Date.parse(scheduledAt) + minutes * 60_000),
      next_assign_at: null,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

describe('a task that somebody must take at once', () => {
  it('is assigned and told, or refused with times that can be posted back', async () => {
    const only = await staff('mary', 'MAINTENANCE_STAFF');
    const first = await ok(createRequired());
    expect(first).toMatchObject({ status: 'ASSIGNED', assigneeId: only, startsAt: NOON });
    const refusal = await createRequired({ durationMinutes: 90 });
    expect(refusal.status).toBe(409);
    expect(refusal.body).toMatchObject({
      success: false,
      error: 'No available staff for task assignment',
      code: 'NO_STAFF_AVAILABLE',
      details: {
        taskType: 'MAINTENANCE',
        occurrence: 'MANUAL',
        scheduledDate: NOON,
        suggestedAlternatives: ['2031-03-05T09:00:00.000Z', '2031-03-05T09:30:00.000Z', '2031-03-05T10:00:00.000Z'],
      },
    });
    expect(refusal.body.details.alternatives[0]).toEqual({
      start: '2031-03-05T09:00:00.000Z',
      assigneeId: only,
      outsideWindow: false,
    });
    expect(refusal.body.details).not.toHaveProperty('holdId');
    const listed = await call('GET', `/tasks?propertyId=${flat()}`);
    expect(listed.body.data).toHaveLength(1);
    for (const scheduledDate of refusal.body.details.suggestedAlternatives) {
      const given = await ok(createRequired({ durationMinutes: 90, scheduledDate }));
      expect(given).toMatchObject({ assigneeId: only, startsAt: scheduledDate });
      // The next one is tried in a world in which this one was not taken.
      await system.bed.db.updateTable('task').set({ status: 'CANCELLED' }).where('id', '=', given.id).execute();
    }
    const notified = await system.bed.db
      .selectFrom('notification')
      .select('recipient_id')
      .where('task_id', '=', first.id)
      .where('event', '=', 'TASK_ASSIGNED')
      .execute();
    expect(notified).toEqual([{ recipient_id: only }]);
  });

  it('has no suggestions when nobody ever can, and needs a property that exists', async () => {
    const refusal = await createRequired();
    expect(refusal.body.details).toMatchObject({ suggestedAlternatives: [], alternatives: [] });
    const held = await createRequired({ holdAlternatives: true });
    expect(held.body.details).not.toHaveProperty('holdId');
    await staff('mary', 'MAINTENANCE_STAFF');
    expect((await createRequired({ requiredSkills: ['gas'] })).body.details.suggestedAlternatives).toEqual([]);
    const absent = await createRequired({ propertyId: 'absent', holdAlternatives: true });
    expect([absent.status, absent.body.code]).toEqual([422, 'REFERENCE_NOT_FOUND']);
  });

  it('is urgent when it should have begun already, unless a priority was given', async () => {
    await staff('mary', 'MAINTENANCE_STAFF');
    const past = '2024-03-05T08:00:00Z';
    const priorityOf = async (values: object) => {
      const { id, priority } = await ok(call('POST', '/tasks', { body: taskBody(values) }));
      await assignDueTasks(system.bed.db, 100);
      const given = await ok(call('GET', `/tasks/${id}`));
      expect(given.status).toBe('ASSIGNED');
      return [priority, given.priority];
    };
    expect(await priorityOf({})).toEqual(['NORMAL', 'NORMAL']);
    expect(await priorityOf({ scheduledDate: past })).toEqual(['URGENT', 'URGENT']);
    expect(await priorityOf({ scheduledDate: past, priority: 'LOW' })).toEqual(['LOW', 'LOW']);
  });

  it('may not ask for holds without insisting', async () => {
    for (const values of [
      { holdAlternatives: true },
      { holdId: 'hold-1' },
      { requireAssignment: false, holdId: 'x' },
    ]) {
      const answer = await call('POST', '/tasks', { body: taskBody(values) });
      expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    }
    const confirm = { taskTimes: { ARRIVAL: NOON } };
    expect((await call('POST', '/reservations/any/confirm', { body: confirm })).status).toBe(422);
  });

  it('gets the held time although twenty others want the same person then', async () => {
    const only = await staff('mary', 'MAINTENANCE_STAFF', { homeLocation: { lat: 25, lng: 55 } });
    await ok(createRequired());
    const refusal = await createRequired({ holdAlternatives: true });
    const { holdId, heldUntil, suggestedAlternatives } = refusal.body.details;
    expect(Date.parse(heldUntil) - Date.now()).toBeGreaterThan(9 * 60_000);
    for (const scheduledDate of suggestedAlternatives) {
      const others = Array.from({ length: 20 }, async (_, n) => {
        if (n % 2 === 0) return createRequired({ scheduledDate });
        const id = await task({ scheduledDate });
        const given = await call('PATCH', `/tasks/${id}`, { body: { assigneeId: only } });
        await call('PATCH', `/tasks/${id}`, { body: { scheduledDate: '2031-06-01T00:00:00Z' } });
        return given;
      });
      const [mine, ...theirs] = await Promise.all([
        new Promise<Answer>((resolve) => setImmediate(() => resolve(createRequired({ scheduledDate, holdId })))),
        ...others,
      ]);
      expect(mine?.status, mine?.text).toBe(201);
      expect(mine?.body.data).toMatchObject({ assigneeId: only, startsAt: scheduledDate });
      expect(new Set(theirs.map(({ status, body }) => `${status} ${body.code}`))).toEqual(
        new Set(['409 NO_STAFF_AVAILABLE', '409 ASSIGNEE_BUSY']),
      );
      // The next suggestion is tried in a world in which this one was not taken.
      await system.bed.db
        .updateTable('task')
        .set({ status: 'CANCELLED' })
        .where('id', '=', mine?.body.data.id)
        .execute();
    }
  });
});

describe('a confirmation that insists on staff', () => {
  const stay = async (id: string, dates: { checkInDate?: string; checkOutDate?: string } = {}) => {
    const checkInDate = dates.checkInDate ?? '2031-03-06';
    const checkOutDate = dates.checkOutDate ?? '2031-03-08';
    await seedStays(system.bed.db, [{ id: name(id), propertyId: flat(), checkInDate, checkOutDate }]);
    return name(id);
  };
  const confirm = (id: string, body: object) => call('POST', `/reservations/${id}/confirm`, { body });
  const tasksOf = async (id: string) =>
    new Map(
      (await ok(call('GET', `/reservations/${id}?include=tasks`))).tasks.map((one: { occurrence: string }) => [
        one.occurrence,
        one,
      ]),
    ) as Map<string, Answer['body']>;

  it('takes the times that its refusals suggest, one after the other', async () => {
    const cleaner = await staff('clara');
    const agent = await staff('sara', 'AGENT');
    const block = (type: string, assignee: string, at: string) =>
      system.bed.db
        .insertInto('task')
        .values({
          id: `${name(type)}-${at}`,
          property_id: flat(),
          type: 'CLEANING',
          occurrence: 'MANUAL',
          title: 'Other',
          status: 'ASSIGNED',
          assignee_id: assignee,
          scheduled_at: at,
          ends_at: new Date(Date.parse(at) + 3_600_000),
        })
        .execute();
    await block('clean', cleaner, '2031-03-05T12:00:00Z');
    await block('meet', agent, '2031-03-06T11:30:00Z');
    const id = await stay('patient');
    const taskTimes: Record<string, string> = {};
    let holdId: string | undefined;
    const refused: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      const body = { requireAssignment: true, holdAlternatives: true, taskTimes, ...(holdId ? { holdId } : {}) };
      const answer = await confirm(id, body);
      if (answer.status === 200) break;
      expect(answer.status, answer.text).toBe(409);
      const { occurrence, suggestedAlternatives } = answer.body.details;
      refused.push(occurrence);
      holdId = answer.body.details.holdId;
      taskTimes[occurrence] = suggestedAlternatives[1];
      // A held time is nobody else's, also one that was held for the step before.
      for (const [held, at] of Object.entries(taskTimes)) {
        const rival = held === 'PRE_ARRIVAL' ? cleaner : agent;
        const other = rival === cleaner ? await cleaning(at) : await task({ scheduledDate: at, type: 'INSPECTION' });
        const given = await call('PATCH', `/tasks/${other}`, { body: { assigneeId: rival } });
        expect([given.status, given.body.code]).toEqual([409, 'ASSIGNEE_BUSY']);
      }
    }
    expect(refused).toEqual(['PRE_ARRIVAL', 'ARRIVAL']);
    const tasks = await tasksOf(id);
    expect(tasks.get('PRE_ARRIVAL')).toMatchObject({
      status: 'ASSIGNED',
      assigneeId: cleaner,
      scheduledDate: '2031-03-05T11:00:00.000Z',
      startsAt: taskTimes['PRE_ARRIVAL'],
      manualFields: ['scheduledDate'],
    });
    expect(tasks.get('ARRIVAL')).toMatchObject({ startsAt: taskTimes['ARRIVAL'], assigneeId: agent });
    expect(tasks.get('POST_DEPARTURE')).toMatchObject({ status: 'ASSIGNED', manualFields: [] });
  });

  it('is refused with nothing that could not be chosen, also when it chose a late start itself', async () => {
    const cleaner = await staff('clara');
    await system.bed.db
      .insertInto('task')
      .values({
        id: name('long'),
        property_id: flat(),
        type: 'CLEANING',
        occurrence: 'MANUAL',
        title: 'Other',
        status: 'ASSIGNED',
        assignee_id: cleaner,
        scheduled_at: '2031-03-12T10:30:00Z',
        ends_at: '2031-03-13T10:30:00Z',
      })
      .execute();
    const id = await stay('late');
    const asked = (start: string) => confirm(id, { requireAssignment: true, taskTimes: { PRE_ARRIVAL: start } });
    const { status, body } = await asked('2031-03-12T11:00:00.000Z');
    expect([status, body.details.occurrence]).toEqual([409, 'PRE_ARRIVAL']);
    // By the rule it is on the 5th at 11:00.
    const suggested = ['2031-03-13T10:30:00.000Z', '2031-03-13T11:00:00.000Z'];
    expect(body.details.suggestedAlternatives).toEqual(suggested);
    for (const start of suggested) {
      const posted = await asked(start);
      // The cleaner can; it is the meeting that nobody is there for.
      expect([posted.status, posted.body.details.occurrence], posted.text).toEqual([409, 'ARRIVAL']);
    }
  });

  it('gets the held time although twenty others want the same person then', async () => {
    const flats = Array.from({ length: 11 }, (_, n) => `${flat()}-${n}`);
    const property = { name: 'Flat', owner_id: 'owner-1' };
    await system.bed.db
      .insertInto('property')
      .values(flats.map((id) => ({ id, ...property })))
      .execute();
    const cleaner = await staff('clara', 'CLEANER', { propertyIds: flats });
    const busy = await cleaning('2031-03-05T10:00:00Z', 120);
    await ok(call('PATCH', `/tasks/${busy}`, { body: { assigneeId: cleaner } }));
    await Promise.all(['sara', 'luc', 'ana'].map((id) => staff(id, 'AGENT', { propertyIds: flats.slice(0, 1) })));
    const ids = flats.map((propertyId, n) => ({ id: name(`held-${n}`), propertyId }));
    const dates = { checkInDate: '2031-03-06', checkOutDate: '2031-03-08' };
    await seedStays(
      system.bed.db,
      ids.map((one) => ({ ...one, ...dates })),
    );
    const [mine = { id: '' }, ...rivals] = ids;
    const refusal = await confirm(mine.id, { requireAssignment: true, holdAlternatives: true });
    expect([refusal.status, refusal.body.details.occurrence]).toEqual([409, 'PRE_ARRIVAL']);
    const { holdId, suggestedAlternatives } = refusal.body.details;
    const taskTimes = { PRE_ARRIVAL: suggestedAlternatives[0] };
    const wanted = await Promise.all(rivals.map(() => cleaning(suggestedAlternatives[0])));
    const [answer, ...others] = await Promise.all([
      confirm(mine.id, { requireAssignment: true, holdId, taskTimes }),
      ...rivals.map(({ id }) => confirm(id, { requireAssignment: true, taskTimes })),
      ...wanted.map((id) => call('PATCH', `/tasks/${id}`, { body: { assigneeId: cleaner } })),
    ]);
    expect(answer?.status, answer?.text).toBe(200);
    expect(others).toHaveLength(20);
    expect(new Set(others.map(({ status, body }) => `${status} ${body.code}`))).toEqual(
      new Set(['409 NO_STAFF_AVAILABLE', '409 ASSIGNEE_BUSY']),
    );
    expect((await tasksOf(mine.id)).get('PRE_ARRIVAL')).toMatchObject({
      assigneeId: cleaner,
      startsAt: suggestedAlternatives[0],
    });
  });

  it('does for a turnover what any confirmation does, whichever stay comes first', async () => {
    const cleaner = await staff('clara');
    await staff('sara', 'AGENT');
    await staff('luc', 'AGENT');
    const leaves = await stay('leaves');
    const arrives = await stay('arrives', { checkInDate: '2031-03-08', checkOutDate: '2031-03-10' });
    const third = await stay('third', { checkInDate: '2031-03-10', checkOutDate: '2031-03-12' });
    for (const id of [leaves, third, arrives]) await ok(confirm(id, { requireAssignment: true }));
    const [first, second, last] = await Promise.all([leaves, arrives, third].map(tasksOf));
    expect(second?.get('PRE_ARRIVAL')).toMatchObject({
      status: 'MERGED',
      mergedIntoTaskId: first?.get('POST_DEPARTURE').id,
    });
    expect(first?.get('POST_DEPARTURE')).toMatchObject({
      priority: 'HIGH',
      mustFinishBy: '2031-03-08T11:00:00.000Z',
      assigneeId: cleaner,
    });
    expect(last?.get('PRE_ARRIVAL')).toMatchObject({
      status: 'MERGED',
      assigneeId: null,
      mergedIntoTaskId: second?.get('POST_DEPARTURE').id,
    });
    expect(second?.get('POST_DEPARTURE')).toMatchObject({ priority: 'HIGH', mustFinishBy: '2031-03-10T11:00:00.000Z' });
    const withdrawn = await system.bed.db
      .selectFrom('notification')
      .select('recipient_id')
      .where('task_id', '=', last?.get('PRE_ARRIVAL').id)
      .where('event', '=', 'TASK_WITHDRAWN')
      .execute();
    expect(withdrawn).toEqual([{ recipient_id: cleaner }]);
  });

  it('leaves the next guest a cleaning of their own when a person wants the one before too late, whichever stay comes first', async () => {
    const cleaner = await staff('clara');
    await Promise.all(['sara', 'luc'].map((id) => staff(id, 'AGENT')));
    const leaves = await stay('leaves');
    const arrives = await stay('arrives', { checkInDate: '2031-03-08', checkOutDate: '2031-03-10' });
    const last = await stay('last', { checkInDate: '2031-03-10', checkOutDate: '2031-03-12' });
    await ok(confirm(last, { requireAssignment: true }));
    const late = (POST_DEPARTURE: string) => ({ requireAssignment: true, taskTimes: { POST_DEPARTURE } });
    expect((await ok(confirm(leaves, late('2031-03-11T05:00:00Z')))).warnings).toEqual([]);
    const second = await ok(confirm(arrives, late('2031-03-13T05:00:00Z')));
    expect(second.warnings).toEqual(['TURNOVER_TOO_SHORT', 'TASK_OUTSIDE_WINDOW']);
    const [first, own, next] = await Promise.all([leaves, arrives, last].map(tasksOf));
    expect(first?.get('POST_DEPARTURE')).toMatchObject({ startsAt: '2031-03-11T05:00:00.000Z', mustFinishBy: null });
    // Once the guests are gone, and before the next ones come.
    expect(own?.get('PRE_ARRIVAL')).toMatchObject({
      status: 'ASSIGNED',
      assigneeId: cleaner,
      scheduledDate: '2031-03-07T11:00:00.000Z',
      startsAt: '2031-03-08T09:00:00.000Z',
      endsAt: '2031-03-08T11:00:00.000Z',
    });
    expect(own?.get('POST_DEPARTURE')).toMatchObject({ mustFinishBy: null, priority: 'NORMAL' });
    // It had been agreed for the day before, when nobody was known to be there.
    expect(next?.get('PRE_ARRIVAL')).toMatchObject({ status: 'UNASSIGNED', mergedIntoTaskId: null });
    await assignDueTasks(system.bed.db, 100);
    expect((await tasksOf(last)).get('PRE_ARRIVAL')).toMatchObject({
      status: 'ASSIGNED',
      startsAt: '2031-03-10T09:00:00.000Z',
    });
  });
});

describe('an answer to an offer', () => {
  const offered = async () => {
    const mary = await staff('mary', 'MAINTENANCE_STAFF');
    await ok(call('PATCH', `/properties/${flat()}`, { body: { acceptMinutes: 30, primaryStaffIds: [mary] } }));
    const data = await ok(createRequired());
    expect(data.acceptBy).not.toBeNull();
    return { mary, id: data.id as string };
  };

  it('is the assignee’s own, or an administrator’s; to others the task is absent', async () => {
    const { mary, id } = await offered();
    const as = { role: 'MAINTENANCE_STAFF', sub: 'other' } as const;
    for (const path of ['accept', 'decline']) {
      const body = path === 'decline' ? { body: { reason: 'no' } } : {};
      const answer = await call('POST', `/tasks/${id}/${path}`, { ...as, ...body });
      expect([answer.status, answer.body.code]).toEqual([404, 'TASK_NOT_FOUND']);
      expect((await call('POST', `/tasks/${id}/${path}`, { role: 'FINANCE', ...body })).status).toBe(403);
    }
    const accepted = await ok(call('POST', `/tasks/${id}/accept`, { ...as, sub: mary }));
    expect(accepted.acceptedAt).not.toBeNull();
    const declined = await ok(call('POST', `/tasks/${id}/decline`, { body: { reason: 'fell ill' } }));
    expect(declined).toMatchObject({ status: 'UNASSIGNED', acceptedAt: null });
    const late = await call('POST', `/tasks/${id}/accept`);
    expect([late.status, late.body.code]).toEqual([409, 'INVALID_STATE_TRANSITION']);
    expect((await call('POST', `/tasks/${id}/decline`, { body: {} })).status).toBe(422);
  });

  it('and why a person was chosen can be read', async () => {
    const { mary, id } = await offered();
    const why = await ok(call('GET', `/tasks/${id}/assignment`));
    expect(why).toMatchObject({ taskId: id, assigneeId: mary, explanation: { chosen: mary }, refusals: [] });
    expect(why.explanation.candidates[0]).toMatchObject({ staffId: mary, primary: 1 });
    expect((await ok(call('GET', `/tasks/${await task()}/assignment`))).explanation).toBeNull();
    expect((await call('GET', '/tasks/absent/assignment')).status).toBe(404);
  });
});

describe('a change by hand', () => {
  it('of the time hands the task on when its assignee cannot come then, and both are told', async () => {
    const mary = await staff('mary', 'MAINTENANCE_STAFF');
    await ok(createRequired({ scheduledDate: '2031-03-05T12:00:00Z' }));
    const { id } = await ok(createRequired());
    const stays = await ok(call('PATCH', `/tasks/${id}`, { body: { durationMinutes: 90 } }));
    expect(stays).toMatchObject({ assigneeId: mary, endsAt: '2031-03-05T09:30:00.000Z' });
    const kept = await ok(call('PATCH', `/tasks/${id}`, { body: { scheduledDate: '2031-03-05T06:00:00Z' } }));
    expect(kept.assigneeId).toBe(mary);
    const moved = await ok(call('PATCH', `/tasks/${id}`, { body: { scheduledDate: '2031-03-05T11:30:00Z' } }));
    expect(moved).toMatchObject({ status: 'UNASSIGNED', assigneeId: null, startsAt: '2031-03-05T11:30:00.000Z' });
    const again = await ok(call('PATCH', `/tasks/${id}`, { body: { scheduledDate: NOON, requiredSkills: ['gas'] } }));
    expect(again).toMatchObject({ status: 'UNASSIGNED', requiredSkills: ['gas'] });
    await ok(call('PATCH', `/tasks/${id}`, { body: { assigneeId: mary } }));
    const notified = await system.bed.db
      .selectFrom('notification')
      .select('event')
      .where('task_id', '=', id)
      .orderBy('created_at')
      // Two of one act are of one moment.
      .orderBy('event')
      .execute();
    expect(notified.map(({ event }) => event)).toEqual([
      'MAINTENANCE_REQUIRED',
      'TASK_ASSIGNED',
      'TASK_CHANGED',
      'TASK_WITHDRAWN',
      'TASK_ASSIGNED',
    ]);
  });

  it('of the length leaves an agreed start as it is', async () => {
    const mary = await staff('mary', 'MAINTENANCE_STAFF');
    const { id } = await ok(createRequired());
    await system.bed.db
      .updateTable('task')
      .set({ slot_start: '2031-03-05T10:00:00Z', slot_end: '2031-03-05T11:00:00Z' })
      .where('id', '=', id)
      .execute();
    const longer = await ok(call('PATCH', `/tasks/${id}`, { body: { durationMinutes: 120 } }));
    expect(longer).toMatchObject({
      assigneeId: mary,
      scheduledDate: NOON,
      startsAt: '2031-03-05T10:00:00.000Z',
      endsAt: '2031-03-05T12:00:00.000Z',
    });
  });
});

describe('leave', () => {
  const body = { from: '2031-03-05T00:00:00Z', to: '2031-03-06T00:00:00Z', reason: 'family' };

  it('is added, listed and removed, and frees the tasks that fall into it', async () => {
    const mary = await staff('mary', 'MAINTENANCE_STAFF');
    const { id } = await ok(createRequired());
    // Mary works everywhere, and so in the agent's portfolio.
    await ok(call('PATCH', `/properties/${flat()}`, { body: { agentIds: ['agent-1'] } }));
    const leave = await ok(call('POST', `/staff/${mary}/leave`, { body, role: 'AGENT', sub: 'agent-1' }));
    expect(leave).toMatchObject({ staffId: mary, reason: 'family', createdBy: 'agent-1', releasedTaskIds: [id] });
    expect(await ok(call('GET', `/tasks/${id}`))).toMatchObject({ status: 'UNASSIGNED', assigneeId: null });
    const listed = await call('GET', `/staff/${mary}/leave?limit=1`);
    expect([listed.body.data.length, listed.body.nextCursor]).toEqual([1, null]);
    await ok(call('POST', `/staff/${mary}/leave`, { body }));
    const page = await call('GET', `/staff/${mary}/leave?limit=1`);
    const rest = await call('GET', `/staff/${mary}/leave?limit=1&cursor=${page.body.nextCursor}`);
    expect(rest.body.data).toMatchObject([{ id: leave.id }]);
    expect(await ok(call('DELETE', `/staff/${mary}/leave/${leave.id}`))).toMatchObject({ id: leave.id });
    const gone = await call('DELETE', `/staff/${mary}/leave/${leave.id}`);
    expect([gone.status, gone.body.code]).toEqual([404, 'NOT_FOUND']);
  });

  it('is of a person who exists, ends after it begins, and is nobody else’s business', async () => {
    expect((await call('POST', '/staff/absent/leave', { body })).status).toBe(404);
    expect((await call('GET', '/staff/absent/leave')).status).toBe(404);
    const mary = await staff('mary', 'MAINTENANCE_STAFF');
    for (const wrong of [{ from: body.to, to: body.from }, { from: body.from }, { ...body, kind: 'sick' }]) {
      expect((await call('POST', `/staff/${mary}/leave`, { body: wrong })).status).toBe(422);
    }
    expect((await call('GET', `/staff/${mary}/leave`, { role: 'CLEANER' })).status).toBe(403);
  });
});

describe('a person who is chosen by hand', () => {
  it('works here', async () => {
    const former = await staff('max', 'MAINTENANCE_STAFF', { active: false });
    const id = await task();
    const give = (assigneeId: string) => call('PATCH', `/tasks/${id}`, { body: { assigneeId } });
    expect((await give(former)).body).toMatchObject({ code: 'ASSIGNEE_INACTIVE', details: { assigneeId: former } });
    expect((await give('nobody')).body.code).toBe('REFERENCE_NOT_FOUND');
    expect(await ok(call('GET', `/tasks/${id}`))).toMatchObject({ status: 'UNASSIGNED' });
  });

  it.each([
    ['MAINTENANCE', 'CLEANER', 'MAINTENANCE_STAFF'],
    ['EMERGENCY', 'AGENT', 'MAINTENANCE_STAFF'],
    ['INSPECTION', 'CLEANER', 'AGENT or MAINTENANCE_STAFF'],
    ['CLEANING', 'AGENT', 'CLEANER'],
    ['CHECK_IN', 'CLEANER', 'AGENT'],
    ['CHECK_OUT', 'MAINTENANCE_STAFF', 'AGENT'],
    ['FINANCE', 'CLEANER', null],
  ] as const)('works as what %s needs: not a %s', async (type, role, needed) => {
    const id = await cleaning(NOON);
    await system.bed.db.updateTable('task').set({ type }).where('id', '=', id).execute();
    const given = await call('PATCH', `/tasks/${id}`, { body: { assigneeId: await staff('other', role) } });
    if (needed === null) return expect(given.body.data).toMatchObject({ status: 'ASSIGNED' });
    expect([given.status, given.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    expect(given.body.details.issues).toEqual([{ path: 'assigneeId', message: `must have the role ${needed}` }]);
    expect(await ok(call('GET', `/tasks/${id}`))).toMatchObject({ status: 'UNASSIGNED', assigneeId: null });
  });
});

describe('a shift', () => {
  it('reaches to midnight, and goes on the day after', async () => {
    const nights = [1, 2, 3, 4, 5, 6, 7].flatMap((weekday) => [
      { weekday, from: '00:00', to: '06:00' },
      { weekday, from: '22:00', to: '24:00' },
    ]);
    await staff('mary', 'MAINTENANCE_STAFF', { shifts: nights });
    // 23:00, 23:30 and 05:30 in Dubai; the last one ends at half past six.
    expect((await createRequired({ scheduledDate: '2031-03-05T19:00:00Z' })).status).toBe(201);
    expect((await createRequired({ scheduledDate: '2031-03-06T19:30:00Z' })).status).toBe(201);
    expect((await createRequired({ scheduledDate: '2031-03-08T01:30:00Z' })).status).toBe(409);
  });
});

describe('an agent', () => {
  it('finds and changes what is in the portfolio, and nothing else', async () => {
    await staff('mary', 'MAINTENANCE_STAFF');
    const id = await task();
    await call('PATCH', `/properties/${flat()}`, { body: { agentIds: ['agent-own'] } });
    const guest = await ok(call('POST', '/guests', { body: { name: 'John', email: 'john@example.com' } }));
    const stay = {
      propertyId: flat(),
      guestId: guest.id,
      checkInDate: '2031-05-01',
      checkOutDate: '2031-05-03',
      totalAmount: 1000,
      currency: 'AED',
    };
    const { id: stayId } = await ok(call('POST', '/reservations', { body: stay }));
    const as = (sub: string) => (method: string, path: string, body?: object) =>
      call(method, path, { role: 'AGENT', sub, ...(body && { body }) });
    const own = as('agent-own');
    const stranger = as('agent-strange');
    const codes = async (asked: typeof own) => [
      (await asked('GET', `/tasks/${id}`)).status,
      (await asked('PATCH', `/tasks/${id}`, { title: 'Taps drip' })).status,
      (await asked('GET', `/tasks/${id}/assignment`)).status,
      (await asked('POST', '/tasks', taskBody())).status,
      (await asked('GET', `/reservations/${stayId}`)).status,
      (await asked('PATCH', `/reservations/${stayId}`, { guestCount: 2 })).status,
      (await asked('POST', '/reservations', { ...stay, checkInDate: '2031-05-02' })).status,
      (await asked('PATCH', `/reservations/${stayId}`, { propertyId: flat() })).status,
      (await asked('GET', `/tasks?propertyId=${flat()}`)).body.data.length,
      (await asked('GET', `/reservations?propertyId=${flat()}`)).body.data.length,
    ];
    expect(await codes(stranger)).toEqual([404, 404, 404, 422, 404, 404, 422, 404, 0, 0]);
    expect(await codes(own)).toEqual([200, 200, 200, 201, 200, 200, 201, 200, 2, 2]);
    const { guestId } = (await own('GET', `/reservations/${stayId}`)).body.data;
    const around = async (asked: typeof own) => [
      (await asked('GET', `/properties/${flat()}`)).status,
      (await asked('PATCH', `/properties/${flat()}`, { name: 'Flat 2' })).status,
      (await asked('PATCH', `/properties/${flat()}`, { agentIds: ['agent-strange'] })).status,
      (await asked('GET', `/guests/${guestId}`)).status,
      (await asked('PATCH', `/guests/${guestId}`, { name: 'Jane' })).status,
    ];
    expect(await around(stranger)).toEqual([404, 404, 403, 404, 404]);
    expect(await around(own)).toEqual([200, 200, 403, 200, 200]);
    expect((await stranger('GET', '/guests')).body.data.map((one: { id: string }) => one.id)).not.toContain(guestId);
    // Nobody else is put in charge of it, and it goes to an owner of the portfolio.
    const newHome = { name: 'New', ownerId: 'owner-1' };
    expect((await stranger('POST', '/properties', { ...newHome, agentIds: ['agent-own'] })).status).toBe(403);
    expect((await stranger('POST', '/properties', newHome)).status).toBe(422);
    await ok(call('POST', '/properties', { body: { ...newHome, agentIds: ['agent-strange'] } }));
    const mine = await ok(stranger('POST', '/properties', newHome));
    expect(mine.agentIds).toEqual(['agent-strange']);
    expect((await stranger('GET', '/properties')).body.data).toHaveLength(2);
    await ok(call('POST', `/reservations/${stayId}/confirm`, { body: {} }));
    expect((await stranger('GET', '/sagas')).body.data).toEqual([]);
    expect((await stranger('GET', '/sagas/confirmReservation/status')).status).toBe(404);
    expect((await own('GET', '/sagas/confirmReservation/status')).status).toBe(200);
    const notified = await call('GET', '/notifications?limit=1');
    expect((await stranger('GET', '/notifications')).body.data).toEqual([]);
    expect((await stranger('GET', `/notifications/${notified.body.data[0].id}`)).status).toBe(404);
    expect((await stranger('POST', `/notifications/${notified.body.data[0].id}/resend`, {})).status).toBe(404);
  });
});

describe('somebody who leaves', () => {
  it('leaves the tasks to others, and is told', async () => {
    const only = await staff('mary', 'MAINTENANCE_STAFF');
    const { id } = await ok(createRequired());
    await ok(call('PATCH', `/staff/${only}`, { body: { active: false } }));
    expect(await ok(call('GET', `/tasks/${id}`))).toMatchObject({ status: 'UNASSIGNED', assigneeId: null });
    const notified = await call('GET', `/notifications?recipientId=${only}&event=TASK_WITHDRAWN`);
    expect(notified.body.data).toHaveLength(1);
  });
});

describe('somebody who can do less than before', () => {
  const every = (from: string, to: string) =>
    [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, from, to, zone: 'UTC' }));
  const mine = async (id: string): Promise<boolean> => (await ok(call('GET', `/tasks/${id}`))).assigneeId !== null;
  const withdrawn = async (who: string): Promise<number> =>
    (await call('GET', `/notifications?recipientId=${who}&event=TASK_WITHDRAWN`)).body.data.length;

  it.each([
    ['properties', { propertyIds: ['elsewhere'] }],
    ['region', { propertyIds: null, region: 'elsewhere' }],
    ['shifts', { shifts: every('10:00', '18:00') }],
    ['skills', { skills: ['paint'] }],
    ['daily cap', { maxMinutesPerDay: 30 }],
  ] as const)('by another set of %s gives up what that rules out, and is told', async (_what, change) => {
    const who = await staff('mary', 'MAINTENANCE_STAFF', { skills: ['gas'] });
    const { id } = await ok(createRequired({ requiredSkills: ['gas'] }));
    expect((await ok(call('GET', `/tasks/${id}/assignment`))).explanation.chosen).toBe(who);
    await ok(call('PATCH', `/staff/${who}`, { body: change }));
    expect(await ok(call('GET', `/tasks/${id}`))).toMatchObject({ status: 'UNASSIGNED', assigneeId: null });
    expect(await withdrawn(who)).toBe(1);
    // Nobody has it, so nobody is chosen.
    expect((await ok(call('GET', `/tasks/${id}/assignment`))).explanation).toMatchObject({ chosen: null });
  });

  it.each([
    ['more properties', { propertyIds: null }],
    ['longer shifts', { shifts: every('06:00', '18:00') }],
    ['more skills', { skills: ['gas', 'paint'] }],
    ['a cap that leaves room', { maxMinutesPerDay: 300 }],
    ['another name', { name: 'Maria' }],
  ] as const)('but keeps all with %s', async (_what, change) => {
    const who = await staff('mary', 'MAINTENANCE_STAFF', { skills: ['gas'] });
    const { id } = await ok(createRequired({ requiredSkills: ['gas'] }));
    await ok(call('PATCH', `/staff/${who}`, { body: change }));
    expect(await mine(id)).toBe(true);
    expect(await withdrawn(who)).toBe(0);
    // Not there for the next of these.
    await ok(call('PATCH', `/staff/${who}`, { body: { active: false } }));
  });

  it.each([
    [
      'a task of theirs asks for another skill',
      (id: string) => call('PATCH', `/tasks/${id}`, { body: { requiredSkills: ['gas', 'paint'] } }),
    ],
    [
      'their property goes to another region',
      () => call('PATCH', `/properties/${flat()}`, { body: { region: 'elsewhere' } }),
    ],
  ] as const)('because %s gives it up as well, and another takes it', async (_what, change) => {
    await ok(call('PATCH', `/properties/${flat()}`, { body: { region: 'here' } }));
    const who = await staff('mary', 'MAINTENANCE_STAFF', { skills: ['gas'], propertyIds: undefined, region: 'here' });
    const other = await staff('tom', 'MAINTENANCE_STAFF', { skills: ['gas', 'paint'], active: false });
    const { id } = await ok(createRequired({ requiredSkills: ['gas'] }));
    await ok(change(id));
    expect(await ok(call('GET', `/tasks/${id}`))).toMatchObject({ status: 'UNASSIGNED', assigneeId: null });
    expect(await withdrawn(who)).toBe(1);
    await ok(call('PATCH', `/staff/${other}`, { body: { active: true } }));
    await assignDueTasks(system.bed.db, 100);
    expect((await ok(call('GET', `/tasks/${id}`))).assigneeId).toBe(other);
    await ok(call('PATCH', `/staff/${other}`, { body: { active: false } }));
  });

  it('keeps a task that asks for less, or whose property gets its first region', async () => {
    const who = await staff('mary', 'MAINTENANCE_STAFF', { skills: ['gas'] });
    const { id } = await ok(createRequired({ requiredSkills: ['gas'] }));
    await ok(call('PATCH', `/tasks/${id}`, { body: { requiredSkills: [] } }));
    await ok(call('PATCH', `/properties/${flat()}`, { body: { region: 'here' } }));
    expect(await mine(id)).toBe(true);
    // Who was given it against the rules keeps it, as it is no worse now.
    const given = await task({ requiredSkills: ['roofs'] });
    await ok(
      call('PATCH', `/tasks/${given}`, { body: { assigneeId: who, scheduledDate: '2031-03-07T08:00:00.000Z' } }),
    );
    await ok(call('PATCH', `/tasks/${given}`, { body: { requiredSkills: ['roofs', 'paint'] } }));
    expect(await mine(given)).toBe(true);
  });

  it('keeps the first tasks of a day that has become too full, and another takes the rest', async () => {
    const who = await staff('mary', 'MAINTENANCE_STAFF');
    const first = await ok(createRequired({ durationMinutes: 60 }));
    const second = await ok(createRequired({ durationMinutes: 60, scheduledDate: '2031-03-05T10:00:00.000Z' }));
    const later = await ok(createRequired({ durationMinutes: 60, scheduledDate: '2031-03-06T10:00:00.000Z' }));
    await ok(call('PATCH', `/staff/${who}`, { body: { maxMinutesPerDay: 90 } }));
    expect([await mine(first.id), await mine(second.id), await mine(later.id)]).toEqual([true, false, true]);
    const other = await staff('tom', 'MAINTENANCE_STAFF');
    await assignDueTasks(system.bed.db, 100);
    expect((await ok(call('GET', `/tasks/${second.id}`))).assigneeId).toBe(other);
  });

  it('is told of the new time alone where they get the same task again', async () => {
    const who = await staff('mary', 'MAINTENANCE_STAFF');
    const { id } = await ok(createRequired());
    const { db } = system.bed;
    await db.updateTable('task').set({ must_finish_by: '2031-03-05T20:00:00Z' }).where('id', '=', id).execute();
    await ok(call('PATCH', `/staff/${who}`, { body: { shifts: every('10:00', '18:00') } }));
    await assignDueTasks(db, 100);
    const again = await ok(call('GET', `/tasks/${id}`));
    expect(again).toMatchObject({ assigneeId: who, startsAt: '2031-03-05T10:00:00.000Z' });
    const rows = await db
      .selectFrom('notification')
      .select(['event', 'status', 'reason'])
      .where('recipient_id', '=', who)
      .where('event', '<>', 'TASK_ASSIGNED')
      .orderBy('event')
      .execute();
    expect(rows).toEqual([
      { event: 'TASK_CHANGED', status: 'QUEUED', reason: null },
      { event: 'TASK_WITHDRAWN', status: 'SKIPPED', reason: 'RESCHEDULED' },
    ]);
  });

  it('keeps what a person had given them against the rules, as that is no worse now', async () => {
    const who = await staff('mary', 'MAINTENANCE_STAFF', { shifts: every('20:00', '22:00') });
    const id = await task();
    await ok(call('PATCH', `/tasks/${id}`, { body: { assigneeId: who } }));
    await ok(call('PATCH', `/staff/${who}`, { body: { shifts: every('21:00', '22:00') } }));
    expect(await mine(id)).toBe(true);
  });
});

describe('who works best at a property', () => {
  it('and how soon they must answer, is the property’s own setting', async () => {
    const made = await ok(
      call('POST', '/properties', {
        body: { name: 'Loft', ownerId: 'owner-1', primaryStaffIds: ['staff-9'], acceptMinutes: 20 },
      }),
    );
    expect(made).toMatchObject({ primaryStaffIds: ['staff-9'], acceptMinutes: 20 });
    const changed = await ok(
      call('PATCH', `/properties/${made.id}`, { body: { acceptMinutes: null, primaryStaffIds: [] } }),
    );
    expect(changed).toMatchObject({ primaryStaffIds: [], acceptMinutes: null });
    expect((await call('PATCH', `/properties/${made.id}`, { body: { acceptMinutes: 0 } })).status).toBe(422);
  });
});

describe('how candidates are weighed', () => {
  it('can be read and changed, and holds from the next assignment on', async () => {
    const before = await ok(call('GET', '/assignment-rules', { role: 'AGENT' }));
    expect(before).toMatchObject({ workloadPercent: 45, proximityPercent: 35, primaryPercent: 15, fairnessPercent: 5 });
    const primary = { workloadPercent: 0, proximityPercent: 0, primaryPercent: 100, fairnessPercent: 0, maxKm: 12.5 };
    expect(await ok(call('PATCH', '/assignment-rules', { body: primary }))).toMatchObject(primary);
    await staff('ann', 'MAINTENANCE_STAFF');
    const own = await staff('zoe', 'MAINTENANCE_STAFF');
    await ok(call('PATCH', `/properties/${flat()}`, { body: { primaryStaffIds: [own] } }));
    const { id, assigneeId } = await ok(createRequired());
    expect(assigneeId).toBe(own);
    expect((await ok(call('GET', `/tasks/${id}/assignment`))).explanation.weights).toMatchObject({ primary: 100 });
    await ok(call('PATCH', '/assignment-rules', { body: before }));
  });

  it('sums to a hundred, and is an administrator’s business', async () => {
    for (const body of [{ workloadPercent: 46 }, { maxKm: 0 }, {}, { colour: 'blue' }]) {
      const answer = await call('PATCH', '/assignment-rules', { body });
      expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    }
    const answer = await call('PATCH', '/assignment-rules', { body: { maxKm: 9 }, role: 'AGENT' });
    expect([answer.status, answer.body.code]).toEqual([403, 'FORBIDDEN']);
  });
});
