import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import { newId } from '../../src/kernel/ids.ts';
import { DEFINITIONS } from '../../src/sagas/index.ts';
import { addSaga, payStay, seedMoneyStay } from '../setup/ledger.ts';
import { type Call, type Http, startHttp } from './harness.ts';
import { addPerson, signInByMail } from './people.ts';
import { prepareWorld } from './valid-requests.ts';

/** What keeps sagas from coming on, grouped: each open saga that stands still is in one group, and its link lists the group's sagas alone. */

const API = '/api/production';
let http: Http;
beforeAll(async () => {
  http = await startHttp();
  await prepareWorld(http.db);
  await http.db
    .insertInto('property')
    .values([
      { id: 'property-own', name: 'Own', owner_id: 'owner-1', agent_ids: ['agent-1'], amenity_device: 'lock-own' },
      { id: 'property-far', name: 'Far', owner_id: 'owner-1', agent_ids: ['agent-9'], amenity_device: 'lock-far' },
    ])
    .execute();
}, 60_000);
afterAll(() => http?.stop());

const Group = z.object({
  name: z.string(),
  step: z.string(),
  code: z.string(),
  isUndoing: z.boolean(),
  isParked: z.boolean(),
  system: z.string().nullable(),
  count: z.int(),
  since: z.string(),
  last: z.string(),
  examples: z.array(z.object({ sagaId: z.string(), reservationId: z.string().nullable() })),
  incidents: z.array(z.object({ id: z.string(), kind: z.string(), status: z.string() })),
  links: z.object({ sagas: z.string() }),
});
const Failures = z.object({ sagas: z.int(), groups: z.int(), shown: z.array(Group) });
const failures = async (query: string, call: Call = {}) => {
  const answer = await http.call('GET', `${API}/sagas/failures${query}`, call);
  expect(answer.status).toBe(200);
  return Failures.parse(answer.body['data']);
};
const Listed = z.object({ data: z.array(z.object({ id: z.string() })), counts: z.record(z.string(), z.int()) });
const listed = async (path: string, call: Call = {}) => Listed.parse((await http.call('GET', path, call)).body);

interface Stands {
  readonly name: string;
  readonly step: { readonly no: number; readonly name: string; readonly isCall: boolean };
  readonly isUndoing: boolean;
  readonly isParked: boolean;
  readonly code: string;
  readonly property?: string;
  readonly input?: object;
  readonly subject?: { readonly type: 'reservation' | 'transaction'; readonly id: string };
  readonly requestedBy?: string;
}
async function stands({ name, step, isUndoing, isParked, code, property = 'property-own', ...more }: Stands) {
  const subject = more.subject ?? { type: 'reservation', id: newId('stay') };
  const id = await addSaga(http.db, {
    ...{ name, step: step.no, subjectId: subject.id, subjectType: subject.type, input: more.input ?? {} },
    status: isParked ? 'parked' : isUndoing ? 'compensating' : 'running',
    ...(more.requestedBy === undefined ? {} : { requestedBy: more.requestedBy }),
    errorCode: isUndoing ? 'SAGA_CANCELLED' : code,
  });
  await http.db.updateTable('saga').set({ property_id: property }).where('id', '=', id).execute();
  const direction = isUndoing ? 'C' : 'F';
  await http.db
    .insertInto('saga_step')
    .values({
      ...{ saga_id: id, step_no: step.no, direction, name: step.name, class: 'COMPENSABLE', attempt: 3 },
      ...{ kind: step.isCall ? 'EXTERNAL' : 'LOCAL', max_attempts: 8 },
      status: isParked ? 'failed' : 'pending',
      started_at: new Date(),
      finished_at: isParked ? new Date() : null,
      error: JSON.stringify({ code }),
    })
    .execute();
  return id;
}

const NEWEST = [...new Map(DEFINITIONS.map((definition) => [definition.name, definition])).values()];
/** Every way in which a saga of the definition can stand still, one of the ways twice. */
const waysOf = ({ name, steps }: SagaDefinition): Stands[] =>
  steps.flatMap((step) =>
    [false, true].flatMap((isUndoing) =>
      isUndoing && step.compensation === undefined
        ? []
        : [false, true].flatMap((isParked) =>
            (isParked ? ['STEP_FAILED', 'STEP_FAILED', 'STEP_TIMEOUT'] : ['STEP_FAILED']).map((code) => ({
              ...{ name, isUndoing, isParked, code },
              step: { no: step.no, name: step.name, isCall: step.kind === 'call' },
            })),
          ),
    ),
  );

describe.each(NEWEST.map((definition) => [definition.name, definition] as const))('%s', (name, definition) => {
  it('is grouped by every step, direction, error and standing, and each group leads to its own sagas', async () => {
    const keyOf = (one: Pick<Stands, 'isUndoing' | 'isParked' | 'code'>, step: string): string =>
      [step, one.code, one.isUndoing, one.isParked].join(' ');
    const wanted = new Map<string, string[]>();
    for (const way of waysOf(definition)) {
      const key = keyOf(way, way.step.name);
      wanted.set(key, [...(wanted.get(key) ?? []), await stands(way)]);
    }
    // None of these stands still.
    for (const status of ['running', 'completed', 'compensated'] as const)
      await addSaga(http.db, { name, status, subjectId: newId('stay') });
    await addSaga(http.db, { name, status: 'parked', errorCode: 'APPROVAL_REQUIRED', subjectId: newId('stay') });

    const { sagas, groups, shown } = await failures(`?name=${name}`);
    expect([sagas, groups]).toEqual([[...wanted.values()].flat().length, wanted.size]);
    const found = new Map<string, string[]>();
    for (const group of shown) {
      const { data, counts } = await listed(`${group.links.sagas}&limit=100`);
      expect(data.length).toBe(group.count);
      expect(Object.values(counts).reduce((all, count) => all + count, 0)).toBe(group.count);
      expect(data.map(({ id }) => id)).toEqual(expect.arrayContaining(group.examples.map(({ sagaId }) => sagaId)));
      found.set(keyOf(group, group.step), data.map(({ id }) => id).toSorted());
    }
    expect(found).toEqual(new Map([...wanted].map(([key, ids]) => [key, ids.toSorted()])));
  });
});

const AT_DEVICE = {
  name: 'checkOut',
  step: { no: 3, name: 'deactivatePropertyAmenities', isCall: true },
  isUndoing: false,
  isParked: true,
} as const;
const incident = async (kind: string, subject: string, area: 'ENGINE' | 'MONEY', closed: Date | null = null) => {
  const id = newId('incident');
  await http.db
    .insertInto('incident')
    .values({
      ...{ id, kind, subject, area, severity: 'WARNING', count: 1, most: 1, since: new Date() },
      ...{ details: '{"examples":[]}', closed_at: closed, closed_by: closed && 'watchdog' },
      ...(closed ? { last_at: closed, first_at: closed } : {}),
    })
    .execute();
  return id;
};

it('blames the device, the gateway or the bank, and nobody for what is nobody’s', async () => {
  const charge = { no: 4, name: 'blamed', isCall: true };
  const input = { gatewayId: 'sandbox', gatewayReference: 'ref-1' };
  const cases: readonly [Partial<Stands>, string | null][] = [
    [{ code: 'AMENITIES_UNAVAILABLE' }, 'lock-own'],
    [{ code: 'AMENITIES_REFUSED' }, 'lock-own'],
    [{ code: 'STEP_TIMEOUT' }, 'lock-own'],
    [{ code: 'STEP_TIMEOUT', input }, 'sandbox'],
    [{ code: 'GATEWAY_UNAVAILABLE', input }, 'sandbox'],
    [{ code: 'PAYMENT_DECLINED', input }, null],
    [{ code: 'STEP_TIMEOUT', step: { ...charge, isCall: false } }, null],
    [{ code: 'GATEWAY_UNAVAILABLE', subject: { type: 'transaction', id: 'transaction-none' } }, null],
  ];
  for (const [way, system] of cases) {
    const step = { ...charge, name: newId('step').replaceAll('-', '') };
    await stands({
      ...AT_DEVICE,
      step,
      code: 'x',
      ...way,
      ...(way.step ? { step: { ...way.step, name: step.name } } : {}),
    });
    const { shown } = await failures(`?step=${step.name}`);
    expect(
      shown.map((group) => group.system),
      JSON.stringify(way),
    ).toEqual([system]);
    if (system !== null) {
      expect((await failures(`?step=${step.name}&system=${system}`)).sagas).toBe(1);
      expect((await failures(`?step=${step.name}&system=other`)).sagas).toBe(0);
    }
  }
});

it('finds a refund and a payout with their stay, and blames who was to move the money', async () => {
  const stay = { id: 'stay-of-money' };
  await seedMoneyStay(http.db, stay);
  const { transactions } = await payStay(http.db, { stay, reference: 'ref-of-money' });
  const step = { no: 2, name: 'moved', isCall: true };
  for (const [type, system] of [
    ['GUEST_PAYMENT', 'sandbox'],
    ['OWNER_PAYOUT', 'bank'],
  ] as const) {
    const subject = { type: 'transaction', id: transactions[type] ?? '' } as const;
    const id = await stands({ ...AT_DEVICE, step, code: 'GATEWAY_UNAVAILABLE', subject });
    const { shown } = await failures(`?step=moved&system=${system}`);
    expect(shown).toMatchObject([{ system, count: 1, examples: [{ sagaId: id, reservationId: stay.id }] }]);
  }
  // One part of the gateway does not answer; its incident is about this group as well.
  const part = await incident('CIRCUIT_OPEN', 'sandbox/ref-of-money', 'ENGINE');
  expect((await failures('?step=moved&system=sandbox')).shown[0]?.incidents).toEqual([
    { id: part, kind: 'CIRCUIT_OPEN', status: 'OPEN' },
  ]);
});

it('names the incidents that are about a group, as far as the reader sees them', async () => {
  const step = { ...AT_DEVICE.step, name: 'covered' };
  await stands({ ...AT_DEVICE, step, code: 'AMENITIES_UNAVAILABLE' });
  const read = async (call: Call = {}) => (await failures('?step=covered', call)).shown[0]?.incidents;
  expect(await read()).toEqual([]);
  // Over before the first of them stood still: about others.
  await incident('CIRCUIT_OPEN', 'lock-own', 'ENGINE', new Date(Date.now() - 3_600_000));
  expect(await read()).toEqual([]);
  const circuit = await incident('CIRCUIT_OPEN', 'lock-own', 'ENGINE', new Date(Date.now() + 1_000));
  expect(await read()).toEqual([{ id: circuit, kind: 'CIRCUIT_OPEN', status: 'CLOSED' }]);
  const own = await incident('SAGA_PARKED', 'checkOut.covered: AMENITIES_UNAVAILABLE', 'MONEY');
  expect(await read({ as: 'OPS', sub: 'ops-1' })).toEqual(
    expect.arrayContaining([
      { id: own, kind: 'SAGA_PARKED', status: 'OPEN' },
      { id: circuit, kind: 'CIRCUIT_OPEN', status: 'CLOSED' },
    ]),
  );
  expect(await read({ as: 'FINANCE', sub: 'finance-1' })).toEqual([{ id: own, kind: 'SAGA_PARKED', status: 'OPEN' }]);
  expect(await read({ as: 'AGENT', sub: 'agent-1' })).toEqual([]);
});

it('shows an agent the own portfolio, and a service what it has started', async () => {
  const step = { ...AT_DEVICE.step, name: 'whose' };
  const mine = await stands({ ...AT_DEVICE, step, code: 'AMENITIES_REFUSED' });
  const far = await stands({
    ...{ ...AT_DEVICE, step, code: 'AMENITIES_REFUSED', property: 'property-far', requestedBy: 'service:service-1' },
  });
  const seen = async (call: Call) => {
    const { sagas, shown } = await failures('?step=whose', call);
    const ids = (await listed(`${API}/sagas?step=whose&limit=100`, call)).data.map(({ id }) => id);
    expect(sagas).toBe(ids.length);
    expect(shown.flatMap(({ examples }) => examples.map(({ sagaId }) => sagaId)).toSorted()).toEqual(ids.toSorted());
    return ids.toSorted();
  };
  expect(await seen({ as: 'AGENT', sub: 'agent-1' })).toEqual([mine]);
  expect(await seen({ as: { scope: 'sagas:read' }, sub: 'service-1' })).toEqual([far]);
  expect(await seen({ as: 'OPS', sub: 'ops-1' })).toEqual([mine, far].toSorted());
  expect((await failures('?step=whose&system=lock-far', { as: 'AGENT', sub: 'agent-1' })).sagas).toBe(0);
  expect((await http.call('GET', `${API}/sagas/failures`, { as: 'OWNER', sub: 'owner-1' })).status).toBe(403);
});

it('shows the five that have stood longest, since when, and the largest groups first', async () => {
  const step = { ...AT_DEVICE.step, name: 'many' };
  const ids: string[] = [];
  for (let n = 0; n < 7; n += 1) {
    const id = await stands({ ...AT_DEVICE, step, code: 'STEP_FAILED', isParked: false });
    await http.db
      .updateTable('saga_step')
      .set({ started_at: new Date(Date.UTC(2024, 0, 1, 2, 10 + n)) })
      .where('saga_id', '=', id)
      .execute();
    ids.push(id);
  }
  await stands({ ...AT_DEVICE, step, code: 'AMENITIES_REFUSED' });
  const { sagas, shown } = await failures('?step=many');
  expect([sagas, shown.map(({ count }) => count)]).toEqual([8, [7, 1]]);
  expect(shown[0]?.since).toBe('2024-01-01T02:10:00.000Z');
  expect(shown[0]?.examples.map(({ sagaId }) => sagaId)).toEqual(ids.slice(0, 5));
  expect((await failures('?step=many&isParked=true')).sagas).toBe(1);
  expect((await failures('?step=many&status=parked')).sagas).toBe(1);
  expect((await failures('?step=many&from=2090-01-01')).sagas).toBe(0);
  expect((await failures('?step=many&errorCode=AMENITIES_REFUSED&isUndoing=false')).sagas).toBe(1);
  for (const wrong of ['step=a%20b', 'isParked=yes', 'errorCode=', 'system=%0a', 'other=1'])
    expect((await http.call('GET', `${API}/sagas/failures?${wrong}`)).status, wrong).toBe(422);
});

it('is a block of the console’s page of sagas, each group with the way to its sagas, stays and incident', async () => {
  const { db } = http;
  const step = { ...AT_DEVICE.step, name: 'onThePage' };
  const id = await stands({ ...AT_DEVICE, step, code: 'AMENITIES_UNAVAILABLE' });
  const about = await incident('SAGA_PARKED', 'checkOut.onThePage: AMENITIES_UNAVAILABLE', 'ENGINE');
  const person = await addPerson(db, 'OPS');
  const browser = await signInByMail(http.app, db, person.email);
  await db.updateTable('session').set({ mfa_at: new Date() }).where('account_id', '=', person.id).execute();
  const { text } = await browser.get('/console/sagas?step=onThePage');
  expect(text).toContain('What keeps sagas from coming on');
  expect(text).toContain(`/console/incidents/${about}`);
  const link = /href="(\/console\/sagas\?name=checkOut[^"]*)"/.exec(text)?.[1]?.replaceAll('&amp;', '&') ?? '';
  expect(new URL(link, 'https://roomy.example').searchParams.get('system')).toBe('lock-own');
  const group = (await browser.get(link)).text;
  expect(group).toContain(`/console/sagas/${id}`);
  expect(group).toContain('name="system" value="lock-own"');
  expect((await browser.get('/console/sagas?reservationId=none')).status).toBe(200);
  expect((await browser.get('/console/sagas?step=nowhere')).text).not.toContain('id="failures"');
  const agent = await signInByMail(http.app, db, (await addPerson(db, 'AGENT', { staffId: 'agent-1' })).email);
  expect((await agent.get('/console/sagas?step=onThePage')).text).not.toContain('/console/incidents/');
});
