import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../src/db/client.ts';
import { createOrchestrator } from '../../src/engine/orchestrator.ts';
import { POLICIES } from '../../src/http/policy.ts';
import { definitionOf } from '../../src/sagas/index.ts';
import { addSaga } from '../setup/ledger.ts';
import { API, addReservation, at, type Http, startHttp } from './harness.ts';
import { fixtureOf, MUTATIONS, prepareWorld, sendTo } from './valid-requests.ts';

/** A key replayed by a caller whose property, sale or stay is somebody else's by now (security.md Z3, Z4). */

let http: Http;
beforeAll(async () => {
  http = await startHttp({ sagaWaitMs: 0 }, (db: Db) => ({
    orchestrator: createOrchestrator({
      db,
      watcher: { wait: async () => null, close: async () => undefined },
      publish: () => undefined,
      onAnswer: () => undefined,
      definitionOf,
    }),
  }));
  await prepareWorld(http.db);
}, 60_000);
afterAll(() => http?.stop());

const withKey = (key: string) => ({ 'idempotency-key': key });
const give = (agent: string) => sql`UPDATE property SET agent_ids = ARRAY[${agent}]`.execute(http.db);

/** Changes that an agent makes by the right to its property. Work on a task is a right by assignment. */
const BY_PROPERTY = MUTATIONS.filter((endpoint) => {
  const policy = POLICIES[endpoint];
  if (policy === undefined || policy === 'anonymous' || !policy.roles.includes('AGENT')) return false;
  return (
    /\/(?:reservations|tasks|properties|recurrences|notifications)(?:\/|$)/.test(endpoint) &&
    !/\/tasks\/:id\/(?:start|complete|accept|decline|photos)/.test(endpoint) &&
    // Its answer counts messages, and is about no record.
    !endpoint.endsWith('/notifications/resend')
  );
});

describe('an agent whose property was given to another', () => {
  it.each(BY_PROPERTY)('is refused its kept answer, and gets it again with the property: %s', async (endpoint) => {
    await give('agent-1');
    const request = await fixtureOf(endpoint).prepare(http);
    await give('agent-1');
    const mine = { ...request, as: 'AGENT' as const, sub: 'agent-1' };
    const send = () => sendTo(http, endpoint, mine, withKey(endpoint.replaceAll(' ', '-')));
    const first = await send();
    expect([200, 201, 202], first.text).toContain(first.status);
    await give('agent-2');
    const refused = await send();
    expect([refused.status, refused.headers.get('idempotency-replayed')], refused.text).toEqual([404, null]);
    // The refusal is that of a record which does not exist.
    expect(refused.text).not.toContain(String(at(first.body, 'data', 'createdAt') ?? 'Marina'));
    await give('agent-1');
    const again = await send();
    expect([again.status, again.text]).toEqual([first.status, first.text]);
  });

  it('reads no saga of it any more, whoever started it', async () => {
    await give('agent-1');
    const executionId = await addSaga(http.db, {
      name: 'confirmReservation',
      subjectId: await addReservation(http.db),
      requestedBy: 'agent-1',
    });
    const read = async (sub: string) => {
      const ask = (path: string) => http.call('GET', `${API}/sagas${path}`, { as: 'AGENT', sub });
      const [list, one, status] = [
        await ask('?name=confirmReservation'),
        await ask(`/executions/${executionId}`),
        await ask(`/confirmReservation/status?executionId=${executionId}`),
      ];
      const counts = Object.values(Object(at(list.body, 'counts'))).some((count) => count !== 0);
      return [list.text.includes(executionId), counts, one.status, status.status];
    };
    const all = [true, true, 200, 200];
    const nothing = [false, false, 404, 404];
    expect([await read('agent-1'), await read('agent-2')]).toEqual([all, nothing]);
    await give('agent-2');
    expect([await read('agent-1'), await read('agent-2')]).toEqual([nothing, all]);
  });

  it('is told no more of what a property beyond theirs is than of one that does not exist', async () => {
    const zone = 'America/New_York';
    await http.db
      .insertInto('property')
      .values({ id: 'property-abroad', name: 'Abroad', owner_id: 'owner-1', agent_ids: ['agent-2'], time_zone: zone })
      .execute();
    await http.db.insertInto('owner').values({ id: 'owner-9', name: 'Nine', email: 'nine@example.com' }).execute();
    const days = 'from=2024-02-01&to=2024-02-01';
    for (const [as, sub] of [
      ['AGENT', 'agent-1'],
      ['OWNER', 'owner-9'],
      ['CLEANER', 'cleaner-1'],
    ] as const) {
      const ask = async (id: string) => {
        const path = `${API}/tasks/statistics?${days}&propertyId=${id}`;
        const { status, body } = await http.call('GET', path, { as, sub });
        return { status, data: at(body, 'data') };
      };
      expect(await ask('property-abroad'), as).toEqual(await ask('property-of-nobody'));
    }
    const own = await http.call('GET', `${API}/tasks/statistics?${days}&propertyId=property-abroad`, {
      as: 'AGENT',
      sub: 'agent-2',
    });
    expect(at(own.body, 'data', 'from')).toBe('2024-02-01T05:00:00.000Z');
  });
});

describe('a guest', () => {
  it('whose stay is another’s by now is refused the answer about it', async () => {
    const endpoint = `POST ${API}/reservations/:id/cancel`;
    const request = await fixtureOf(endpoint).prepare(http);
    const mine = { ...request, as: 'GUEST' as const, sub: 'guest-1' };
    const send = () => sendTo(http, endpoint, mine, withKey('guest'));
    expect((await send()).status).toBe(202);
    await http.db.insertInto('guest').values({ id: 'guest-2', name: 'Two', email: 'two@example.com' }).execute();
    const id = request.path.split('/')[4] ?? '';
    await http.db.updateTable('reservation').set({ guest_id: 'guest-2' }).where('id', '=', id).execute();
    expect([(await send()).status, (await send()).body.code]).toEqual([404, 'RESERVATION_NOT_FOUND']);
  });
});

describe('who declines a task', () => {
  it('gets that answer again, although the task is theirs no more', async () => {
    const endpoint = `POST ${API}/tasks/:id/decline`;
    const request = await fixtureOf(endpoint).prepare(http);
    const first = await sendTo(http, endpoint, request, withKey('declined'));
    const again = await sendTo(http, endpoint, request, withKey('declined'));
    expect([first.status, again.text]).toEqual([200, first.text]);
  });
});
