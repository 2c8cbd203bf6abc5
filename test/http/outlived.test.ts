import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { writeCheckOutReport } from '../../src/domain/stays/report.ts';
import { mintToken, type TokenRequest } from '../../src/http/mint.ts';
import { addSaga } from '../setup/ledger.ts';
import { API, addReservation, at, type Http, JWT, seed, startHttp, tokenFor } from './harness.ts';
import { movableClock } from './people.ts';

/**
 * What outlives the request that it began with (a stream, a ticket, the link to a report) ends with the token or the key that the
 * request came by, and with the right that its maker had (security.md Z12, J14).
 */

const clock = movableClock();
let http: Http;
let stay: string;
beforeAll(async () => {
  http = await startHttp({ clock });
  await seed(http.db);
  stay = await addReservation(http.db);
  const sagaId = await addSaga(http.db, { subjectId: stay });
  await http.db
    .transaction()
    .execute((tx) => writeCheckOutReport(tx, sagaId, stay, { warnings: [], isRevokedByHand: false }));
}, 60_000);
afterAll(() => http?.stop());
beforeEach(() =>
  http.db
    .updateTable('property')
    .set({ agent_ids: ['agent-1'] })
    .execute(),
);

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const STREAM = `${API}/events/stream`;

interface Held {
  readonly token: string;
  /** What was got by it ends. */
  end(): Promise<unknown>;
}
/** A token may be used for a minute more than it says. */
const TOKEN_SECONDS = 20;
async function tokenOf(grant: TokenRequest['grant'], sub: string): Promise<Held> {
  const token = await mintToken(JWT, clock, { sub, grant, lifetimeSeconds: TOKEN_SECONDS });
  return { token, end: async () => clock.forward(TOKEN_SECONDS + 60) };
}
async function keyThat(end: (path: string, admin: RequestInit) => Promise<unknown>): Promise<Held> {
  const admin = {
    headers: {
      authorization: `Bearer ${await tokenFor({ role: 'ADMIN' }, 'admin-1', clock)}`,
      'content-type': 'application/json',
    },
  };
  const fields = {
    name: 'Machine',
    scopes: ['events:read', 'reservations:read', 'finance:read'],
    expiresAt: inSeconds(3_600),
  };
  const made = await http.app.request(`${API}/api-keys`, { method: 'POST', ...admin, body: JSON.stringify(fields) });
  const { data } = (await made.json()) as { data: { id: string; key: string } };
  const believed = 31;
  return {
    token: data.key,
    end: async () => {
      await end(`${API}/api-keys/${data.id}`, admin);
      clock.forward(believed);
    },
  };
}
const inSeconds = (seconds: number): string => new Date(clock.now().getTime() + seconds * 1_000).toISOString();

const HELD: Readonly<Record<string, () => Promise<Held>>> = {
  'a person’s token that ends': () => tokenOf({ role: 'ADMIN' }, 'admin-1'),
  'a service’s token that ends': () => tokenOf({ scope: 'events:read reservations:read finance:read' }, 'crm'),
  'a key that is revoked': () => keyThat(async (path, admin) => http.app.request(path, { ...admin, method: 'DELETE' })),
  'a key that another replaces': () =>
    keyThat(async (path, admin) => {
      const body = JSON.stringify({ expiresAt: inSeconds(86_400) });
      expect((await http.app.request(`${path}/rotate`, { ...admin, method: 'POST', body })).status).toBe(200);
    }),
  'a key that ends': () => keyThat(async () => clock.forward(3_600)),
};

async function ticketOf(token: string): Promise<string> {
  const answer = await http.app.request(`${API}/events/tickets`, { method: 'POST', ...bearer(token) });
  return String(at(await answer.json(), 'data', 'ticket'));
}
async function linkOf(token: string): Promise<{ readonly path: string; readonly endsAt: number }> {
  const answer = await http.app.request(`${API}/reservations/${stay}/check-out-report/link`, bearer(token));
  const body = await answer.json();
  return {
    path: new URL(String(at(body, 'data', 'url'))).pathname,
    endsAt: Date.parse(String(at(body, 'data', 'expiresAt'))),
  };
}
const statusOf = async (path: string): Promise<number> => (await http.app.request(path)).status;

describe.each(Object.keys(HELD))('Z12: by %s', (name) => {
  const held = (): Promise<Held> => HELD[name]?.() ?? Promise.reject(new Error(name));

  it.each(['token', 'ticket'])(
    'a stream that was opened with the %s says nothing more',
    async (by) => {
      const { token, end } = await held();
      const opened = await (by === 'token'
        ? http.app.request(STREAM, bearer(token))
        : http.app.request(`${STREAM}?ticket=${await ticketOf(token)}`));
      expect(opened.status).toBe(200);
      const heard = opened.text();
      await end();
      // Something happens, so that the stream has something to say.
      const noise = await http.db
        .insertInto('owner')
        .values({ id: `noise-${by}-${Object.keys(HELD).indexOf(name)}`, name: 'O', email: 'o@x.example' })
        .returning('id')
        .executeTakeFirstOrThrow();
      expect(await heard).not.toContain(noise.id);
    },
    40_000,
  );

  it('a ticket opens no stream', async () => {
    const { token, end } = await held();
    const ticket = await ticketOf(token);
    await end();
    expect(await statusOf(`${STREAM}?ticket=${ticket}`)).toBe(401);
  });

  it('the link to a report opens nothing', async () => {
    const { token, end } = await held();
    const { path } = await linkOf(token);
    expect(await statusOf(path)).toBe(200);
    await end();
    expect(await statusOf(path)).toBe(404);
  });
});

describe('the link to a report', () => {
  it('Z12: says when it ends: with the token, or after ten minutes', async () => {
    const short = await linkOf((await tokenOf({ role: 'ADMIN' }, 'admin-1')).token);
    expect(short.endsAt - clock.now().getTime()).toBeLessThanOrEqual((TOKEN_SECONDS + 60) * 1_000);
    const long = await linkOf(await tokenFor({ role: 'ADMIN' }, 'admin-1', clock));
    expect(long.endsAt - clock.now().getTime()).toBeGreaterThan(500_000);
  });

  it('Z4: opens for an agent as long as the property is the agent’s', async () => {
    const { path } = await linkOf(await tokenFor({ role: 'AGENT' }, 'agent-1', clock));
    expect(await statusOf(path)).toBe(200);
    await http.db
      .updateTable('property')
      .set({ agent_ids: ['agent-2'] })
      .execute();
    expect(await statusOf(path)).toBe(404);
    const office = await linkOf(await tokenFor({ role: 'FINANCE' }, 'finance-1', clock));
    expect(await statusOf(office.path)).toBe(200);
  });
});
