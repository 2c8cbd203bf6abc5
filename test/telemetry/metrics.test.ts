import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { methodsAt } from '../../src/http/methods.ts';
import { POLICIES } from '../../src/http/policy.ts';
import { CATALOGUE } from '../../src/kernel/errors.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/rate-limits.ts';
import { type Label, METRICS, type Metric } from '../../src/kernel/telemetry/catalogue.ts';
import { DUE_KINDS } from '../../src/queues/due-rows.ts';
import { QUEUE_NAMES } from '../../src/queues/names.ts';
import { DEFINITIONS } from '../../src/sagas/index.ts';
import { JOBS } from '../../src/workers/jobs.ts';
import { WORKER_ROLES } from '../../src/workers/roles.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { deliverAll } from '../setup/deliver.ts';
import { until } from '../setup/engine.ts';
import { type System, startSystem } from '../setup/system.ts';
import { type Line, measured, sumOf } from './scrape.ts';

/** What is measured of known acts, in the text that Prometheus reads. */

let system: System;
let metrics: Awaited<ReturnType<typeof measured>>;
let lines: readonly Line[];
const act = (id: string, action: string, body: object = {}) =>
  system.call('POST', `/reservations/${id}/${action}`, { body });

beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
  metrics = await measured(system);
  const first = await seedStay(system.bed.db);
  const second = await seedStay(system.bed.db);
  // Its dates are those of the first.
  const { property_id, check_in_date, check_out_date } = await system.bed.db
    .selectFrom('reservation')
    .selectAll()
    .where('id', '=', first)
    .executeTakeFirstOrThrow();
  await system.bed.db
    .updateTable('reservation')
    .set({ property_id, check_in_date, check_out_date })
    .where('id', '=', second)
    .execute();
  expect((await act(first, 'confirm')).status).toBe(200);
  expect((await act(second, 'confirm')).status).toBe(409);
  const payment = { amount: 1000, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `ref-${first}` };
  expect((await act(first, 'payment', payment)).status).toBe(200);
  await act(first, 'check-in');
  const device = `device-refused-${first}`;
  await system.bed.db.updateTable('property').set({ amenity_device: device }).where('id', '=', property_id).execute();
  expect((await act(first, 'check-out')).status).toBe(202);
  await system.call('GET', `/nothing-at-${first}`);
  // What a commit made true is counted right behind it: perhaps after the answer.
  lines = await until('all is counted', async () => {
    // Who waits for a person at a device is told of by the saga itself.
    await deliverAll(system.bed.db);
    const alert = await system.bed.db
      .selectFrom('notification')
      .select('id')
      .where('event', '=', 'MAINTENANCE_ALERT')
      .where('status', '=', 'SENT')
      .executeTakeFirst();
    if (!alert) return undefined;
    const now = await metrics.lines();
    const ends = ['completed', 'compensated', 'parked'].map((how) => sumOf(now, `roomy_sagas_${how}_total`));
    return ends.reduce((all, n) => all + n, 0) >= 5 ? now : undefined;
  });
});
afterAll(async () => {
  await metrics?.close();
  await system?.close();
});

describe('the metrics of known acts', () => {
  it('count sagas that were started, completed, undone and parked, with the error that did it', () => {
    const sagas = lines.filter(({ name }) => /^roomy_sagas_\w+_total$/.test(name));
    const counted = sagas.map(({ name, labels, value }) =>
      [name, labels['saga'], labels['code'] ?? '', value].join(' '),
    );
    expect(counted.toSorted()).toEqual([
      'roomy_sagas_compensated_total confirmReservation RESERVATION_CONFLICT 1',
      'roomy_sagas_completed_total checkIn  1',
      'roomy_sagas_completed_total confirmReservation  1',
      'roomy_sagas_completed_total processPayment  1',
      'roomy_sagas_parked_total checkOut AMENITIES_REFUSED 1',
      'roomy_sagas_started_total checkIn  1',
      'roomy_sagas_started_total checkOut  1',
      'roomy_sagas_started_total confirmReservation  2',
      'roomy_sagas_started_total processPayment  1',
    ]);
  });

  it('time each step once for each time that it was done, and the calls of gateways and devices', () => {
    const advanced = { saga: 'confirmReservation', direction: 'F', outcome: 'advanced' };
    const [confirm] = DEFINITIONS.filter(({ name }) => name === 'confirmReservation').toSorted(
      (a, b) => b.version - a.version,
    );
    expect(sumOf(lines, 'roomy_step_duration_seconds_count', advanced)).toBe(confirm?.steps.length);
    const refused = { saga: 'confirmReservation', outcome: 'refused' };
    expect(sumOf(lines, 'roomy_step_duration_seconds_count', refused)).toBe(1);
    const call = (kind: string, call: string, outcome: string): number =>
      sumOf(lines, 'roomy_gateway_call_duration_seconds_count', { kind, call, outcome });
    expect([call('gateway', 'charge', 'ok'), call('device', 'deactivate', 'refused')]).toEqual([1, 1]);
  });

  it('show what stands in Postgres: the parked saga, its alert that went out, and nothing left to send', async () => {
    expect(sumOf(lines, 'roomy_sagas_open', { saga: 'checkOut', status: 'parked' })).toBe(1);
    expect(sumOf(lines, 'roomy_dependency_up')).toBe(2);
    const sent = await system.bed.db
      .selectFrom('notification')
      .select(({ fn }) => fn.countAll<number>().as('n'))
      .where('status', '=', 'SENT')
      .executeTakeFirstOrThrow();
    expect(sumOf(lines, 'roomy_messages_total', { outcome: 'SENT' })).toBe(sent.n);
    expect(sumOf(lines, 'roomy_due_rows', { kind: 'messages' })).toBe(0);
  });

  it('have every metric of the catalogue that something happened to, and no other', () => {
    const base = (name: string): string => name.replace(/_(?:bucket|sum|count)$/, '');
    const names = new Set(lines.map(({ name }) => (name in METRICS ? name : base(name))));
    expect([...names].filter((name) => !(name in METRICS))).toEqual([]);
    const silent = Object.entries<Metric>(METRICS).filter(([name, { type }]) => type === 'gauge' && !names.has(name));
    // Nothing is owed or retried, and the books have not been added up.
    expect(silent.map(([name]) => name).toSorted()).toEqual([
      'roomy_integrity_differences',
      'roomy_integrity_pass_age_seconds',
      'roomy_money_in_flight_minor',
      'roomy_sagas_retrying',
      'roomy_sagas_retrying_oldest_seconds',
    ]);
  });
});

describe('labels', () => {
  const steps = DEFINITIONS.flatMap((definition) => definition.steps.map(({ name }) => name));
  const routes = Object.keys(POLICIES).map((policy) => policy.slice(policy.indexOf(' ') + 1));
  const jobs = Object.values(JOBS).flatMap((row) => Object.keys(row.jobs));
  const KNOWN: Readonly<Record<Label, readonly string[]>> = {
    saga: DEFINITIONS.map(({ name }) => name),
    step: steps,
    direction: ['F', 'C'],
    code: [...Object.keys(CATALOGUE), 'OTHER'],
    outcome: [
      ...[
        'advanced',
        'refused',
        'failed',
        'waits',
        'leased',
        'cut-short',
        'not-due',
        'ok',
        'open',
        'taken',
        'agrees',
        'broken',
        'incomplete',
      ],
      ...['completed', 'timed-out', 'stalled', 'SENT', 'FAILED', 'BLOCKED', 'SKIPPED', 'RETRY', 'WAIT'],
    ],
    status: ['pending', 'running', 'compensating', 'parked', '2xx', '3xx', '4xx', '5xx'],
    queue: QUEUE_NAMES,
    job: [...jobs, 'step', 'none'],
    kind: [...DUE_KINDS, 'gateway', 'device', 'channel', 'rss', 'heap', 'external', 'refund', 'payout'],
    state: [
      ...['closed', 'open', 'half-open', 'idle', 'busy', 'wanted', 'max'],
      ...['wait', 'active', 'delayed', 'waiting-children', 'failed'],
    ],
    channel: ['EMAIL', 'SMS'],
    currency: ['AED'],
    limit: Object.keys(DEFAULT_LIMITS.general),
    role: WORKER_ROLES,
    route: [...routes, 'none'],
    method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'OTHER'],
    call: [
      ...['charge', 'undoCharge', 'refund', 'payOut', 'cardOf', 'recordOf', 'disputes', 'movements'],
      ...['activate', 'changePeriod', 'deactivate', 'grantsOf'],
    ],
    quantile: ['0.5', '0.99', '1'],
    dependency: ['postgres', 'redis'],
  };

  it('have values of lists only, whatever was asked for', () => {
    expect(methodsAt('/api/production/reservations/x')).toContain('GET');
    const wrong = lines.flatMap(({ name, labels }) =>
      Object.entries(labels)
        .filter(([label, value]) => label !== 'le' && !KNOWN[label as Label]?.includes(value))
        .map(([label, value]) => `${name} ${label}=${value}`),
    );
    expect(wrong).toEqual([]);
  });

  it('are those of the catalogue', () => {
    const wrong = lines.filter(({ name, labels }) => {
      const metric: Metric | undefined = Object.entries<Metric>(METRICS).find(([one]) => name.startsWith(one))?.[1];
      const given = Object.keys(labels).filter((label) => label !== 'le');
      return given.toSorted().join() !== [...(metric?.labels ?? [])].toSorted().join();
    });
    expect(wrong).toEqual([]);
  });
});
