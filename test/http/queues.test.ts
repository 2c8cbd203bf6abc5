import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { queuesReader } from '../../src/queues/depths.ts';
import { QUEUE_NAMES } from '../../src/queues/names.ts';
import { queuesByHand } from '../../src/queues/paused.ts';
import { type CallOptions, type System, startSystem } from '../setup/system.ts';
import { addPerson, type Browser, signInByMail } from './people.ts';

/** Queues paused and resumed by people: by the API and by the pages of the console, told in the audit trail, once for each key. */

let system: System;
let ops: Browser;
let isAway = false;
beforeAll(async () => {
  system = await startSystem(undefined, {
    queues: {
      names: QUEUE_NAMES,
      states: () => byHand().states(),
      set: (name, isPaused) => byHand().set(name, isPaused),
    },
    system: { queues: () => queuesReader(system.process.engine.queues)(), due: async () => [] },
  });
  const { app } = await system.as({});
  const { db } = system.bed;
  ops = await signInByMail(app, db, (await addPerson(db, 'OPS')).email);
  await sql`UPDATE session SET mfa_at = now()`.execute(db);
}, 60_000);
afterAll(() => system?.close());

const byHand = () => {
  const { queues } = system.process.engine;
  return queuesByHand({ queues: queues.queues, isReady: () => !isAway && queues.isReady() });
};
const set = (name: string, verb: 'pause' | 'resume', options: CallOptions = {}) =>
  system.call('POST', `/queues/${name}/${verb}`, { body: { reason: 'The bank is moved' }, role: 'OPS', ...options });
const isPaused = (name: string): Promise<boolean> => system.process.engine.queues.queue(name).isPaused();
const listed = async () => (await system.call('GET', '/queues', { role: 'OPS' })).body.data.queues;
const noted = () =>
  system.bed.db
    .selectFrom('audit_log')
    .select(['event', 'actor', 'body'])
    .where('stream_id', '=', 'queues')
    .orderBy('seq')
    .execute();

it('pauses and resumes each of them, and says who has paused it and why', async () => {
  expect((await listed()).map(({ name }: { name: string }) => name)).toEqual([...QUEUE_NAMES]);
  for (const name of QUEUE_NAMES) {
    expect((await set(name, 'pause', { sub: 'ops-7' })).body.data).toEqual({ name, isPaused: true });
    expect(await isPaused(name)).toBe(true);
    const standing = (await listed()).filter((queue: { isPaused: boolean }) => queue.isPaused);
    expect(standing).toEqual([
      { name, isPaused: true, pausedBy: { by: 'ops-7', at: expect.any(String), reason: 'The bank is moved' } },
    ]);
    // Of what is so already nothing is changed.
    expect((await set(name, 'pause', { sub: 'ops-7' })).status).toBe(200);
    expect((await set(name, 'resume')).body.data).toEqual({ name, isPaused: false });
    expect(await isPaused(name)).toBe(false);
  }
});

it('does it once for each key, with person and reason in the trail', async () => {
  const before = (await noted()).length;
  const options = { sub: 'ops-7', headers: { 'Idempotency-Key': 'pause-once' } };
  await set('finance', 'pause', options);
  await set('finance', 'resume');
  expect((await set('finance', 'pause', options)).headers.get('idempotency-replayed')).toBe('true');
  expect(await isPaused('finance')).toBe(false);
  const rows = (await noted()).slice(before);
  expect(rows.map(({ event }) => event)).toEqual(['QUEUE_PAUSED', 'QUEUE_RESUMED']);
  expect(rows[0]).toMatchObject({ actor: 'ops-7', body: expect.stringContaining('The bank is moved') });
});

it('knows who has paused it in Bull Board: one queue, or all of them', async () => {
  const note = (route: string, outcome: string, queue: string | null) =>
    sql`INSERT INTO audit_log (stream_id, event, ends, actor, body) VALUES ('ops:ops-9', 'OPS_CALL', false, 'ops-9',
      ${JSON.stringify({ outcome, userId: 'ops-9', details: { method: 'PUT', route, queue } })})`.execute(
      system.bed.db,
    );
  const whoPaused = async (name: string) =>
    (await listed()).find((queue: { name: string }) => queue.name === name).pausedBy;
  await byHand().set('tasks', true);
  await set('tasks', 'resume');
  await byHand().set('tasks', true);
  // What the trail says last is that it was resumed.
  expect(await whoPaused('tasks')).toBeNull();
  await note('/api/queues/:queueName/pause', 'refused', 'tasks');
  expect(await whoPaused('tasks')).toBeNull();
  await note('/api/queues/:queueName/pause', 'allowed', 'finance');
  expect(await whoPaused('tasks')).toBeNull();
  await note('/api/queues/pause', 'allowed', null);
  expect(await whoPaused('tasks')).toEqual({ by: 'ops-9', at: expect.any(String), reason: null });
  await byHand().set('tasks', false);
});

it('is refused by another name, without a reason, to others, and while the queues are away', async () => {
  const before = (await noted()).length;
  expect((await set('no-queue', 'pause')).body.code).toBe('NOT_FOUND');
  expect((await set('finance', 'pause', { body: {} })).body.code).toBe('VALIDATION_FAILED');
  expect((await set('finance', 'pause', { role: 'FINANCE' })).body.code).toBe('FORBIDDEN');
  isAway = true;
  expect((await set('finance', 'pause')).body.code).toBe('SERVICE_UNAVAILABLE');
  expect((await system.call('GET', '/queues', { role: 'OPS' })).body.code).toBe('SERVICE_UNAVAILABLE');
  isAway = false;
  expect(await noted()).toHaveLength(before);
  expect(await isPaused('finance')).toBe(false);
});

it('is done on the page of the system', async () => {
  const at = '/console/system';
  const act = { key: 'page-1', queue: 'webhooks', reason: 'They <hang>' };
  expect((await ops.post(`${at}/pause-queue`, act)).location).toBe(at);
  expect(await isPaused('webhooks')).toBe(true);
  const { text } = await ops.get(at);
  expect(text).toContain('They &lt;hang&gt;');
  expect(text).toMatch(/Paused by[\s\S]*Resume the queue/);
  expect((await ops.post(`${at}/resume-queue`, { ...act, key: 'page-2', reason: ' ' })).text).toContain('role="alert"');
  expect((await ops.post(`${at}/resume-queue`, { ...act, key: 'page-3' })).location).toBe(at);
  expect(await isPaused('webhooks')).toBe(false);
  expect((await ops.get(at)).text).not.toContain('Resume the queue');
});

it('is mended on the page of its incident', async () => {
  const id = 'incident-of-a-queue';
  await system.bed.db
    .insertInto('incident')
    .values({
      id,
      kind: 'QUEUE_PAUSED',
      subject: 'finance',
      area: 'ENGINE',
      severity: 'CRITICAL',
      count: 1,
      most: 1,
      since: sql`now()`,
      details: '{}',
    })
    .execute();
  await set('finance', 'pause', { sub: 'ops-7', body: { reason: 'A look at the books' } });
  const at = `/console/incidents/${id}`;
  const { text } = await ops.get(at);
  expect(text).toContain('A look at the books');
  expect(text).toContain(`action="${at}/resume-queue"`);
  const asked = { key: 'mend-1', queue: 'finance', reason: 'The books are right' };
  expect((await ops.post(`${at}/resume-queue`, asked)).location).toBe(at);
  expect(await isPaused('finance')).toBe(false);
  // Sent twice, it is done once: somebody may have paused it again.
  await set('finance', 'pause');
  expect((await ops.post(`${at}/resume-queue`, asked)).location).toBe(at);
  expect(await isPaused('finance')).toBe(true);
  await set('finance', 'resume');
});
