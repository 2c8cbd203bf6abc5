import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json, TaskStatus, TaskType } from '../../src/db/schema.ts';
import { loadFacts } from '../../src/domain/messages/delivery-facts.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { NEXT_YEAR } from '../setup/dates.ts';
import { restOf, sha256 } from '../setup/engine.ts';
import { tinyJpeg, tinyPng, tinyWebp } from '../setup/pictures.ts';
import { type CallOptions, type System, startSystem } from '../setup/system.ts';

/** Tasks are begun and completed over HTTP, and what follows happens once; on a real database and queue. */

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
  await system.bed.db
    .insertInto('staff')
    .values([
      { id: 'cleaner-1', name: 'Nina', email: 'nina@example.com', role: 'CLEANER' },
      { id: 'cleaner-2', name: 'Ravi', email: 'ravi@example.com', role: 'CLEANER' },
      { id: 'agent-1', name: 'Sara', email: 'sara@example.com', role: 'AGENT' },
      { id: 'fixer-1', name: 'Fay', email: 'fay@example.com', role: 'MAINTENANCE_STAFF' },
    ])
    .execute();
});
afterAll(() => system?.close());

let made = 0;
interface Wanted {
  readonly type?: TaskType;
  readonly occurrence?: string;
  readonly status?: TaskStatus;
  readonly assignee?: string | null;
  readonly reservationId?: string | null;
  readonly blockId?: string | null;
  readonly property?: Readonly<Record<string, unknown>>;
  readonly mustFinishBy?: string | null;
}
async function place(values: Readonly<Record<string, unknown>> = {}): Promise<string> {
  made += 1;
  const id = `flat-${made}`;
  await system.bed.db
    .insertInto('property')
    .values({ id, name: 'Marina 12', owner_id: 'owner-1', agent_ids: ['agent-1'], ...values })
    .execute();
  return id;
}
/** Each at an hour of its own, so that one cleaner may have them all. */
async function task(wanted: Wanted & { readonly propertyId?: string } = {}) {
  made += 1;
  const id = `task-${made}`;
  const { status = 'ASSIGNED', assignee = 'cleaner-1', reservationId = null } = wanted;
  const propertyId = wanted.propertyId ?? (await place(wanted.property));
  const start = Date.UTC(NEXT_YEAR + 3, 0, 1, made);
  await system.bed.db
    .insertInto('task')
    .values({
      id,
      type: wanted.type ?? 'CLEANING',
      occurrence: wanted.occurrence ?? `MANUAL-${made}`,
      title: 'A task',
      property_id: propertyId,
      reservation_id: reservationId,
      status,
      assignee_id: assignee,
      scheduled_at: new Date(start),
      ends_at: new Date(start + 3_600_000),
      must_finish_by: wanted.mustFinishBy ?? null,
      block_id: wanted.blockId ?? null,
      next_assign_at: null,
    })
    .execute();
  return { id, propertyId };
}
const cleaner: CallOptions = { role: 'CLEANER', sub: 'cleaner-1' };
const fixer: CallOptions = { role: 'MAINTENANCE_STAFF', sub: 'fixer-1' };
const post = (id: string, action: string, body?: object, as: CallOptions = cleaner) =>
  system.call('POST', `/tasks/${id}/${action}`, { ...(body ? { body } : {}), ...as });
const complete = (id: string, body: object = {}, as: CallOptions = cleaner) => post(id, 'complete', body, as);
const readinessOf = async (id: string) =>
  (await system.bed.db.selectFrom('property').select('readiness').where('id', '=', id).executeTakeFirstOrThrow())
    .readiness;
const actionsOf = async (id: string) => {
  const rows = await system.bed.db
    .selectFrom('task_action')
    .select('action')
    .where('task_id', '=', id)
    .orderBy('action')
    .execute();
  return rows.map((row) => row.action);
};
const mailsAbout = async (id: string) => {
  const rows = await system.bed.db
    .selectFrom('notification')
    .select(['event', 'recipient_id'])
    .where('task_id', '=', id)
    .orderBy('event')
    .orderBy('recipient_id')
    .execute();
  return rows.map((row) => `${row.event} ${row.recipient_id}`);
};
const JPEG = tinyJpeg(3);
async function photo(id: string, photoId: string, bytes: Buffer = JPEG, as: CallOptions = cleaner) {
  const { app, headers } = await system.as(as);
  return app.request(`/api/production/tasks/${id}/photos/${photoId}`, {
    method: 'PUT',
    headers: { ...headers, 'content-type': 'image/jpeg' },
    body: new Uint8Array(bytes),
  });
}

describe('beginning', () => {
  it('says so of the task and of the property, however often', async () => {
    const { id, propertyId } = await task();
    const first = await post(id, 'start');
    expect([first.status, first.body.data.status]).toEqual([200, 'IN_PROGRESS']);
    expect(first.body.data.startedAt).not.toBeNull();
    expect(await readinessOf(propertyId)).toBe('CLEANING');
    expect((await post(id, 'start')).body.data).toEqual(first.body.data);
  });

  it.each(['UNASSIGNED', 'COMPLETED', 'CANCELLED'] as const)('is refused of a task that is %s', async (status) => {
    const { id } = await task();
    const { db } = system.bed;
    const completed_at = status === 'COMPLETED' ? new Date() : null;
    await db.updateTable('task').set({ status, completed_at }).where('id', '=', id).execute();
    const { status: code, body } = await post(id, 'start');
    expect([code, body.code]).toEqual([409, 'INVALID_STATE_TRANSITION']);
  });
});

describe('completing', () => {
  it('Z9: records who did it and how, and tells the supervisor once', async () => {
    const { id } = await task();
    await photo(id, 'photo-1');
    const body = { completedBy: 'cleaner-2', notes: 'All clean', minutes: 95, photos: ['photo-1'] };
    const { status, body: answer } = await complete(id, body);
    expect(status).toBe(200);
    expect(answer).toMatchObject({
      success: true,
      data: {
        id,
        status: 'COMPLETED',
        completedBy: 'cleaner-1',
        assigneeId: 'cleaner-1',
        completion: { notes: 'All clean', minutes: 95, photos: ['photo-1'] },
        nextActions: [
          { action: 'PROPERTY_CLEAN', subjectId: expect.any(String) },
          { action: 'SUPERVISOR_TOLD', subjectId: 'agent-1' },
        ].slice(1),
      },
      message: 'Task completed',
    });
    expect(await mailsAbout(id)).toEqual(['TASK_COMPLETED agent-1']);
    const audit = await system.bed.db
      .selectFrom('audit_log')
      .select('body')
      .where('stream_id', '=', `task:${id}`)
      .execute();
    expect(audit).toHaveLength(1);
    expect(JSON.parse(audit[0]?.body ?? '')).toMatchObject({ userId: 'cleaner-1', onBehalfOf: 'cleaner-2' });
  });

  describe('of work that an offline phone began earlier', () => {
    const minutesAgo = (minutes: number): Date => new Date(Date.now() - minutes * 60_000);
    const of = (id: string, values: { created_at?: Date; scheduled_at?: Date; ends_at?: Date; occurrence?: string }) =>
      system.bed.db.updateTable('task').set(values).where('id', '=', id).execute();
    const began = async (id: string, startedAt: Date): Promise<Date> => {
      const answer = await post(id, 'start', { startedAt: startedAt.toISOString() });
      expect(answer.status).toBe(200);
      return new Date(answer.body.data.startedAt);
    };

    it('counts from when the phone says, though start and end arrive together', async () => {
      const { id } = await task();
      await of(id, { created_at: minutesAgo(600), scheduled_at: minutesAgo(200), ends_at: minutesAgo(80) });
      const start = minutesAgo(150);
      expect(await began(id, start)).toEqual(start);
      const end = new Date(start.getTime() + 95 * 60_000).toISOString();
      expect((await complete(id, { completedAt: end })).body.data.completion.minutes).toBe(95);
    });

    it.each([
      ['the clock of the phone is ahead', -90, 0, 600],
      ['it is before the task was made', 700, 600, 600],
      ['it is before the guest had left', 400, 300, 600],
      ['it is more than half a day before the agreed time', 1_200, 920, 10_000],
    ] as const)('from the nearest time that can be, when %s', async (why, said, expected, made) => {
      const { id, propertyId } = await task({ occurrence: why.includes('guest') ? 'POST_DEPARTURE' : 'MANUAL' });
      await of(id, { created_at: minutesAgo(made), scheduled_at: minutesAgo(200), ends_at: minutesAgo(80) });
      if (why.includes('guest')) {
        const { db } = system.bed;
        const reservation_id = await seedStay(db);
        const left = { property_id: propertyId, status: 'CHECKED_OUT' as const, actual_check_out_at: minutesAgo(300) };
        await db.updateTable('reservation').set(left).where('id', '=', reservation_id).execute();
        await db.updateTable('task').set({ reservation_id }).where('id', '=', id).execute();
      }
      const start = await began(id, minutesAgo(said));
      expect(Math.abs(start.getTime() - minutesAgo(expected).getTime())).toBeLessThan(30_000);
      // Free for the next of these.
      expect((await complete(id)).status).toBe(200);
    });

    it('is of unknown length, not none, when only its end says when it was', async () => {
      const { id } = await task();
      await of(id, { created_at: minutesAgo(600) });
      await post(id, 'start');
      const { body } = await complete(id, { completedAt: minutesAgo(30).toISOString() });
      expect(body.data.completion).not.toHaveProperty('minutes');
    });
  });

  it('works out the minutes from the start', async () => {
    const { id } = await task();
    await post(id, 'start');
    await system.bed.db
      .updateTable('task')
      .set({ started_at: new Date(Date.now() - 90 * 60_000) })
      .where('id', '=', id)
      .execute();
    expect((await complete(id)).body.data.completion.minutes).toBe(90);
  });

  it('is done once, by the first', async () => {
    const { id } = await task();
    const answers = await Promise.all(Array.from({ length: 10 }, () => complete(id)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array(9).fill(409)]);
    const refused = answers.find(({ status }) => status === 409);
    expect(refused?.body).toMatchObject({ code: 'TASK_ALREADY_COMPLETED', details: { completedBy: 'cleaner-1' } });
    expect(await mailsAbout(id)).toEqual(['TASK_COMPLETED agent-1']);
  });

  it('answers a repeat with the same key as it did the first time', async () => {
    const { id } = await task();
    const as = { ...cleaner, headers: { 'idempotency-key': `key-of-${id}` } };
    const answers = await Promise.all(Array.from({ length: 5 }, () => complete(id, { notes: 'x' }, as)));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(200);
    expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === 'true')).toHaveLength(4);
    const other = await complete(id, { notes: 'y' }, as);
    expect([other.status, other.body.code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
    const bad = await complete(id, {}, { ...cleaner, headers: { 'idempotency-key': 'ä' } });
    expect([bad.status, bad.body.code]).toEqual([400, 'INVALID_IDEMPOTENCY_KEY']);
  });

  it('keeps no refusal under a key', async () => {
    const { id, propertyId } = await task();
    const list = JSON.stringify({ CLEANING: [{ id: 'beds', label: 'Beds', required: true }] });
    await system.bed.db.updateTable('property').set({ checklists: list }).where('id', '=', propertyId).execute();
    const as = { ...cleaner, headers: { 'idempotency-key': `key-of-${id}` } };
    expect((await complete(id, {}, as)).body.code).toBe('CHECKLIST_INCOMPLETE');
    expect((await complete(id, { checklist: [{ id: 'beds', done: true }] }, as)).status).toBe(200);
  });

  it.each(['CANCELLED', 'MERGED'] as const)('is refused of a task that is %s', async (status) => {
    const { id } = await task();
    const other = await task();
    const merged_into_task_id = status === 'MERGED' ? other.id : null;
    await system.bed.db.updateTable('task').set({ status, merged_into_task_id }).where('id', '=', id).execute();
    const { status: code, body } = await complete(id);
    expect([code, body.code]).toEqual([409, 'TASK_NOT_COMPLETABLE']);
  });

  it('of a task that nobody has is the work of the person who does it', async () => {
    const { id } = await task({ status: 'UNASSIGNED', assignee: null });
    const { body } = await complete(id, {}, { role: 'AGENT', sub: 'agent-1' });
    expect(body.data).toMatchObject({ status: 'COMPLETED', assigneeId: 'agent-1', completedBy: 'agent-1' });
    const another = await task({ status: 'UNASSIGNED', assignee: null });
    expect((await complete(another.id, {}, {})).body.data.assigneeId).toBeNull();
  });

  it('Z5: is for the assignee, agents of the portfolio and administrators; for others there is no such task', async () => {
    const { id } = await task();
    for (const as of [
      { role: 'CLEANER', sub: 'cleaner-2' },
      { role: 'MAINTENANCE_STAFF', sub: 'maintenance-9' },
      { role: 'AGENT', sub: 'agent-9' },
    ] as const) {
      for (const answer of [await complete(id, {}, as), await post(id, 'start', undefined, as)]) {
        expect([answer.status, answer.body.code]).toEqual([404, 'TASK_NOT_FOUND']);
      }
      expect((await photo(id, 'photo-1', JPEG, as)).status).toBe(404);
    }
    const read = await system.call('GET', `/tasks/${id}`, { role: 'CLEANER', sub: 'cleaner-2' });
    expect([read.status, read.body.code]).toEqual([404, 'TASK_NOT_FOUND']);
    expect((await system.call('GET', `/tasks/${id}`, cleaner)).status).toBe(200);
    expect((await complete('nothing')).body.code).toBe('TASK_NOT_FOUND');
    expect((await complete(id, {}, { role: 'FINANCE', sub: 'f-1' })).status).toBe(403);
  });

  it.each([
    ['CLEANING', 'CLEANER', 200],
    ['CHECK_IN', 'CLEANER', 404],
    ['CHECK_OUT', 'CLEANER', 404],
    ['INSPECTION', 'CLEANER', 404],
    ['MAINTENANCE', 'CLEANER', 404],
    ['MAINTENANCE', 'MAINTENANCE_STAFF', 200],
    ['EMERGENCY', 'MAINTENANCE_STAFF', 200],
    ['INSPECTION', 'MAINTENANCE_STAFF', 200],
    ['CLEANING', 'MAINTENANCE_STAFF', 404],
    ['CHECK_IN', 'MAINTENANCE_STAFF', 404],
  ] as const)('Z5: of a %s by a %s who has it is a %i', async (type, role, expected) => {
    const as = role === 'CLEANER' ? cleaner : fixer;
    const { id } = await task({ type, assignee: as.sub ?? '' });
    const answers = [
      await post(id, 'start', undefined, as),
      await complete(id, type === 'INSPECTION' ? { outcome: 'PASSED' } : {}, as),
    ];
    for (const { status, body } of answers) {
      expect(status).toBe(expected);
      if (expected === 404) expect(body.code).toBe('TASK_NOT_FOUND');
    }
  });

  it('shows no guest’s name to a person who only cleans or repairs', async () => {
    const titled = { title: 'Check-in for John Doe' };
    for (const as of [cleaner, fixer]) {
      const { id } = await task({ type: 'CHECK_IN', assignee: as.sub ?? '' });
      await system.bed.db.updateTable('task').set(titled).where('id', '=', id).execute();
      for (const [method, path] of [
        ['GET', ''],
        ['POST', '/accept'],
      ] as const) {
        const { status, body, text } = await system.call(method, `/tasks/${id}${path}`, as);
        expect([status, body.data.title]).toEqual([200, 'Check-in meeting']);
        expect(text).not.toContain('John Doe');
      }
      expect((await system.call('GET', `/tasks/${id}`)).body.data).toMatchObject(titled);
    }
  });

  it.each([
    ['in the future', () => new Date(Date.now() + 3_600_000).toISOString()],
    ['before the task was made', () => '2020-01-01T00:00:00Z'],
  ])('cannot have been %s', async (_what, completedAt) => {
    const { id } = await task();
    const { status, body } = await complete(id, { completedAt: completedAt() });
    expect([status, body.code]).toEqual([422, 'VALIDATION_FAILED']);
    expect((await system.call('GET', `/tasks/${id}`)).body.data.status).toBe('ASSIGNED');
  });

  it.each([
    ['an unknown field', { done: true }],
    ['an outcome of what is no inspection', { outcome: 'PASSED' }],
    ['an item that is not on the list', { checklist: [{ id: 'roof', done: true }] }],
    [
      'an item twice',
      {
        checklist: [
          { id: 'roof', done: true },
          { id: 'roof', done: false },
        ],
      },
    ],
    ['a finding without a word', { findings: [{ description: '', severity: 'MINOR' }] }],
  ])('with %s is not valid', async (_what, body) => {
    const { id } = await task();
    const refused = await complete(id, body);
    expect([refused.status, refused.body.code]).toEqual([422, 'VALIDATION_FAILED']);
  });

  it('needs its photos to be there, and its money to be whole', async () => {
    const { id } = await task();
    const missing = await complete(id, { photos: ['photo-9'] });
    expect([missing.status, missing.body.code]).toEqual([422, 'REFERENCE_NOT_FOUND']);
    const cost = await complete(id, { cost: { amount: 1.001, currency: 'AED' } });
    expect([cost.status, cost.body.code]).toEqual([422, 'AMOUNT_PRECISION']);
  });

  it('needs the required items of its checklist, its own before the property’s', async () => {
    const propertyId = await place();
    const change = await system.call('PATCH', `/properties/${propertyId}`, {
      body: { checklists: { MAINTENANCE: [{ id: 'p', label: 'The property’s', required: true }] } },
    });
    expect(change.body.data.checklists).toEqual({
      MAINTENANCE: [{ id: 'p', label: 'The property’s', required: true }],
    });
    const { body: created } = await system.call('POST', '/tasks', {
      body: {
        type: 'MAINTENANCE',
        title: 'Filters',
        propertyId,
        scheduledDate: '2030-05-01T09:00:00Z',
        checklist: [
          { id: 'a', label: 'Filter changed', required: true },
          { id: 'b', label: 'Floor swept' },
        ],
      },
    });
    const { id } = created.data;
    const refused = await complete(id, { checklist: [{ id: 'b', done: true }] }, {});
    expect(refused.status).toBe(422);
    expect(refused.body).toMatchObject({
      code: 'CHECKLIST_INCOMPLETE',
      details: { open: [{ id: 'a', label: 'Filter changed' }] },
    });
    expect((await complete(id, { checklist: [{ id: 'a', done: true, note: 'new' }] }, {})).status).toBe(200);
    const other = await task({ type: 'MAINTENANCE', propertyId });
    expect((await system.call('GET', `/tasks/${other.id}`)).body.data.checklist).toHaveLength(1);
  });
});

describe('photos', () => {
  it('are stored once, and come back as they were', async () => {
    const { id } = await task();
    expect((await photo(id, 'photo-1')).status).toBe(201);
    expect((await photo(id, 'photo-1')).status).toBe(200);
    const other = await photo(id, 'photo-1', tinyJpeg(9));
    expect([other.status, ((await other.json()) as { code: string }).code]).toEqual([409, 'ALREADY_EXISTS']);
    const { app, headers } = await system.as(cleaner);
    const got = await app.request(`/api/production/tasks/${id}/photos/photo-1`, { headers });
    expect(got.headers.get('content-type')).toBe('image/jpeg');
    expect(got.headers.get('x-content-type-options')).toBe('nosniff');
    expect(Buffer.from(await got.arrayBuffer()).equals(JPEG)).toBe(true);
    const again = await app.request(`/api/production/tasks/${id}/photos/photo-1`, {
      headers: { ...headers, 'if-none-match': got.headers.get('etag') ?? '' },
    });
    expect(again.status).toBe(304);
    expect((await app.request(`/api/production/tasks/${id}/photos/photo-2`, { headers })).status).toBe(404);
  });

  it('K14: that were stored before they were made bare, and are no whole picture, are not given out', async () => {
    const { id } = await task();
    const bytes = JPEG.subarray(0, -2);
    const row = { task_id: id, id: 'photo-1', content_type: 'image/jpeg' as const, uploaded_by: 'staff-1' };
    await system.bed.db
      .insertInto('task_photo')
      .values({ ...row, bytes, sha256: sha256(bytes) })
      .execute();
    const { app, headers } = await system.as(cleaner);
    const got = await app.request(`/api/production/tasks/${id}/photos/photo-1`, { headers });
    expect([got.status, ((await got.json()) as { code: string }).code]).toEqual([404, 'NOT_FOUND']);
  });
  it.each([
    ['a PNG', tinyPng(), 201],
    ['a WebP', tinyWebp(), 201],
    ['the beginning of a PNG', tinyPng().subarray(0, 40), 415],
    ['a page', Buffer.from('<html><script>alert(1)</script>'), 415],
    ['nothing', Buffer.alloc(0), 400],
    ['too much', Buffer.concat([JPEG, Buffer.alloc(2 * 1024 * 1024)]), 413],
  ])('of %s', async (_what, bytes, status) => {
    const { id } = await task();
    expect((await photo(id, 'photo-1', bytes)).status).toBe(status);
  });

  it('are thirty at the most', async () => {
    const { id } = await task();
    for (let n = 0; n < 30; n += 1) expect((await photo(id, `photo-${n}`)).status).toBe(201);
    expect((await photo(id, 'photo-30')).status).toBe(422);
  });
});

describe('what follows', () => {
  async function confirmedStay(property: Readonly<Record<string, Json>> = {}) {
    const reservationId = await seedStay(system.bed.db);
    const { property_id } = await system.bed.db
      .selectFrom('reservation')
      .select('property_id')
      .where('id', '=', reservationId)
      .executeTakeFirstOrThrow();
    await system.bed.db
      .updateTable('property')
      .set({ agent_ids: ['agent-1'], ...property })
      .where('id', '=', property_id)
      .execute();
    expect((await system.call('POST', `/reservations/${reservationId}/confirm`, { body: {} })).status).toBe(200);
    const { body } = await system.call('GET', `/reservations/${reservationId}?include=tasks`);
    const ids = Object.fromEntries(
      body.data.tasks.map((one: { occurrence: string; id: string }) => [one.occurrence, one.id]),
    ) as Record<'PRE_ARRIVAL' | 'ARRIVAL' | 'DEPARTURE' | 'POST_DEPARTURE', string>;
    return { reservationId, propertyId: property_id, ids };
  }
  const admin: CallOptions = {};
  const statusOf = async (id: string) => (await system.call('GET', `/reservations/${id}`)).body.data.status;

  it('from the cleaning before an arrival: the property is clean, and the person who meets the guest is notified', async () => {
    const { propertyId, ids } = await confirmedStay();
    await system.bed.db.updateTable('property').set({ readiness: 'DIRTY' }).where('id', '=', propertyId).execute();
    await complete(ids.PRE_ARRIVAL, {}, admin);
    expect(await readinessOf(propertyId)).toBe('CLEAN');
    expect(await actionsOf(ids.PRE_ARRIVAL)).toEqual([
      'PROPERTY_CLEAN',
      'STAFF_TOLD_PROPERTY_READY',
      'SUPERVISOR_TOLD',
    ]);
    expect(await mailsAbout(ids.ARRIVAL)).toContainEqual(expect.stringContaining('PROPERTY_READY'));
  });

  it('from severe damage before an arrival: nobody is told that the property is ready', async () => {
    const { propertyId, ids } = await confirmedStay();
    await system.bed.db.updateTable('property').set({ readiness: 'DIRTY' }).where('id', '=', propertyId).execute();
    await complete(ids.PRE_ARRIVAL, { findings: [{ description: 'Gas leaks', severity: 'SEVERE' }] }, admin);
    expect(await readinessOf(propertyId)).toBe('OUT_OF_ORDER');
    expect(await actionsOf(ids.PRE_ARRIVAL)).toEqual([
      'MAINTENANCE_CREATED',
      'OWNER_TOLD',
      'PROPERTY_OUT_OF_ORDER',
      'STAFF_ALERTED',
      'SUPERVISOR_TOLD',
    ]);
    expect(await mailsAbout(ids.ARRIVAL)).not.toContainEqual(expect.stringContaining('PROPERTY_READY'));
  });

  it('where a property must be inspected: an inspection, and only that makes it ready', async () => {
    const { propertyId, ids } = await confirmedStay();
    await system.call('PATCH', `/properties/${propertyId}`, { body: { inspectionRequired: true, readiness: 'DIRTY' } });
    const { body } = await complete(ids.PRE_ARRIVAL, {}, admin);
    const created = body.data.nextActions.find((one: { action: string }) => one.action === 'INSPECTION_CREATED');
    expect(await readinessOf(propertyId)).toBe('CLEAN');
    const refused = await complete(created.subjectId, {}, admin);
    expect([refused.status, refused.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    const failed = await complete(created.subjectId, { outcome: 'FAILED' }, admin);
    expect(failed.body.details.issues).toMatchObject([{ path: 'findings' }]);
    await complete(created.subjectId, { outcome: 'PASSED' }, admin);
    expect(await readinessOf(propertyId)).toBe('INSPECTED');
    const notified = await system.call('GET', '/notifications?event=PROPERTY_INSPECTION');
    const results = notified.body.data.filter(({ taskId }: { taskId: string }) => taskId === created.subjectId);
    expect(results).toMatchObject([{ template: 'property-inspected.owner@1', recipientType: 'OWNER' }]);
  });

  it('from the meeting with a guest: somebody is asked to check in, or it is done', async () => {
    const asked = await confirmedStay();
    await complete(asked.ids.ARRIVAL, {}, admin);
    expect(await actionsOf(asked.ids.ARRIVAL)).toEqual(['CHECK_IN_PROMPTED', 'SUPERVISOR_TOLD']);
    expect(await statusOf(asked.reservationId)).toBe('CONFIRMED');

    const done = await confirmedStay({ auto_check_in: true, auto_check_out: true });
    for (const [occurrence, action, status] of [
      ['ARRIVAL', 'CHECK_IN_STARTED', 'CHECKED_IN'],
      ['DEPARTURE', 'CHECK_OUT_STARTED', 'CHECKED_OUT'],
    ] as const) {
      const { body } = await complete(done.ids[occurrence], {}, admin);
      const started = body.data.nextActions.find((one: { action: string }) => one.action === action);
      expect(await restOf(system.bed.db, started.subjectId)).toBe('completed');
      expect(await statusOf(done.reservationId)).toBe(status);
    }
  });

  it('from the meeting at a departure, by hand: somebody is asked, and the cleaning is looked after', async () => {
    const { reservationId, ids } = await confirmedStay();
    await system.call('POST', `/reservations/${reservationId}/check-in`, { body: {} });
    await system.bed.db
      .updateTable('task')
      .set({ status: 'UNASSIGNED', assignee_id: null, next_assign_at: new Date('2099-01-01') })
      .where('id', '=', ids.POST_DEPARTURE)
      .execute();
    await complete(ids.DEPARTURE, {}, admin);
    expect(await actionsOf(ids.DEPARTURE)).toEqual(['CHECK_OUT_PROMPTED', 'CLEANING_UNLOCKED', 'SUPERVISOR_TOLD']);
  });

  it('from the meeting at a departure: also the cleaning that somebody has already is unlocked, and stays as it is', async () => {
    const { reservationId, ids } = await confirmedStay();
    await system.call('POST', `/reservations/${reservationId}/check-in`, { body: {} });
    const cleaning = () =>
      system.bed.db.selectFrom('task').selectAll().where('id', '=', ids.POST_DEPARTURE).executeTakeFirstOrThrow();
    await system.bed.db
      .updateTable('task')
      .set({ status: 'ASSIGNED', assignee_id: 'cleaner-1' })
      .where('id', '=', ids.POST_DEPARTURE)
      .execute();
    const before = await cleaning();
    const { body } = await complete(ids.DEPARTURE, {}, admin);
    expect(body.data.nextActions).toContainEqual({ action: 'CLEANING_UNLOCKED', subjectId: ids.POST_DEPARTURE });
    expect(await cleaning()).toEqual(before);
  });

  it('asks instead when another process is at work on the stay', async () => {
    const { reservationId, ids } = await confirmedStay({ auto_check_in: true });
    await system.bed.db
      .updateTable('property')
      .set({ amenity_device: 'device-refused-at-meeting' })
      .where('id', 'in', system.bed.db.selectFrom('reservation').select('property_id').where('id', '=', reservationId))
      .execute();
    await system.bed.db
      .insertInto('saga')
      .values({
        id: `busy-${reservationId}`,
        name: 'processPayment',
        definition_ver: 1,
        subject_type: 'reservation',
        subject_id: reservationId,
        input: '{}',
        input_hash: Buffer.alloc(32),
        requested_by: 'tester',
        total_steps: 8,
        deadline_at: new Date('2099-01-01'),
        next_check_at: new Date('2099-01-01'),
        status: 'pending',
      })
      .execute();
    await complete(ids.ARRIVAL, {}, admin);
    expect(await actionsOf(ids.ARRIVAL)).toEqual(['CHECK_IN_PROMPTED', 'SUPERVISOR_TOLD']);
  });

  it('from damage after a departure: a repair each, owner and staff told, the deposit kept, the property out of order', async () => {
    const { propertyId, ids } = await confirmedStay();
    // The guest is still there, for all that anybody knows.
    const locked = await complete(ids.POST_DEPARTURE, {}, admin);
    expect([locked.status, locked.body.code]).toEqual([409, 'TASK_NOT_COMPLETABLE']);
    expect((await complete(ids.DEPARTURE, {}, admin)).status).toBe(200);
    const { body } = await complete(
      ids.POST_DEPARTURE,
      {
        findings: [
          { description: 'Window broken', severity: 'SEVERE' },
          { description: 'Lamp flickers', severity: 'MINOR' },
        ],
      },
      admin,
    );
    const repairs = body.data.nextActions
      .filter((one: { action: string }) => one.action === 'MAINTENANCE_CREATED')
      .map((one: { subjectId: string }) => one.subjectId);
    expect(await actionsOf(ids.POST_DEPARTURE)).toEqual([
      'DEPOSIT_HOLD_KEPT',
      'MAINTENANCE_CREATED',
      'MAINTENANCE_CREATED',
      'OWNER_TOLD',
      'PROPERTY_OUT_OF_ORDER',
      'STAFF_ALERTED',
      'SUPERVISOR_TOLD',
    ]);
    expect(await readinessOf(propertyId)).toBe('OUT_OF_ORDER');
    expect(await mailsAbout(ids.POST_DEPARTURE)).toEqual(
      expect.arrayContaining(['MAINTENANCE_ALERT ops', 'MAINTENANCE_REQUIRED owner-1']),
    );
    const [severe, minor] = await Promise.all(
      repairs.map(async (id: string) => (await system.call('GET', `/tasks/${id}`)).body.data),
    );
    expect([severe.title, severe.priority, minor.priority]).toEqual(['Window broken', 'URGENT', 'NORMAL']);
    expect(new Date(minor.scheduledDate).toLocaleTimeString('en-GB', { timeZone: 'Asia/Dubai' })).toBe('10:00:00');

    await complete(severe.id, {}, admin);
    expect(await readinessOf(propertyId)).toBe('DIRTY');
    expect(await actionsOf(severe.id)).toEqual(['OWNER_TOLD', 'PROPERTY_BACK_IN_ORDER', 'SUPERVISOR_TOLD']);
  });

  it('from a cleaning that another was merged into: both are done', async () => {
    const into = await task({ occurrence: 'POST_DEPARTURE' });
    const merged = await task({ occurrence: 'PRE_ARRIVAL', propertyId: into.propertyId });
    await system.bed.db
      .updateTable('task')
      .set({ status: 'MERGED', assignee_id: null, merged_into_task_id: into.id })
      .where('id', '=', merged.id)
      .execute();
    const { body } = await complete(into.id);
    expect(body.data.nextActions).toContainEqual({ action: 'MERGED_CLEANING_SATISFIED', subjectId: merged.id });
  });

  it('from an inspection that fails: repairs, and out of order when one is severe', async () => {
    const { id, propertyId } = await task({ type: 'INSPECTION', assignee: 'agent-1' });
    const as: CallOptions = { role: 'AGENT', sub: 'agent-1' };
    await complete(id, { outcome: 'FAILED', findings: [{ description: 'Gas leaks', severity: 'SEVERE' }] }, as);
    expect(await readinessOf(propertyId)).toBe('OUT_OF_ORDER');
    const result = await system.bed.db
      .selectFrom('notification')
      .select('id')
      .where('task_id', '=', id)
      .where('template', '=', 'property-inspection-failed.owner@1')
      .executeTakeFirstOrThrow();
    expect(await loadFacts(system.bed.db, [result.id])).toMatchObject([{ findings: 'Gas leaks' }]);
    const other = await task({ type: 'INSPECTION', assignee: 'agent-1', property: { readiness: 'DIRTY' } });
    await complete(other.id, { outcome: 'PASSED' }, as);
    // Inspected or not, it is to be cleaned first.
    expect(await readinessOf(other.propertyId)).toBe('DIRTY');
  });

  it('from a repair: the calendar is free, the property is to be cleaned, the owner knows and owes', async () => {
    const propertyId = await place({ readiness: 'OUT_OF_ORDER' });
    const block = `block-${propertyId}`;
    await system.bed.db
      .insertInto('reservation')
      .values({
        id: block,
        kind: 'MAINTENANCE_BLOCK',
        property_id: propertyId,
        check_in_date: '2031-01-01',
        check_out_date: '2031-01-05',
        total_minor: 0,
        currency: 'AED',
        status: 'CONFIRMED',
        created_by: 'tester',
      })
      .execute();
    const { id } = await task({ type: 'EMERGENCY', propertyId, blockId: block, assignee: 'fixer-1' });
    const cost = { amount: 350, currency: 'AED', chargeOwner: true };
    const { body } = await complete(id, { cost }, fixer);
    expect(body.data.completion.cost).toEqual({ amountMinor: 35_000, currency: 'AED', chargeOwner: true });
    expect(await actionsOf(id)).toEqual([
      'CALENDAR_UNBLOCKED',
      'CHARGE_NEEDS_APPROVAL',
      'CLEANING_CREATED',
      'OWNER_TOLD',
      'PROPERTY_BACK_IN_ORDER',
      'SUPERVISOR_TOLD',
    ]);
    expect(await statusOf(block)).toBe('CANCELLED');
    expect(await readinessOf(propertyId)).toBe('DIRTY');
  });
});

describe('after a repair', () => {
  const agent: CallOptions = { role: 'AGENT', sub: 'agent-1' };
  const found = (body: { data: { nextActions: { action: string; subjectId: string }[] } }, action: string) =>
    body.data.nextActions.filter((one) => one.action === action).map(({ subjectId }) => subjectId);
  const broken = (description: string, severity: 'MINOR' | 'SEVERE' = 'MINOR') => ({ description, severity });
  async function failedInspection(propertyId: string, findings: readonly ReturnType<typeof broken>[]) {
    const { id } = await task({ type: 'INSPECTION', assignee: 'agent-1', propertyId });
    const { body } = await complete(id, { outcome: 'FAILED', findings }, agent);
    return found(body, 'MAINTENANCE_CREATED');
  }
  const taskOf = (id: string) =>
    system.bed.db.selectFrom('task').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  const openOf = async (propertyId: string, type: TaskType) => {
    const rows = await system.bed.db
      .selectFrom('task')
      .select('id')
      .where('property_id', '=', propertyId)
      .where('type', '=', type)
      .where('status', 'in', ['UNASSIGNED', 'ASSIGNED'])
      .execute();
    return rows.map(({ id }) => id);
  };
  async function arrival(propertyId: string, from = `${NEXT_YEAR + 4}-02-01`): Promise<string> {
    const id = await seedStay(system.bed.db);
    const stay = { property_id: propertyId, check_in_date: from, check_out_date: `${NEXT_YEAR + 4}-12-31` };
    await system.bed.db
      .updateTable('reservation')
      .set({ ...stay, status: 'CONFIRMED' })
      .where('id', '=', id)
      .execute();
    return id;
  }

  it('of the last thing that an inspection has found, it is inspected again, once', async () => {
    const propertyId = await place({ readiness: 'CLEAN', inspection_required: true });
    await arrival(propertyId);
    const [lamp = '', tap = ''] = await failedInspection(propertyId, [broken('Lamp flickers'), broken('Tap drips')]);
    expect(found((await complete(lamp, {}, agent)).body, 'INSPECTION_CREATED')).toEqual([]);
    // A finding of a repair is repaired first.
    const { body } = await complete(tap, { findings: [broken('Pipe rusts')] }, agent);
    expect(found(body, 'INSPECTION_CREATED')).toEqual([]);
    const [pipe = ''] = found(body, 'MAINTENANCE_CREATED');
    const [again = ''] = found((await complete(pipe, {}, agent)).body, 'INSPECTION_CREATED');
    expect(await taskOf(again)).toMatchObject({
      type: 'INSPECTION',
      occurrence: 'AFTER_REPAIR',
      status: 'UNASSIGNED',
      must_finish_by: new Date(`${NEXT_YEAR + 4}-02-01T11:00:00Z`),
    });
    expect(await openOf(propertyId, 'INSPECTION')).toEqual([again]);
    expect((await complete(again, { outcome: 'PASSED' }, agent)).status).toBe(200);
    expect(await readinessOf(propertyId)).toBe('INSPECTED');
  });

  it('of two things at once, it is inspected again once', async () => {
    const propertyId = await place({ readiness: 'CLEAN', inspection_required: true });
    const repairs = await failedInspection(propertyId, [broken('Lamp flickers'), broken('Tap drips')]);
    await Promise.all(repairs.map((id) => complete(id, {}, agent)));
    expect(await openOf(propertyId, 'INSPECTION')).toHaveLength(1);
  });

  it('nothing is inspected that need not be, that no inspection had found, or that is to be cleaned first', async () => {
    const careless = await place({ readiness: 'CLEAN' });
    const careful = await place({ readiness: 'CLEAN', inspection_required: true });
    const dirty = await place({ readiness: 'DIRTY', inspection_required: true });
    const [first = ''] = await failedInspection(careless, [broken('Lamp flickers')]);
    const { id: second } = await task({ type: 'MAINTENANCE', assignee: 'agent-1', propertyId: careful });
    const [third = ''] = await failedInspection(dirty, [broken('Lamp flickers')]);
    for (const id of [first, second, third]) expect((await complete(id, {}, agent)).status).toBe(200);
    for (const id of [careless, careful, dirty]) expect(await openOf(id, 'INSPECTION')).toEqual([]);
  });

  it('that had put it out of order it is cleaned, and then inspected where it must be', async () => {
    const propertyId = await place({ readiness: 'CLEAN', inspection_required: true, cleaning_minutes: 90 });
    await arrival(propertyId);
    const [repair = ''] = await failedInspection(propertyId, [broken('Gas leaks', 'SEVERE')]);
    const [cleaning = ''] = found((await complete(repair, {}, agent)).body, 'CLEANING_CREATED');
    expect(await readinessOf(propertyId)).toBe('DIRTY');
    const row = await taskOf(cleaning);
    expect(row).toMatchObject({
      type: 'CLEANING',
      occurrence: 'AFTER_REPAIR',
      reservation_id: null,
      status: 'UNASSIGNED',
      priority: 'HIGH',
      must_finish_by: new Date(`${NEXT_YEAR + 4}-02-01T11:00:00Z`),
    });
    expect(row.ends_at.getTime() - row.scheduled_at.getTime()).toBe(90 * 60_000);
    const { body } = await complete(cleaning, {}, agent);
    expect(await readinessOf(propertyId)).toBe('CLEAN');
    expect(found(body, 'INSPECTION_CREATED')).toHaveLength(1);
  });

  it('no other cleaning is made where one is to come before the next guest', async () => {
    for (const [occurrence, stayIs, expected] of [
      ['POST_DEPARTURE', 'CHECKED_OUT', 0],
      ['PRE_ARRIVAL', 'CONFIRMED', 0],
      // For an arrival that has been: nobody does it any more.
      ['PRE_ARRIVAL', 'CHECKED_OUT', 1],
    ] as const) {
      const propertyId = await place({ readiness: 'OUT_OF_ORDER' });
      const reservationId = await arrival(propertyId);
      await task({ occurrence, propertyId, reservationId, status: 'UNASSIGNED', assignee: null });
      await system.bed.db.updateTable('reservation').set({ status: stayIs }).where('id', '=', reservationId).execute();
      const { id } = await task({ type: 'EMERGENCY', propertyId, assignee: 'fixer-1' });
      const { body } = await complete(id, {}, fixer);
      expect(found(body, 'CLEANING_CREATED'), `${occurrence} ${stayIs}`).toHaveLength(expected);
    }
    // It begins at the beginning of the year after that.
    const propertyId = await place({ readiness: 'OUT_OF_ORDER' });
    await task({ occurrence: 'MANUAL', propertyId, status: 'UNASSIGNED', assignee: null });
    await arrival(propertyId, `${NEXT_YEAR + 2}-12-30`);
    const { id } = await task({ type: 'EMERGENCY', propertyId, assignee: 'fixer-1' });
    expect(found((await complete(id, {}, fixer)).body, 'CLEANING_CREATED')).toHaveLength(1);
  });

  it.each([
    ['LOW', 'MAINTENANCE', 'OUT_OF_ORDER'],
    ['NORMAL', 'MAINTENANCE', 'OUT_OF_ORDER'],
    ['HIGH', 'MAINTENANCE', 'OUT_OF_ORDER'],
    ['URGENT', 'MAINTENANCE', 'DIRTY'],
    ['NORMAL', 'EMERGENCY', 'DIRTY'],
  ] as const)('of priority %s, that is %s, an out-of-order property is %s', async (priority, type, readiness) => {
    const { id, propertyId } = await task({ type, assignee: 'fixer-1', property: { readiness: 'OUT_OF_ORDER' } });
    await system.bed.db.updateTable('task').set({ priority }).where('id', '=', id).execute();
    const { body } = await complete(id, {}, fixer);
    expect(await readinessOf(propertyId)).toBe(readiness);
    expect(found(body, 'PROPERTY_BACK_IN_ORDER')).toHaveLength(readiness === 'DIRTY' ? 1 : 0);
  });
});

describe('statistics', () => {
  it('count what was due, and what of it was done in time', async () => {
    const propertyId = await place();
    const at = (hour: number): Date => new Date(Date.UTC(2025, 5, 1, hour));
    const rows: { status: TaskStatus; deadline: number; done?: number; minutes?: number; type?: TaskType }[] = [
      { status: 'COMPLETED', deadline: 10, done: 9, minutes: 60 },
      { status: 'COMPLETED', deadline: 10, done: 10, minutes: 90, type: 'INSPECTION' },
      { status: 'COMPLETED', deadline: 10, done: 11 },
      { status: 'UNASSIGNED', deadline: 12 },
      { status: 'CANCELLED', deadline: 12 },
      // Due outside the time.
      { status: 'UNASSIGNED', deadline: 23 },
    ];
    for (const row of rows) {
      const { id } = await task({ propertyId, status: 'UNASSIGNED', assignee: null, type: row.type ?? 'CLEANING' });
      await system.bed.db
        .updateTable('task')
        .set({
          status: row.status,
          must_finish_by: at(row.deadline),
          completed_at: row.done === undefined ? null : at(row.done),
          completion: row.minutes === undefined ? null : JSON.stringify({ minutes: row.minutes }),
          assignee_id: row.status === 'COMPLETED' ? 'cleaner-1' : null,
        })
        .where('id', '=', id)
        .execute();
    }
    const path = `/tasks/statistics?propertyId=${propertyId}&from=2025-06-01&to=2025-06-01T20:00:00Z`;
    const { status, body } = await system.call('GET', path);
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      total: 5,
      byStatus: { COMPLETED: 3, UNASSIGNED: 1, CANCELLED: 1 },
      byType: { CLEANING: 4, INSPECTION: 1 },
      byAssignee: [
        { assigneeId: 'cleaner-1', total: 3, completed: 3 },
        { assigneeId: null, total: 1, completed: 0 },
      ],
      averageMinutes: 75,
      completionRate: { onTime: 2, due: 4, rate: 0.5 },
    });
    const foreign = await system.call('GET', path, { role: 'AGENT', sub: 'agent-9' });
    expect([foreign.status, foreign.body.code]).toEqual([404, 'NOT_FOUND']);
    // Work that is due later is not late yet; work that is done before its time is done in time.
    const later = await place();
    for (const status of ['UNASSIGNED', 'ASSIGNED', 'IN_PROGRESS', 'COMPLETED'] as const) {
      const { id } = await task({ propertyId: later });
      const assignee = status === 'UNASSIGNED' ? null : 'cleaner-1';
      const done = status === 'COMPLETED' ? new Date() : null;
      const values = {
        status,
        assignee_id: assignee,
        completed_at: done,
        must_finish_by: new Date(Date.now() + 60_000),
      };
      await system.bed.db.updateTable('task').set(values).where('id', '=', id).execute();
    }
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    const ahead = await system.call('GET', `/tasks/statistics?propertyId=${later}&from=2026-01-01&to=${soon}`);
    expect(ahead.body.data).toMatchObject({ total: 4, overdue: 0, completionRate: { onTime: 1, due: 1, rate: 1 } });
    const without = path.replace(/propertyId=[^&]+&/, '');
    const nothing = await system.call('GET', without, { role: 'AGENT', sub: 'agent-9' });
    expect(nothing.body.data).toMatchObject({ total: 0, completionRate: { due: 0, rate: null } });
    expect((await system.call('GET', path, { role: 'OPS', sub: 'ops-1' })).body.data.total).toBe(5);
    expect((await system.call('GET', '/tasks/statistics')).status).toBe(200);
    const totalFor = async (role: 'OWNER' | 'CLEANER' | 'MAINTENANCE_STAFF', sub: string) => {
      const answer = await system.call('GET', path, { role, sub });
      return answer.status === 200 ? answer.body.data.total : answer.status;
    };
    // An owner's are those of the owner's properties, a worker's are their own; to the others the property is not there.
    expect([await totalFor('OWNER', 'owner-1'), await totalFor('OWNER', 'owner-9')]).toEqual([5, 404]);
    expect([await totalFor('CLEANER', 'cleaner-1'), await totalFor('CLEANER', 'cleaner-2')]).toEqual([3, 404]);
    expect(await totalFor('MAINTENANCE_STAFF', 'fixer-1')).toBe(404);
    const guest = await system.call('GET', path, { role: 'GUEST', sub: 'guest-1' });
    expect([guest.status, guest.body.code]).toEqual([403, 'FORBIDDEN']);
    const wrong = await system.call('GET', '/tasks/statistics?from=2029-06-02&to=2029-06-01');
    expect([wrong.status, wrong.body.code]).toEqual([422, 'VALIDATION_FAILED']);
  });
});
