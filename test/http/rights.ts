import { sql } from 'kysely';
import type { Db } from '../../src/db/client.ts';
import type { Role } from '../../src/http/auth.ts';
import { POLICIES, type Policy } from '../../src/http/policy.ts';
import type { ReferenceField } from '../../src/http/references.ts';
import { addSaga, payStay, seedMoneyStay } from '../setup/ledger.ts';
import { feeDifference } from '../setup/movements.ts';
import { type Answer, at, type Call, type Http } from './harness.ts';
import {
  addHold,
  addIncident,
  addKey,
  addQuestion,
  fixtureOf,
  prepareWorld,
  type ValidRequest,
} from './valid-requests.ts';

/** Who calls and about what, for the matrix of rights: two agencies in one house, and every kind of caller of both. */

export interface Endpoint {
  readonly name: string;
  readonly method: string;
  readonly pattern: string;
  readonly policy: Policy;
}
export const ENDPOINTS: readonly Endpoint[] = Object.entries(POLICIES).flatMap(([name, policy]) => {
  const [method = '', pattern = ''] = name.split(' ');
  return policy === 'anonymous' ? [] : [{ name, method, pattern, policy }];
});

/** Of each role one whose the records are, and one to whom they are foreign. A service is bounded by its scopes. */
export interface Kind {
  readonly name: string;
  readonly role: Role | null;
  readonly own: Call;
  readonly stranger: Call | null;
}
const person = (role: Role, own: string, stranger: string | null): Kind => ({
  name: role,
  role,
  own: { as: role, sub: own },
  stranger: stranger === null ? null : { as: role, sub: stranger },
});
export const PEOPLE: readonly Kind[] = [
  person('ADMIN', 'admin-1', null),
  person('FINANCE', 'finance-1', null),
  person('OPS', 'ops-1', null),
  person('AGENT', 'agent-1', 'agent-9'),
  person('OWNER', 'owner-1', 'owner-9'),
  person('GUEST', 'guest-1', 'guest-9'),
  person('CLEANER', 'cleaner-1', 'cleaner-9'),
  person('MAINTENANCE_STAFF', 'repairer-1', 'repairer-9'),
];
/** A service with the scope of the endpoint sees every record but the sagas of others. */
export const serviceOf = ({ policy, pattern }: Endpoint): Kind => ({
  name: 'service',
  role: null,
  own: { as: { scope: policy.permission }, sub: 'desk-1' },
  stranger: pattern.includes('/sagas') ? { as: { scope: policy.permission }, sub: 'desk-9' } : null,
});

export const ABSENT = 'nothing-at-all';
/** By the noun of a reference: a record that is the callers' own, and one of the other agency. */
export const NAMED: Readonly<Record<string, { readonly own: string; readonly foreign: string }>> = {
  property: { own: 'property-1', foreign: 'property-9' },
  guest: { own: 'guest-1', foreign: 'guest-9' },
  owner: { own: 'owner-1', foreign: 'owner-9' },
  // An agent, who may also refer a stay.
  staff: { own: 'agent-1', foreign: 'agent-9' },
  reservation: { own: 'stay-own', foreign: 'stay-9' },
  recipient: { own: 'guest-1', foreign: 'guest-9' },
  device: { own: 'lock-free', foreign: 'lock-9' },
  notification: { own: 'message-own', foreign: 'message-9' },
  saga: { own: 'saga-of-nobody', foreign: 'saga-of-nobody-else' },
};

export interface World {
  /** An id for each variable part of a GET, by the address before it; a role may have one of its own. */
  readonly ids: Readonly<Record<string, string>>;
}

/** The other agency, and a record of every kind that can be read. */
export async function prepareRights(http: Http): Promise<World> {
  const { db } = http;
  await prepareWorld(db);
  const email = 'other@example.com';
  await db.insertInto('owner').values({ id: 'owner-9', name: 'Nine', email }).execute();
  await db.insertInto('guest').values({ id: 'guest-9', name: 'Nine', email, created_by: 'agent-9' }).execute();
  const only = (id: string) => ({ property_ids: [id] });
  await db.updateTable('staff').set(only('property-1')).where('id', '=', 'cleaner-1').execute();
  await db
    .insertInto('staff')
    .values([
      { id: 'agent-9', name: 'Nine', email, role: 'AGENT', ...only('property-9') },
      { id: 'cleaner-9', name: 'Nine', email, role: 'CLEANER', ...only('property-9') },
      { id: 'repairer-1', name: 'Rami', email, role: 'MAINTENANCE_STAFF', ...only('property-1') },
      { id: 'repairer-9', name: 'Nine', email, role: 'MAINTENANCE_STAFF', ...only('property-9') },
    ])
    .execute();
  await db
    .insertInto('property')
    .values({ id: 'property-9', name: 'Nine', owner_id: 'owner-9', agent_ids: ['agent-9'], amenity_device: 'lock-9' })
    .execute();
  await seedMoneyStay(db, { id: 'stay-own' });
  await seedMoneyStay(db, { id: 'stay-9', propertyId: 'property-9', ownerId: 'owner-9' });
  await db.updateTable('reservation').set({ guest_id: 'guest-9' }).where('id', '=', 'stay-9').execute();
  await seedMoneyStay(db, { id: 'stay-told' });
  await db.insertInto('rating').values({ reservation_id: 'stay-own', score: 4, given_by: 'guest-1' }).execute();
  const paid = await payStay(db, { stay: { id: 'stay-own' }, reference: 'ref-of-own' });
  const task = (id: string, type: 'CLEANING' | 'MAINTENANCE' | 'FINANCE', assignee: string | null, hour: number) => ({
    id,
    type,
    occurrence: id,
    title: 'Work',
    property_id: 'property-1',
    status: assignee === null ? ('UNASSIGNED' as const) : ('ASSIGNED' as const),
    assignee_id: assignee,
    scheduled_at: new Date(Date.UTC(2031, 0, 1, hour)),
    ends_at: new Date(Date.UTC(2031, 0, 1, hour + 1)),
  });
  await db
    .insertInto('task')
    .values([
      task('task-own', 'CLEANING', 'cleaner-1', 0),
      task('task-of-repairer', 'MAINTENANCE', 'repairer-1', 2),
      task('task-of-finance', 'FINANCE', null, 4),
    ])
    .execute();
  await sql`INSERT INTO recurrence (id, property_id, type, title, every, anchor_date, local_time, duration_minutes, next_period, created_by)
    VALUES ('recurrence-own', 'property-1', 'INSPECTION', 'Monthly', '"MONTHLY"', '2030-01-31', '11:00', 60, 0, 'admin-1')`.execute(
    db,
  );
  const message = (id: string, reservation_id: string, recipient_id: string) => ({
    id,
    effect_key: id,
    reservation_id,
    event: 'RESERVATION_CONFIRMED',
    template: 'reservation-confirmed.guest@1',
    channel: 'EMAIL' as const,
    recipient_type: 'GUEST' as const,
    recipient_id,
    params: '{}',
    status: 'FAILED' as const,
  });
  await db
    .insertInto('notification')
    .values([message('message-own', 'stay-told', 'guest-1'), message('message-9', 'stay-9', 'guest-9')])
    .execute();
  await sql`INSERT INTO webhook_endpoint (id, url, secret, next_seq, created_by)
    VALUES ('hook-own', 'https://93.184.216.34/x', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 1, 'admin-1')`.execute(db);
  await db
    .insertInto('reconciliation')
    .values({
      id: 'reconciliation-own',
      occasion: 'own',
      gateway_id: 'sandbox',
      started_by: 'admin-1',
      source: 'GATEWAY',
      from_at: '2024-02-01T00:00:00Z',
      to_at: '2024-02-02T00:00:00Z',
    })
    .execute();
  await addAccounts(db);
  return {
    ids: {
      owners: 'owner-1',
      guests: 'guest-1',
      staff: 'cleaner-1',
      properties: 'property-1',
      reservations: 'stay-own',
      'me/stays': 'stay-own',
      tasks: 'task-own',
      'tasks MAINTENANCE_STAFF': 'task-of-repairer',
      'tasks FINANCE': 'task-of-finance',
      recurrences: 'recurrence-own',
      transactions: paid.transactions.OWNER_PAYOUT ?? '',
      notifications: 'message-own',
      'webhook-endpoints': 'hook-own',
      accounts: 'account-of-agent-1',
      'api-keys': await addKey(http),
      approvals: await addQuestion(http),
      incidents: await addIncident(http),
      holds: await addHold(http),
      'financial/reconciliations': 'reconciliation-own',
      'financial/differences': await feeDifference(db),
      templates: 'reservation-confirmed.guest@1',
      sagas: 'processPayment',
      'sagas/executions': paid.sagaId,
      'sagas/executions service': await addSaga(db, { subjectId: 'stay-own', requestedBy: 'service:desk-1' }),
    },
  };
}

export interface Addresses {
  readonly own: string;
  readonly absent: string;
  /** What both differ in. */
  readonly ids: readonly string[];
}
/** The address of a GET about a record of the callers' own, and of the same about one that does not exist. */
export function addressesOf({ pattern, name }: Endpoint, world: World, kind: Kind): Addresses {
  if (!pattern.includes(':')) return { own: pattern, absent: pattern, ids: [] };
  const before = /\/api\/production\/(.*?)\/:/.exec(pattern.replace('/:party/', '/guests/'))?.[1] ?? '';
  const id = world.ids[`${before} ${kind.name}`] ?? world.ids[before];
  if (id === undefined) throw new Error(`there is no record of ${before} for ${name} in ${import.meta.filename}`);
  const absent = ABSENT_OF[before] ?? ABSENT;
  const filled = (one: string) =>
    pattern
      .replace(':party', 'guests')
      .replace(/:(?!photoId|leaveId)[a-zA-Z]+/, one)
      .replace(/:(?:photoId|leaveId)/, 'part-1');
  return { own: filled(id), absent: filled(absent), ids: [id, absent] };
}
/** Where an id has a form of its own. */
const ABSENT_OF: Readonly<Record<string, string>> = { templates: 'nothing.guest@1', sagas: 'nothingAtAll' };

/** The two agencies again have nothing in common, whatever an administrator has done before. */
export async function separate({ db }: Http): Promise<void> {
  await sql`UPDATE property SET agent_ids = '{agent-1}', owner_id = 'owner-1' WHERE id <> 'property-9'`.execute(db);
  await sql`UPDATE reservation SET guest_id = 'guest-1' WHERE guest_id = 'guest-9' AND id <> 'stay-9'`.execute(db);
}

/** A valid request of the endpoint on new records, which are the agency's and its people's. */
export async function ownRequest(http: Http, endpoint: Endpoint, kind: Kind): Promise<ValidRequest> {
  const { db } = http;
  const request = await fixtureOf(endpoint.name).prepare(http);
  await separate(http);
  await sql`UPDATE guest SET created_by = 'agent-1' WHERE created_by IS NULL`.execute(db);
  await sql`UPDATE staff SET property_ids = '{property-1}' WHERE role <> 'AGENT' AND property_ids IS NULL`.execute(db);
  const taskId = /\/tasks\/([^/]+)/.exec(request.path)?.[1];
  const answers = /\/tasks\/[^/]+\/(?:accept|decline)$/.test(request.path);
  if (taskId !== undefined && kind.role === 'MAINTENANCE_STAFF')
    await sql`UPDATE task SET type = 'MAINTENANCE', assignee_id = 'repairer-1' WHERE id = ${taskId}`.execute(db);
  if (taskId !== undefined && kind.role === 'AGENT' && answers)
    await sql`UPDATE task SET type = 'CHECK_IN', assignee_id = 'agent-1' WHERE id = ${taskId}`.execute(db);
  // Those of money are not theirs to tend (test/http/incident-pages.test.ts).
  const tended = /\/incidents\/([^/]+)\/(?:close|mute)$/.exec(request.path)?.[1];
  if (tended !== undefined && kind.role === 'OPS')
    await sql`UPDATE incident SET area = 'ENGINE' WHERE id = ${tended}`.execute(db);
  if (endpoint.pattern.endsWith('/me/sessions/:id'))
    await sql`UPDATE session SET account_id = (SELECT id FROM account WHERE principal = ${String(kind.own.sub)})
      WHERE id = ${request.path.split('/').at(-1)}`.execute(db);
  return request;
}

/** One for each of the callers, whose sessions are their own. */
async function addAccounts(db: Db): Promise<void> {
  for (const { role, own } of PEOPLE) {
    const principal = String(own.sub);
    const isStaff = role === 'AGENT' || role === 'CLEANER' || role === 'MAINTENANCE_STAFF';
    const link = isStaff ? 'staff_id' : role === 'OWNER' ? 'owner_id' : role === 'GUEST' ? 'guest_id' : null;
    await db
      .insertInto('account')
      .values({
        id: link === null ? principal : `account-of-${principal}`,
        email: `${principal}@example.org`,
        name: principal,
        role: role ?? 'ADMIN',
        status: 'ACTIVE',
        ...(link === null ? {} : { [link]: principal }),
      })
      .execute();
  }
}

/** The same request about a record that does not exist, and what both differ in; null where it is about none. */
export function absentRequest({ pattern }: Endpoint, request: ValidRequest) {
  const at = pattern.split('/').findIndex((part) => part.startsWith(':') && part !== ':party');
  if (at === -1) return null;
  const parts = request.path.split('/');
  const absent = ABSENT_OF[parts[at - 1] ?? ''] ?? ABSENT;
  const path = parts.map((part, n) => (n === at ? absent : part)).join('/');
  return { request: { ...request, path }, ids: [parts[at] ?? '', absent] };
}

/** All of an answer that may differ between two records: neither the request's id nor the record's own. */
export function shapeOf({ status, body: { requestId: _id, ...body } }: Answer, ...ids: readonly string[]): string {
  let text = JSON.stringify({ status, ...body });
  for (const id of ids) text = text.replaceAll(id, '<id>');
  return text;
}

/** A body with a value at the path of a reference. */
export function withReference(body: unknown, [part, ...rest]: readonly string[], value: string): unknown {
  if (part === undefined) return value;
  if (part === '[]') return [withReference(undefined, rest, value)];
  const base = typeof body === 'object' && body !== null ? body : {};
  return { ...base, [part]: withReference(Reflect.get(base, part), rest, value) };
}

/** Whether a caller of the kind may send the field at all. */
export function maySend({ reference }: ReferenceField, kind: Kind): boolean {
  if (reference.kind !== 'record' || reference.from === 'ANY' || kind.role === 'ADMIN') return true;
  return kind.name === 'service' && reference.from === 'ADMIN_AND_SERVICES';
}

export const codeOf = (answer: Answer): string => `${answer.status} ${String(at(answer.body, 'code') ?? '')}`.trim();
