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
import type { Ran, SagaFixture } from '../faults/lab.ts';
import { finishByHand, type Subject, type Testbed, type TestProcess } from '../setup/engine.ts';
import { prepareStays } from './confirmation.ts';

/** The money sagas against the real sandbox gateway, whose own record is what happened outside. */

export const GATEWAY = 'gateway-123';
/** Of a stay, and of its payment; minor units. */
export const TOTAL = 100_000;

export interface Sandbox {
  readonly ports: OpenPorts;
  /** Acts of a person at the provider itself. */
  readonly dashboard: SandboxDashboard;
  /** The balance of a reference at the gateway: charges less refunds, in minor units. */
  netOf(reference: string): Promise<number>;
  /** All that the gateway has done. */
  movements(): Promise<readonly GatewayMovement[]>;
  /** The payout under the provider's id. */
  paidAs(providerId: string | null): Promise<number>;
  close(): Promise<void>;
}

/** With other providers beside the sandbox, if it is given any. */
export async function openSandbox(others: readonly ConfiguredProvider[] = []): Promise<Sandbox> {
  const sandboxDir = await mkdtemp(path.join(tmpdir(), 'roomy-sandbox-'));
  const pretended = sandboxPayments.with({ dir: sandboxDir, feeBp: 290, gatewayIds: [] });
  const ports = await createPorts({ providers: [pretended, ...others] }, createLogger('test', 'silent'));
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

export const statusOf = async (db: Db, id: string) =>
  await db
    .selectFrom('reservation')
    .select(['status', 'payment_status'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow();

/** The refunds of a stay. */
export const refundsOf = (db: Db, reservationId: string) =>
  db
    .selectFrom('transaction')
    .select(['id', 'status', 'amount_minor'])
    .where('reservation_id', '=', reservationId)
    .where('type', '=', 'REFUND')
    .execute();

/** Of differences, in the message of a failing test. */
const MAX_SHOWN = 3;

/** Everything that money has to agree about. */
export async function expectIntegrity(db: Db): Promise<void> {
  const { differences } = await checkIntegrity(db);
  expect(differences, JSON.stringify(differences.slice(0, MAX_SHOWN))).toEqual([]);
}
