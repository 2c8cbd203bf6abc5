import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import type { Db } from '../../src/db/client.ts';
import { checkIntegrity } from '../../src/domain/finance/integrity.ts';
import type { GatewayMovement } from '../../src/domain/ports.ts';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import { createPorts, type OpenPorts } from '../../src/gateways/index.ts';
import type { ConfiguredProvider } from '../../src/gateways/payment-provider.ts';
import type { SandboxDashboard } from '../../src/gateways/sandbox/dashboard.ts';
import { createSandboxGateway } from '../../src/gateways/sandbox/gateway.ts';
import { sandboxPayments } from '../../src/gateways/sandbox/provider.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLogger } from '../../src/kernel/log.ts';
import {
  cancelReservation,
  changeAccess,
  checkIn,
  checkOut,
  confirmReservation,
  executeRefund,
  processOwnerPayout,
  processPayment,
  refundReservation,
} from '../../src/sagas/index.ts';
import type { Ran, SagaFixture } from '../faults/lab.ts';
import { finishByHand, type Subject, type Testbed, type TestProcess } from '../setup/engine.ts';
import { datesAreFree, endings, prepareStays, seedStay } from './confirmation.ts';

/** The money sagas against the real sandbox gateway, whose own record is what happened outside. */

export const GATEWAY = 'gateway-123';
const TOTAL = 100_000;

export interface Sandbox {
  readonly ports: OpenPorts;
  /** What a person does at the provider itself. */
  readonly dashboard: SandboxDashboard;
  /** What the gateway holds of a reference: charges less what went back, in minor units. */
  netOf(reference: string): Promise<number>;
  /** All that the gateway has done. */
  movements(): Promise<readonly GatewayMovement[]>;
  /** What went out under the provider's id of a payout. */
  paidAs(providerId: string | null): Promise<number>;
  close(): Promise<void>;
}

/** With other providers beside the sandbox, if it is given any. */
export async function openSandbox(others: readonly ConfiguredProvider[] = []): Promise<Sandbox> {
  const sandboxDir = await mkdtemp(path.join(tmpdir(), 'roomy-sandbox-'));
  const pretended = sandboxPayments.with({ dir: sandboxDir, feeBp: 290, gatewayIds: [] });
  const ports = createPorts({ providers: [pretended, ...others] }, createLogger('test', 'silent'));
  // Another program on the same record, as the provider's own pages would be.
  const provider = createSandboxGateway({ dir: sandboxDir, feeBp: 290, clock: systemClock });
  const everything = (gatewayId: string) =>
    ports
      .gateway(gatewayId)
      .movements(gatewayId, new Date(0), new Date(4e12), 100_000)
      .then((all) => all.filter(({ failed }) => !failed));
  const sum = async (gatewayId: string, reference: string): Promise<number> => {
    const record = await everything(gatewayId);
    return record
      .filter((movement) => movement.reference === reference)
      .reduce((net, { kind, amountMinor }) => net + (kind === 'CHARGE' ? amountMinor : -amountMinor), 0);
  };
  return {
    ports,
    dashboard: provider.dashboard,
    netOf: (reference) => sum(GATEWAY, reference),
    movements: () => everything(GATEWAY),
    paidAs: async (providerId) => (providerId === null ? 0 : -(await sum('bank', providerId))),
    close: async () => {
      await ports.close();
      provider.close();
      await rm(sandboxDir, { recursive: true, force: true });
    },
  };
}

/** Debits less credits by account, of one saga; what is not zero. */
export async function netByAccount(db: Db, sagaId: string): Promise<Readonly<Record<string, number>>> {
  const rows = await db
    .selectFrom('ledger_tx as x')
    .innerJoin('ledger_entry as e', 'e.tx_id', 'x.id')
    .select((eb) => ['e.account_id', eb.fn.sum<number>('e.amount').as('net')])
    .where('x.saga_id', '=', sagaId)
    .groupBy('e.account_id')
    .orderBy('e.account_id')
    .execute();
  return Object.fromEntries(rows.map((row) => [row.account_id, Number(row.net)]).filter(([, net]) => net !== 0));
}

export const paymentInput = (reservationId: string, reference: string) => ({
  reservationId,
  amountMinor: TOTAL,
  currency: 'AED',
  paymentMethod: 'Credit Card',
  gatewayId: GATEWAY,
  gatewayReference: reference,
  captured: false,
  review: null,
});
export const referenceOf = (reservationId: string): string => `ref-of-${reservationId}`;

/** One sandbox for each lab, and a helper process by which a fixture brings a stay to where its saga can begin. */
export interface World {
  readonly sandbox: Sandbox;
  helper?: { readonly bed: Testbed; readonly process: TestProcess };
}

/** Runs another saga to its end first. */
export async function ranTo(world: World, definition: SagaDefinition, subject: Subject): Promise<string> {
  const { bed, process } = await helperOf(world);
  const { sagaId } = await bed.accept(process, definition, subject);
  await finishByHand(bed, process, sagaId);
  return sagaId;
}
async function helperOf(world: World) {
  if (!world.helper) throw new Error('the lab has not been opened');
  return world.helper;
}

export function fixtureOf(parts: {
  readonly seed: (world: World, db: Db) => Promise<Subject>;
  readonly completed: (world: World, db: Db, ran: Ran) => Promise<void>;
  readonly compensated: (world: World, db: Db, ran: Ran) => Promise<void>;
  readonly companions?: readonly SagaDefinition[];
  readonly follows?: SagaFixture['follows'];
}): SagaFixture {
  let world: World | undefined;
  const at = (): World => {
    if (!world) throw new Error('no sandbox is open');
    return world;
  };
  return {
    outside: async () => {
      const sandbox = await openSandbox();
      world = { sandbox };
      return { ports: sandbox.ports, close: () => sandbox.close() };
    },
    opened: async (bed) => {
      at().helper = { bed, process: await bed.start({ prefix: bed.newPrefix(), works: false, relay: false }) };
    },
    companions: parts.companions ?? [],
    ...(parts.follows ? { follows: parts.follows } : {}),
    prepare: async (db) => {
      await prepareStays(db);
      await db.updateTable('owner').set({ payout_account: 'acct-owner-1' }).execute();
    },
    seed: (db) => parts.seed(at(), db),
    completed: (db, ran) => parts.completed(at(), db, ran),
    compensated: (db, ran) => parts.compensated(at(), db, ran),
  };
}

const statusOf = async (db: Db, id: string) =>
  await db
    .selectFrom('reservation')
    .select(['status', 'payment_status'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow();

/** The brief's payment of 1000 by its split, with a gateway fee of 2.9 %. */
export const payment = fixtureOf({
  seed: async (_world, db) => {
    const subjectId = await seedStay(db);
    return { subjectId, input: paymentInput(subjectId, referenceOf(subjectId)) };
  },
  completed: async (world, db, { sagaId, subjectId }) => {
    expect(await netByAccount(db, sagaId)).toEqual({
      'agency_fee:AED': -25_000,
      'gateway_clearing:gateway-123:AED': 97_100,
      'gateway_fee:AED': 2_900,
      'owner_payable:owner-1:AED': -70_000,
      'referral_retained:AED': -5_000,
    });
    expect(await world.sandbox.netOf(referenceOf(subjectId))).toBe(TOTAL);
    expect(await statusOf(db, subjectId)).toEqual({ status: 'PENDING', payment_status: 'PAID' });
    expect(await endings(db, sagaId)).toEqual(['PAYMENT_PROCESSED']);
  },
  compensated: async (world, db, { sagaId, subjectId }) => {
    expect(await netByAccount(db, sagaId)).toEqual({});
    expect(await world.sandbox.netOf(referenceOf(subjectId))).toBe(0);
    expect(await statusOf(db, subjectId)).toEqual({ status: 'PENDING', payment_status: 'UNPAID' });
    const live = await db
      .selectFrom('transaction')
      .select(['type', 'status', 'outstanding_minor'])
      .where('reservation_id', '=', subjectId)
      .where('status', 'in', ['PENDING', 'PROCESSING'])
      .execute();
    for (const row of live) expect(row).toEqual({ type: 'GUEST_PAYMENT', status: 'PENDING', outstanding_minor: TOTAL });
  },
});

const refundsOf = (db: Db, reservationId: string) =>
  db
    .selectFrom('transaction')
    .select(['id', 'status', 'amount_minor'])
    .where('reservation_id', '=', reservationId)
    .where('type', '=', 'REFUND')
    .execute();

/** A paid stay, far ahead: everything comes back. */
export const cancellation = fixtureOf({
  companions: [executeRefund, processPayment],
  seed: async (world, db) => {
    const subjectId = await seedStay(db);
    await ranTo(world, processPayment, { subjectId, input: paymentInput(subjectId, referenceOf(subjectId)) });
    return {
      subjectId,
      input: { reservationId: subjectId, initiator: 'GUEST', reason: null, percentOverride: null },
    };
  },
  follows: async (db, { subjectId }) => {
    const refunds = await refundsOf(db, subjectId);
    const ids = refunds.map((refund) => refund.id);
    if (ids.length === 0) return [];
    const sagas = await db.selectFrom('saga').select('id').where('subject_id', 'in', ids).execute();
    return sagas.map((saga) => saga.id);
  },
  completed: async (world, db, { sagaId, subjectId }) => {
    expect(await statusOf(db, subjectId)).toEqual({ status: 'CANCELLED', payment_status: 'REFUNDED' });
    expect(await refundsOf(db, subjectId)).toMatchObject([{ status: 'COMPLETED', amount_minor: TOTAL }]);
    expect(await world.sandbox.netOf(referenceOf(subjectId))).toBe(0);
    expect(await datesAreFree(db, subjectId)).toBe(true);
    expect(await endings(db, sagaId)).toEqual(['RESERVATION_CANCELLED']);
  },
  compensated: async (world, db, { subjectId }) => {
    expect(await statusOf(db, subjectId)).toEqual({ status: 'PENDING', payment_status: 'PAID' });
    expect(await refundsOf(db, subjectId)).toEqual([]);
    expect(await world.sandbox.netOf(referenceOf(subjectId))).toBe(TOTAL);
  },
});

/** A paid stay, of which 100 go back as goodwill of the agency. */
export const goodwill = fixtureOf({
  companions: [executeRefund, processPayment],
  seed: async (world, db) => {
    const subjectId = await seedStay(db);
    await ranTo(world, processPayment, { subjectId, input: paymentInput(subjectId, referenceOf(subjectId)) });
    const decided = { amountMinor: 10_000, currency: 'AED', reason: 'No hot water', bearer: 'AGENCY' };
    return { subjectId, input: { reservationId: subjectId, ...decided } };
  },
  follows: async (db, { subjectId }) => {
    const ids = (await refundsOf(db, subjectId)).map(({ id }) => id);
    if (ids.length === 0) return [];
    const sagas = await db.selectFrom('saga').select('id').where('subject_id', 'in', ids).execute();
    return sagas.map((saga) => saga.id);
  },
  completed: async (world, db, { sagaId, subjectId }) => {
    expect(await statusOf(db, subjectId)).toEqual({ status: 'PENDING', payment_status: 'PARTIALLY_REFUNDED' });
    expect(await refundsOf(db, subjectId)).toMatchObject([{ status: 'COMPLETED', amount_minor: 10_000 }]);
    expect(await netByAccount(db, sagaId)).toEqual({ 'agency_fee:AED': 10_000, 'guest_credit:guest-1:AED': -10_000 });
    expect(await world.sandbox.netOf(referenceOf(subjectId))).toBe(TOTAL - 10_000);
    expect(await endings(db, sagaId)).toEqual(['RESERVATION_REFUNDED']);
  },
  compensated: async (world, db, { subjectId }) => {
    expect(await statusOf(db, subjectId)).toEqual({ status: 'PENDING', payment_status: 'PAID' });
    expect(await refundsOf(db, subjectId)).toEqual([]);
    expect(await world.sandbox.netOf(referenceOf(subjectId))).toBe(TOTAL);
  },
});

/** A refund that a cancellation has booked, and whose own saga was held back. */
export const refund = fixtureOf({
  companions: [cancelReservation, processPayment],
  seed: async (world, db) => {
    const reservationId = await seedStay(db);
    const paid = { subjectId: reservationId, input: paymentInput(reservationId, referenceOf(reservationId)) };
    const sagaId = await ranTo(world, processPayment, paid);
    const { id } = await db.selectFrom('payment').select('id').where('saga_id', '=', sagaId).executeTakeFirstOrThrow();
    const subjectId = `refund-of-${reservationId}`;
    await db.transaction().execute(async (tx) => {
      await tx
        .insertInto('transaction')
        .values({
          id: subjectId,
          type: 'REFUND',
          status: 'PENDING',
          reservation_id: reservationId,
          owner_id: 'owner-1',
          amount_minor: TOTAL,
          outstanding_minor: TOTAL,
          currency: 'AED',
          payment_id: id,
          gateway_id: GATEWAY,
          gateway_reference: referenceOf(reservationId),
        })
        .execute();
      await tx.updateTable('payment').set({ refunded_minor: TOTAL }).where('id', '=', id).execute();
    });
    return { subjectId, input: { refundId: subjectId } };
  },
  completed: async (world, db, { sagaId, subjectId }) => {
    const row = await db.selectFrom('transaction').selectAll().where('id', '=', subjectId).executeTakeFirstOrThrow();
    expect(row).toMatchObject({ status: 'COMPLETED', settled_minor: TOTAL, outstanding_minor: 0 });
    expect(await world.sandbox.netOf(row.gateway_reference ?? '')).toBe(0);
    expect(await netByAccount(db, sagaId)).toEqual({
      'gateway_clearing:gateway-123:AED': -TOTAL,
      'guest_credit:guest-1:AED': TOTAL,
    });
  },
  compensated: async (world, db, { sagaId, subjectId }) => {
    const row = await db.selectFrom('transaction').selectAll().where('id', '=', subjectId).executeTakeFirstOrThrow();
    // Refused before or at the gateway: either way it is still owed.
    expect(['PENDING', 'MANUAL_REQUIRED']).toContain(row.status);
    expect(row.settled_minor).toBe(0);
    expect(await world.sandbox.netOf(row.gateway_reference ?? '')).toBe(TOTAL);
    expect(await netByAccount(db, sagaId)).toEqual({});
  },
});

let owners = 0;
/** A payout of 700 to an owner of its own. */
export const payout = fixtureOf({
  companions: [processPayment],
  seed: async (world, db) => {
    owners += 1;
    const ownerId = `owner-of-payout-${owners}`;
    await db
      .insertInto('owner')
      .values({ id: ownerId, name: 'Olga', email: 'olga@example.com', payout_account: `acct-${ownerId}` })
      .execute();
    const reservationId = await seedStay(db);
    const { property_id } = await db
      .selectFrom('reservation')
      .select('property_id')
      .where('id', '=', reservationId)
      .executeTakeFirstOrThrow();
    await db.updateTable('property').set({ owner_id: ownerId }).where('id', '=', property_id).execute();
    const paid = { subjectId: reservationId, input: paymentInput(reservationId, referenceOf(reservationId)) };
    await ranTo(world, processPayment, paid);
    const { id } = await db
      .selectFrom('transaction')
      .select('id')
      .where('reservation_id', '=', reservationId)
      .where('type', '=', 'OWNER_PAYOUT')
      .executeTakeFirstOrThrow();
    return { subjectId: id, input: { payoutId: id, also: [], netting: false, strict: false } };
  },
  completed: async (world, db, { sagaId, subjectId }) => {
    const row = await db.selectFrom('transaction').selectAll().where('id', '=', subjectId).executeTakeFirstOrThrow();
    expect(row).toMatchObject({ status: 'COMPLETED', settled_minor: 70_000 });
    expect(await world.sandbox.paidAs(row.provider_id)).toBe(70_000);
    expect(await netByAccount(db, sagaId)).toEqual({
      'bank:AED': -70_000,
      [`owner_payable:${row.owner_id}:AED`]: 70_000,
    });
  },
  compensated: async (_world, db, { sagaId, subjectId }) => {
    const row = await db.selectFrom('transaction').selectAll().where('id', '=', subjectId).executeTakeFirstOrThrow();
    expect(['FAILED', 'PENDING']).toContain(row.status);
    expect(row).toMatchObject({ provider_id: null, settled_minor: 0 });
    expect(await netByAccount(db, sagaId)).toEqual({});
  },
});

/** Of differences, in the message of a failing test. */
const MAX_SHOWN = 3;

/** Everything that money has to agree about. */
export async function expectIntegrity(db: Db): Promise<void> {
  const { differences } = await checkIntegrity(db);
  expect(differences, JSON.stringify(differences.slice(0, MAX_SHOWN))).toEqual([]);
}
/** Every saga of the product. */
export const ALL_SAGAS = [
  confirmReservation,
  checkIn,
  changeAccess,
  checkOut,
  processPayment,
  cancelReservation,
  refundReservation,
  executeRefund,
  processOwnerPayout,
];
