import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numberEvents } from '../../src/domain/events/feed.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { type System, startSystem } from '../setup/system.ts';
import { type Heard, type OpenStream, openStream } from './live-streams.ts';

/** The steps of executions in the stream: each that is begun, in each state, and nothing is stored for it. */

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
});
afterAll(() => system?.close());

const act = (id: string, action: string, body: object = {}) =>
  system.call('POST', `/reservations/${id}/${action}`, { body });
async function listen(query: string): Promise<OpenStream> {
  const { app, headers } = await system.as({});
  return openStream(app, query, headers);
}
const stepsIn = (stream: OpenStream): readonly Heard[] => stream.heard().filter(({ event }) => event === 'step');

interface Step {
  readonly step: number;
  readonly name: string;
  readonly direction: string;
  readonly status: string;
  readonly startedAt: string | null;
}
/** Every execution of a stay with its steps, as its page shows them. */
async function executionsOf(id: string): Promise<readonly { readonly id: string; readonly steps: readonly Step[] }[]> {
  const { body } = await system.call('GET', `/sagas?reservationId=${id}`);
  return Promise.all(
    body.data.map(
      async (saga: { readonly id: string }) => (await system.call('GET', `/sagas/executions/${saga.id}`)).body.data,
    ),
  );
}
const stateOf = ({ sagaId, step, direction, status }: Record<string, unknown>): string =>
  [sagaId, step, direction, status].map(String).join(' ');
/** The last state of each step that has begun. */
async function statesOf(id: string): Promise<readonly string[]> {
  const executions = await executionsOf(id);
  return executions.flatMap((saga) =>
    saga.steps.filter(({ startedAt }) => startedAt !== null).map((step) => stateOf({ sagaId: saga.id, ...step })),
  );
}

describe('a stream with steps', () => {
  it('tells the end of every step of every process of a stay once, forward and undone', {
    timeout: 60_000,
  }, async () => {
    // The first look says how things stand: it is over when an event has come.
    const stream = await listen('?steps=true');
    const good = await seedStay(system.bed.db);
    await expect.poll(() => stream.places().length, { timeout: 10_000 }).toBeGreaterThan(0);
    const undone = await seedStay(system.bed.db);
    expect((await act(good, 'confirm')).status).toBe(200);
    const paid = {
      amount: 1000,
      currency: 'AED',
      paymentMethod: 'Card',
      gatewayId: GATEWAY,
      gatewayReference: `ref-${good}`,
    };
    expect((await act(good, 'payment', paid)).status).toBe(200);
    expect((await act(good, 'check-in')).status).toBe(200);
    expect((await act(good, 'check-out')).status).toBe(200);
    expect((await act(undone, 'confirm', { requireAssignment: true })).status).toBe(409);
    const expected = [...(await statesOf(good)), ...(await statesOf(undone))];
    expect(expected.length).toBeGreaterThan(20);
    expect(expected.some((state) => state.includes('compensation done'))).toBe(true);
    const heard = () => stepsIn(stream).map(({ data }) => stateOf(data));
    await expect.poll(heard, { timeout: 10_000 }).toEqual(expect.arrayContaining(expected));
    const once = heard().filter((state) => state.endsWith(' done') || state.endsWith(' failed'));
    expect(once).toEqual([...new Set(once)]);
    // Neither amounts nor people, and no place in the feed.
    for (const { id, data } of stepsIn(stream)) {
      expect(id).toBeNull();
      expect(Object.keys(data).toSorted()).toEqual([
        'at',
        'attempt',
        'direction',
        'errorCode',
        'name',
        'reservationId',
        'saga',
        'sagaId',
        'status',
        'step',
      ]);
    }
    await stream.close();
  });

  it('tells them within a second of their commit', { timeout: 60_000 }, async () => {
    const stream = await listen('?steps=true&type=guest.created');
    const id = await seedStay(system.bed.db);
    // One more stream, so that the first look of both is over.
    const look = await listen('');
    await seedStay(system.bed.db);
    await expect.poll(() => look.places().length, { timeout: 10_000 }).toBeGreaterThan(0);
    expect((await act(id, 'confirm')).status).toBe(200);
    const committed = performance.now();
    const count = (await statesOf(id)).length;
    await expect
      .poll(() => stepsIn(stream).filter(({ data }) => data.reservationId === id).length, {
        timeout: 10_000,
        interval: 20,
      })
      .toBeGreaterThanOrEqual(count);
    expect(performance.now() - committed).toBeLessThan(1_000);
    await Promise.all([stream.close(), look.close()]);
  });

  it('tells them of one stay where one is asked for, and none where none are', { timeout: 60_000 }, async () => {
    const [mine, other] = [await seedStay(system.bed.db), await seedStay(system.bed.db)];
    const before = await numberEvents(system.bed.db);
    const [own, without] = [await listen(`?steps=true&reservationId=${mine}`), await listen('')];
    await seedStay(system.bed.db);
    await expect.poll(() => without.places().length, { timeout: 10_000 }).toBeGreaterThan(0);
    for (const id of [other, mine]) expect((await act(id, 'confirm')).status).toBe(200);
    const count = (await statesOf(mine)).length;
    await expect.poll(() => stepsIn(own).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);
    expect(new Set(stepsIn(own).map(({ data }) => data.reservationId))).toEqual(new Set([mine]));
    await expect.poll(() => without.places().at(-1), { timeout: 10_000 }).toBe(await numberEvents(system.bed.db));
    expect(stepsIn(without)).toEqual([]);
    // Steps are told and not stored: the feed has what it had without them.
    const { body } = await system.call('GET', `/events?after=${before}&limit=1000`);
    expect(body.data.filter(({ type }: { readonly type: string }) => type.startsWith('step'))).toEqual([]);
    await Promise.all([own.close(), without.close()]);
  });
});
