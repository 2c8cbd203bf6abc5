import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AccountRow } from '../../src/domain/people/accounts.ts';
import { newId } from '../../src/kernel/ids.ts';
import { addSaga } from '../setup/ledger.ts';
import { API, type Http, startHttp } from './harness.ts';
import { addPerson, type Browser, signInByMail } from './people.ts';
import { addIncident, prepareWorld } from './valid-requests.ts';

/** What people write as a reason about money, or about one saga, is not for operators, wherever it is read (security.md O10). */

const WORDS = 'Refund of AED 7373.73 to Canary Guest';
const OF_ENGINE = 'The workers are moved tonight';
let http: Http;
let incident: string;
let saga: string;
beforeAll(async () => {
  http = await startHttp();
  await prepareWorld(http.db);
  const { db } = http;
  saga = await addSaga(db, { name: 'executeRefund', status: 'parked', subjectId: 'transaction-of-words' });
  incident = await addIncident(http);
  await sql`UPDATE incident SET area = 'MONEY', kind = 'SAGA_PARKED', subject = 'executeRefund.refundAtGateway: GATEWAY_UNAVAILABLE',
      muted_until = now() + interval '1 day', muted_by = 'finance-1', reason = ${WORDS} WHERE id = ${incident}`.execute(
    db,
  );
  await sql`INSERT INTO redrive (id, incident_id, act, is_undoing, per_second, stop_after_errors, reason, ordered_by)
    VALUES (${newId('redrive')}, ${incident}, 'RETRY', false, 1, 1, ${WORDS}, 'finance-1')`.execute(db);
  for (const [scope, subject, reason] of [
    ['SAGA', saga, WORDS],
    ['NAME', 'executeRefund', WORDS],
    ['NAME', 'checkIn', OF_ENGINE],
  ] as const)
    expect(
      (await http.call('POST', `${API}/holds`, { body: { scope, subject, reason } })).status,
      `${scope} ${subject}`,
    ).toBe(201);
  await sql`INSERT INTO saga_amendment (saga_id, no, fields, step_no, reason, amended_by)
    VALUES (${saga}, 1, '{}', 1, ${WORDS}, 'finance-1')`.execute(db);
}, 60_000);
afterAll(() => http?.stop());

const PLACES = (): readonly string[] => [
  `${API}/incidents`,
  `${API}/incidents/${incident}`,
  `${API}/incidents/${incident}/redrive`,
  `${API}/holds`,
  `${API}/sagas/executions/${saga}`,
  `/console/incidents/${incident}`,
  `/console/sagas/${saga}`,
  '/console/system',
];

async function signedIn(role: AccountRow['role']): Promise<Browser> {
  const account = await addPerson(http.db, role);
  const browser = await signInByMail(http.app, http.db, account.email);
  await sql`UPDATE session SET mfa_at = now() WHERE account_id = ${account.id}`.execute(http.db);
  return browser;
}

it('stands where administrators read it, and nowhere where operators do', async () => {
  const [ops, admin] = [await signedIn('OPS'), await signedIn('ADMIN')];
  for (const place of PLACES()) {
    const isPage = place.startsWith('/console');
    const read = async (role: 'OPS' | 'ADMIN'): Promise<string> =>
      isPage
        ? (await (role === 'OPS' ? ops : admin).get(place)).text
        : (await http.call('GET', place, { as: role, sub: 'somebody-else' })).text;
    expect(await read('ADMIN'), place).toContain('7373.73');
    const shown = await read('OPS');
    expect(shown, place).not.toContain('7373.73');
    expect(shown, place).not.toContain('Canary');
  }
});

it('stands for operators where it is of the engine', async () => {
  const ops = await signedIn('OPS');
  expect((await http.call('GET', `${API}/holds`, { as: 'OPS', sub: 'somebody-else' })).text).toContain(OF_ENGINE);
  expect((await ops.get('/console/system')).text).toContain(OF_ENGINE);
});
