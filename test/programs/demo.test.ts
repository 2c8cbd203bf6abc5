import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { DAY_PROPERTIES, DAY_ZONES } from '../../src/demo/places.ts';
import { listDevMail, readDevMail } from '../../src/domain/messages/delivery-mailbox.ts';
import type { Role } from '../../src/http/auth.ts';
import { localDate } from '../../src/kernel/local-time.ts';
import { until } from '../setup/engine.ts';
import { crashesIn } from '../setup/server-crashes.ts';
import { openPhone } from '../work/browser.ts';
import { type DemoHouse, type DemoStart, openHouse } from './demo-start.ts';

/** `npm start` on an empty database, as somebody meets it who has just cloned it: every page has something to show. */

const WITHIN_MS = 200_000;
/** Set to take the pictures of the README anew. */
const PICTURES = process.env['ROOMY_SCREENSHOTS'] ? path.join(import.meta.dirname, '../../docs') : null;
let house: DemoHouse;
let start: DemoStart;
let at: { readonly api: string; readonly ops: string };
beforeAll(async () => {
  logBytes = serverLog().length;
  house = await openHouse('first');
  start = house.start();
  at = await start.ready();
  plannedAt = new Date((await found('/reservations/reservation-arriving')).createdAt);
}, WITHIN_MS);
afterAll(async () => {
  await start?.end();
  await house?.close();
}, WITHIN_MS);

// biome-ignore lint/suspicious/noExplicitAny: a test asserts what it reads.
type Data = any;
async function get(path: string, role: Role = 'ADMIN', sub = 'admin-1'): Promise<{ status: number; data: Data }> {
  const authorization = `Bearer ${await house.tokenOf(role, sub)}`;
  const answer = await fetch(`${at.api}/api/production${path}`, { headers: { authorization } });
  const body = (await answer.json()) as Data;
  return { status: answer.status, data: body.data };
}
async function found(path: string, role?: Role, sub?: string): Promise<Data> {
  const { status, data } = await get(path, role, sub);
  expect(status, path).toBe(200);
  return data;
}
const stay = (id: string) => found(`/reservations/reservation-${id}?include=tasks,transactions,notifications,sagas`);
const taskOf = ({ tasks }: Data, occurrence: string): Data => tasks.find((one: Data) => one.occurrence === occurrence);
/** On the day for which it was planned: midnight may come while it is looked at. */
const today = (propertyId: keyof typeof DAY_ZONES): string => localDate(plannedAt, DAY_ZONES[propertyId]);
let plannedAt: Date;
/** Of the server, from the start of this file on; it is that of the other tests as well. */
let logBytes = 0;
const serverLog = (): Buffer =>
  existsSync(inject('postgresLog')) ? readFileSync(inject('postgresLog')) : Buffer.alloc(0);
/** The sweep gives tasks to people after the saga that made them. */
const assigned = (id: string) =>
  until(`${id} has somebody`, async () => {
    const task = await found(`/tasks/${id}`);
    return task.assigneeId === null ? undefined : task;
  });

describe('the start', () => {
  it('runs the sagas apart from what nobody waits for', async () => {
    const { rows } = await sql<{ name: string }>`
      SELECT DISTINCT application_name AS name FROM pg_stat_activity
       WHERE datname = current_database() AND application_name LIKE 'roomy-worker%' ORDER BY name`.execute(house.db);
    expect(rows.map(({ name }) => name)).toEqual([
      'roomy-worker:messages,tasks,finance,webhooks,recurring',
      'roomy-worker:sagas',
    ]);
  });

  it('maintains the history once it is ready', () =>
    until('the maintenance is done', async () =>
      (await house.log('maintain')).includes('"msg":"maintenance done"') ? true : undefined,
    ));

  it('says that it plays the day, how long it took, and left nothing out', () => {
    const said = start.said();
    expect(said).toMatch(/Playing the demo's day \.\.\.\n {2}done in [\d.]+ s/);
    expect(said).not.toContain('left out');
  });
});

describe('the day has', () => {
  it('a stay that arrives today, paid, made ready by the cleaner whose token is printed', async () => {
    const arriving = await stay('arriving');
    expect(arriving).toMatchObject({ status: 'CONFIRMED', paymentStatus: 'PAID', checkInDate: today('property-3') });
    expect(taskOf(arriving, 'PRE_ARRIVAL')).toMatchObject({ assigneeId: 'cleaner-1', status: 'ASSIGNED' });
    const mine = await found('/me/tasks', 'CLEANER', 'cleaner-1');
    expect(mine.map((task: Data) => [task.property.name, task.local.date])).toContainEqual([
      'Palm Garden Villa',
      today('property-3'),
    ]);
  });

  it('one that leaves today', async () => {
    const leaving = await stay('leaving');
    expect(leaving).toMatchObject({ status: 'CHECKED_IN', paymentStatus: 'PAID', checkOutDate: today('property-5') });
    expect((await assigned(taskOf(leaving, 'DEPARTURE').id)).type).toBe('CHECK_OUT');
  });

  it('a turnover: one has left, the next is part-paid, and one cleaning serves both', async () => {
    const [before, next] = [await stay('turnover-out'), await stay('turnover-in')];
    expect(before).toMatchObject({ status: 'CHECKED_OUT', checkOutDate: today('property-4'), departureDate: null });
    expect(next).toMatchObject({
      status: 'CONFIRMED',
      paymentStatus: 'PARTIALLY_PAID',
      checkInDate: today('property-4'),
    });
    expect(taskOf(next, 'PRE_ARRIVAL')).toMatchObject({
      status: 'MERGED',
      mergedIntoTaskId: taskOf(before, 'POST_DEPARTURE').id,
    });
    expect((await found('/reservations/reservation-turnover-out/check-out-report')).report.warnings).toEqual([]);
  });

  it('one in house, in another zone and currency', async () => {
    const inHouse = await stay('in-house');
    expect(inHouse).toMatchObject({ status: 'CHECKED_IN', paymentStatus: 'PAID', currency: 'EUR' });
    expect(inHouse.checkInDate < today('property-6') && today('property-6') < inHouse.checkOutDate).toBe(true);
    expect(taskOf(inHouse, 'PRE_ARRIVAL')).toMatchObject({ status: 'COMPLETED', assigneeId: 'cleaner-2' });
  });

  it('one that waits for a second person, who lets it go on', async () => {
    const [parked, ...more] = await found('/sagas?status=parked');
    expect([parked.name, parked.subjectId, parked.error.code, more]).toEqual([
      'cancelReservation',
      'reservation-waiting',
      'APPROVAL_REQUIRED',
      [],
    ]);
    expect(parked.requestedBy).not.toBe('admin-1');
  });

  it('a refund that somebody has to send, and a repair that waits for its owner', async () => {
    expect(await stay('cancelled')).toMatchObject({ status: 'CANCELLED', refundStatus: 'MANUAL_REQUIRED' });
    const [refund, ...others] = await found('/tasks?type=FINANCE');
    expect([refund.reservationId, refund.status, others]).toEqual(['reservation-cancelled', 'UNASSIGNED', []]);
    expect(await found('/tasks/task-boiler')).toMatchObject({ approval: 'PENDING' });
  });

  it('work for those who repair, and the brief’s own stays as they were', async () => {
    const task = await assigned('task-air-conditioning');
    expect(task).toMatchObject({ assigneeId: 'maintenance-1', propertyId: 'property-5' });
    for (const n of [1, 2, 3, 4]) {
      expect(await found(`/reservations/reservation-${n}`)).toMatchObject({ status: 'PENDING', activeSagaId: null });
    }
  });

  it('books that agree, and an audit trail that holds', async () => {
    expect(await found('/financial/integrity')).toMatchObject({ ok: true });
    expect(await found('/audit/verify')).toMatchObject({ broken: [], complete: true });
  });
});

describe('every page', () => {
  it('of people who read lists has something in it', async () => {
    /** Nothing is there before somebody makes it, which the README says how to. */
    const EMPTY = [
      '/financial/differences',
      '/financial/reconciliations',
      '/webhook-endpoints',
      '/holds',
      '/sweep-failures',
      '/api-keys',
      '/me/sessions',
    ];
    /** Lists of one's own, and somebody who has one. */
    const OWN: Readonly<Record<string, readonly [role: Role, who: string]>> = {
      '/me/tasks': ['CLEANER', 'cleaner-1'],
      '/me/stays': ['GUEST', 'guest-1'],
    };
    const { paths } = (await (await fetch(`${at.api}/openapi.json`)).json()) as { paths: Record<string, Data> };
    const lists = Object.keys(paths)
      .filter((path) => path.startsWith('/api/production/') && !path.includes('{') && paths[path].get)
      .map((path) => path.replace('/api/production', ''))
      .filter((path) => path !== '/events/stream');
    expect(lists.length).toBeGreaterThan(20);
    // It looks every ten seconds.
    await until('the watch has found the question that waits', async () => (await found('/incidents'))[0]);
    const nothing: string[] = [];
    for (const path of lists) {
      const [role, who] = OWN[path] ?? [];
      const data = await (role === undefined ? found(path) : found(path, role, who));
      if (data === null || (Array.isArray(data) && data.length === 0)) nothing.push(path);
    }
    expect(nothing.toSorted()).toEqual(EMPTY.filter((path) => lists.includes(path)).toSorted());
  });

  it('of statistics counts what was done, by whom, and in time', async () => {
    const statistics = await found('/tasks/statistics');
    expect(statistics.total).toBeGreaterThan(12);
    expect(statistics.averageMinutes).toBeGreaterThan(30);
    expect(statistics.completionRate.rate).toBeGreaterThan(0.5);
    expect(statistics.byAssignee.map((one: Data) => one.assigneeId)).toEqual(
      expect.arrayContaining(['cleaner-1', 'cleaner-2', 'maintenance-1', 'agent-1']),
    );
  });

  it('of money shows each party what is theirs', async () => {
    const summary = async (role?: Role, sub?: string) => (await found('/financial/summary', role, sub)).currencies;
    expect((await summary()).map((sum: Data) => sum.currency)).toEqual(['AED', 'EUR']);
    const [agents] = await summary('AGENT', 'agent-1');
    expect(agents.received).toBeGreaterThan(0);
    for (const [owner, currency] of [
      ['owner-1', 'AED'],
      ['owner-2', 'EUR'],
      ['owner-3', 'AED'],
    ] as const) {
      const [sum] = await summary('OWNER', owner);
      expect([sum.currency, sum.ownerShare > 0]).toEqual([currency, true]);
      const statement = await found(`/owners/${owner}/statement`, 'OWNER', owner);
      expect(statement[0]).toMatchObject({ kind: 'OWNER_SHARE', currency });
    }
  });

  it('that somebody opens in a browser is a page', async () => {
    const asBrowser = async (address: string, headers: Record<string, string> = {}) => {
      const answer = await fetch(address, { headers: { accept: 'text/html,*/*;q=0.8', ...headers } });
      expect([answer.status, answer.headers.get('content-type')], address).toEqual([
        200,
        expect.stringContaining('text/html'),
      ]);
      return answer.text();
    };
    for (const path of ['/', '/docs', '/problems', '/work']) await asBrowser(`${at.api}${path}`);
    const { url } = await found('/reservations/reservation-turnover-out/check-out-report/link');
    expect(await asBrowser(url)).toContain('Sea View Tower 1807');
    const { token } = await house.db.selectFrom('repair_approval').select('token').executeTakeFirstOrThrow();
    expect(await asBrowser(`${at.api}/approvals/${house.linkTo('approval', token)}`)).toContain('New boiler');
    const offer = await until('somebody is asked', () =>
      house.db.selectFrom('task_offer').select('token').orderBy('asked_at', 'desc').limit(1).executeTakeFirst(),
    );
    expect(await asBrowser(`${at.api}/offers/${house.linkTo('offer', offer.token)}`)).toContain('Sea View Tower 1807');
    const login = await fetch(`${at.ops}/login`, {
      method: 'POST',
      redirect: 'manual',
      headers: { origin: at.ops },
      body: new URLSearchParams({ token: await house.tokenOf('ADMIN', 'admin-1') }),
    });
    const cookie = login.headers
      .getSetCookie()
      .map((line) => line.split(';')[0])
      .join('; ');
    await asBrowser(`${at.ops}/queues`, { cookie });
    const mailbox = await until('the mailbox has mails', async () => {
      const text = await asBrowser(`${at.ops}/mailbox`, { cookie });
      return text.includes('مؤكد') || text.includes('Reservation Confirmed') ? text : undefined;
    });
    expect(mailbox).not.toContain('No messages yet');
  });

  it('of which the README has a picture is there on a phone', { timeout: WITHIN_MS }, async () => {
    const phone = await openPhone();
    try {
      const page = phone.context.pages()[0] ?? (await phone.context.newPage());
      const picture = async (name: string, of = page): Promise<void> => {
        if (PICTURES) await of.screenshot({ path: path.join(PICTURES, name), fullPage: of !== page });
      };
      await page.goto(`${at.api}/work`);
      await page.getByLabel('Code').fill(await house.tokenOf('CLEANER', 'cleaner-1'));
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('heading', { name: 'Today' }).waitFor();
      const task = page.getByRole('link', { name: /Pre-arrival cleaning.*Palm Garden Villa/ }).first();
      await task.waitFor();
      await picture('phone-today.png');
      await task.click();
      await page.getByRole('checkbox', { name: /Beds made/ }).check();
      await picture('phone-task.png');
      const { token } = await house.db.selectFrom('repair_approval').select('token').executeTakeFirstOrThrow();
      await page.goto(`${at.api}/approvals/${house.linkTo('approval', token)}`);
      await page.getByRole('button', { name: 'Yes, have it done' }).waitFor();
      await picture('approval.png');
      for (const [owner, subject, name] of [
        ['aisha@owners.example', 'New reservation', 'mail-new-reservation-en.png'],
        ['layla@owners.example', 'حجز جديد', 'mail-new-reservation-ar.png'],
      ] as const) {
        const mail = await until(`${owner} is told`, async () => {
          const mails = await listDevMail(house.db, { before: null, limit: 1_000 });
          const row = mails.find((one) => one.recipient === owner && one.subject?.startsWith(subject));
          return row && ((await readDevMail(house.db, row.id)) ?? undefined);
        });
        // A page without a policy, as in a program for mails.
        const reader = await phone.context.newPage();
        await reader.setContent(mail.body);
        await picture(name, reader);
      }
    } finally {
      await phone.close();
    }
  });

  it('names properties as people do', () => {
    for (const { name } of DAY_PROPERTIES) expect(name).toMatch(/^[A-Z][a-z]+ [A-Z]/);
  });
});

describe('a later start', () => {
  it('keeps everything and does nothing twice', { timeout: WITHIN_MS }, async () => {
    // Without what falls due by the clock meanwhile.
    const counted = async () => {
      const { rows } =
        await sql<Data>`SELECT (SELECT count(*) FROM saga WHERE requested_by NOT LIKE 'system:%') AS sagas, (SELECT count(*) FROM payment) AS payments,
        (SELECT count(*) FROM task) AS tasks, (SELECT count(*) FROM ledger_tx WHERE posted_by NOT LIKE 'system:%') AS journals`.execute(
          house.db,
        );
      return rows[0];
    };
    const before = await counted();
    await start.end();
    start = house.start();
    at = await start.ready();
    expect(start.said()).not.toContain("demo's day");
    expect(await counted()).toEqual(before);
    expect(await stay('arriving')).toMatchObject({ status: 'CONFIRMED', paymentStatus: 'PAID' });
  });
});

describe('a first start that ends in the middle of the day', () => {
  it('is gone on with by the next ones, and nothing is done twice', { timeout: WITHIN_MS * 2 }, async () => {
    const cut = await openHouse('cut');
    const sagas = async () => {
      const rows = await cut.db.selectFrom('saga').select(['name', 'subject_id', 'status']).execute();
      return rows.filter(({ subject_id }) => subject_id.startsWith('reservation-'));
    };
    try {
      for (const [signal, atLeast] of [
        ['SIGINT', 3],
        ['SIGKILL', 8],
      ] as const) {
        const started = cut.start();
        await started.says(/Playing the demo's day/);
        await until(
          'some of it is done',
          async () => ((await sagas()).length >= atLeast ? true : undefined),
          WITHIN_MS,
        );
        await started.end(signal);
        expect((await sagas()).length).toBeLessThan(PLAYED.length);
      }
      const last = cut.start();
      await last.ready();
      expect(last.said()).toContain("Playing the demo's day");
      expect(last.said()).not.toContain('left out');
      const played = await sagas();
      expect(played.map(({ name, subject_id }) => `${name} ${subject_id}`).toSorted()).toEqual([...PLAYED].toSorted());
      expect(played.filter(({ status }) => status !== 'completed')).toEqual([
        { name: 'cancelReservation', subject_id: 'reservation-waiting', status: 'parked' },
      ]);
      const payments = await cut.db.selectFrom('payment').select('reservation_id').execute();
      expect(new Set(payments.map((one) => one.reservation_id)).size).toBe(payments.length);
      await last.end();
    } finally {
      await cut.close();
    }
  });
});

/** Each once. */
const PLAYED = [
  ...['arriving', 'leaving', 'turnover-out', 'turnover-in', 'in-house', 'next-week', 'waiting', 'cancelled'].map(
    (id) => `confirmReservation reservation-${id}`,
  ),
  ...['arriving', 'leaving', 'turnover-out', 'turnover-in', 'in-house', 'waiting', 'cancelled'].map(
    (id) => `processPayment reservation-${id}`,
  ),
  ...['leaving', 'turnover-out', 'in-house'].map((id) => `checkIn reservation-${id}`),
  'checkOut reservation-turnover-out',
  'cancelReservation reservation-waiting',
  'cancelReservation reservation-cancelled',
];

describe('the server', () => {
  it('has not crashed meanwhile', () => {
    expect(crashesIn(serverLog().subarray(logBytes).toString('utf8'))).toEqual([]);
  });
});
