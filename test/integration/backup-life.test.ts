import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endAccess, holdSagas, verifyRestored } from '../../src/backup/after.ts';
import type { SealParts } from '../../src/domain/audit/seals/compare.ts';
import { createSealKeeper } from '../../src/domain/audit/seals/keeper.ts';
import type { SealKey } from '../../src/domain/audit/seals/seal.ts';
import { verifySeals } from '../../src/domain/audit/seals/verify.ts';
import { PAYOUT_BANK } from '../../src/domain/ports.ts';
import type { FailpointName } from '../../src/engine/failpoint.ts';
import { createSealFiles } from '../../src/gateways/seal-files.ts';
import { DEFINITIONS } from '../../src/sagas/index.ts';
import { PAYING_OUT } from '../../src/sagas/paying-out.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY, openSandbox, type Sandbox, TOTAL } from '../sagas/money.ts';
import { backUp, KEY, restore } from '../setup/backups.ts';
import { createEmptyDatabase, createTestDatabase } from '../setup/database.ts';
import { createTestbed, restOf, type Testbed, until } from '../setup/engine.ts';
import { type Answer, type System, systemOf } from '../setup/system.ts';
import { asLeast } from '../setup/template.ts';

/**
 * A backup is taken while sagas run, the system goes on for a while and is lost, and the backup is restored: every saga ends, and what
 * the gateway and the bank have done since is not done once more.
 */

const WITHIN_MS = 60_000;
let sandbox: Sandbox;
let lost: System;
let found: System;
let seals: SealParts;
let sealed: number;
let home: string;
/** What the snapshot has, and what came after it. */
const stays = { confirming: '', paying: '', paidOut: '', payingOut: '', paidLater: '', paidOutLater: '' };

/** The next saga that comes to this point stays there until its process is killed. */
let trap: { readonly name: FailpointName; readonly step: string; readonly sprung: () => void } | null = null;
async function leftAt(name: FailpointName, step: string, ask: () => Promise<Answer>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  trap = { name, step, sprung: resolve };
  const answer = await ask();
  expect([200, 202]).toContain(answer.status);
  await promise;
}

const post = (system: System, path: string, body: object): Promise<Answer> => system.call('POST', path, { body });
const confirm = (system: System, stay: string) => post(system, `/reservations/${stay}/confirm`, {});
const pay = (system: System, stay: string) =>
  post(system, `/reservations/${stay}/payment`, {
    amount: TOTAL / 100,
    currency: 'AED',
    paymentMethod: 'Credit Card',
    gatewayId: GATEWAY,
    gatewayReference: `ref-${stay}`,
  });
async function payOut(system: System, stay: string): Promise<Answer> {
  const { id } = await system.bed.db
    .selectFrom('transaction')
    .select('id')
    .where('reservation_id', '=', stay)
    .where('type', '=', 'OWNER_PAYOUT')
    .executeTakeFirstOrThrow();
  return post(system, `/transactions/${id}/payout`, {});
}
async function ended(system: System, answer: Answer): Promise<string> {
  expect([200, 202], answer.text).toContain(answer.status);
  return restOf(system.bed.db, answer.body.sagaExecutionId ?? answer.body.data.sagaExecutionId, WITHIN_MS);
}
const newStay = () => seedStay(lost.bed.db);
async function confirmedStay(): Promise<string> {
  const stay = await newStay();
  expect(await ended(lost, await confirm(lost, stay))).toBe('completed');
  return stay;
}
const bankPayouts = async (): Promise<number> =>
  (await sandbox.ports.gateway(PAYOUT_BANK).movements(PAYOUT_BANK, new Date(0), new Date(4e12), 1_000)).length;

/** Confirmations, one after the other, until there is a backup. */
async function meanwhile(backup: Promise<Buffer>): Promise<number> {
  const state = { isOver: false };
  const over = () => {
    state.isOver = true;
  };
  backup.then(over, over);
  let confirmed = 0;
  for (; !state.isOver && confirmed < 500; confirmed += 1) await confirmedStay();
  return confirmed;
}

async function openLost(): Promise<void> {
  const bed = await createTestbed(DEFINITIONS, sandbox.ports, await createTestDatabase(), false);
  const process = await bed.start({
    prefix: bed.newPrefix(),
    failpoint: async (name, { step }) => {
      if (trap?.name !== name || trap.step !== step) return;
      trap.sprung();
      trap = null;
      await new Promise(() => undefined);
    },
  });
  lost = systemOf({ bed, process, sandbox }, { sagaWaitMs: 1 });
  await prepareStays(bed.db);
  await bed.db.updateTable('owner').set({ payout_account: 'acct-owner' }).execute();
}

async function openFound(backup: Buffer): Promise<void> {
  const database = await createEmptyDatabase();
  await restore(database.url, backup, KEY, async (tx, header) => {
    await holdSagas(tx, PAYING_OUT, header);
    await endAccess(tx);
  });
  await asLeast(database.url);
  const bed: Testbed = await createTestbed(DEFINITIONS, sandbox.ports, database, false);
  // A backup is restored long after it was taken.
  await sql`UPDATE saga SET deadline_at = now() - interval '1 day', next_check_at = now() WHERE finished_at IS NULL`.execute(
    bed.db,
  );
  const process = await bed.start({ prefix: bed.newPrefix() });
  found = systemOf({ bed, process, sandbox });
  process.engine.reconciler.start();
}

beforeAll(async () => {
  sandbox = await openSandbox();
  home = await mkdtemp(path.join(tmpdir(), 'roomy-backup-'));
  await openLost();
  for (const name of ['paidOut', 'payingOut', 'paidOutLater'] as const) {
    stays[name] = await confirmedStay();
    expect(await ended(lost, await pay(lost, stays[name]))).toBe('completed');
  }
  stays.paidLater = await confirmedStay();
  expect(await ended(lost, await payOut(lost, stays.paidOut))).toBe('completed');
  // In the middle of a step, asked and not answered, answered and not noted.
  stays.confirming = await newStay();
  await leftAt('after-commit', 'createCleaningTask', () => confirm(lost, stays.confirming));
  stays.paying = await confirmedStay();
  await leftAt('after-call', 'createGuestPaymentTransaction', () => pay(lost, stays.paying));
  await leftAt('after-call', 'executePayout', () => payOut(lost, stays.payingOut));
  const key: SealKey = { kid: 'audit-1', ...generateKeyPairSync('ed25519') };
  seals = { db: lost.bed.db, keys: [key], copy: createSealFiles(home) };
  await createSealKeeper(seals).round();
  sealed = await seals.copy.last();

  const underWay = backUp(lost.bed.url);
  expect(await meanwhile(underWay)).toBeGreaterThan(0);
  const backup = await underWay;

  expect(await ended(lost, await pay(lost, stays.paidLater))).toBe('completed');
  expect(await ended(lost, await payOut(lost, stays.paidOutLater))).toBe('completed');
  expect(await bankPayouts()).toBe(3);
  await lost.process.vanish();
  await openFound(backup);
}, 180_000);
afterAll(async () => {
  await found?.bed.drop();
  await lost?.bed.drop();
  await sandbox?.close();
  await rm(home, { recursive: true, force: true });
});

const openSagas = async (): Promise<readonly string[]> => {
  const rows = await found.bed.db.selectFrom('saga').select('name').where('finished_at', 'is', null).execute();
  return rows.map(({ name }) => name).toSorted();
};

describe('a backup that was taken while sagas ran', () => {
  it('is whole: books, audit trail and its seals', async () => {
    expect(await openSagas()).toEqual(
      expect.arrayContaining(['confirmReservation', 'processOwnerPayout', 'processPayment']),
    );
    expect(await verifyRestored(found.bed.db)).toMatchObject({ ok: true, differences: 0, auditBroken: [] });
    const { body } = await found.call('GET', '/audit/verify');
    expect(body.data).toMatchObject({ broken: [], complete: true });
    expect(sealed).toBeGreaterThan(0);
    const kept = await verifySeals({ ...seals, db: found.bed.db }, 0, WITHIN_MS);
    expect(kept).toMatchObject({ last: sealed, broken: [], nextSeal: null });
  });
  it('undoes nothing of what is past its deadline by now, and begins nothing', async () => {
    const states = () =>
      found.bed.db
        .selectFrom('saga')
        .select(['id', 'status', 'current_step', 'generation'])
        .where('finished_at', 'is', null)
        .orderBy('id')
        .execute();
    const before = await states();
    expect(before.length).toBeGreaterThan(2);
    await sql`UPDATE saga SET next_check_at = now() WHERE finished_at IS NULL`.execute(found.bed.db);
    await found.process.engine.reconciler.tick();
    expect(await states()).toEqual(before);
  });
  it('goes on after a release, without what Redis had: every saga ends that sends no money out, and takes nothing twice', async () => {
    const { body } = await found.call('GET', '/holds?status=OPEN&scope=ALL');
    const released = await post(found, `/holds/${body.data[0].id}/release`, { reason: 'the charges were compared' });
    expect(released.status).toBe(200);
    await found.process.engine.reconciler.tick();
    await until(
      'the sagas end',
      async () => ((await openSagas()).join() === 'processOwnerPayout' ? true : undefined),
      WITHIN_MS,
    );
    const rows = await found.bed.db
      .selectFrom('saga')
      .select(['name', 'status'])
      .where('status', '<>', 'completed')
      .execute();
    expect(rows).toEqual([{ name: 'processOwnerPayout', status: 'running' }]);
    expect(await sandbox.netOf(`ref-${stays.paying}`)).toBe(TOTAL);
  });
  it('does not take again what was paid after it', async () => {
    const { body } = await pay(found, stays.paidLater);
    expect(body).toMatchObject({ code: 'PAYMENT_NOT_VERIFIED', details: { gatewayError: 'REFERENCE_USED' } });
    expect(await sandbox.netOf(`ref-${stays.paidLater}`)).toBe(TOTAL);
  });
  it('K13: sends no money until a person has compared: what was sent under a key is known by it, what was sent after it is not sent again', async () => {
    const again = await payOut(found, stays.paidOutLater);
    const sagaId: string = again.body.data.sagaExecutionId;
    const { body } = await found.call('GET', `/sagas/executions/${sagaId}`);
    expect(body.data.pausedBy).toMatchObject({ reason: expect.stringContaining('Restored from the backup') });
    expect(await bankPayouts()).toBe(3);
    // The record of the bank names the owner who has got more than the books know.
    await sql`UPDATE owner SET payout_terms = '{"hold":true}'`.execute(found.bed.db);
    const holds = await found.call('GET', '/holds?status=OPEN');
    expect(holds.body.data.map(({ subject }: { subject: string }) => subject).toSorted()).toEqual(PAYING_OUT);
    for (const { id } of holds.body.data) {
      const released = await post(found, `/holds/${id}/release`, { reason: 'the bank was compared' });
      expect(released.status).toBe(200);
    }
    expect(await restOf(found.bed.db, sagaId, WITHIN_MS)).toBe('compensated');
    await until('the payout ends', async () => ((await openSagas()).length === 0 ? true : undefined), WITHIN_MS);
    expect(await bankPayouts()).toBe(3);
    expect((await verifyRestored(found.bed.db)).ok).toBe(true);
  });
  it('works as before', async () => {
    const stay = await seedStay(found.bed.db);
    expect((await confirm(found, stay)).status).toBe(200);
    expect((await pay(found, stay)).status).toBe(200);
    expect(await sandbox.netOf(`ref-${stay}`)).toBe(TOTAL);
  });
  it('has had paused every saga that sends money out', () => {
    const calls = DEFINITIONS.flatMap(({ name, steps }) =>
      steps.filter(({ forward }) => forward.kind === 'call').map((step) => `${name}.${step.name}`),
    );
    const others = new Set(calls.filter((call) => !PAYING_OUT.includes(call.split('.')[0] ?? '')));
    // A charge is one for each reference; what devices are asked for a stay is the same however often it is asked.
    expect([...others].toSorted()).toEqual([
      'changeAccess.changeAccessPeriod',
      'checkIn.activatePropertyAmenities',
      'checkOut.deactivatePropertyAmenities',
      'processPayment.createGuestPaymentTransaction',
    ]);
  });
});
