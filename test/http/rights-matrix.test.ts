import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../src/db/client.ts';
import type { WebhookSender } from '../../src/domain/ports.ts';
import { createOrchestrator } from '../../src/engine/orchestrator.ts';
import { permits } from '../../src/http/policy.ts';
import { type ReferenceField, referencesOf } from '../../src/http/references.ts';
import { definitionOf } from '../../src/sagas/index.ts';
import { type Answer, API, type Call, declaredRoutes, type Http, recordKeeper, startHttp } from './harness.ts';
import {
  ABSENT,
  absentRequest,
  addressesOf,
  codeOf,
  ENDPOINTS,
  type Endpoint,
  type Kind,
  maySend,
  NAMED,
  ownRequest,
  PEOPLE,
  prepareRights,
  separate,
  serviceOf,
  shapeOf,
  type World,
  withReference,
} from './rights.ts';

/**
 * Every endpoint × every role and scope × an own, a foreign and an absent record, in the path and in each field of the body and the
 * query that refers to one (security.md Z14). Made of the policies, the declared routes and the valid requests: what is added to
 * these is tried here by itself.
 */

let http: Http;
let world: World;
beforeAll(async () => {
  const webhooks: WebhookSender = {
    refusalOf: async () => null,
    send: async () => ({ taken: true, statusCode: 204, reason: null, ms: 1 }),
  };
  http = await startHttp(
    { closing: AbortSignal.abort(), sagaWaitMs: 0, ports: recordKeeper([]), webhooks },
    (db: Db) => ({
      orchestrator: createOrchestrator({
        db,
        watcher: { wait: async () => null, close: async () => undefined },
        publish: () => undefined,
        onAnswer: () => undefined,
        definitionOf,
      }),
    }),
  );
  world = await prepareRights(http);
}, 120_000);

/** By answer; `what` is the cell of the matrix. */
const counts = new Map<string, number>();
const failures: string[] = [];
async function cell(what: string, asked: Promise<Answer>): Promise<Answer> {
  const answer = await asked;
  const code = codeOf(answer);
  counts.set(code, (counts.get(code) ?? 0) + 1);
  if (answer.status >= 500) failures.push(`${what}: ${code}`);
  return answer;
}
const expectThat = (holds: boolean, what: string, ...answers: readonly Answer[]): void => {
  if (!holds)
    failures.push(`${what}: ${answers.map((answer) => `${codeOf(answer)} ${answer.text.slice(0, 200)}`).join(' | ')}`);
};
function allFine(): void {
  const found = failures.splice(0);
  expect(found).toEqual([]);
}

afterAll(async () => {
  const total = [...counts.values()].reduce((sum, n) => sum + n, 0);
  const lines = [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([code, n]) => `${code}: ${n}`);
  console.info(`rights: ${total} cells\n  ${lines.join('\n  ')}`);
  await http?.stop();
});

const kindsOf = (endpoint: Endpoint): readonly Kind[] => [...PEOPLE, serviceOf(endpoint)];
const mayCall = ({ policy }: Endpoint, { role, own }: Kind): boolean =>
  role === null
    ? permits(policy, { kind: 'service', principal: 'service:desk-1', scopes: new Set([policy.permission]) })
    : permits(policy, { kind: 'person', principal: String(own.sub), role });
const fieldsOf = ({ name }: Endpoint): readonly ReferenceField[] => {
  const found = declaredRoutes(http.app).find(
    ({ route }) => `${route.method.toUpperCase()} ${route.path.replaceAll(/\{(.+?)\}/g, ':$1')}` === name,
  );
  return found ? referencesOf(found.route, name) : [];
};
const READS = ENDPOINTS.filter(({ method }) => method === 'GET');
const CHANGES = ENDPOINTS.filter(({ method }) => method !== 'GET');
/** What an agent is shown of these goes by the caller, and not by a record. */
const isUnbounded = (kind: Kind): boolean => kind.stranger === null;

describe('Z14: the matrix', () => {
  it.each(ENDPOINTS)('$name refuses whom its policy does not name, whatever the record', async (endpoint) => {
    const body = endpoint.method === 'GET' ? {} : { body: {} };
    const path = endpoint.pattern.replaceAll(/:[^/]+/g, ABSENT);
    const nobody: readonly (readonly [string, Call, number])[] = [
      ['anonymous', { as: null }, 401],
      ['service without the scope', { as: { scope: 'nothing:at-all' }, sub: 'desk-1' }, 403],
    ];
    for (const [name, caller, status] of nobody) {
      const answer = await cell(`${endpoint.name} ${name}`, http.call(endpoint.method, path, { ...caller, ...body }));
      expectThat(answer.status === status, `${endpoint.name} ${name}`, answer);
    }
    for (const kind of kindsOf(endpoint).filter((one) => !mayCall(endpoint, one))) {
      for (const caller of [kind.own, kind.stranger ?? kind.own]) {
        const what = `${endpoint.name} ${kind.name}`;
        const answer = await cell(what, http.call(endpoint.method, path, { ...caller, ...body }));
        expectThat(answer.status === 403, what, answer);
      }
    }
    allFine();
  });

  it.each(READS)(
    '$name shows an own record, and a foreign one as little as an absent one',
    async (endpoint) => {
      for (const kind of kindsOf(endpoint).filter((one) => mayCall(endpoint, one))) {
        const what = `${endpoint.name} ${kind.name}`;
        const { own, absent, ids } = addressesOf(endpoint, world, kind);
        const get = (path: string, caller: Call, which: string) =>
          cell(`${what} ${which}`, http.call('GET', path, caller));
        const seen = await get(own, kind.own, 'own');
        if (own === absent) {
          expectThat(seen.status < 300, what, seen);
          continue;
        }
        const nothing = await get(absent, kind.own, 'absent');
        expectThat(nothing.status === 404, `${what} absent`, nothing);
        // Of some records there is only a part by now, such as the report of a stay that has not ended: a refusal of its own.
        expectThat(shapeOf(seen, ...ids) !== shapeOf(nothing, ...ids) || hasPart(endpoint), `${what} own`, seen);
        expectThat(seen.status !== 403, `${what} own`, seen);
        if (kind.stranger === null) continue;
        const foreign = await get(own, kind.stranger, 'foreign');
        const gone = await get(absent, kind.stranger, 'absent to a stranger');
        expectThat(shapeOf(foreign, ...ids) === shapeOf(gone, ...ids), `${what} foreign`, foreign, gone);
      }
      allFine();
    },
    60_000,
  );

  it.each(CHANGES)(
    '$name acts on an own record, and on a foreign one as little as on an absent one',
    async (endpoint) => {
      for (const kind of kindsOf(endpoint).filter((one) => mayCall(endpoint, one))) {
        const what = `${endpoint.name} ${kind.name}`;
        const request = await ownRequest(http, endpoint, kind);
        const absent = absentRequest(endpoint, request);
        const send = ({ path, ...call }: typeof request, caller: Call, which: string) =>
          cell(`${what} ${which}`, http.call(endpoint.method, path, { ...call, ...caller }));
        if (absent !== null && kind.stranger !== null) {
          const { ids } = absent;
          const foreign = await send(request, kind.stranger, 'foreign');
          const gone = await send(absent.request, kind.stranger, 'absent to a stranger');
          expectThat(foreign.status === 404, `${what} foreign`, foreign);
          expectThat(shapeOf(foreign, ...ids) === shapeOf(gone, ...ids), `${what} foreign`, foreign, gone);
        }
        if (absent !== null) {
          const gone = await send(absent.request, kind.own, 'absent');
          expectThat(gone.status === 404, `${what} absent`, gone);
        }
        const done = await send(request, kind.own, 'own');
        expectThat(done.status < 300 || isRefusedByRule(done), `${what} own`, done);
      }
      allFine();
    },
    60_000,
  );

  it.each(CHANGES)(
    '$name takes an own reference, and a foreign one as little as an absent one',
    async (endpoint) => {
      for (const field of fieldsOf(endpoint)) {
        const named = field.reference.kind === 'none' ? undefined : NAMED[field.reference.noun];
        if (field.in !== 'body' || named === undefined) continue;
        for (const kind of kindsOf(endpoint).filter((one) => mayCall(endpoint, one))) {
          const what = `${endpoint.name} ${kind.name} ${field.path.join('.')}`;
          const send = async (id: string, which: string) => {
            const { path, body, ...call } = await ownRequest(http, endpoint, kind);
            const changed = withReference(body, field.path, id);
            return cell(`${what} ${which}`, http.call(endpoint.method, path, { ...call, ...kind.own, body: changed }));
          };
          const [foreign, absent, own] = [
            await send(named.foreign, 'foreign'),
            await send(ABSENT, 'absent'),
            await send(named.own, 'own'),
          ];
          if (!maySend(field, kind)) {
            expectThat(
              [foreign, absent, own].every(({ status }) => status === 403),
              what,
              foreign,
              absent,
              own,
            );
            continue;
          }
          if (!isUnbounded(kind)) {
            const same = shapeOf(foreign, named.foreign, ABSENT) === shapeOf(absent, named.foreign, ABSENT);
            expectThat(same, `${what} foreign`, foreign, absent);
            if (field.reference.kind === 'record') expectThat(foreign.status === 422, `${what} foreign`, foreign);
          }
          expectThat(own.status !== 403 && codeOf(own) !== '422 REFERENCE_NOT_FOUND', `${what} own`, own);
        }
      }
      allFine();
    },
    60_000,
  );

  it.each(READS)(
    '$name filters by a foreign record as by an absent one',
    async (endpoint) => {
      await separate(http);
      for (const field of fieldsOf(endpoint)) {
        const named = field.reference.kind === 'none' ? undefined : NAMED[field.reference.noun];
        if (field.in !== 'query' || named === undefined) continue;
        for (const kind of kindsOf(endpoint).filter((one) => mayCall(endpoint, one))) {
          const what = `${endpoint.name} ${kind.name} ?${field.path.join('.')}`;
          const { own: path } = addressesOf(endpoint, world, kind);
          const get = (id: string, which: string) =>
            cell(`${what} ${which}`, http.call('GET', `${path}?${field.path[0]}=${id}`, kind.own));
          const [foreign, absent] = [await get(named.foreign, 'foreign'), await get(ABSENT, 'absent')];
          const own = await get(named.own, 'own');
          expectThat(own.status !== 403, `${what} own`, own);
          if (isUnbounded(kind)) continue;
          const ids = [named.foreign, ABSENT];
          expectThat(shapeOf(foreign, ...ids) === shapeOf(absent, ...ids), `${what} foreign`, foreign, absent);
        }
      }
      allFine();
    },
    60_000,
  );

  it('has thousands of cells, of which fewer than one in a hundred ends at a limit', () => {
    const total = [...counts.values()].reduce((sum, n) => sum + n, 0);
    const limited = [...counts].reduce((sum, [code, n]) => sum + (code.startsWith('429') ? n : 0), 0);
    expect(total).toBeGreaterThan(2_500);
    expect(limited).toBeLessThan(total / 100);
  });
});

/** Parts of records that the world has not got: they are absent in the same words as a foreign record. */
const hasPart = ({ pattern }: Endpoint): boolean =>
  /\/(?:photos\/:photoId|content|check-out-report(?:\/link)?)$/.test(pattern) ||
  pattern === `${API}/sagas/:name/status`;

/** Refused for what the record is like, and not for whose it is. */
const isRefusedByRule = (answer: Answer): boolean => [409, 412, 422].includes(answer.status);
