import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeApi } from '../../src/http/openapi/document.ts';
import { createContract } from '../openapi/contract.ts';
import { endpointFields } from './body-fields.ts';
import { type Answer, API, at, type Call, type Http, PUBLIC_URL, recordKeeper, startHttp } from './harness.ts';
import { MUTATIONS, prepareWorld } from './valid-requests.ts';

/** Every amount that a body can have is refused, or read back to the minor unit as it was sent: no double rounds it. */

let http: Http;
beforeAll(async () => {
  http = await startHttp({ closing: AbortSignal.abort(), ports: recordKeeper([]) });
  await prepareWorld(http.db);
}, 60_000);
afterAll(() => http?.stop());

/** Sends the body with a text of JSON for its `@`. */
const send = (method: string, path: string, body: object, raw: string, call: Call = {}): Promise<Answer> =>
  http.call(method, `${API}/${path}`, {
    ...call,
    raw: JSON.stringify(body).replace('"@"', () => raw),
    headers: { 'content-type': 'application/json' },
  });
const idOf = (answer: Answer): string => String(at(answer.body, 'data', 'id'));
const money = { amount: '@', currency: 'AED' };
const stay = {
  propertyId: 'property-1',
  guestId: 'guest-1',
  checkInDate: '2031-02-01',
  checkOutDate: '2031-02-03',
  currency: 'AED',
  totalAmount: '@',
};
const owner = { name: 'Olga', email: 'olga@example.com' };
const property = { name: 'New', ownerId: 'owner-1' };
const task = { type: 'MAINTENANCE', title: 'Drips', propertyId: 'property-1', scheduledDate: '2031-03-01T09:00:00Z' };
const anOwner = async (): Promise<string> => idOf(await http.call('POST', `${API}/owners`, { body: owner }));
const aProperty = async (): Promise<string> => idOf(await http.call('POST', `${API}/properties`, { body: property }));
let hours = 0;
const aTask = async (type: 'MAINTENANCE' | 'INSPECTION'): Promise<string> => {
  hours += 1;
  const id = idOf(await http.call('POST', `${API}/tasks`, { body: { ...task, type } }));
  const scheduled_at = new Date(Date.UTC(2030, 0, 1, hours * 2));
  const ends_at = new Date(scheduled_at.getTime() + 3_600_000);
  await http.db
    .updateTable('task')
    .set({ status: 'IN_PROGRESS', assignee_id: 'cleaner-1', scheduled_at, ends_at, next_assign_at: null })
    .where('id', '=', id)
    .execute();
  return id;
};
/** The follow-up of a finding, which has its estimate. */
async function followUp(answer: Answer): Promise<Answer> {
  if (answer.status !== 200) return answer;
  const made = (at(answer.body, 'data', 'nextActions') as readonly { subjectId: string }[]).map((one) => one.subjectId);
  const repair = made.find((id) => id.startsWith('task-'));
  return repair === undefined ? answer : http.call('GET', `${API}/tasks/${repair}`);
}

type Read = (answer: Answer) => bigint;
/** Minor units of a decimal text, without a double. */
const minorOf = (text: string): bigint => {
  const [whole = '0', fraction = ''] = text.split('.');
  return BigInt(whole) * 100n + BigInt(fraction.padEnd(2, '0'));
};
const major =
  (...path: readonly (string | number)[]): Read =>
  (answer) =>
    minorOf(String(at(answer.body, 'data', ...path)));
interface Place {
  readonly write: (raw: string) => Promise<Answer>;
  readonly read: Read;
}
const terms = (name: 'minimums' | 'workingCapital'): Readonly<Record<string, Place>> => {
  const body = { payoutTerms: { [name]: [money] } };
  const read = major('payoutTerms', name, 0, 'amount');
  return {
    [`POST owners payoutTerms.${name}.0.amount`]: {
      write: (raw) => send('POST', 'owners', { ...owner, ...body }, raw),
      read,
    },
    [`PATCH owners/:id payoutTerms.${name}.0.amount`]: {
      write: async (raw) => send('PATCH', `owners/${await anOwner()}`, body, raw),
      read,
    },
  };
};
/** The setting is one record: each write is made on the version that was read. */
const limits = (
  field: string,
  list: (amounts: readonly object[]) => object,
  read: Read,
): Readonly<Record<string, Place>> => ({
  [`PUT settings/approval-limits ${field}.0.amount`]: {
    write: async (raw) => {
      const path = 'settings/approval-limits';
      const tag = (await http.call('GET', `${API}/${path}`)).headers.get('etag') ?? '';
      const body = {
        ...{ overrides: [], charges: [], roles: { FINANCE: [], ADMIN: null } },
        ...{ overEstimatePercent: 10, expiresHours: 168, accountWaitHours: 72 },
        ...list([money]),
      };
      return http.call('PUT', `${API}/${path}`, {
        raw: JSON.stringify(body).replace('"@"', () => raw),
        headers: { 'content-type': 'application/json', 'if-match': tag },
      });
    },
    read,
  },
});
const PLACES: Readonly<Record<string, Place>> = {
  ...limits('overrides', (overrides) => ({ overrides }), major('overrides', 0, 'amount')),
  ...limits('charges', (charges) => ({ charges }), major('charges', 0, 'amount')),
  ...limits(
    'roles.FINANCE',
    (FINANCE) => ({ roles: { FINANCE, ADMIN: null } }),
    major('roles', 'FINANCE', 0, 'amount'),
  ),
  ...limits('roles.ADMIN', (ADMIN) => ({ roles: { FINANCE: [], ADMIN } }), major('roles', 'ADMIN', 0, 'amount')),
  'POST reservations totalAmount': {
    write: (raw) => send('POST', 'reservations', stay, raw),
    read: major('totalAmount'),
  },
  'PATCH reservations/:id totalAmount': {
    write: async (raw) => {
      const id = idOf(await send('POST', 'reservations', stay, '1'));
      return send('PATCH', `reservations/${id}`, { totalAmount: '@' }, raw);
    },
    read: major('totalAmount'),
  },
  'POST properties repairApprovalLimit.amount': {
    write: (raw) => send('POST', 'properties', { ...property, repairApprovalLimit: money }, raw),
    read: major('repairApprovalLimit', 'amount'),
  },
  'PATCH properties/:id repairApprovalLimit.amount': {
    write: async (raw) => send('PATCH', `properties/${await aProperty()}`, { repairApprovalLimit: money }, raw),
    read: major('repairApprovalLimit', 'amount'),
  },
  'POST tasks estimate.amount': {
    write: (raw) => send('POST', 'tasks', { ...task, estimate: money }, raw),
    read: major('estimate', 'amount'),
  },
  'POST tasks/:id/complete cost.amount': {
    write: async (raw) => send('POST', `tasks/${await aTask('MAINTENANCE')}/complete`, { cost: money }, raw),
    read: (answer) => BigInt(String(at(answer.body, 'data', 'completion', 'cost', 'amountMinor'))),
  },
  'POST tasks/:id/charge amount': {
    write: async (raw) => {
      const id = await aTask('MAINTENANCE');
      await http.call('POST', `${API}/tasks/${id}/complete`, { body: {} });
      return send('POST', `tasks/${id}/charge`, money, raw);
    },
    read: major('amount'),
  },
  'POST tasks/:id/complete findings.0.estimate.amount': {
    write: async (raw) => {
      const findings = [{ description: 'A leak', severity: 'MINOR', estimate: money }];
      const body = { outcome: 'FAILED', findings };
      return followUp(await send('POST', `tasks/${await aTask('INSPECTION')}/complete`, body, raw));
    },
    read: major('estimate', 'amount'),
  },
  ...terms('minimums'),
  ...terms('workingCapital'),
};
/** `money-input.test.ts` has them: what a payment captures and a refund gives back is a saga's input. */
const ELSEWHERE = ['POST reservations/:id/payment amount', 'POST reservations/:id/refunds amount'];

it('is tried for every amount that the document declares', () => {
  const contract = createContract(describeApi(http.app, { publicUrl: PUBLIC_URL }));
  const declared = MUTATIONS.flatMap((endpoint) => endpointFields(contract, endpoint))
    .filter(({ path }) => /amount$/i.test(String(path.at(-1))))
    .map(({ endpoint, path }) => `${endpoint.replace(`${API}/`, '')} ${path.join('.')}`);
  expect(declared.toSorted()).toEqual([...Object.keys(PLACES), ...ELSEWHERE].toSorted());
});

const plain = fc
  .tuple(fc.bigInt({ min: 1n, max: 2n ** 64n }), fc.integer({ min: 0, max: 64 }))
  .map(([minor, shift]) => minor >> BigInt(shift) || 1n);
const near = [2n ** 53n, 10n ** 15n, 10n ** 11n, 2n ** 63n].flatMap((middle) =>
  [-2n, -1n, 0n, 1n, 2n].map((off) => middle + off),
);

it.each(Object.keys(PLACES))('%s', { timeout: 120_000 }, async (name) => {
  const place = PLACES[name];
  if (!place) throw new Error(name);
  let taken = 0;
  const tryOne = async (minor: bigint): Promise<void> => {
    const text = `${minor / 100n}.${String(minor % 100n).padStart(2, '0')}`;
    for (const raw of [text, `"${text}"`]) {
      const answer = await place.write(raw);
      if (answer.status >= 300) {
        expect([422, 400], `${raw} ${answer.text}`).toContain(answer.status);
        continue;
      }
      taken += 1;
      expect(place.read(answer), `${raw} ${answer.text}`).toBe(minor);
    }
  };
  for (const minor of near) await tryOne(minor);
  await fc.assert(fc.asyncProperty(plain, tryOne), { numRuns: 30 });
  expect(taken).toBeGreaterThan(10);
});
