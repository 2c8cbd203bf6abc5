import { sql, type Updateable } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PropertyTable, ReservationStatus, SagaStatus, StayCheck } from '../../src/db/schema.ts';
import { OFFERED_ACTIONS, type OfferedAction } from '../../src/domain/reservations/state-machine.ts';
import { POLICIES } from '../../src/http/policy.ts';
import { prepareStays, seedRivals, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { addSaga } from '../setup/ledger.ts';
import { type Answer, type System, startSystem } from '../setup/system.ts';
import { API } from './harness.ts';

/** A stay offers exactly the actions that its endpoints accept; others are refused with the reason that it gives. */

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
const pay = (id: string): Promise<Answer> => act(id, 'payment', bodyOf('payment'));
let made = 0;
/** The least body that an action takes. */
function bodyOf(action: OfferedAction): object {
  made += 1;
  const gatewayReference = `ref-of-action-${made}`;
  if (action === 'payment') return { amount: 1000, currency: 'AED', gatewayId: GATEWAY, gatewayReference };
  return action === 'refunds' ? { amount: 1, reason: 'No hot water' } : {};
}
const perform = (id: string, action: OfferedAction): Promise<Answer> => act(id, action, bodyOf(action));

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

/** Tries the actions of a stay, each on one like it, against what the stay offers; `make` brings about another like it. */
async function expectOffersKept(
  make: () => Promise<string>,
  tried: readonly OfferedAction[] = OFFERED_ACTIONS,
): Promise<readonly Offer[]> {
  const first = await make();
  const { data } = (await system.call('GET', `/reservations/${first}`)).body;
  const offers: readonly Offer[] = data.actions;
  expect(offers.map(({ action }) => action)).toEqual(OFFERED_ACTIONS);
  expect(data.allowedActions).toEqual(offers.filter(({ allowed }) => allowed).map(({ action }) => action));
  const listed = (await system.call('GET', `/reservations?propertyId=${data.propertyId}`)).body.data;
  expect(listed.find(({ id }: { id: string }) => id === first)?.actions).toEqual(offers);
  for (const { action, allowed, reason } of offers) {
    if (!tried.includes(action)) continue;
    // An accepted action changes the stay, so each has one of its own.
    const id = allowed && tried.length > 1 ? await make() : first;
    const answer = await perform(id, action);
    if (allowed) {
      expect([action, answer.status, reason], answer.text).toEqual([action, 200, null]);
      continue;
    }
    expect([action, answer.body.code], answer.text).toEqual([action, reason?.code]);
    expect(reason?.message.length).toBeGreaterThan(0);
    if ('actions' in (answer.body.details ?? {})) {
      expect(answer.body.details.allowedActions).toEqual(data.allowedActions);
      expect(answer.body.details.actions).toEqual(offers);
    }
  }
  return offers;
}
const reasonOf = (offers: readonly Offer[], action: OfferedAction): string | null =>
  offers.find((offer) => offer.action === action)?.reason?.code ?? null;

describe.each(STATES)('a stay that is %s', (status) => {
  const around = SAGAS.flatMap((saga) => [false, true].map((isPaid) => ({ saga, isPaid })));
  it.each(around)(
    'offers what is accepted: saga $saga, paid $isPaid',
    { timeout: 60_000 },
    async ({ saga, isPaid }) => {
      await expectOffersKept(() => stayIn(status, saga, isPaid));
    },
  );
});

/** On the property of the stay. */
async function changeProperty(id: string, change: Updateable<PropertyTable>): Promise<string> {
  const { db } = system.bed;
  const { property_id } = await db
    .selectFrom('reservation')
    .select('property_id')
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  await db.updateTable('property').set(change).where('id', '=', property_id).execute();
  return property_id;
}
const CHECKS: readonly StayCheck[] = ['CHECK_IN_TOO_EARLY', 'BALANCE_DUE', 'PROPERTY_NOT_READY'];

/** By SQL, where how it came to be confirmed is beside the point. */
async function confirmedStay(isPaid: boolean): Promise<string> {
  const id = await stayIn('PENDING', null, isPaid);
  await system.bed.db.updateTable('reservation').set({ status: 'CONFIRMED' }).where('id', '=', id).execute();
  return id;
}

describe('a stay at a strict property', () => {
  const ready = { readiness: 'CLEAN', inspection_required: false } as const;
  const places: readonly {
    readonly place: string;
    readonly state: Updateable<PropertyTable>;
    readonly hasGuest?: true;
  }[] = [
    { place: 'clean', state: ready },
    { place: 'dirty', state: { ...ready, readiness: 'DIRTY' } },
    { place: 'clean, and an inspection is asked for', state: { ...ready, inspection_required: true } },
    { place: 'inspected', state: { readiness: 'INSPECTED', inspection_required: true } },
    { place: 'occupied', state: ready, hasGuest: true },
  ];
  const EITHER = [true, false];
  const arrivals = [
    ...[[], CHECKS].flatMap((strict) =>
      EITHER.flatMap((isPaid) => EITHER.flatMap((isToday) => places.map((at) => ({ strict, isPaid, isToday, ...at })))),
    ),
    // Each by itself, where it passes and where all fail.
    ...CHECKS.flatMap((check) =>
      EITHER.flatMap((passes) =>
        places
          .slice(passes ? 0 : 1, passes ? 1 : 2)
          .map((at) => ({ strict: [check], isPaid: passes, isToday: passes, ...at })),
      ),
    ),
  ];
  it.each(arrivals)(
    'offers the check-in that is accepted: $strict, paid $isPaid, arrives today $isToday, $place',
    { timeout: 60_000 },
    async ({ strict, isPaid, isToday, state, hasGuest }) => {
      const { db } = system.bed;
      const offers = await expectOffersKept(async () => {
        const id = await confirmedStay(isPaid);
        const property_id = await changeProperty(id, { ...state, strict_checks: [...strict] });
        if (isToday) {
          const until = sql<string>`(now() AT TIME ZONE 'Asia/Dubai')::date + 2`;
          const from = sql<string>`(now() AT TIME ZONE 'Asia/Dubai')::date`;
          await db
            .updateTable('reservation')
            .set({ check_in_date: from, check_out_date: until })
            .where('id', '=', id)
            .execute();
        }
        if (hasGuest) {
          const other = await seedStay(db);
          const moved = {
            property_id,
            status: 'CHECKED_IN',
            check_in_date: '2030-01-01',
            check_out_date: '2030-01-02',
          } as const;
          await db.updateTable('reservation').set(moved).where('id', '=', other).execute();
        }
        return id;
      }, ['check-in']);
      const isReady =
        !hasGuest && (state.readiness === 'INSPECTED' || (state.readiness === 'CLEAN' && !state.inspection_required));
      const failed = { CHECK_IN_TOO_EARLY: !isToday, BALANCE_DUE: !isPaid, PROPERTY_NOT_READY: !isReady };
      expect(reasonOf(offers, 'check-in')).toBe(strict.find((check) => failed[check]) ?? null);
    },
  );

  const departures = [[], ['BALANCE_DUE'] as const, CHECKS].flatMap((strict) =>
    [true, false].map((isPaid) => ({ strict, isPaid })),
  );
  it.each(departures)(
    'offers the check-out that is accepted: $strict, paid $isPaid',
    { timeout: 60_000 },
    async ({ strict, isPaid }) => {
      const offers = await expectOffersKept(async () => {
        const id = await stayIn('CHECKED_IN', null, isPaid);
        await changeProperty(id, { strict_checks: [...strict] });
        return id;
      }, ['check-out']);
      expect(reasonOf(offers, 'check-out')).toBe(strict.length > 0 && !isPaid ? 'BALANCE_DUE' : null);
    },
  );

  it("offers no check-out before the guest has come by the front desk's clock", async () => {
    const offers = await expectOffersKept(async () => {
      const id = await stayIn('CONFIRMED', null, true);
      const actualTime = new Date(Date.now() + 4 * 60_000).toISOString();
      expect((await act(id, 'check-in', { actualTime })).status).toBe(200);
      return id;
    });
    expect(reasonOf(offers, 'check-out')).toBe('VALIDATION_FAILED');
  });
});

describe('a stay on nights that are', () => {
  const others = ['PENDING', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT', 'CANCELLED'] as const;
  it.each(others.flatMap((status) => (['STAY', 'MAINTENANCE_BLOCK'] as const).map((kind) => ({ status, kind }))))(
    'those of a $kind that is $status',
    { timeout: 60_000 },
    async ({ status, kind }) => {
      const { db } = system.bed;
      const offers = await expectOffersKept(async () => {
        const [id = '', other = ''] = await seedRivals(db, 2);
        const guest = kind === 'STAY' ? {} : { guest_id: null };
        await db
          .updateTable('reservation')
          .set({ status, kind, ...guest })
          .where('id', '=', other)
          .execute();
        return id;
      });
      const isTaken = status === 'CONFIRMED' || status === 'CHECKED_IN';
      expect(reasonOf(offers, 'confirm')).toBe(isTaken ? 'RESERVATION_CONFLICT' : null);
    },
  );
});

it('counts what is left to pay by the payments, whatever the status says of it', async () => {
  const { db } = system.bed;
  for (const [isPaid, payment_status] of [
    [true, 'PARTIALLY_PAID'],
    [false, 'PAID'],
  ] as const) {
    const offers = await expectOffersKept(async () => {
      const id = await stayIn('CONFIRMED', null, isPaid);
      await db.updateTable('reservation').set({ payment_status }).where('id', '=', id).execute();
      return id;
    });
    expect(reasonOf(offers, 'payment')).toBe(isPaid ? 'ALREADY_PAID' : null);
  }
});

describe('the offer', () => {
  it.each(['FINANCE', 'AGENT', 'ADMIN'] as const)('is the caller’s own: %s', async (role) => {
    const { db } = system.bed;
    const sub = `${role.toLowerCase()}-of-offer`;
    const stay = async (): Promise<string> => {
      const id = await seedStay(db);
      await changeProperty(id, { agent_ids: [sub] });
      return id;
    };
    const id = await stay();
    const { data } = (await system.call('GET', `/reservations/${id}`, { role, sub })).body;
    const listed = (await system.call('GET', '/reservations?limit=100', { role, sub })).body.data;
    expect(listed.find((each: { id: string }) => each.id === id).actions).toEqual(data.actions);
    const offers: readonly Offer[] = data.actions;
    for (const { action, allowed, reason } of offers) {
      const body = bodyOf(action);
      const answer = await system.call('POST', `/reservations/${await stay()}/${action}`, { role, sub, body });
      expect([action, answer.status === 200, answer.body.code], answer.text).toEqual([action, allowed, reason?.code]);
    }
  });
});

/** How they are offered to whom in a refusal: thrown before a saga begins, stored as a saga's end, and kept with the saga. */
describe.each(['FINANCE', 'AGENT', 'ADMIN'] as const)('what a refusal offers to %s', (role) => {
  const sub = `${role.toLowerCase()}-of-refusal`;
  it.each(['CHECKED_IN', 'CHECKED_OUT', 'CANCELLED', 'NO_SHOW'] as const)(
    'is their own: a stay that is %s',
    async (status) => {
      const { db } = system.bed;
      const id = await seedStay(db);
      await changeProperty(id, { agent_ids: [sub] });
      await db.updateTable('reservation').set({ status }).where('id', '=', id).execute();
      const { data } = (await system.call('GET', `/reservations/${id}`, { role, sub })).body;
      const own = { actions: data.actions, allowedActions: data.allowedActions };
      let tried = 0;
      for (const { action, allowed, reason } of data.actions as readonly Offer[]) {
        if (allowed || reason?.code === 'FORBIDDEN') continue;
        const body = bodyOf(action);
        for (const accept of ['application/json', 'application/problem+json']) {
          const answer = await system.call('POST', `/reservations/${id}/${action}`, {
            role,
            sub,
            body,
            headers: { accept },
          });
          expect([action, answer.status >= 400, answer.body.details], answer.text).toMatchObject([action, true, own]);
          tried += 1;
        }
      }
      const change = await system.call('PATCH', `/reservations/${id}`, {
        role,
        sub,
        body: { checkOutDate: '2031-01-01' },
      });
      if (change.status !== 403) {
        expect(change.body.details, change.text).toMatchObject(own);
        tried += 1;
      }
      const sagas = await db.selectFrom('saga').select('id').where('subject_id', '=', id).execute();
      for (const saga of sagas) {
        const kept = await system.call('GET', `/sagas/executions/${saga.id}`, { role, sub });
        if (kept.status === 403) continue;
        expect(kept.body.data.error.details.details, kept.text).toMatchObject(own);
        expect(kept.body.data.steps.find((step: { error: unknown }) => step.error).error.details).toMatchObject(own);
      }
      expect(tried).toBeGreaterThan(0);
    },
  );
});

describe('an action', () => {
  it.each(OFFERED_ACTIONS)('that is offered has an endpoint: %s', (action) => {
    expect(POLICIES).toHaveProperty([`POST ${API}/reservations/:id/${action}`]);
  });
});

describe('Z9: whom a body names', () => {
  it('is a note of the audit trail; the actor is the caller', async () => {
    const { db } = system.bed;
    const id = await seedStay(db);
    const { property_id } = await db
      .selectFrom('reservation')
      .select('property_id')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    await db
      .updateTable('property')
      .set({ agent_ids: ['agent-z9'] })
      .where('id', '=', property_id)
      .execute();
    const body = { confirmedBy: 'admin-1' };
    const confirm = (sub: string): Promise<Answer> =>
      system.call('POST', `/reservations/${id}/confirm`, { body, role: 'AGENT', sub });
    expect((await confirm('agent-z8')).status).toBe(404);
    const confirmed = await confirm('agent-z9');
    expect(confirmed.status, confirmed.text).toBe(200);
    const trail = await system.call('GET', '/audit?event=RESERVATION_CONFIRMED&actor=agent-z9');
    expect(trail.body.data).toMatchObject([{ reservationId: id, actor: { id: 'agent-z9' }, onBehalfOf: 'admin-1' }]);
    expect((await system.call('GET', '/audit?event=RESERVATION_CONFIRMED&actor=admin-1')).text).not.toContain(id);
  });
});
