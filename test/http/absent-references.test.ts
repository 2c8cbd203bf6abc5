import { afterAll, beforeAll, expect, it } from 'vitest';
import { endpointName, POLICIES } from '../../src/http/policy.ts';
import { referencesOf } from '../../src/http/references.ts';
import { API, declaredRoutes, type Http, startHttp } from './harness.ts';
import { fixtureOf, prepareWorld, sendTo } from './valid-requests.ts';

/** Who may name every record names none that does not exist (security.md Z4): every field of a body that refers to one. */

const ABSENT = 'nobody-at-all';
let http: Http;
beforeAll(async () => {
  http = await startHttp();
  await prepareWorld(http.db);
}, 60_000);
afterAll(() => http?.stop());

it('Z4: the office is refused a reference to nothing, in single fields and in lists', async () => {
  const wrong: string[] = [];
  let tried = 0;
  for (const { route } of declaredRoutes(http.app)) {
    const pattern = route.path.replaceAll(/\{(.+?)\}/g, ':$1');
    const endpoint = endpointName(route.method, pattern);
    const policy = POLICIES[endpoint];
    if (policy === undefined || policy === 'anonymous' || !policy.roles.includes('ADMIN')) continue;
    for (const { in: where, path, reference } of referencesOf(route, endpoint)) {
      // A device is known to its provider alone.
      if (where !== 'body' || reference.kind !== 'record' || reference.noun === 'device') continue;
      const [field = '', inner] = path;
      const request = await fixtureOf(endpoint).prepare(http);
      const body = { ...Object(request.body), [field]: inner === '[]' ? [ABSENT] : ABSENT, ...roleOf(endpoint, field) };
      const answer = await sendTo(http, endpoint, { ...request, body, as: 'ADMIN', sub: 'admin-1' }, {});
      tried += 1;
      if (!NOT_FOUND.test(answer.text)) wrong.push(`${endpoint} ${path.join('.')}: ${answer.text}`);
    }
  }
  expect([wrong, tried > 15]).toEqual([[], true]);
});

/** Of an account, its role and its record are checked together. */
const NOT_FOUND =
  /"code":"(?:REFERENCE_NOT_FOUND|RESERVATION_NOT_FOUND)"|"message":"no such record, or one of another role"/;
/** An account has the record of its role. */
const ROLE_OF: Readonly<Record<string, string>> = { staffId: 'CLEANER', ownerId: 'OWNER', guestId: 'GUEST' };
const roleOf = (endpoint: string, field: string): object =>
  endpoint.includes(`${API}/accounts`)
    ? { role: ROLE_OF[field], staffId: undefined, ownerId: undefined, guestId: undefined, [field]: ABSENT }
    : {};
