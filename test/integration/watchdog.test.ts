import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type RunningRedis, startRedis } from '../../scripts/services/redis.ts';
import { INCIDENT_KINDS } from '../../src/domain/incidents/kinds.ts';
import { beat } from '../../src/domain/incidents/processes.ts';
import type { OutgoingMessage } from '../../src/domain/ports.ts';
import { deliverWebhooks } from '../../src/domain/webhooks/deliver.ts';
import { createWebhookSender } from '../../src/gateways/webhooks.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { createOutages } from '../../src/kernel/outages.ts';
import { connectQueues, type QueueConnection } from '../../src/queues/connection.ts';
import type { Schedules } from '../../src/queues/schedules.ts';
import type { WatchedQueues } from '../../src/watchdog/signs/queues.ts';
import { createWatch } from '../../src/watching.ts';
import { JOBS } from '../../src/workers/jobs.ts';
import { WORKER_ROLES } from '../../src/workers/roles.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { createSimulatedDatabase, type SimulatedDatabase } from '../setup/database.ts';
import { restOf, until } from '../setup/engine.ts';
import { createGatewayDesk } from '../setup/gateway-desk.ts';
import { type System, startSystem } from '../setup/system.ts';

/**
 * Each incident is made for real: the watchdog finds it within a minute, tells it by mail and by webhook, and closes it once its cause
 * is mended. Time is moved, ten seconds a round.
 */
const ROUND_MS = 10_000;
let database: SimulatedDatabase;
let system: System;
let hook: Server;
let url = '';
let watch: ReturnType<typeof createWatch>;
let monotonicMs = 0;
let hookAnswers = 204;
let pings = 0;
const mails: OutgoingMessage[] = [];
const posts: { readonly type: string; readonly data: Record<string, unknown> }[] = [];

beforeAll(async () => {
  database = await createSimulatedDatabase();
  system = await startSystem(database);
  await prepareStays(system.bed.db);
  hook = createServer((request, response) => {
    void bodyOf(request).then((text) => {
      if (hookAnswers === 204) posts.push(JSON.parse(text));
      response.writeHead(hookAnswers).end();
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  const address = hook.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/`;
  watch = watchOf('api-1');
  await system.process.engine.upsertSchedules();
});
afterAll(async () => {
  hook?.close();
  await system?.close();
});
afterEach(() => {
  mails.length = 0;
  posts.length = 0;
});

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
};
const watchOf = (holder: string, queues: WatchedQueues = system.process.engine.queues) =>
  createWatch({
    db: system.process.db,
    queues,
    holder,
    timeZone: 'Asia/Dubai',
    seals: null,
    log: createLogger('test', 'silent'),
    now: () => monotonicMs,
    sayAllIsWell: async () => {
      pings += 1;
    },
    teller: {
      mail: {
        maxBatch: 20,
        send: async (messages) => {
          mails.push(...messages);
          return messages.map(() => ({ sent: true, providerId: 'x' }));
        },
        close: async () => undefined,
      },
      opsEmail: 'ops@roomy.example',
      publicUrl: 'https://roomy.example',
      clock: database.clock,
      webhook: { url, format: 'json', key: null, publicUrl: 'https://roomy.example' },
    },
  });

/** Orders are marked a moment after they were carried, which is no time at all for a clock that stands. */
const allCarried = () =>
  until('the outbox is drained', async () => {
    const left = await system.bed.db
      .selectFrom('outbox')
      .select('id')
      .where('published_at', 'is', null)
      .limit(1)
      .executeTakeFirst();
    return left ? undefined : true;
  });
const forward = async (ms: number): Promise<void> => {
  await allCarried();
  await database.clock.moveTo(new Date(database.clock.now().getTime() + ms));
};
const living = (circuits: Readonly<Record<string, string>> = {}) =>
  beat(system.bed.db, { id: 'worker-1', program: 'worker', roles: WORKER_ROLES, version: '1', circuits });

/** A minute of the watch, with workers that are alive unless it says otherwise. */
async function minute({
  workers = true,
  circuits = {} as Readonly<Record<string, string>>,
  rounds = 6,
} = {}): Promise<void> {
  for (let n = 0; n < rounds; n += 1) {
    await forward(ROUND_MS);
    monotonicMs += ROUND_MS;
    if (workers) await living(circuits);
    expect(await watch.round()).toBe(true);
  }
}
const openKinds = async (): Promise<string[]> =>
  (await system.call('GET', '/incidents?status=OPEN&limit=100')).body.data.map(
    ({ kind, subject }: { kind: string; subject: string }) => `${kind} ${subject}`,
  );
/** No sweep runs here. */
async function leaveNothingDue(): Promise<void> {
  await sql`UPDATE notification SET status = 'SKIPPED', reason = 'TEST' WHERE status = 'QUEUED'`.execute(system.bed.db);
  await sql`UPDATE task SET next_assign_at = NULL`.execute(system.bed.db);
}
/** It is over: nothing is open, and everybody who was told of it hears so. */
async function expectOver(): Promise<void> {
  mails.length = 0;
  posts.length = 0;
  await minute();
  expect(await openKinds()).toEqual([]);
  expect(mails.map(({ subject }) => subject).join()).toMatch(/over/i);
  expect(posts.map(({ type }) => type)).toContain('incident.closed');
}

it('finds nothing where all is well, and says so', async () => {
  pings = 0;
  await minute();
  expect(await openKinds()).toEqual([]);
  expect([mails, posts, pings]).toEqual([[], [], 6]);
});

it('tells that no worker is alive, by role, in one mail, and does not say that all is well', async () => {
  await forward(30_000);
  pings = 0;
  await minute({ workers: false });
  expect((await openKinds()).toSorted()).toEqual(WORKER_ROLES.map((role) => `NO_WORKER ${role}`).toSorted());
  expect(mails).toHaveLength(1);
  const [mail] = mails;
  expect(mail).toMatchObject({ to: 'ops@roomy.example', subject: 'Critical: 6 new incidents (NO_WORKER)' });
  for (const words of [
    'No worker is alive that does the work of "sagas"',
    'Since: ',
    'What happens by itself: Work waits in Postgres',
    'What you can do: Start a worker',
    'https://roomy.example/console/incidents/incident-',
  ])
    expect(mail?.text).toContain(words);
  expect(posts.map(({ type, data }) => `${type} ${data['kind']} ${data['severity']}`)).toEqual(
    WORKER_ROLES.map(() => 'incident.opened NO_WORKER CRITICAL'),
  );
  expect(mail?.text).toContain('Runbook: docs/runbook.md, NO_WORKER');
  expect(pings).toBeLessThan(3);
  await expectOver();
  expect(mails[0]?.text).toContain('Over: this is no longer so: No worker is alive that does the work of "sagas".');
});

it('tells that a queue is paused', async () => {
  const queue = system.process.engine.queues.queue('finance');
  await queue.pause();
  await minute();
  expect(await openKinds()).toEqual(['QUEUE_PAUSED finance']);
  expect(mails.map(({ subject }) => subject)).toEqual([
    'Critical: The queue "finance" is paused: none of its jobs is run.',
  ]);
  await queue.resume();
  await expectOver();
});

it('tells that a scheduler is missing for longer than it takes to be put back', async () => {
  const queue = system.process.engine.queues.queue('recurring');
  await queue.removeJobScheduler('recurring-sweep');
  await minute();
  expect(await openKinds()).toEqual([]);
  await minute();
  expect(await openKinds()).toEqual(['SCHEDULE_MISSING recurring-sweep']);
  await system.process.engine.upsertSchedules();
  await expectOver();
});

it('tells that a circuit is open, in whichever process', async () => {
  const since = database.clock.now().toISOString();
  await minute({ circuits: { stripe: since } });
  expect(await openKinds()).toEqual(['CIRCUIT_OPEN stripe']);
  expect(posts.map(({ data }) => data['since'])).toEqual([since]);
  await expectOver();
});

it('tells that what is due is not taken up', async () => {
  await sql`INSERT INTO notification (id, effect_key, event, template, channel, recipient_type, recipient_id, params)
    VALUES ('message-late', 'late', 'SYSTEM_ALERT', 'system-alert.ops@1', 'EMAIL', 'OPS', 'ops', '{}')`.execute(
    system.bed.db,
  );
  await minute();
  expect(await openKinds()).toEqual([]);
  await forward(120_000);
  await minute();
  expect(await openKinds()).toEqual(['WORK_WAITS messages']);
  await sql`UPDATE notification SET status = 'SKIPPED', reason = 'TEST' WHERE id = 'message-late'`.execute(
    system.bed.db,
  );
  await expectOver();
});

it('tells those who look after the money of each question that waits, and operations not', async () => {
  const { db } = system.bed;
  const question = (id: string) =>
    sql`INSERT INTO approval (id, kind, subject_type, subject_id, asked, asked_by, expires_at)
    VALUES (${id}, 'PAYOUT_ACCOUNT', 'owner', ${id}, 'Pay to another account', 'somebody', now() + interval '1 day')`.execute(
      db,
    );
  await sql`INSERT INTO account (id, email, name, role, status) VALUES ('admin-9', 'admin@agency.example', 'A', 'ADMIN', 'ACTIVE')`.execute(
    db,
  );
  await question('question-1');
  await minute({ rounds: 1 });
  expect(mails.map(({ to }) => to)).toEqual(['admin@agency.example']);
  await sql`INSERT INTO account (id, email, name, role, status) VALUES ('finance-9', 'money@agency.example', 'F', 'FINANCE', 'ACTIVE')`.execute(
    db,
  );
  await question('question-2');
  await minute({ rounds: 1 });
  expect(mails.map(({ to }) => to)).toEqual(['admin@agency.example', 'money@agency.example']);
  expect(mails.at(-1)?.text).toContain('question-2');
  expect(posts).toEqual([]);
  const { body } = await system.call('GET', '/incidents?status=OPEN&kind=APPROVAL_WAITS', {
    role: 'FINANCE',
    sub: 'f',
  });
  expect(body.data.map(({ subject }: { subject: string }) => subject)).toEqual([
    'PAYOUT_ACCOUNT question-2',
    'PAYOUT_ACCOUNT question-1',
  ]);
  await sql`UPDATE approval SET status = 'WITHDRAWN', decided_at = now()`.execute(db);
  await minute();
  expect(await openKinds()).toEqual([]);
});

it('tells of what has been paused for an hour, until it is resumed', async () => {
  const { db } = system.bed;
  const hold = (id: string, scope: string, subject: string, minutes: number) =>
    sql`INSERT INTO hold (id, scope, subject, reason, held_by, held_at)
      VALUES (${id}, ${scope}, ${subject}, 'x', 'ops-1', now() - ${minutes}::int * interval '1 minute')`.execute(db);
  await hold('hold-1', 'NAME', 'checkOut', 61);
  await hold('hold-2', 'GATEWAY', 'devices', 59);
  await minute({ rounds: 1 });
  expect(await openKinds()).toEqual(['SAGAS_PAUSED checkOut']);
  expect(posts[0]?.data['examples']).toEqual([{ id: 'hold-1' }]);
  await sql`UPDATE hold SET released_at = now(), released_by = 'ops-1', release_reason = 'x'`.execute(db);
  await expectOver();
});

it('tells of a row that a sweep has set aside', async () => {
  await sql`INSERT INTO sweep_failure (sweep, row_id, reason, next_try_at) VALUES ('offers', 'task-1', 'x', '2090-01-01')`.execute(
    system.bed.db,
  );
  await minute({ rounds: 1 });
  expect(await openKinds()).toEqual(['ROWS_SET_ASIDE offers']);
  expect(posts[0]?.data['examples']).toEqual([{ id: 'task-1' }]);
  await sql`DELETE FROM sweep_failure`.execute(system.bed.db);
  await expectOver();
});

it('names the row of the audit trail that was changed, until it is as before', async () => {
  const change = (to: string) =>
    sql
      .raw(`ALTER TABLE audit_log DISABLE TRIGGER USER; ${to}; ALTER TABLE audit_log ENABLE TRIGGER USER`)
      .execute(system.bed.db);
  const id = await seedStay(system.bed.db);
  await system.call('POST', `/reservations/${id}/confirm`, { body: {} });
  const row = await system.bed.db.selectFrom('audit_log').selectAll().orderBy('at').limit(1).executeTakeFirstOrThrow();
  const where = `WHERE stream_id = '${row.stream_id}' AND seq = ${row.seq}`;
  await leaveNothingDue();
  await change(`UPDATE audit_log SET actor = 'nobody' ${where}`);
  await minute();
  expect(await openKinds()).toEqual(['AUDIT_BROKEN audit trail']);
  expect(JSON.stringify(posts[0]?.data['examples'])).toContain(`${row.stream_id}:${row.seq}`);
  await change(`UPDATE audit_log SET actor = '${row.actor}' ${where}`);
  await minute();
  await minute();
  expect(await openKinds()).toEqual([]);
});

describe('a departure whose lock is dead', () => {
  let sagaId = '';
  it('is told after an hour, with the property, the initials, the days and what to do', async () => {
    const { db } = system.bed;
    const id = await seedStay(db);
    await system.call('POST', `/reservations/${id}/confirm`, { body: {} });
    await system.call('POST', `/reservations/${id}/check-in`, { body: {} });
    await sql`UPDATE property SET amenity_device = ${`device-refused-${id}`}
      WHERE id = (SELECT property_id FROM reservation WHERE id = ${id})`.execute(db);
    const answer = await system.call('POST', `/reservations/${id}/check-out`, { body: {} });
    expect(answer.body.data.status).toBe('parked');
    sagaId = answer.body.data.sagaExecutionId;
    await minute();
    expect(await openKinds()).toEqual([]);
    await forward(3_600_000);
    await leaveNothingDue();
    await minute();
    expect(await openKinds()).toEqual(['SAGA_PARKED checkOut.deactivatePropertyAmenities: AMENITIES_REFUSED']);
    const stay = await db
      .selectFrom('reservation as r')
      .innerJoin('property as p', 'p.id', 'r.property_id')
      .innerJoin('guest as g', 'g.id', 'r.guest_id')
      .select(['p.name as property', 'g.name as guest', 'r.check_in_date as arrival', 'r.check_out_date as departure'])
      .where('r.id', '=', id)
      .executeTakeFirstOrThrow();
    const text = mails.map((mail) => mail.text).join();
    expect(text).toContain(stay.property);
    expect(text).toContain(`${stay.arrival} to `);
    expect(text).not.toContain(stay.guest);
    expect(text).toContain(sagaId);
    expect(text).toContain('last answer AMENITIES_REFUSED');
    expect(JSON.stringify(posts)).not.toContain(stay.guest);
  });

  it('is one that retries, while a person has it tried again and it does not come on', async () => {
    const queue = system.process.engine.queues.queue('saga-forward');
    await queue.pause();
    expect((await system.call('POST', `/sagas/executions/${sagaId}/retry`, { body: {} })).status).toBe(200);
    await minute({ rounds: 1 });
    expect(await openKinds()).toContain('SAGA_RETRYING checkOut.deactivatePropertyAmenities: AMENITIES_REFUSED');
    await queue.resume();
    await restOf(system.bed.db, sagaId);
    await system.call('POST', `/sagas/executions/${sagaId}/resolve`, { body: { reason: 'Locked by hand' } });
    await leaveNothingDue();
    await expectOver();
  });
});

describe('a person', () => {
  const pause = async (): Promise<string> => {
    await system.process.engine.queues.queue('webhooks').pause();
    await minute();
    const { body } = await system.call('GET', '/incidents?status=OPEN&kind=QUEUE_PAUSED');
    return body.data[0].id;
  };
  const resume = () => system.process.engine.queues.queue('webhooks').resume();

  it('closes an incident, which stays closed while the same goes on, and begins anew after a gap', async () => {
    const id = await pause();
    const closed = await system.call('POST', `/incidents/${id}/close`, {
      body: { reason: 'Maintenance' },
      role: 'OPS',
      sub: 'ops-1',
    });
    expect(closed.body.data).toMatchObject({ status: 'CLOSED', closedBy: 'ops-1', reason: 'Maintenance' });
    await minute();
    expect(await openKinds()).not.toContain('QUEUE_PAUSED webhooks');
    expect((await system.call('POST', `/incidents/${id}/close`, { body: { reason: 'x' } })).status).toBe(409);
    await resume();
    await minute();
    await minute();
    expect(await pause()).not.toBe(id);
    await resume();
    await minute();
  });

  it('hears nothing of a muted one', async () => {
    const id = await pause();
    const until = new Date(database.clock.now().getTime() + 3_600_000).toISOString();
    const muted = await system.call('POST', `/incidents/${id}/mute`, { body: { until, reason: 'We know' } });
    expect(muted.body.data).toMatchObject({ mutedBy: 'admin-1', mutedUntil: until });
    mails.length = 0;
    posts.length = 0;
    await resume();
    await minute();
    expect(mails.filter(({ text }) => text.includes('webhooks'))).toEqual([]);
    // A program keeps its own state of each, and would hold it open for ever.
    expect(posts.filter(({ data }) => data['id'] === id).map(({ type }) => type)).toEqual(['incident.closed']);
    const { body } = await system.call('GET', `/incidents/${id}`);
    expect(body.data).toMatchObject({ status: 'CLOSED', closedBy: null });
  });

  it('who looks after the money sees incidents of money alone', async () => {
    const { body } = await system.call('GET', '/incidents?limit=100', { role: 'FINANCE', sub: 'finance-1' });
    expect(body.data.map(({ area }: { area: string }) => area).filter((area: string) => area !== 'MONEY')).toEqual([]);
    const [any] = (await system.call('GET', '/incidents?area=ENGINE')).body.data;
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/close'],
    ] as const) {
      const answer = await system.call(method, `/incidents/${any.id}${path}`, {
        role: 'FINANCE',
        sub: 'finance-1',
        ...(method === 'POST' ? { body: { reason: 'x' } } : {}),
      });
      expect(answer.status).toBe(404);
    }
  });
});

it('tells a program that was away as soon as it is back, and mails meanwhile', async () => {
  hookAnswers = 503;
  await system.process.engine.queues.queue('tasks').pause();
  await minute();
  expect(mails).toHaveLength(1);
  const { body } = await system.call('GET', '/incidents?status=OPEN&kind=QUEUE_PAUSED');
  const told = async () =>
    (await system.call('GET', `/incidents/${body.data[0].id}`)).body.data.told.find(
      ({ target }: { target: string }) => target === 'WEBHOOK',
    );
  expect(await told()).toMatchObject({ toldAt: null, lastError: 'HTTP_503' });
  hookAnswers = 204;
  await forward(300_000);
  await minute({ rounds: 1 });
  expect(await told()).toMatchObject({ toldAt: expect.any(String), lastError: null });
  expect(posts.map(({ data }) => data['subject'])).toContain('tasks');
  await system.process.engine.queues.queue('tasks').resume();
  await minute();
});

describe('what goes on and off', () => {
  /** Pauses and resumes a queue, and answers the heads of the mails about it. */
  function flapping(name: 'notifications' | 'finance') {
    const queue = system.process.engine.queues.queue(name);
    return {
      on: async () => {
        await queue.pause();
        await minute();
      },
      off: async () => {
        await queue.resume();
        await minute();
      },
      heads: () =>
        mails
          .filter(({ text }) => text.includes(`The queue "${name}"`))
          .map(({ subject }) => subject?.split(':')[0])
          .join(', '),
      latest: async () => (await system.call('GET', '/incidents?kind=QUEUE_PAUSED&limit=1')).body.data[0],
    };
  }

  it('is mailed within a minute when it is back after a mail said that it is over, and its "over" is held back in the end', async () => {
    const { on, off, heads, latest } = flapping('notifications');
    await on();
    const first = await latest();
    for (const told of [
      'Critical, Over',
      'Critical, Over, Critical, Over',
      'Critical, Over, Critical, Over, Critical, Over',
    ]) {
      await off();
      expect(heads()).toBe(told);
      await on();
      expect(heads()).toBe(`${told}, Critical`);
    }
    const again = await latest();
    expect([again.id, again.status]).toEqual([first.id, 'OPEN']);
    expect(again.since > first.since).toBe(true);
    // Three times "over" are enough in half an hour. What is thought to be so meanwhile errs to the safe side.
    const told = heads();
    for (let n = 0; n < 3; n += 1) {
      await off();
      await on();
    }
    expect(heads()).toBe(told);
    await off();
    expect(heads()).toBe(told);
    await forward(1_800_000);
    await minute({ rounds: 1 });
    expect(heads()).toBe(`${told}, Over`);
  });

  it('is mailed again while it goes on, and once that it is over', async () => {
    const { on, off, heads } = flapping('finance');
    for (let n = 0; n < 4; n += 1) {
      await on();
      await off();
    }
    await on();
    const told = heads();
    expect(told).toBe('Critical, Over, Critical, Over, Critical, Over, Critical');
    await forward(1_800_000);
    await minute({ rounds: 1 });
    expect(heads()).toBe(`${told}, Critical`);
    await off();
    expect(heads()).toBe(`${told}, Critical, Over`);
  });
});

it('tells a program nothing that was over before it could be told', async () => {
  hookAnswers = 503;
  const queue = system.process.engine.queues.queue('tasks');
  await forward(3_600_000);
  await leaveNothingDue();
  await queue.pause();
  await minute();
  await queue.resume();
  await minute();
  hookAnswers = 204;
  await forward(300_000);
  await minute();
  expect(posts.filter(({ data }) => data['subject'] === 'tasks')).toEqual([]);
});

it('opens anew what a person has closed, when more of the same is found', async () => {
  const fail = (id: string) =>
    sql`INSERT INTO sweep_failure (sweep, row_id, reason, next_try_at) VALUES ('holds', ${id}, 'x', '2090-01-01')`.execute(
      system.bed.db,
    );
  await fail('hold-1');
  await minute({ rounds: 1 });
  const [first] = (await system.call('GET', '/incidents?status=OPEN&kind=ROWS_SET_ASIDE')).body.data;
  await system.call('POST', `/incidents/${first.id}/close`, { body: { reason: 'We know that one' } });
  await minute();
  // A watch that was away for a while sees no gap.
  await forward(600_000);
  await leaveNothingDue();
  await minute();
  expect(await openKinds()).toEqual([]);
  await fail('hold-2');
  await minute({ rounds: 1 });
  const [second] = (await system.call('GET', '/incidents?status=OPEN&kind=ROWS_SET_ASIDE')).body.data;
  expect([second.count, second.id === first.id]).toEqual([2, false]);
  await sql`DELETE FROM sweep_failure`.execute(system.bed.db);
  await minute();
});

describe('what a person has closed, of which some go and others come', () => {
  const failure = (id: string) =>
    sql`INSERT INTO sweep_failure (sweep, row_id, reason, next_try_at, first_at) VALUES ('closing', ${id}, 'x', '2090-01-01', now())`.execute(
      system.bed.db,
    );
  const parkedAt = async (minutesAgo: number): Promise<string> => {
    const id = await seedStay(system.bed.db);
    const sagaId = `saga-closed-${id}`;
    await sql`INSERT INTO saga (id, name, definition_ver, subject_type, subject_id, input, input_hash, requested_by, total_steps, deadline_at, status, error_code,
             requested_at, updated_at)
      VALUES (${sagaId}, 'checkOut', 1, 'reservation', ${id}, '{}', '\\x00', 'tester', 2, now(), 'parked', 'NOT_BY_ITSELF',
              now() - interval '1 day', now() - ${minutesAgo}::int * interval '1 minute')`.execute(system.bed.db);
    return sagaId;
  };
  const kinds = [
    {
      kind: 'ROWS_SET_ASIDE',
      come: async (n: number) => {
        await failure(`closed-${n}`);
        return `closed-${n}`;
      },
      go: (ids: readonly string[]) => sql`DELETE FROM sweep_failure WHERE row_id = ANY(${ids}::text[])`,
    },
    {
      kind: 'SAGA_PARKED',
      // Parked before the close, and forgotten for an hour after it.
      come: (n: number) => parkedAt(n <= 12 ? 90 : 59),
      go: (ids: readonly string[]) =>
        sql`UPDATE saga SET status = 'resolved', finished_at = now(), response_status = 200, response_body = '' WHERE id = ANY(${ids}::text[])`,
    },
  ] as const;
  const openOf = async (kind: string) =>
    (await system.call('GET', `/incidents?status=OPEN&kind=${kind}`)).body.data.map(
      ({ id, count }: { readonly id: string; readonly count: number }) => ({ id, count }),
    );

  it.each(kinds)('begins anew within a round: $kind', async ({ kind, come, go }) => {
    await leaveNothingDue();
    const first: string[] = [];
    for (let n = 1; n <= 12; n += 1) first.push(await come(n));
    await minute({ rounds: 1 });
    const [open] = await openOf(kind);
    expect(open.count).toBe(12);
    const next = kind === 'SAGA_PARKED' ? [await come(13), await come(14), await come(15)] : [];
    await system.call('POST', `/incidents/${open.id}/close`, { body: { reason: 'We know these' } });
    await go(first.slice(0, 5)).execute(system.bed.db);
    await minute({ rounds: 2 });
    expect(await openOf(kind)).toEqual([]);
    await forward(60_000);
    if (next.length === 0) for (const n of [13, 14, 15]) next.push(await come(n));
    await leaveNothingDue();
    await minute({ rounds: 1 });
    const [again] = await openOf(kind);
    expect([again.count, again.id === open.id]).toEqual([10, false]);
    await go([...first.slice(5), ...next]).execute(system.bed.db);
    await minute();
    expect(await openOf(kind)).toEqual([]);
  });

  it('begins anew by one that was not among them, where each is known', async () => {
    await sql`INSERT INTO sweep_failure (sweep, row_id, reason, next_try_at, first_at) VALUES ('rules', 'known', 'x', '2090-01-01', now())`.execute(
      system.bed.db,
    );
    await minute({ rounds: 1 });
    const [open] = await openOf('ROWS_SET_ASIDE');
    await system.call('POST', `/incidents/${open.id}/close`, { body: { reason: 'We know this one' } });
    await sql`UPDATE sweep_failure SET row_id = 'unknown' WHERE row_id = 'known'`.execute(system.bed.db);
    await minute({ rounds: 1 });
    expect(await openOf('ROWS_SET_ASIDE')).toHaveLength(1);
    await sql`DELETE FROM sweep_failure`.execute(system.bed.db);
    await minute();
  });
});

it('tells that Redis hangs, and nothing of what it cannot know then', async () => {
  const { producer, queues } = system.process.engine.queues;
  const hangs = watchOf('api-1', {
    queues,
    isReady: () => true,
    producer: Object.assign(Object.create(producer), { ping: () => new Promise(() => undefined) }),
  });
  for (let n = 0; n < 3; n += 1) {
    await forward(ROUND_MS);
    monotonicMs += ROUND_MS;
    await living();
    expect(await hangs.round()).toBe(true);
  }
  expect(await openKinds()).toEqual(['REDIS_AWAY redis']);
  await minute();
});

describe('another Redis', () => {
  let redis: RunningRedis;
  let queues: QueueConnection;
  let home = '';
  beforeAll(async () => {
    home = mkdtempSync(path.join(tmpdir(), 'roomy-watch-'));
    redis = await startRedis({ dir: home, appendonly: false });
    queues = connectQueues(redis.url, 'watch', createOutages(createLogger('test', 'silent')));
    await until('Redis is there', async () => (queues.isReady() ? true : undefined));
    const schedules: Schedules = JOBS;
    for (const queue of queues.queues)
      for (const { scheduler } of Object.values(schedules[queue.name]?.jobs ?? {}))
        await queue.upsertJobScheduler(scheduler, { every: 3_600_000 });
  });
  afterAll(async () => {
    await queues?.close();
    await redis?.stop();
    if (home !== '') rmSync(home, { recursive: true, force: true });
  });
  /** Set from elsewhere, as an operator does it. */
  const set = (name: string, value: string | number) => queues.producer.config('SET', name, value);
  async function look(): Promise<void> {
    const it = watchOf('api-1', queues);
    for (let n = 0; n < 3; n += 1) {
      await forward(ROUND_MS);
      monotonicMs += ROUND_MS;
      await living();
      expect(await it.round()).toBe(true);
    }
  }

  it('may throw jobs away: told, until it may not', async () => {
    await leaveNothingDue();
    await look();
    expect(await openKinds()).toEqual([]);
    await set('maxmemory-policy', 'allkeys-lru');
    await look();
    expect(await openKinds()).toEqual(['REDIS_POLICY allkeys-lru']);
    expect(mails.map(({ subject }) => subject)).toEqual([
      'Critical: Redis may throw jobs away: its maxmemory-policy is "allkeys-lru".',
    ]);
    await set('maxmemory-policy', 'noeviction');
    await look();
    expect(await openKinds()).toEqual([]);
  });

  it('is nearly full: told before it refuses jobs', async () => {
    const used = Number(/^used_memory:(\d+)/m.exec(await queues.producer.info('memory'))?.[1]);
    await set('maxmemory', Math.round(used * 1.05));
    await look();
    expect(await openKinds()).toEqual(['REDIS_FULL redis']);
    await set('maxmemory', used * 4);
    await look();
    expect(await openKinds()).toEqual([]);
  });
});

it.each([
  { which: 'of all types', types: '{}' },
  { which: 'that wants but one type, with others before it', types: '{reservation.confirmed}' },
])('tells of an endpoint $which that has taken nothing for an hour, until it takes again', async ({ types }) => {
  const { db } = system.bed;
  const { host } = new URL(url);
  const sender = createWebhookSender({ clock: database.clock, allowed: [host] });
  const log = createLogger('test', 'silent');
  const deliver = () => deliverWebhooks({ db, sender, random: () => 0.5, outages: createOutages(log) });
  await sql`INSERT INTO webhook_endpoint (id, url, types, secret, next_seq, created_by)
    VALUES ('endpoint-1', ${url}, ${types}::text[], 'whsec_dGVzdC10ZXN0LXRlc3QtdGVzdA==', 1, 'admin-1')`.execute(db);
  hookAnswers = 503;
  const id = await seedStay(db);
  expect((await system.call('POST', `/reservations/${id}/confirm`, { body: {} })).status).toBe(200);
  for (let minutes = 0; minutes < 70; minutes += 5) {
    await deliver();
    await forward(300_000);
  }
  hookAnswers = 204;
  await leaveNothingDue();
  await minute({ rounds: 1 });
  expect(await openKinds()).toEqual(['WEBHOOK_FAILING endpoint-1']);
  expect(mails.map(({ subject }) => subject)).toEqual([
    'Warning: The webhook endpoint endpoint-1 has taken nothing for over an hour.',
  ]);
  await forward(24 * 3_600_000);
  while ((await deliver()) > 0);
  await leaveNothingDue();
  await expectOver();
  await sql`DELETE FROM webhook_endpoint`.execute(db);
});

it('tells of stays whose payment failed and for which nobody has paid since, once for each answer of a gateway', async () => {
  const { db } = system.bed;
  const gateway = { amount: 1000, currency: 'AED', gatewayId: GATEWAY };
  const pay = (id: string, gatewayReference: string) =>
    system.call('POST', `/reservations/${id}/payment`, { body: { ...gateway, gatewayReference } });
  const ids = [await seedStay(db), await seedStay(db), await seedStay(db)];
  for (const id of ids) {
    await system.call('POST', `/reservations/${id}/confirm`, { body: {} });
    expect((await pay(id, `ref-declined-${id}`)).body.code).toBe('PAYMENT_DECLINED');
  }
  const [again = '', gone = '', other = ''] = ids;
  // Most guests try again themselves, with another card.
  expect((await pay(again, `ref-${again}`)).status).toBe(200);
  await leaveNothingDue();
  await minute();
  expect(await openKinds()).toEqual([]);
  await forward(15 * 60_000);
  await leaveNothingDue();
  await minute();
  const { body } = await system.call('GET', '/incidents?status=OPEN', { role: 'FINANCE', sub: 'f' });
  expect(body.data).toMatchObject([
    {
      kind: 'PAYMENT_DECLINED',
      area: 'MONEY',
      count: 2,
      examples: [{ reservationId: gone }, { reservationId: other }],
    },
  ]);
  const told = mails.filter(({ to }) => to === 'ops@roomy.example').map(({ text }) => text);
  expect(told).toHaveLength(1);
  for (const id of [gone, other]) expect(told[0]).toContain(`https://roomy.example/console/stays/${id}`);
  expect(told[0]).toContain('Marina 12, guest J.D., ');
  expect(told[0]).not.toContain('John');
  await system.call('POST', `/reservations/${gone}/cancel`, { body: {} });
  expect((await pay(other, `ref-${other}`)).status).toBe(200);
  await leaveNothingDue();
  await minute();
  expect(await openKinds()).toEqual([]);
});

it('tells those who look after the money of a dispute, until it is decided or its task is done', async () => {
  const { db } = system.bed;
  const bank = createGatewayDesk(system);
  const claimed = async (): Promise<{ readonly id: string; readonly reference: string; readonly claim: string }> => {
    const id = await seedStay(db);
    const reference = `ref-${id}`;
    await system.call('POST', `/reservations/${id}/confirm`, { body: {} });
    const body = { amount: 1000, currency: 'AED', gatewayId: GATEWAY, gatewayReference: reference };
    expect((await system.call('POST', `/reservations/${id}/payment`, { body })).status).toBe(200);
    const claim = system.sandbox.dashboard.dispute({ gatewayId: GATEWAY, reference, amountMinor: 100_000 });
    await bank.report(reference);
    await bank.takeUp();
    return { id, reference, claim };
  };
  const [first, second] = [await claimed(), await claimed()];
  await leaveNothingDue();
  await minute();
  expect(await openKinds()).toEqual([`DISPUTE_WAITS ${GATEWAY}: FRAUDULENT`]);
  expect(mails.map(({ to }) => to)).not.toContain('ops@roomy.example');
  expect(mails.map(({ text }) => text).join()).toContain(`https://roomy.example/console/stays/${first.id}`);
  system.sandbox.dashboard.decide(first.claim, 'WON');
  await bank.report(first.reference);
  await bank.takeUp();
  const { body } = await system.call('GET', `/tasks?type=FINANCE&reservationId=${second.id}`);
  await sql`UPDATE task SET status = 'COMPLETED', completed_at = now() WHERE id = ${body.data[0].id}`.execute(db);
  await leaveNothingDue();
  await minute();
  expect(await openKinds()).toEqual([]);
});

it('tells that the walk through the audit trail takes longer than a day', async () => {
  await sql`UPDATE watch SET audit_began_at = now() - interval '25 hours', audit_done_at = now() - interval '25 hours'`.execute(
    system.bed.db,
  );
  await minute({ rounds: 1 });
  expect(await openKinds()).toEqual(['AUDIT_LATE audit trail']);
  await expectOver();
});

it('tells what it cannot see, and nothing else of that', async () => {
  const rename = (from: string, to: string) =>
    sql`ALTER TABLE ${sql.id(from)} RENAME TO ${sql.id(to)}`.execute(system.bed.db);
  await rename('webhook_attempt', 'webhook_attempt_away');
  pings = 0;
  await minute();
  expect(await openKinds()).toEqual([]);
  await minute({ rounds: 2 });
  expect(await openKinds()).toEqual(['WATCHDOG_BLIND webhook endpoints']);
  expect(pings).toBe(0);
  await rename('webhook_attempt_away', 'webhook_attempt');
  await expectOver();
});

it('names the stay that waits for a device which nobody calls for the while', async () => {
  const { db } = system.bed;
  const id = await seedStay(db);
  await system.call('POST', `/reservations/${id}/confirm`, { body: {} });
  await system.call('POST', `/reservations/${id}/check-in`, { body: {} });
  const device = `device-down-${id}`;
  await sql`UPDATE property SET amenity_device = ${device} WHERE id = (SELECT property_id FROM reservation WHERE id = ${id})`.execute(
    db,
  );
  const checkOut = system.call('POST', `/reservations/${id}/check-out`, { body: {} });
  const sagaId = await until('it has failed', async () => {
    const { rows } = await sql<{ id: string }>`
      SELECT s.id FROM saga s JOIN saga_step st ON st.saga_id = s.id WHERE s.subject_id = ${id} AND s.finished_at IS NULL
         AND st.error ->> 'code' = 'AMENITIES_UNAVAILABLE'`.execute(db);
    await database.clock.moveTo(new Date(database.clock.now().getTime() + 1_000));
    return rows[0]?.id;
  });
  await leaveNothingDue();
  await minute({ circuits: { [device]: database.clock.now().toISOString() }, rounds: 1 });
  const { body } = await system.call('GET', '/incidents?status=OPEN&kind=CIRCUIT_OPEN');
  expect(body.data).toMatchObject([
    { subject: device, examples: [{ sagaId, reservationId: id, code: 'AMENITIES_UNAVAILABLE' }] },
  ]);
  expect(mails.map(({ text }) => text).join()).toContain(sagaId);
  await until('it waits for a person', async () => {
    await forward(2_000);
    const { rows } = await sql`SELECT FROM saga WHERE id = ${sagaId} AND status = 'parked'`.execute(db);
    return rows[0];
  });
  await checkOut;
  await leaveNothingDue();
  await expectOver();
  // The device is well again; who stopped at it is not.
  expect(mails.map(({ text }) => text).join()).toContain(
    'One saga stopped at it and waits for a person now: https://roomy.example/console/sagas?status=parked',
  );
});

it('names the stay whose refund waits for a gateway that nobody calls for the while', async () => {
  const { db } = system.bed;
  const id = await seedStay(db);
  const gatewayReference = `ref-refund-down-${id}`;
  await system.call('POST', `/reservations/${id}/confirm`, { body: {} });
  const money = { amount: 1000, currency: 'AED', paymentMethod: 'Credit Card', gatewayId: GATEWAY, gatewayReference };
  expect((await system.call('POST', `/reservations/${id}/payment`, { body: money })).status).toBe(200);
  await system.call('POST', `/reservations/${id}/cancel`, { body: {} });
  await until('the refund has failed', async () => {
    const { rows } = await sql`SELECT FROM saga s JOIN saga_step st ON st.saga_id = s.id WHERE s.finished_at IS NULL
      AND s.name = 'executeRefund' AND st.error ->> 'code' = 'GATEWAY_UNAVAILABLE'`.execute(db);
    await database.clock.moveTo(new Date(database.clock.now().getTime() + 1_000));
    return rows[0];
  });
  await leaveNothingDue();
  // After many attempts the waits are long.
  const refunds = await db
    .selectFrom('saga')
    .select('id')
    .where('name', '=', 'executeRefund')
    .where('finished_at', 'is', null)
    .execute();
  for (const refund of refunds)
    await sql`UPDATE saga_step SET attempt = 12 WHERE status = 'pending' AND saga_id = ANY(${[refund.id]}::text[])`.execute(
      db,
    );
  const circuit = `${GATEWAY}/${gatewayReference}`;
  await minute({ circuits: { [circuit]: database.clock.now().toISOString() }, rounds: 1 });
  const { body } = await system.call('GET', '/incidents?status=OPEN&kind=CIRCUIT_OPEN');
  const ours = body.data.find(({ subject }: { subject: string }) => subject === circuit);
  expect(ours.examples).toMatchObject([{ reservationId: id, code: 'GATEWAY_UNAVAILABLE' }]);
  expect(mails.map(({ text }) => text).join()).toMatch(new RegExp(`; at ${GATEWAY}; tried again by 20\\d\\d-`));
});

it('is kept by one process at a time, and taken over when that one is silent', async () => {
  const other = watchOf('api-2');
  expect(await other.round()).toBe(false);
  await forward(45_000);
  expect(await other.round()).toBe(true);
  expect(await watch.round()).toBe(false);
  await forward(45_000);
  expect(await watch.round()).toBe(true);
});

it('has words for every kind', () => {
  for (const { says, next, remedy } of Object.values(INCIDENT_KINDS))
    for (const count of [1, 3])
      for (const words of [says('a thing', count), next, remedy]) expect(words).toMatch(/^[A-Z"].*[.)]$/);
});
