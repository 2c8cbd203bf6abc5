import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localDate } from '../../src/kernel/local-time.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { releaseDuePayouts } from '../../src/workers/finance.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY, refundsOf } from '../sagas/money.ts';
import { restOf, until } from '../setup/engine.ts';
import { createGatewayDesk, type GatewayDesk } from '../setup/gateway-desk.ts';
import { type System, startSystem } from '../setup/system.ts';

/** The pages that say what to do when money has moved and the books do not know it (runbook.md, deploy.md), walked. */
let system: System;
let desk: GatewayDesk;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
  desk = createGatewayDesk(system);
});
afterAll(() => system?.close());

const db = () => system.bed.db;

async function paidStay(reference: string): Promise<string> {
  const id = await seedStay(db());
  expect((await system.call('POST', `/reservations/${id}/confirm`)).status).toBe(200);
  const body = { amount: 400, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `${reference}-${id}` };
  expect((await system.call('POST', `/reservations/${id}/payment`, { body })).status).toBe(200);
  return id;
}

/** Past its deadline, as after days without the gateway. */
async function parked(subjectId: string): Promise<string> {
  return until(`a saga about ${subjectId} has parked`, async () => {
    await db()
      .updateTable('saga')
      .set({ deadline_at: sql<Date>`now() - interval '1 s'`, next_check_at: sql<Date>`now()` })
      .where('subject_id', '=', subjectId)
      .where('status', 'in', ['pending', 'running'])
      .execute();
    await system.process.engine.reconciler.tick();
    const saga = await db()
      .selectFrom('saga')
      .select(['id', 'status'])
      .where('subject_id', '=', subjectId)
      .executeTakeFirst();
    return saga?.status === 'parked' ? saga.id : undefined;
  });
}
const resolve = (sagaId: string, reason: string) =>
  system.call('POST', `/sagas/executions/${sagaId}/resolve`, { body: { reason } });

describe('a parked refund', () => {
  async function parkedRefund() {
    const stay = await paidStay('ref-refund-down');
    await system.call('POST', `/reservations/${stay}/cancel`, { body: {}, headers: { prefer: 'respond-async' } });
    const refund = await until('the refund is booked', async () => (await refundsOf(db(), stay))[0]);
    return { stay, refund, sagaId: await parked(refund.id) };
  }

  it('that was made in the gateway’s dashboard is completed by its record once the saga is resolved', async () => {
    const { stay, refund, sagaId } = await parkedRefund();
    const reference = `ref-refund-down-${stay}`;
    system.sandbox.dashboard.refund({ gatewayId: GATEWAY, reference, amountMinor: refund.amount_minor });
    await desk.report(reference);
    expect((await resolve(sagaId, 'refunded in the dashboard')).status).toBe(200);
    await desk.takeUpUntilQuiet();
    expect(await refundsOf(db(), stay)).toMatchObject([{ id: refund.id, status: 'COMPLETED' }]);
    expect(await system.sandbox.netOf(reference)).toBe(40_000 - refund.amount_minor);
    await expectIntegrity(db());
  });

  it('that is resolved without that stays owed, cannot be recorded, and is never sent', async () => {
    const { stay, refund, sagaId } = await parkedRefund();
    expect((await resolve(sagaId, 'bank transfer 4711')).status).toBe(200);
    await desk.takeUpUntilQuiet();
    const body = { reference: 'bank transfer 4711' };
    const recorded = await system.call('POST', `/transactions/${refund.id}/settlement`, { body });
    expect([recorded.status, recorded.body.code]).toEqual([409, 'INVALID_STATE_TRANSITION']);
    const retried = await system.call('POST', `/sagas/executions/${sagaId}/retry`, { body: { reason: 'again' } });
    expect([retried.status, retried.body.code]).toEqual([409, 'SAGA_NOT_PARKED']);
    expect(['PENDING', 'PROCESSING']).toContain((await refundsOf(db(), stay))[0]?.status);
    expect(await system.sandbox.netOf(`ref-refund-down-${stay}`)).toBe(40_000);
  });
});

describe('a payout that was made after the backup', () => {
  // Days are those of the agency, which is ahead of UTC.
  const today = () => localDate(new Date(), 'Asia/Dubai');
  const compare = (gatewayId: string) =>
    system.call('POST', '/financial/reconciliations', { body: { gatewayId, from: yesterday(), to: today() } });
  const yesterday = () => localDate(new Date(Date.now() - 86_400_000), 'Asia/Dubai');
  const paidByBank = async (): Promise<number> =>
    (await system.sandbox.ports.gateway('bank').movements('bank', new Date(0), new Date(4e12), 1_000)).reduce(
      (sum, { amountMinor }) => sum + amountMinor,
      0,
    );

  it('is shown by the gateway bank alone, cannot be recorded, and is not paid again while its owner is on hold', async () => {
    const account = 'acct-restored';
    await db()
      .insertInto('owner')
      .values({ id: 'owner-restored', name: 'R', email: 'r@example.com', payout_account: account })
      .execute();
    const stay = await paidStay('ref');
    const paid = await db()
      .selectFrom('transaction')
      .selectAll()
      .where('reservation_id', '=', stay)
      .where('type', '=', 'OWNER_PAYOUT')
      .executeTakeFirstOrThrow();
    const owner = String(paid.owner_id);
    const before = (await system.call('GET', `/owners/${owner}`)).body.data;
    const change = { payoutAccount: account };
    expect((await system.call('PATCH', `/owners/${owner}`, { body: change })).status).toBe(200);
    await db()
      .updateTable('transaction')
      .set({ scheduled_for: sql<Date>`now() - interval '1 minute'` })
      .where('id', '=', paid.id)
      .execute();
    // What another system, now gone with its books, has sent.
    const request = { key: 'payout-of-the-lost-books', account, amountMinor: paid.amount_minor, currency: 'AED' };
    const sent = await system.sandbox.ports.payouts(account).payOut(request, new AbortController().signal);
    expect(sent.done).toBe(true);

    expect((await compare(GATEWAY)).status).toBe(201);
    expect((await compare('bank')).status).toBe(201);
    const open = (await system.call('GET', '/financial/differences?status=OPEN')).body.data;
    const payouts = open.filter((one: { readonly movement: string }) => one.movement === 'PAYOUT');
    expect(payouts).toMatchObject([
      {
        gatewayId: 'bank',
        kind: 'MISSING_IN_LEDGER',
        providerId: sent.done ? sent.providerId : '',
        transactionId: null,
        bookable: false,
      },
    ]);
    const asRefund = { body: { reference: 'of the bank' } };
    expect((await system.call('POST', `/transactions/${paid.id}/settlement`, asRefund)).status).toBe(404);

    const payoutTerms = { ...before.payoutTerms, hold: true };
    expect((await system.call('PATCH', `/owners/${owner}`, { body: { payoutTerms } })).status).toBe(200);
    const explained = { body: { reason: 'paid before the restore' } };
    expect((await system.call('POST', `/financial/differences/${payouts[0].id}/explanation`, explained)).status).toBe(
      200,
    );
    const asked = await system.call('POST', `/transactions/${paid.id}/payout`, { body: {} });
    expect([asked.status, asked.body.code, asked.body.details.reason]).toEqual([
      409,
      'PAYOUT_NOT_PAYABLE',
      'OWNER_ON_HOLD',
    ]);
    const { orchestrator } = system.process.engine;
    await releaseDuePayouts({
      db: db(),
      ports: system.sandbox.ports,
      orchestrator,
      log: createLogger('test', 'silent'),
    });
    for (const { id } of await db().selectFrom('saga').select('id').where('subject_id', '=', paid.id).execute())
      await restOf(db(), id);
    expect(await paidByBank()).toBe(paid.amount_minor);
  });
});
