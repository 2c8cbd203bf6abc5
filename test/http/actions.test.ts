import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReservationStatus, SagaStatus } from '../../src/db/schema.ts';
import { OFFERED_ACTIONS, type OfferedAction } from '../../src/domain/reservations/state-machine.ts';
import { POLICIES } from '../../src/http/policy.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { addSaga } from '../setup/ledger.ts';
import { type Answer, type System, startSystem } from '../setup/system.ts';
import { API } from './harness.ts';

/** What a stay offers is what its endpoints accept, and what it does not is refused with the reason that it gives. */

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
});
afterAll(() => system?.close());

const STATES: readonly ReservationStatus[] = [
  'PENDING',
  'CONFIRMED',
  'CHECKED_IN',
  'CHECKED_OUT',
  'CANCELLED',
  'NO_SHOW',
];
const SAGAS: readonly (SagaStatus | null)[] = [null, 'running', 'parked'];

const act = (id: string, action: string, body: object = {}): Promise<Answer> =>
  system.call('POST', `/reservations/${id}/${action}`, { body });
async function pay(id: string): Promise<Answer> {
  made += 1;
  const gatewayReference = `ref-${id}-${made}`;
  return act(id, 'payment', { amount: 1000, currency: 'AED', gatewayId: GATEWAY, gatewayReference });
}
let made = 0;
const perform = (id: string, action: OfferedAction): Promise<Answer> =>
  action === 'payment' ? pay(id) : act(id, action);

/** A stay of its own, brought to its state by its own endpoints where there are any. */
async function stayIn(status: ReservationStatus, saga: SagaStatus | null, isPaid: boolean): Promise<string> {
  const { db } = system.bed;
  const id = await seedStay(db);
  const through = {
    PENDING: [],
    CONFIRMED: ['confirm'],
    CHECKED_IN: ['confirm', 'check-in'],
    CHECKED_OUT: ['confirm', 'check-in', 'check-out'],
    CANCELLED: [],
    NO_SHOW: [],
  };
  if (isPaid) expect((await pay(id)).status).toBe(200);
  for (const action of through[status]) expect((await act(id, action)).status).toBe(200);
  if (status === 'CANCELLED' || status === 'NO_SHOW') {
    await db.updateTable('reservation').set({ status }).where('id', '=', id).execute();
  }
  if (saga) await addSaga(db, { subjectId: id, status: saga });
  return id;
}
interface Offer {
  readonly action: OfferedAction;
  readonly allowed: boolean;
  readonly reason: { readonly code: string; readonly message: string } | null;
}

describe.each(STATES)('a stay that is %s', (status) => {
  const around = SAGAS.flatMap((saga) => [false, true].map((isPaid) => ({ saga, isPaid })));
  it.each(around)(
    'offers what is accepted: saga $saga, paid $isPaid',
    { timeout: 60_000 },
    async ({ saga, isPaid }) => {
      const first = await stayIn(status, saga, isPaid);
      const { data } = (await system.call('GET', `/reservations/${first}`)).body;
      const offers: readonly Offer[] = data.actions;
      expect(offers.map(({ action }) => action)).toEqual(OFFERED_ACTIONS);
      expect(data.allowedActions).toEqual(offers.filter(({ allowed }) => allowed).map(({ action }) => action));
      const listed = (await system.call('GET', '/reservations?limit=1')).body.data[0];
      expect(listed.id === first ? listed.actions : offers).toEqual(offers);
      for (const { action, allowed, reason } of offers) {
        // What is accepted changes the stay, so each has one of its own.
        const id = allowed ? await stayIn(status, saga, isPaid) : first;
        const answer = await perform(id, action);
        if (allowed) {
          expect([action, answer.status, reason], answer.text).toEqual([action, 200, null]);
          continue;
        }
        expect([action, answer.body.code]).toEqual([action, reason?.code]);
        expect(reason?.message.length).toBeGreaterThan(0);
        if (answer.body.code === 'INVALID_STATE_TRANSITION') {
          expect(answer.body.details.allowedActions).toEqual(data.allowedActions);
          expect(answer.body.details.actions).toEqual(offers);
        }
      }
    },
  );
});

describe('an action', () => {
  it.each(OFFERED_ACTIONS)('that is offered has an endpoint: %s', (action) => {
    expect(POLICIES).toHaveProperty([`POST ${API}/reservations/:id/${action}`]);
  });
});
