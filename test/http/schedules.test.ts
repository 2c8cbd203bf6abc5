import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schedulesByHand } from '../../src/queues/schedules.ts';
import { keptReader, sealsReader } from '../../src/telemetry/records-kept.ts';
import { JOBS } from '../../src/workers/jobs.ts';
import { type CallOptions, type System, startSystem } from '../setup/system.ts';

/** What the clock runs, run by people: the same job in the same queue, told in the audit trail, and once for each key. */

let system: System;
let isAway = false;
beforeAll(async () => {
  system = await startSystem(undefined, {
    schedules: {
      get all() {
        return byHand().all;
      },
      run: (name) => byHand().run(name),
    },
  });
});
afterAll(() => system?.close());

const byHand = () => {
  const { queues } = system.process.engine;
  return schedulesByHand({ queue: (name) => queues.queue(name), isReady: () => !isAway && queues.isReady() }, JOBS);
};
const run = (name: string, options: CallOptions = {}) =>
  system.call('POST', `/schedules/${name}/run`, { body: { reason: 'The gateway is back' }, role: 'OPS', ...options });
const asked = () =>
  system.bed.db
    .selectFrom('audit_log')
    .select(['actor', 'body'])
    .where('event', '=', 'SCHEDULE_RUN')
    .orderBy('seq')
    .execute();

describe('a schedule', () => {
  it('is run by hand as the clock runs it, whichever it is', async () => {
    const { schedules } = (await system.call('GET', '/schedules', { role: 'OPS' })).body.data;
    const jobs = Object.values(JOBS).flatMap((queue) => Object.keys(queue.jobs));
    expect(schedules).toHaveLength(jobs.length);
    for (const { name, queue, job } of schedules) {
      const { status, body } = await run(name);
      expect(status, name).toBe(200);
      expect(body.data).toEqual({ name, queue, job });
      const waiting = await system.process.engine.queues
        .queue(queue)
        .getJobs(['wait', 'active', 'completed', 'failed']);
      expect(
        waiting.map((one) => one.name),
        name,
      ).toContain(job);
      // While it waits, another one would find what it finds.
      await run(name);
      const now = await system.process.engine.queues.queue(queue).getJobs(['wait']);
      expect(now.filter((one) => one.name === job).length, name).toBeLessThanOrEqual(1);
    }
  });

  it('is asked for once for each key, with person and reason in the trail', async () => {
    const before = (await asked()).length;
    const options = { sub: 'ops-7', headers: { 'Idempotency-Key': 'run-once' } };
    await run('assign-sweep', options);
    expect((await run('assign-sweep', options)).headers.get('idempotency-replayed')).toBe('true');
    const rows = await asked();
    expect(rows).toHaveLength(before + 1);
    expect(rows.at(-1)).toMatchObject({ actor: 'ops-7' });
    expect(rows.at(-1)?.body).toContain('The gateway is back');
  });

  it('is refused by another name, without a reason, to others, and while the queues are away', async () => {
    const before = (await asked()).length;
    expect((await run('no-sweep')).body.code).toBe('NOT_FOUND');
    expect((await run('assign-sweep', { body: {} })).body.code).toBe('VALIDATION_FAILED');
    expect((await run('assign-sweep', { role: 'FINANCE' })).body.code).toBe('FORBIDDEN');
    isAway = true;
    expect((await run('assign-sweep')).body.code).toBe('SERVICE_UNAVAILABLE');
    isAway = false;
    expect(await asked()).toHaveLength(before);
  });
});

it('says what is kept how long with the oldest of each, and what was verified when', async () => {
  const { db } = system.bed;
  const kept = await keptReader(db, 400)();
  expect(kept.map(({ what }) => what)).toEqual(['events', 'keys', 'failures', 'sessions', 'links']);
  const keys = await db.selectFrom('idempotency_key').select('created_at').orderBy('created_at').execute();
  expect(kept.find(({ what }) => what === 'keys')?.oldestAt).toEqual(keys[0]?.created_at);
  const none = await sealsReader(db)();
  expect(none).toMatchObject({ watch: { walkDoneAt: null, broken: 0 }, money: null });
  const broken = [{ streamId: 'saga-1', seq: 3 }];
  await db
    .updateTable('watch')
    .set({ audit_done_at: new Date(), audit_broken: JSON.stringify(broken), audit_found: JSON.stringify(broken) })
    .where('id', '=', 1)
    .execute();
  await db.insertInto('integrity_pass').values({ at: new Date(), difference_count: 2, sums: '{}' }).execute();
  expect(await sealsReader(db)()).toMatchObject({ watch: { broken: 1 }, money: { differences: 2 } });
});
