import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { restOf } from '../setup/engine.ts';
import { type System, startSystem } from '../setup/system.ts';
import { failedJobs } from './failed-jobs.ts';
import { type Harness, startHarness } from './harness.ts';

/** The board of a real system: whoever presses its buttons approves nothing (security.md Z18). */

let system: System;
let ops: Harness;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
  const { db, engine } = system.process;
  ops = await startHarness(inject('redisUrl'), null, () => ({ db, orchestrator: engine.orchestrator }));
}, 60_000);
afterAll(async () => {
  await ops?.stop();
  await system?.close();
});

const db = () => system.bed.db;
const sagaOf = (id: string) => db().selectFrom('saga').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

/** A refund over the limit, asked for by admin-1: the saga and the approval that it waits for. */
async function waitingRefund() {
  const id = await seedStay(db());
  await db().updateTable('reservation').set({ total_minor: 2_000_000 }).where('id', '=', id).execute();
  const money = { currency: 'AED', gatewayId: GATEWAY, gatewayReference: `ref-board-${id}` };
  expect((await system.call('POST', `/reservations/${id}/confirm`, { body: {} })).status).toBe(200);
  const paid = await system.call('POST', `/reservations/${id}/payment`, { body: { amount: 20_000, ...money } });
  expect(paid.status, paid.text).toBe(200);
  const body = { amount: 6_000, currency: 'AED', reason: 'No hot water' };
  const asked = await system.call('POST', `/reservations/${id}/refunds`, { body });
  expect([asked.status, asked.body.data?.status], asked.text).toEqual([202, 'parked']);
  const sagaId: string = asked.body.data.sagaExecutionId;
  const listed = await system.call('GET', `/approvals?sagaExecutionId=${sagaId}&status=PENDING`);
  return { sagaId, approvalId: String(listed.body.data[0].id) };
}

it('Z18: “retry all” approves nothing, whoever presses it and however often, and a second person still can', async () => {
  const waiting = [await waitingRefund(), await waitingRefund()];
  const before = await Promise.all(waiting.map(({ sagaId }) => sagaOf(sagaId)));
  for (const [sub, role] of [
    ['olivia', 'OPS'],
    ['admin-1', 'ADMIN'],
  ] as const) {
    const cookie = await ops.login(sub, role);
    const press = (path: string) => ops.call(`/queues/api/queues/saga-forward/${path}`, { method: 'PUT', cookie });
    const ids = await failedJobs(
      ops,
      'saga-forward',
      waiting.map(({ sagaId }) => sagaId),
    );
    expect((await press(`${ids[0]}/retry`)).status).toBe(409);
    for (let n = 0; n < 3; n += 1) expect((await press('retry/failed')).status).toBe(200);
    const pressed = (await ops.audits(sub)).filter(({ body }) => body.includes('"needs-approval":2'));
    expect(pressed).toHaveLength(1);
    await ops.queue('saga-forward').drain();
  }
  expect(await Promise.all(waiting.map(({ sagaId }) => sagaOf(sagaId)))).toEqual(before);
  for (const { sagaId, approvalId } of waiting) {
    expect((await system.call('GET', `/approvals/${approvalId}`)).body.data.status).toBe('PENDING');
    const decision = {
      body: { decision: 'APPROVE', reason: 'Looked into it' },
      role: 'FINANCE',
      sub: 'finance-2',
    } as const;
    expect((await system.call('POST', `/approvals/${approvalId}`, decision)).status).toBe(200);
    expect(await restOf(db(), sagaId)).toBe('completed');
  }
});
