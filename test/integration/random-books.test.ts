import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RefundBearer } from '../../src/db/schema.ts';
import { receiveEvent } from '../../src/domain/finance/gateway-events.ts';
import { REFUND_BEARERS } from '../../src/domain/finance/goodwill.ts';
import { orderByGateway } from '../../src/domain/finance/reconciliation-night.ts';
import { REFUND_BASES } from '../../src/domain/reservations/refund-rules.ts';
import { decideApproval } from '../../src/domain/stays/decide-approval.ts';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import type { FailpointName } from '../../src/engine/failpoint.ts';
import { required } from '../../src/kernel/errors.ts';
import {
  cancelReservation,
  confirmReservation,
  DEFINITIONS,
  executeRefund,
  processOwnerPayout,
  processPayment,
  refundReservation,
} from '../../src/sagas/index.ts';
import { resumeAfter } from '../../src/sagas/resume-approved.ts';

import { sendOwedRefunds, takeUpGatewayNews } from '../../src/workers/finance.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY, openSandbox, type Sandbox } from '../sagas/money.ts';
import { createTestbed, duePointer, endLeases, type Subject, type Testbed, type TestProcess } from '../setup/engine.ts';
import { disagreements } from '../setup/gateway-agreement.ts';

/**
 * Whatever is done to the money of many stays of two owners, at the same time and in whatever order, and wherever a
 * process dies meanwhile, the books agree afterwards, with themselves and with the gateway's own record. Each case is
 * one stay's life; the environment can ask for more of them than everyday's. Two files share them, each with books of
 * its own, so that both cores have work (`random-books-2.test.ts`).
 */
const CASES = Math.ceil(Number(process.env['ROOMY_RANDOM_CASES'] ?? 400) / 2);
const STAYS_AT_ONCE = 10;
const CASES_A_LOOK = Math.max(100, CASES / 20);
/** How often a saga may be picked up until it rests. */
const MAX_LOOKS = 200;

/** Whom properties are sold to while their stays are being paid. */
const BUYER = 'owner-2';
const AGENT = 'agent-of-stays';

let bed: Testbed;
let sandbox: Sandbox;
/** Where a process is to die: at the how manieth such moment of which saga. */
const doomed = new Map<string, { readonly name: FailpointName; left: number; die(): void }>();
let processes: readonly TestProcess[];

beforeAll(async () => {
  sandbox = await openSandbox();
  bed = await createTestbed(DEFINITIONS, sandbox.ports);
  await prepareStays(bed.db);
  await bed.db.insertInto('owner').values({ id: BUYER, name: 'Bea', email: 'bea@example.com' }).execute();
  await bed.db
    .insertInto('staff')
    .values({ id: AGENT, name: 'Ann', email: 'ann@example.com', role: 'AGENT' })
    .execute();
  await bed.db.updateTable('owner').set({ payout_account: 'acct-owner' }).execute();
  // Nobody takes jobs here, so nobody need be told of them.
  const nowhere = 'redis://127.0.0.1:1';
  const start = () =>
    bed.start({
      prefix: bed.newPrefix(),
      works: false,
      relay: false,
      redisUrl: nowhere,
      failpoint: async (name, { sagaId }) => {
        const doom = doomed.get(sagaId);
        if (doom?.name !== name) return;
        doom.left -= 1;
        if (doom.left >= 0) return;
        doom.die();
        await new Promise(() => undefined);
      },
    });
  processes = [await start(), await start()];
});
afterAll(async () => {
  await bed?.drop();
  await sandbox?.close();
});

// ---- What can happen to a stay

interface Death {
  readonly name: FailpointName;
  readonly after: number;
}
/** All that the law of the agency may say: the shares, in basis points, and what becomes of special cases. */
const terms = fc
  .record({
    cuts: fc.tuple(
      fc.constantFrom(0, 1, 999, 3_333, 7_000, 9_999, 10_000),
      fc.constantFrom(0, 1, 999, 5_000, 9_000, 9_999, 10_000),
    ),
    unassigned_referral: fc.constantFrom(
      'RETAIN' as const,
      'TO_AGENCY' as const,
      'TO_OWNER' as const,
      'PRO_RATA' as const,
    ),
    gateway_fee_bearer: fc.constantFrom('AGENCY' as const, 'OWNER' as const, 'PRO_RATA' as const),
    agency_fee_refundable: fc.boolean(),
    payout_policy: fc.constantFrom('ON_PAYMENT', 'AFTER_CHECK_IN', 'AFTER_CHECK_OUT', 'MONTHLY:15'),
    refund_base: fc.constantFrom(...REFUND_BASES),
    tiers: fc.constantFrom(
      [],
      [{ days: 0, percent: 100 }],
      [
        { days: 7, percent: 33 },
        { days: 1, percent: 1 },
      ],
    ),
  })
  .map(({ cuts: [one, other], tiers, ...more }) => ({
    owner_bp: Math.min(one, other),
    agency_bp: Math.max(one, other) - Math.min(one, other),
    referrer_bp: 10_000 - Math.max(one, other),
    refund_tiers: JSON.stringify(tiers),
    ...more,
  }));
type NewTerms = typeof terms extends fc.Arbitrary<infer T> ? T : never;

type Act = {
  readonly death: Death | null;
} /** Stays that are confirmed or paid from now on are bound to new terms. */ & (
  | { readonly kind: 'terms'; readonly terms: NewTerms }
  | { readonly kind: 'refer' }
  | { readonly kind: 'confirm' }
  | { readonly kind: 'sell' }
  | { readonly kind: 'payout'; readonly netting: boolean; readonly pick: number }
  | { readonly kind: 'cancel'; readonly percent: number | null; readonly refundsAtOnce: boolean }
  | { readonly kind: 'refund'; readonly minor: number | 'all'; readonly bearer: RefundBearer; readonly atOnce: boolean }
  | { readonly kind: 'pay'; readonly minor: number | 'rest'; readonly prefix: string; readonly captured: boolean }
  /** Past this system, in the gateway's own dashboard or by the guest's bank; told at once, or by a later look. */
  | {
      readonly kind: 'at-gateway';
      readonly what: AtGateway;
      readonly minor: number;
      readonly pick: number;
      readonly told: boolean;
    }
);
const AT_GATEWAY = [
  'refund',
  'fail-refund',
  'dispute',
  'inquiry',
  'withdraw',
  'win',
  'win-fee',
  'lose',
  'close',
] as const;
type AtGateway = (typeof AT_GATEWAY)[number];
const death: fc.Arbitrary<Death | null> = fc.option(
  fc.record({
    name: fc.constantFrom<FailpointName>(
      'before-step',
      'after-commit',
      'after-claim',
      'after-call',
      'before-fail',
      'after-fail',
    ),
    after: fc.nat({ max: 6 }),
  }),
  { freq: 3 },
);
const WELL_BEHAVED = ['ref', 'ref', 'ref', 'ref-refund-refused'];
const ODD = ['ref-declined', 'ref-flaky', 'ref-timeout-before', 'ref-timeout-after', 'ref-wrong-amount'];
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('confirm' as const), death }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('terms' as const), terms, death: fc.constant(null) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refer' as const), death: fc.constant(null) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sell' as const), death: fc.constant(null) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('pay' as const),
      minor: fc.oneof(fc.constant('rest' as const), fc.integer({ min: 1, max: 110_000 })),
      prefix: fc.oneof(fc.constantFrom(...WELL_BEHAVED), fc.constantFrom(...ODD)),
      captured: fc.boolean(),
      death,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('payout' as const), netting: fc.boolean(), pick: fc.nat(), death }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('refund' as const),
      minor: fc.oneof(fc.constant('all' as const), fc.integer({ min: 1, max: 110_000 })),
      bearer: fc.constantFrom(...REFUND_BEARERS),
      atOnce: fc.boolean(),
      death,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('at-gateway' as const),
      what: fc.constantFrom(...AT_GATEWAY),
      minor: fc.integer({ min: 1, max: 110_000 }),
      pick: fc.nat(),
      told: fc.boolean(),
      death: fc.constant(null),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('cancel' as const),
      percent: fc.option(fc.nat({ max: 100 })),
      refundsAtOnce: fc.boolean(),
      death,
    }),
  },
);

const ownerAlone = (stayId: string): string => `owner-of-${stayId}`;

async function perform(stayId: string, one: Act, no: number): Promise<void> {
  if (one.kind === 'confirm') {
    const input = { reservationId: stayId };
    await run(confirmReservation, { subjectId: stayId, input }, one.death);
  } else if (one.kind === 'terms') {
    await bed.db
      .insertInto('income_distribution')
      .values({ ...one.terms, set_by: 'tester' })
      .execute();
  } else if (one.kind === 'refer') {
    // Who has referred a stay is known before there is any money of it.
    await bed.db
      .updateTable('reservation')
      .set({ referring_agent_id: AGENT })
      .where('id', '=', stayId)
      .where((eb) => eb.not(eb.exists(eb.selectFrom('payment').select('id').where('reservation_id', '=', stayId))))
      .execute();
  } else if (one.kind === 'sell') {
    const property = bed.db.selectFrom('reservation').select('property_id').where('id', '=', stayId);
    await bed.db.updateTable('property').set({ owner_id: BUYER }).where('id', '=', property).execute();
  } else if (one.kind === 'pay') {
    await run(processPayment, { subjectId: stayId, input: await paymentOf(stayId, one, no) }, one.death);
  } else if (one.kind === 'cancel') {
    const input = { reservationId: stayId, initiator: 'GUEST', reason: null, percentOverride: one.percent };
    await run(cancelReservation, { subjectId: stayId, input }, one.death);
    if (one.refundsAtOnce) await carryRefunds(one.death);
  } else if (one.kind === 'at-gateway') {
    await actAtGateway(stayId, one, no);
  } else if (one.kind === 'refund') {
    await run(refundReservation, { subjectId: stayId, input: await refundOf(stayId, one) }, one.death);
    if (one.atOnce) await carryRefunds(one.death);
  } else {
    const open = await bed.db
      .selectFrom('transaction')
      .select('id')
      .where('type', '=', 'OWNER_PAYOUT')
      .where('status', '=', 'PENDING')
      .where('owner_id', '=', [BUYER, 'owner-1', 'owner-1', ownerAlone(stayId)][one.pick % 4] ?? BUYER)
      .orderBy('created_at')
      .limit(8)
      .execute();
    const [payoutId, ...also] = open.map(({ id }) => id).slice(one.pick % Math.max(1, open.length));
    if (payoutId === undefined) return;
    await run(
      processOwnerPayout,
      { subjectId: payoutId, input: { payoutId, also, netting: one.netting, strict: false } },
      one.death,
    );
  }
}

/** Acts that the gateway does not allow, or knows nothing of, are left out: they have not happened. */
async function actAtGateway(
  stayId: string,
  { what, minor, pick, told }: Extract<Act, { kind: 'at-gateway' }>,
  no: number,
) {
  const charges = await bed.db
    .selectFrom('payment')
    .select(['id', 'gateway_reference', 'provider_id'])
    .where('reservation_id', '=', stayId)
    .where('status', '=', 'COMPLETED')
    .orderBy('created_at')
    .execute();
  const charge = charges[pick % Math.max(1, charges.length)];
  if (!charge) return;
  const { gateway_reference: reference, provider_id } = charge;
  const chargeId = provider_id ?? '';
  const { refunds, disputes } = await sandbox.ports
    .gateway(GATEWAY)
    .recordOf({ gatewayId: GATEWAY, reference, chargeId }, new AbortController().signal);
  const open = disputes.filter(({ status }) => status === 'OPEN');
  const dispute = open[pick % Math.max(1, open.length)];
  const refund = refunds.filter(({ cameBack }) => cameBack === null)[0];
  const { dashboard } = sandbox;
  const demand = { gatewayId: GATEWAY, reference, amountMinor: minor };
  if (what === 'refund') {
    const leftMinor = dashboard.leftOf(GATEWAY, reference);
    if (leftMinor === 0) return;
    dashboard.refund({ ...demand, amountMinor: Math.min(minor, leftMinor) });
  } else if (what === 'fail-refund') {
    if (!refund) return;
    dashboard.failRefund(refund.providerId, 'CARD_CLOSED');
  } else if (what === 'dispute' || what === 'inquiry') {
    dashboard.dispute({ ...demand, inquiry: what === 'inquiry' });
  } else if (!dispute) return;
  else if (what === 'withdraw') dashboard.withdraw(dispute.providerId);
  else if (what === 'lose') dashboard.decide(dispute.providerId, 'LOST');
  else if (what === 'close') dashboard.decide(dispute.providerId, dispute.withdrawn ? 'WON' : 'CLOSED');
  else dashboard.decide(dispute.providerId, 'WON', what === 'win-fee' ? dispute.feeMinor : 0);
  if (!told) return;
  for (const twice of ['a', 'b']) {
    const event = { kind: 'charge-changed', reference, chargeId } as const;
    const received = { gatewayId: GATEWAY, eventId: `evt-${stayId}-${no}-${twice}`, type: 'test', event };
    await bed.db.transaction().execute((tx) => receiveEvent(tx, received));
  }
  await takeUp();
}

const takeUp = () => {
  const { orchestrator } = required(processes[0], 'a process').engine;
  return takeUpGatewayNews({ db: bed.db, ports: sandbox.ports, orchestrator });
};

/** The night's look, and whatever waited for a stay to be at rest. */
async function catchUp(look: number): Promise<void> {
  const order = { gatewayId: GATEWAY, from: new Date(0), to: new Date(4e12), startedBy: 'tester' };
  await orderByGateway(bed.db, sandbox.ports, { ...order, occasion: `look-${look}` });
  while ((await takeUp()) > 0);
}

/** Within what is left, and sometimes beyond it, which is refused. */
async function refundOf(stayId: string, { minor, bearer }: Extract<Act, { kind: 'refund' }>) {
  const { left } = await bed.db
    .selectFrom('payment')
    .select(sql<number>`coalesce(sum(amount_minor - refunded_minor), 0)::bigint`.as('left'))
    .where('reservation_id', '=', stayId)
    .where('status', '=', 'COMPLETED')
    .executeTakeFirstOrThrow();
  const amountMinor = Math.max(1, minor === 'all' ? left : minor);
  return { reservationId: stayId, amountMinor, currency: 'AED', reason: 'No hot water', bearer };
}

async function paymentOf(stayId: string, { minor, prefix, captured }: Extract<Act, { kind: 'pay' }>, no: number) {
  const { rest } = await bed.db
    .selectFrom('payment')
    .select((eb) => eb(eb.val(100_000), '-', eb.fn.coalesce(eb.fn.sum<number>('amount_minor'), eb.val(0))).as('rest'))
    .where('reservation_id', '=', stayId)
    .where('status', '=', 'COMPLETED')
    .executeTakeFirstOrThrow();
  return {
    reservationId: stayId,
    amountMinor: minor === 'rest' ? Math.max(1, Number(rest)) : minor,
    currency: 'AED',
    paymentMethod: null,
    gatewayId: GATEWAY,
    gatewayReference: `${prefix}-${stayId}-${no}`,
    captured,
    review: null,
  };
}

// ---- Sagas, carried on by hand

async function run(definition: SagaDefinition, subject: Subject, death: Death | null): Promise<void> {
  const [first] = processes;
  if (!first) throw new Error('no process');
  let sagaId: string;
  try {
    ({ sagaId } = await bed.accept(first, definition, { ...subject, input: definition.input.parse(subject.input) }));
  } catch (error) {
    // Another saga is at work on the same payout; a client would be told so.
    if (error instanceof Error && 'code' in error && error.code === 'SAGA_IN_PROGRESS') return;
    throw error;
  }
  await carry(sagaId, death);
}

/** A saga whose process dies is taken over by the other one. */
async function carry(sagaId: string, death: Death | null): Promise<void> {
  let doom = death;
  for (let looks = 0; looks < MAX_LOOKS; looks += 1) {
    const pointer = await duePointer(bed.db, sagaId);
    if (!pointer) break;
    const { execute } = required(processes[doom ? 0 : 1], 'a process').engine;
    const work = execute(pointer, new AbortController().signal).catch(() => 'failed');
    if (!doom) await work;
    else if ((await Promise.race([work, deathOf(sagaId, doom)])) === 'dead') {
      doom = null;
      doomed.delete(sagaId);
      await endLeases(bed.db, sagaId);
    }
  }
  doomed.delete(sagaId);
  const { status, error_code: code } = await bed.db
    .selectFrom('saga')
    .select(['status', 'error_code'])
    .where('id', '=', sagaId)
    .executeTakeFirstOrThrow();
  if (status === 'parked' && code === 'APPROVAL_REQUIRED') {
    await approve(sagaId);
    return carry(sagaId, null);
  }
  expect(['completed', 'compensated']).toContain(status);
}

/** Goodwill of which an owner is to bear more than the share of the stay. */
async function approve(sagaId: string): Promise<void> {
  const { orchestrator } = required(processes[0], 'a process').engine;
  const { id } = await bed.db
    .selectFrom('approval')
    .select('id')
    .where('saga_id', '=', sagaId)
    .where('status', '=', 'PENDING')
    .executeTakeFirstOrThrow();
  const decision = { id, decision: 'APPROVE', reason: 'So be it', role: 'ADMIN' } as const;
  const announced: (() => void)[] = [];
  await bed.db.transaction().execute((tx) =>
    decideApproval(
      tx,
      decision,
      { actor: 'finance-2', requestId: null },
      resumeAfter(orchestrator, (announce) => announced.push(announce)),
    ),
  );
  for (const announce of announced) announce();
}

const deathOf = (sagaId: string, { name, after }: Death): Promise<'dead'> =>
  new Promise((resolve) => {
    doomed.set(sagaId, { name, left: after, die: () => resolve('dead') });
  });

const carrying = new Set<string>();
async function carryRefunds(death: Death | null): Promise<void> {
  await sendOwedRefunds({ db: bed.db });
  const open = await bed.db
    .selectFrom('saga')
    .select('id')
    .where('name', '=', executeRefund.name)
    .where('finished_at', 'is', null)
    .execute();
  for (const { id } of open) {
    if (carrying.has(id)) continue;
    carrying.add(id);
    await carry(id, death);
  }
}

interface Life {
  readonly acts: readonly Act[];
  /** Its owner has no other stay, so that no other's payouts can hide what does not agree. */
  readonly alone: boolean;
}

async function live({ acts, alone }: Life): Promise<void> {
  const stayId = await seedStay(bed.db);
  if (alone) {
    const id = ownerAlone(stayId);
    const person = { id, name: 'Olga', email: 'olga@example.com', payout_account: 'acct-owner' };
    await bed.db.insertInto('owner').values(person).execute();
    const property = bed.db.selectFrom('reservation').select('property_id').where('id', '=', stayId);
    await bed.db.updateTable('property').set({ owner_id: id }).where('id', '=', property).execute();
  }
  for (const [no, one] of acts.entries()) await perform(stayId, one, no);
}

let looks = 0;
it(`the books agree after ${CASES} stays of payments, declines, payouts, cancellations, dashboard refunds, disputes and crashes`, {
  timeout: 60_000 + 2 * CASES * 100,
}, async () => {
  const life = fc.record({ acts: fc.array(act, { minLength: 1, maxLength: 7 }), alone: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(life, { minLength: CASES_A_LOOK, maxLength: CASES_A_LOOK }), async (lives) => {
      const waiting = [...lives];
      const one = async (): Promise<void> => {
        for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await live(next);
      };
      await Promise.all(Array.from({ length: STAYS_AT_ONCE }, one));
      await carryRefunds(null);
      looks += 1;
      await catchUp(looks);
      await expectIntegrity(bed.db);
      expect(await disagreements(bed.db, GATEWAY, await sandbox.movements())).toEqual([]);
    }),
    { numRuns: Math.ceil(CASES / CASES_A_LOOK), endOnFailure: true, includeErrorInReport: true },
  );
});
