import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { changedSince, eveOf, expectSame } from '../setup/rehearsals.ts';
import { type Answer, type CallOptions, type System, startSystem } from '../setup/system.ts';
import { digestOfEverything } from './valid-requests.ts';

/** Who is told what by a dry run, how it gives way, and acts on tasks, which are no sagas. */

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
  await system.bed.db
    .insertInto('staff')
    .values({ id: 'cleaner-1', name: 'Nina', email: 'nina@example.com', role: 'CLEANER' })
    .execute();
});
afterAll(() => system?.close());

const post = (path: string, body: object, who: Partial<CallOptions> = {}): Promise<Answer> =>
  system.call('POST', path, { body, ...who });
let references = 0;
function payment() {
  references += 1;
  return { amount: 400, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `ref-dry-${references}` };
}

describe('a dry run', () => {
  it('tells money by party with its rule, messages with their words, and calls without their secrets', async () => {
    const id = await seedStay(system.bed.db);
    const { data } = (await post(`/reservations/${id}/payment?dryRun=true`, payment())).body;
    expect(data.changes).toContainEqual({
      ...{ resource: 'reservation', id, field: 'paymentStatus' },
      ...{ from: 'UNPAID', to: 'PARTIALLY_PAID' },
    });
    const share = data.money.find(({ what }: { readonly what?: string }) => what === 'OWNER_SHARE');
    expect(share).toMatchObject({ kind: 'BOOKING', rule: { name: 'OWNER_SHARE', percent: 70 } });
    expect(share.rule.version).toBeGreaterThan(0);
    expect(data.calls).toEqual([
      { to: GATEWAY, act: 'charge', amount: 400, currency: 'AED', about: expect.stringMatching(/^….{4}$/) },
    ]);
    const told = data.messages.find(
      ({ recipientType }: { readonly recipientType: string }) => recipientType === 'GUEST',
    );
    expect(told).toMatchObject({ change: 'ORDERED', id: null, recipientId: 'guest-1' });
    expect(told.words.text).toContain('AED 400.00');
    expect(data.warnings).toContain('CARD_NOT_ASKED');
  });

  it('tells a guest of the stay alone', async () => {
    const id = await seedStay(system.bed.db);
    const who = { role: 'GUEST', sub: 'guest-1' } as const;
    const { status, body } = await post(`/reservations/${id}/payment?dryRun=true`, payment(), who);
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body.data.changes.map(({ resource }: { readonly resource: string }) => resource)).toEqual(['reservation']);
    expect(body.data).toMatchObject({ tasks: [], money: [], messages: [], calls: [] });
  });

  it('needs the rights of the act', async () => {
    const id = await seedStay(system.bed.db);
    for (const who of [{ role: 'CLEANER' }, { role: 'OWNER' }, { scope: 'reservations:read' }] as const) {
      const [act, plan] = [
        await post(`/reservations/${id}/confirm`, {}, who),
        await post(`/reservations/${id}/confirm?dryRun=true`, {}, who),
      ];
      expect([plan.status, plan.body.code]).toEqual([act.status, act.body.code]);
      expect(plan.status).toBe(403);
    }
  });

  it('says that the same payment is done already, as its act would answer the first one', async () => {
    const id = await seedStay(system.bed.db);
    const order = payment();
    expect((await post(`/reservations/${id}/payment`, order)).status).toBe(200);
    const again = await post(`/reservations/${id}/payment?dryRun=true`, order);
    expect(again.body.data).toMatchObject({ steps: [], money: [], warnings: ['ALREADY_DONE'] });
  });

  it('does not wait for somebody who works on the same stay, and says so', async () => {
    const id = await seedStay(system.bed.db);
    await system.bed.db.transaction().execute(async (tx) => {
      await tx.selectFrom('reservation').select('id').where('id', '=', id).forUpdate().execute();
      const refused = await post(`/reservations/${id}/confirm?dryRun=true`, {});
      // Nothing is in progress that would be refused: the act would wait, the plan is asked for again.
      expect([refused.status, refused.body.code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
      expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
      // It holds nothing that this transaction would have to wait for.
      await sql`SET LOCAL lock_timeout = '50ms'`.execute(tx);
      await tx.updateTable('reservation').set({ notes: 'first' }).where('id', '=', id).execute();
    });
    expect((await post(`/reservations/${id}/confirm?dryRun=true`, {})).status).toBe(200);
  });

  it('of many at once are all answered, and none is left behind', async () => {
    const ids = await Promise.all(Array.from({ length: 12 }, () => seedStay(system.bed.db)));
    const before = await digestOfEverything(system.bed.db);
    const plans = await Promise.all(ids.map((id) => post(`/reservations/${id}/confirm?dryRun=true`, {})));
    expect(plans.map(({ status }) => status)).toEqual(ids.map(() => 200));
    for (const [at, { body }] of plans.entries())
      expect(body.data.changes.map(({ id }: { readonly id: string }) => id)).toEqual([ids[at]]);
    expect(await digestOfEverything(system.bed.db)).toEqual(before);
  });
});

describe('dry runs of one stay, by several people without end', () => {
  it('are made one after the other, refuse nothing that the act would do, and let a change of the stay through', {
    timeout: 60_000,
  }, async () => {
    const [id, other] = [await seedStay(system.bed.db), await seedStay(system.bed.db)];
    let over = false;
    const refused: unknown[] = [];
    const planned = { stay: 0, other: 0 };
    const loop = async (sub: string, stay: string): Promise<void> => {
      while (!over) {
        const plan = await post(`/reservations/${stay}/confirm?dryRun=true`, {}, { role: 'ADMIN', sub });
        if (plan.status !== 200) refused.push([plan.status, plan.body.code]);
        planned[stay === id ? 'stay' : 'other'] += 1;
      }
    };
    const loops = [
      ...Array.from({ length: 4 }, (_, n) => loop(`admin-${n}`, id)),
      ...Array.from({ length: 4 }, () => loop('admin-0', id)),
      loop('admin-9', other),
    ];
    await expect.poll(() => planned.stay, { timeout: 20_000 }).toBeGreaterThan(8);
    const changed = await system.call('PATCH', `/reservations/${id}`, { body: { notes: 'In between' } });
    over = true;
    await Promise.all(loops);
    expect(changed.status, changed.text).toBe(200);
    expect(refused).toEqual([]);
    expect(planned.other).toBeGreaterThan(1);
  });
});

describe('the dry run of an act on a task', () => {
  it('tells what the act does, and what follows from it', async () => {
    const { db } = system.bed;
    const id = await seedStay(db);
    expect((await post(`/reservations/${id}/confirm`, {})).status).toBe(200);
    const task = await db
      .selectFrom('task')
      .select('id')
      .where('reservation_id', '=', id)
      .where('occurrence', '=', 'PRE_ARRIVAL')
      .executeTakeFirstOrThrow();
    const acts: readonly (readonly [string, string, object, CallOptions])[] = [
      ['PATCH', `/tasks/${task.id}`, { assigneeId: 'cleaner-1' }, {}],
      ['POST', `/tasks/${task.id}/start`, {}, { role: 'CLEANER', sub: 'cleaner-1' }],
      ['POST', `/tasks/${task.id}/complete`, { completedBy: 'cleaner-1' }, {}],
      ['POST', `/tasks/${task.id}/complete`, { completedBy: 'cleaner-1' }, {}],
    ];
    for (const [method, path, body, who] of acts) {
      const eve = await eveOf(db);
      const planned = await system.call(method, `${path}?dryRun=true`, { body, ...who });
      const done = await system.call(method, path, { body, ...who });
      expect(planned.status, `${path} ${planned.text}`).toBe(done.status);
      if (done.status !== 200) {
        expect(planned.body.code).toBe(done.body.code);
        continue;
      }
      expect(planned.headers.get('etag')).toBeNull();
      const { tasks, changes } = planned.body.data;
      const changed = await changedSince(db, eve, id);
      if (who.role === undefined)
        expectSame({ tasks, changes }, { tasks: changed.tasks, changes: changed.changes }, path);
      else expect(tasks.map((one: { readonly id: string }) => one.id)).toEqual([task.id]);
    }
  });
});
