import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API, at, type Http, startHttp } from './harness.ts';
import { addPerson } from './people.ts';

/** All people have one name space (security.md Z10): an id that a caller chooses is nobody's, of whatever kind. */

let http: Http;
beforeAll(async () => {
  http = await startHttp();
}, 60_000);
afterAll(() => http?.stop());

const KINDS = ['guests', 'owners', 'staff'] as const;
type Kind = (typeof KINDS)[number];
const add = (kind: Kind, id: string, who: object = {}) =>
  http.call('POST', `${API}/${kind}`, {
    ...who,
    body: { id, name: 'Nora', email: `${id}@example.com`, ...(kind === 'staff' ? { role: 'AGENT' } : {}) },
  });

describe('an id that a caller chooses', () => {
  for (const first of KINDS) {
    for (const second of KINDS) {
      it(`of ${first} is not free for ${second}`, async () => {
        const id = `${first}-and-${second}`;
        expect((await add(first, id)).status).toBe(201);
        const refused = await add(second, id);
        expect([refused.status, refused.body['code']]).toEqual([409, 'ALREADY_EXISTS']);
      });
    }
  }

  it('is no name that an account has or has had', async () => {
    const { id, principal } = await addPerson(http.db, 'AGENT');
    const seen = await http.call('GET', `${API}/accounts/${id}`);
    const headers = { 'if-match': seen.headers.get('etag') ?? '' };
    expect((await http.call('PATCH', `${API}/accounts/${id}`, { body: { role: 'FINANCE' }, headers })).status).toBe(
      200,
    );
    for (const kind of KINDS)
      for (const name of [id, principal])
        expect([kind, name, (await add(kind, name)).status]).toEqual([kind, name, 409]);
  });

  it('is given once, also of one for each kind at a time', async () => {
    const answers = await Promise.all(KINDS.map((kind) => add(kind, 'wanted-by-all')));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409]);
  });

  it('takes no invitation from an owner: an agent’s guest of the same id is refused', async () => {
    expect((await add('owners', 'owner-2')).status).toBe(201);
    expect((await add('guests', 'owner-2', { as: 'AGENT', sub: 'agent-1' })).status).toBe(409);
    const body = { email: 'o2@example.com', name: 'Olga', role: 'OWNER', ownerId: 'owner-2' };
    const invited = await http.call('POST', `${API}/accounts`, { body });
    expect([invited.status, at(invited.body, 'data', 'principal')], invited.text).toEqual([201, 'owner-2']);
  });
});
