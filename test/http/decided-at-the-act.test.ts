import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../src/db/client.ts';
import { createOrchestrator } from '../../src/engine/orchestrator.ts';
import { definitionOf } from '../../src/sagas/index.ts';
import { until } from '../setup/engine.ts';
import { API, type Call, type Http, startHttp } from './harness.ts';
import { fixtureOf, prepareWorld, sendTo } from './valid-requests.ts';

/**
 * Whether a caller may is decided in the transaction that acts, on the locked record (security.md Z11): a stay or a property that
 * goes to somebody else between the look and the act is not acted on.
 */

let http: Http;
/** Runs once, before the next saga is accepted: after the look at the stay, and before the act. */
let between: (() => Promise<unknown>) | null = null;
beforeAll(async () => {
  http = await startHttp({ sagaWaitMs: 0 }, (db: Db) => {
    const orchestrator = createOrchestrator({
      db,
      watcher: { wait: async () => null, close: async () => undefined },
      publish: () => undefined,
      onAnswer: () => undefined,
      definitionOf,
    });
    const accept: typeof orchestrator.accept = async (definition, request) => {
      const change = between;
      between = null;
      await change?.();
      return orchestrator.accept(definition, request);
    };
    return { orchestrator: { ...orchestrator, accept } };
  });
  await prepareWorld(http.db);
  await sql`INSERT INTO property (id, name, owner_id, agent_ids) VALUES ('property-foreign', 'Foreign', 'owner-1', '{agent-2}')`.execute(
    http.db,
  );
  await sql`INSERT INTO guest (id, name, email) VALUES ('guest-2', 'Two', 'two@example.com')`.execute(http.db);
}, 60_000);
afterAll(() => http?.stop());

const agent: Call = { as: 'AGENT', sub: 'agent-1' };
const guest: Call = { as: 'GUEST', sub: 'guest-1' };
const endpoint = (name: string) => {
  const [method = '', path = ''] = name.split(' ');
  return `${method} ${API}/${path}`;
};
async function prepared(name: string) {
  const request = await fixtureOf(endpoint(name)).prepare(http);
  await sql`UPDATE property SET agent_ids = '{agent-1}' WHERE id <> 'property-foreign'`.execute(http.db);
  return { request, id: request.path.split('/')[4] ?? '' };
}
const sagasOf = async (id: string) =>
  (await http.db.selectFrom('saga').select('id').where('subject_id', '=', id).execute()).length;

const ACTS = ['confirm', 'check-in', 'check-out', 'cancel', 'payment'].map(
  (act) => [`POST reservations/:id/${act}`, agent] as const,
);
const GUEST_ACTS = ['cancel', 'payment'].map((act) => [`POST reservations/:id/${act}`, guest] as const);
const changes: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
  'the stay goes to another property': (id) =>
    sql`UPDATE reservation SET property_id = 'property-foreign' WHERE id = ${id}`.execute(http.db),
  'the property goes to another agent': (id) =>
    sql`UPDATE property SET agent_ids = '{agent-2}' WHERE id = (SELECT property_id FROM reservation WHERE id = ${id})`.execute(
      http.db,
    ),
};

describe('Z11: between the look and the acceptance of a saga', () => {
  for (const [what, change] of Object.entries(changes)) {
    it.each(ACTS)(`${what}: 404 and no saga, %s`, async (name, caller) => {
      const { request, id } = await prepared(name);
      between = () => change(id);
      const answer = await sendTo(
        http,
        endpoint(name),
        { ...request, ...caller },
        { 'idempotency-key': `${what.length}-${id}` },
      );
      expect([answer.status, answer.body.code], answer.text).toEqual([404, 'RESERVATION_NOT_FOUND']);
      expect(between).toBeNull();
      expect(await sagasOf(id)).toBe(0);
    });
  }

  it.each(GUEST_ACTS)('the stay goes to another guest: 404 and no saga, %s', async (name, caller) => {
    const { request, id } = await prepared(name);
    between = () => sql`UPDATE reservation SET guest_id = 'guest-2' WHERE id = ${id}`.execute(http.db);
    const answer = await sendTo(http, endpoint(name), { ...request, ...caller });
    expect([answer.status, answer.body.code], answer.text).toEqual([404, 'RESERVATION_NOT_FOUND']);
    expect(await sagasOf(id)).toBe(0);
  });

  it.each([...ACTS, ...GUEST_ACTS])('nothing happens: the saga is accepted, %s', async (name, caller) => {
    const { request, id } = await prepared(name);
    expect((await sendTo(http, endpoint(name), { ...request, ...caller })).status).toBe(202);
    expect(await sagasOf(id)).toBe(1);
  });

  it.each([
    ['the stay', 'property_id'],
    ['its property', 'agent_ids'],
  ] as const)('%s is given away by whoever has locked the stay: what was committed counts', async (_what, column) => {
    const name = 'POST reservations/:id/confirm';
    const { request, id } = await prepared(name);
    const answer = await whileLocked(sql`SELECT FROM reservation WHERE id = ${id} FOR UPDATE`, {
      send: () => sendTo(http, endpoint(name), { ...request, ...agent }),
      change:
        column === 'property_id'
          ? sql`UPDATE reservation SET property_id = 'property-foreign' WHERE id = ${id}`
          : sql`UPDATE property SET agent_ids = '{agent-2}' WHERE id = (SELECT property_id FROM reservation WHERE id = ${id})`,
    });
    expect([answer.status, answer.body.code], answer.text).toEqual([404, 'RESERVATION_NOT_FOUND']);
    expect(await sagasOf(id)).toBe(0);
  });
});

/** Sends while a row is locked, changes it as soon as somebody waits for it, and gives the answer. */
async function whileLocked<T>(
  lock: ReturnType<typeof sql>,
  { send, change }: { readonly send: () => Promise<T>; readonly change: ReturnType<typeof sql> },
): Promise<T> {
  const answer = await http.db.transaction().execute(async (tx) => {
    await lock.execute(tx);
    const sent = send();
    await until('somebody waits for the row', async () => {
      const { rows } = await sql`SELECT FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE NOT l.granted AND a.datname = current_database()`.execute(http.db);
      return rows.length > 0 || undefined;
    });
    await change.execute(tx);
    return [sent] as const;
  });
  return answer[0];
}

const DEEDS = [
  'PATCH tasks/:id',
  'POST tasks/:id/start',
  'POST tasks/:id/complete',
  'PUT tasks/:id/photos/:photoId',
  'POST tasks/:id/approval',
] as const;

describe('Z11: while a change waits for the record', () => {
  it.each(DEEDS)('its property goes to another agent: 404 and nothing is done, %s', async (name) => {
    const { request, id } = await prepared(name);
    const read = () => http.db.selectFrom('task').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
    const before = await read();
    const answer = await whileLocked(sql`SELECT FROM task WHERE id = ${id} FOR UPDATE`, {
      send: () => sendTo(http, endpoint(name), { ...request, ...agent }),
      change: sql`UPDATE property SET agent_ids = '{agent-2}' WHERE id = ${before.property_id}`,
    });
    expect([answer.status, answer.body.code], answer.text).toEqual([404, 'TASK_NOT_FOUND']);
    expect(await read()).toEqual(before);
  });

  it.each([
    ['PATCH reservations/:id', 'reservation', 'RESERVATION_NOT_FOUND'],
    ['PATCH properties/:id', 'property', 'NOT_FOUND'],
    ['PATCH guests/:id', 'guest', 'NOT_FOUND'],
  ] as const)('it is the agent’s no more: 404 and nothing is done, %s', async (name, table, code) => {
    const { request, id } = await prepared(name);
    await http.db.updateTable('guest').set({ created_by: 'agent-1' }).where('id', '=', id).execute();
    const lost = {
      reservation: sql`UPDATE reservation SET property_id = 'property-foreign' WHERE id = ${id}`,
      property: sql`UPDATE property SET agent_ids = '{agent-2}' WHERE id = ${id}`,
      guest: sql`UPDATE guest SET created_by = 'agent-2' WHERE id = ${id}`,
    };
    const answer = await whileLocked(sql`SELECT FROM ${sql.table(table)} WHERE id = ${id} FOR UPDATE`, {
      send: () => sendTo(http, endpoint(name), { ...request, ...agent }),
      change: lost[table],
    });
    expect([answer.status, answer.body.code], answer.text).toEqual([404, code]);
  });

  it('the property that a body names goes to another agent: it is as one that does not exist', async () => {
    const name = 'POST tasks';
    const { request } = await prepared(name);
    const answer = await whileLocked(sql`SELECT FROM property WHERE id = 'property-1' FOR UPDATE`, {
      send: () => sendTo(http, endpoint(name), { ...request, ...agent }),
      change: sql`UPDATE property SET agent_ids = '{agent-2}' WHERE id = 'property-1'`,
    });
    expect([answer.status, answer.body.code], answer.text).toEqual([422, 'REFERENCE_NOT_FOUND']);
  });
});
