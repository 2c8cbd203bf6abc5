import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StayCheck } from '../../src/db/schema.ts';
import { createRandom } from '../faults/chaos/random.ts';
import { prepareStays } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { drained, restOf } from '../setup/engine.ts';
import { changedSince, eveOf, expectSame } from '../setup/rehearsals.ts';
import { type System, startSystem } from '../setup/system.ts';
import { digestOfEverything } from './valid-requests.ts';

/** Two hundred states of stays, and in each an act: what its dry run tells is what it does, and a refusal is the same refusal. */

const STATES = 200;
const ACTS_OF_A_STAY = 5;
/** Another one tries others. */
const SEED = 20_260_417;
/** A digest of every table takes as long as a few acts. */
const DIGEST_EVERY = 8;
const DAY_MS = 24 * 3_600_000;

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
  await system.bed.db.updateTable('owner').set({ payout_account: 'acct-owner' }).execute();
});
afterAll(() => system?.close());

const random = createRandom(SEED);
const chance = (of: number): boolean => random.next() < of;
const day = (offset: number): string => new Date(Date.now() + offset * DAY_MS).toISOString().slice(0, 10);

let stays = 0;
async function newStay(): Promise<string> {
  stays += 1;
  const id = `random-stay-${stays}`;
  const checks: readonly StayCheck[][] = [[], ['CHECK_IN_TOO_EARLY'], ['BALANCE_DUE'], ['PROPERTY_NOT_READY']];
  // Now and then two stays want the same nights.
  const propertyId = chance(0.2) && stays > 1 ? `random-house-${stays - 1}` : `random-house-${stays}`;
  await system.bed.db
    .insertInto('property')
    .values({
      id: `random-house-${stays}`,
      name: 'Marina 12',
      owner_id: 'owner-1',
      amenity_device: chance(0.6) ? `random-lock-${stays}` : null,
      strict_checks: random.pick(checks),
    })
    .execute();
  const kind = chance(0.9) ? 'STAY' : random.pick(['OWNER_STAY', 'MAINTENANCE_BLOCK'] as const);
  const from = chance(0.7) ? random.between(-2, 0) : random.between(1, 8);
  await system.bed.db
    .insertInto('reservation')
    .values({
      id,
      kind,
      property_id: propertyId,
      guest_id: kind === 'STAY' ? 'guest-1' : null,
      check_in_date: day(from),
      check_out_date: day(from + random.between(1, 4)),
      total_minor: kind === 'STAY' ? random.pick([0, 50_000, 100_000, 123_457]) : 0,
      currency: 'AED',
      created_by: 'tester',
    })
    .execute();
  return id;
}

const NEXT: Readonly<Record<string, string>> = { PENDING: 'confirm', CONFIRMED: 'check-in', CHECKED_IN: 'check-out' };

interface Act {
  readonly path: string;
  readonly body: object;
}
let references = 0;
async function anAct(id: string): Promise<Act> {
  const at = `/reservations/${id}`;
  const amount = (random.between(101, 120_000) / 100).toFixed(2);
  references += 1;
  const payment = { amount, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `ref-plan-${references}` };
  const acts: readonly Act[] = [
    { path: `${at}/confirm`, body: {} },
    { path: `${at}/confirm`, body: {} },
    { path: `${at}/confirm`, body: { requireAssignment: true } },
    { path: `${at}/payment`, body: payment },
    { path: `${at}/payment`, body: payment },
    { path: `${at}/check-in`, body: { strict: chance(0.2) } },
    { path: `${at}/check-in`, body: {} },
    { path: `${at}/check-out`, body: { strict: chance(0.2) } },
    { path: `${at}/check-out`, body: {} },
    { path: `${at}/cancel`, body: chance(0.5) ? {} : { refundPercentOverride: 37, reason: 'RANDOM' } },
    { path: `${at}/refunds`, body: { amount: (random.between(1, 30_000) / 100).toFixed(2), reason: 'RANDOM' } },
  ];
  const payout = await system.bed.db
    .selectFrom('transaction')
    .select('id')
    .where('reservation_id', '=', id)
    .where('type', '=', 'OWNER_PAYOUT')
    .executeTakeFirst();
  if (payout && chance(0.2)) return { path: `/transactions/${payout.id}/payout`, body: { netting: true } };
  const { status } = await system.bed.db
    .selectFrom('reservation')
    .select('status')
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  // Else hardly any stay would get as far as a departure.
  const next = NEXT[status];
  return next !== undefined && chance(0.5) ? { path: `${at}/${next}`, body: {} } : random.pick(acts);
}

it(`is what happens, in ${STATES} random states`, { timeout: 400_000 }, async () => {
  const { db } = system.bed;
  const seen = new Map<string, number>();
  let id = '';
  for (let state = 0; state < STATES; state += 1) {
    if (state % ACTS_OF_A_STAY === 0) id = await newStay();
    const { path, body } = await anAct(id);
    const about = `state ${state} of seed ${SEED}: ${path} ${JSON.stringify(body)}`;
    const as = { body, sub: `admin-${stays}` };
    const eve = await eveOf(db);
    const digest = state % DIGEST_EVERY === 0 ? await digestOfEverything(db) : null;
    const planned = await system.call('POST', `${path}?dryRun=true`, as);
    if (digest) expect(await digestOfEverything(db), about).toEqual(digest);
    const done = await system.call('POST', path, as);
    const sagas = db.selectFrom('saga').select('id').where('requested_at', '>=', eve.beginning.at);
    for (const saga of await sagas.execute()) {
      await restOf(db, saga.id);
      await drained(db, saga.id);
    }

    if (planned.status !== 200) {
      expect([done.status, done.body.code], `${about} ${planned.text}`).toEqual([planned.status, planned.body.code]);
      seen.set(planned.body.code, (seen.get(planned.body.code) ?? 0) + 1);
      continue;
    }
    const { changes, tasks, money, messages, steps, warnings } = planned.body.data;
    const waits = steps.some(({ outcome }: { readonly outcome: string }) => outcome === 'waits-for-person');
    expect(done.status, `${about} ${done.text} ${JSON.stringify(warnings)}`).toBe(waits ? 202 : 200);
    expectSame({ changes, tasks, money, messages }, await changedSince(db, eve, id), about);
    const act = path.slice(path.lastIndexOf('/') + 1);
    seen.set(act, (seen.get(act) ?? 0) + 1);
  }
  // Each act was really done, and really refused, or this test has shown nothing.
  for (const act of ['confirm', 'payment', 'check-in', 'check-out', 'cancel', 'INVALID_STATE_TRANSITION'])
    expect(seen.get(act) ?? 0, JSON.stringify([...seen])).toBeGreaterThan(2);
});
