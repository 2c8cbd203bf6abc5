import { sql } from 'kysely';
import type { Db } from '../../src/db/client.ts';
import type { TaskStatus } from '../../src/db/schema.ts';
import { ask } from '../../src/domain/approvals/store.ts';
import { explainDifference } from '../../src/domain/finance/difference-resource.ts';
import { endpointName, POLICIES } from '../../src/http/policy.ts';
import { addSaga, payStay, refundStay, seedMoneyStay } from '../setup/ledger.ts';
import { feeDifference } from '../setup/movements.ts';
import { tinyJpeg } from '../setup/pictures.ts';
import { API, addReservation, at, type Call, type Http } from './harness.ts';

/**
 * One valid request for each mutation of the API, on records of its own, for tests that walk all of them. A route that is
 * missing here, and for which none can be derived, fails those tests (`fixtureOf`).
 */

export interface ValidRequest extends Call {
  readonly path: string;
}
export interface Fixture {
  /** Makes the records that the request needs; each call makes new ones. */
  readonly prepare: (http: Http) => Promise<ValidRequest>;
  /** Another valid request under the same address; without a body, the same request to another address. */
  readonly other: (request: ValidRequest) => ValidRequest;
}

/** Beyond the ids that `prepareWorld` takes. */
let made = 100;
const next = (name: string): string => {
  made += 1;
  return `${name}-${made}`;
};

/** Makes what all fixtures share. Called once a database. */
export async function prepareWorld(db: Db): Promise<void> {
  const email = 'someone@example.com';
  await db.insertInto('owner').values({ id: 'owner-1', name: 'Layla Haddad', email }).execute();
  await db.insertInto('guest').values({ id: 'guest-1', name: 'John Doe', email, created_by: 'agent-1' }).execute();
  await db
    .insertInto('staff')
    .values([
      { id: 'agent-1', name: 'Amina', email, role: 'AGENT' },
      { id: 'cleaner-1', name: 'Clara', email, role: 'CLEANER' },
    ])
    .execute();
  await db
    .insertInto('property')
    .values({ id: 'property-1', name: 'Marina 1204', owner_id: 'owner-1', agent_ids: ['agent-1'] })
    .execute();
}

const withBody = (other: object) => (request: ValidRequest) => ({ ...request, body: other });
/** Of a request without a body: the same to another record. */
const elsewhere = (request: ValidRequest): ValidRequest => ({
  ...request,
  path: `${request.path.replace(/([^/]+)(\/[a-z-]+)?$/, 'another$2')}`,
});

const create = (path: string, body: object, other: object): Fixture => ({
  prepare: async () => ({ path: `${API}/${path}`, body }),
  other: withBody(other),
});
const on = (
  path: (id: string) => string,
  make: (http: Http) => Promise<string>,
  body?: object,
  other?: object,
  call: Call = {},
): Fixture => ({
  prepare: async (http) => ({ ...call, path: `${API}/${path(await make(http))}`, ...(body ? { body } : {}) }),
  other: other ? withBody(other) : elsewhere,
});

const email = 'new@example.com';
const addOwner = async (http: Http): Promise<string> => {
  const id = next('owner');
  await http.db.insertInto('owner').values({ id, name: 'Olga', email }).execute();
  return id;
};
const addGuest = async (http: Http): Promise<string> => {
  const id = next('guest');
  await http.db.insertInto('guest').values({ id, name: 'Gus', email }).execute();
  return id;
};
const addStaff = async (http: Http): Promise<string> => {
  const id = next('cleaner');
  await http.db.insertInto('staff').values({ id, name: 'Nina', email, role: 'CLEANER' }).execute();
  return id;
};
const addAccount = async (http: Http): Promise<string> => {
  const id = next('account');
  await http.db
    .insertInto('account')
    .values({ id, name: 'Omar', email: `${id}@example.com`, role: 'OPS' })
    .execute();
  return id;
};
const addSession = async (http: Http): Promise<{ readonly account: string; readonly session: string }> => {
  const account = await addAccount(http);
  await http.db.updateTable('account').set({ status: 'ACTIVE' }).where('id', '=', account).execute();
  const session = next('session');
  await http.db
    .insertInto('session')
    .values({
      id: session,
      account_id: account,
      key_hash: Buffer.from(session),
      method: 'LINK',
      expires_at: new Date(Date.now() + 3_600_000),
    })
    .execute();
  return { account, session };
};
const addProperty = async (http: Http): Promise<string> => {
  const id = next('property');
  await http.db
    .insertInto('property')
    .values({ id, name: 'Marina 1', owner_id: 'owner-1', agent_ids: ['agent-1'] })
    .execute();
  return id;
};
/** Each stay in a property of its own: they all have the same dates. */
const addStay = async (http: Http): Promise<string> => {
  const id = await addReservation(http.db, next('stay-of'), await addProperty(http));
  return id;
};
/** A stay that is still to come: its guest's link opens. */
const addFutureStay = async (http: Http): Promise<string> => {
  const id = await addStay(http);
  const dates = { check_in_date: '2041-06-01', check_out_date: '2041-06-04' };
  await http.db.updateTable('reservation').set(dates).where('id', '=', id).execute();
  return id;
};
/** A stay whose guest has left. */
const addLeftStay = async (http: Http): Promise<string> => {
  const id = await addStay(http);
  await http.db.updateTable('reservation').set({ status: 'CHECKED_OUT' }).where('id', '=', id).execute();
  return id;
};
const addTask =
  (status: TaskStatus = 'ASSIGNED', fields: Readonly<Record<string, unknown>> = {}) =>
  async (http: Http): Promise<string> => {
    const id = next('task');
    const start = Date.UTC(2030, 0, 1, made * 2);
    await http.db
      .insertInto('task')
      .values({
        id,
        type: 'CLEANING',
        occurrence: id,
        title: 'A task',
        property_id: 'property-1',
        status,
        assignee_id: status === 'UNASSIGNED' ? null : 'cleaner-1',
        scheduled_at: new Date(start),
        ends_at: new Date(start + 3_600_000),
        next_assign_at: null,
        ...fields,
      })
      .execute();
    return id;
  };
/** Makes a record through the API and gives its id. */
const make = async (http: Http, path: string, body: object): Promise<string> => {
  const made = await http.call('POST', `${API}/${path}`, { body });
  if (made.status !== 201) throw new Error(`${path}: ${made.text}`);
  return String(at(made.body, 'data', 'id'));
};
const addWaitingRepair = async (http: Http): Promise<string> => {
  const repairApprovalLimit = { amount: 500, currency: 'AED' };
  const propertyId = await make(http, 'properties', { name: 'Old', ownerId: 'owner-1', repairApprovalLimit });
  return make(http, 'tasks', { ...newTask, propertyId, estimate: { amount: 750, currency: 'AED' } });
};
const addRecurrence = (http: Http): Promise<string> => make(http, 'recurrences', newRecurrence);
const addLeave = async (http: Http): Promise<string> => {
  const staffId = await addStaff(http);
  return `${staffId}/leave/${await make(http, `staff/${staffId}/leave`, newLeave)}`;
};
const addEndpoint = (http: Http): Promise<string> =>
  make(http, 'webhook-endpoints', { url: 'https://93.184.216.34/hook' });
const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();
const newKey = { name: 'Channel manager', scopes: ['reservations:read'], expiresAt: inDays(30) };
export const addKey = (http: Http): Promise<string> => make(http, 'api-keys', newKey);
const addPaidStay = async (http: Http) => {
  const id = next('paid');
  const property = next('property-of-paid');
  await seedMoneyStay(http.db, { id, propertyId: property });
  const paid = await payStay(http.db, { stay: { id }, reference: `ref-${id}` });
  return { id, paid };
};
const addPayout = async (http: Http): Promise<string> => (await addPaidStay(http)).paid.transactions.OWNER_PAYOUT ?? '';
const addManualRefund = async (http: Http): Promise<string> => {
  const { id, paid } = await addPaidStay(http);
  const refund = await refundStay(http.db, { id }, paid, { paid: false });
  await http.db.updateTable('transaction').set({ status: 'MANUAL_REQUIRED' }).where('id', '=', refund).execute();
  return refund;
};
const addParked = async (http: Http): Promise<string> =>
  addSaga(http.db, {
    // One about money, which FINANCE may let go on too.
    name: 'processPayment',
    subjectId: await addStay(http),
    status: 'parked',
    errorCode: 'STEP_FAILED',
  });
/** A payment whose guest cannot be told. */
const addParkedTelling = async (http: Http): Promise<string> => {
  const subjectId = await addStay(http);
  const paid = {
    amountMinor: 1_000,
    currency: 'AED',
    paymentMethod: null,
    gatewayId: 'sandbox',
    gatewayReference: 'x',
  };
  const input = { reservationId: subjectId, ...paid };
  return addSaga(http.db, {
    name: 'processPayment',
    subjectId,
    status: 'parked',
    errorCode: 'STEP_FAILED',
    step: 7,
    input,
  });
};
/** A cancellation whose reason cannot be written down. */
const addParkedCancellation = async (http: Http): Promise<string> => {
  const subjectId = await addStay(http);
  const input = { reservationId: subjectId };
  const parked = { status: 'parked', errorCode: 'STEP_FAILED', step: 5 } as const;
  return addSaga(http.db, { name: 'cancelReservation', subjectId, input, ...parked });
};
/** Its first step has failed once, and waits for the next attempt. */
export const addBackingOff = async (http: Http): Promise<string> => {
  const id = await addSaga(http.db, { name: 'processPayment', subjectId: await addStay(http), status: 'running' });
  await http.db
    .insertInto('saga_step')
    .values({
      ...{ saga_id: id, step_no: 1, direction: 'F', name: 'validatePayment', kind: 'LOCAL', class: 'READ' },
      ...{ attempt: 1, max_attempts: 8, error: '{"code":"STEP_FAILED"}' },
    })
    .execute();
  return id;
};
/** Of one money saga, so that all who hold sagas see to it. */
export const addHold = async (http: Http): Promise<string> => {
  const id = next('hold');
  await http.db
    .insertInto('hold')
    .values({ id, scope: 'SAGA', subject: await addParked(http), reason: 'x', held_by: 'admin-1' })
    .execute();
  return id;
};
export const addSent = async (http: Http): Promise<string> => {
  const id = next('notification');
  await http.db
    .insertInto('notification')
    .values({
      id,
      effect_key: id,
      reservation_id: await addStay(http),
      event: 'RESERVATION_CONFIRMED',
      template: 'reservation-confirmed.guest@1',
      channel: 'EMAIL',
      recipient_type: 'GUEST',
      recipient_id: 'guest-1',
      params: '{}',
      status: 'FAILED',
    })
    .execute();
  return id;
};
/** About the account of an owner, so that no saga waits for the answer. */
export const addQuestion = async (http: Http, askedBy = 'somebody-else'): Promise<string> => {
  const ownerId = await addOwner(http);
  const question = {
    kind: 'PAYOUT_ACCOUNT',
    subject: { type: 'owner', id: ownerId },
    reservationId: null,
    propertyId: null,
    ownerId,
    asked: 'Pay to another account',
    money: null,
    barred: [],
    expiresHours: 72,
  } as const;
  return http.db.transaction().execute((tx) => ask(tx, question, { actor: askedBy, requestId: null }));
};
/** Of money, so that all who see incidents see it. */
export const addIncident = async (http: Http): Promise<string> => {
  const id = next('incident');
  await http.db
    .insertInto('incident')
    .values({
      id,
      kind: 'SAGA_PARKED',
      subject: `executeRefund.refundAtGateway: ${id}`,
      area: 'MONEY',
      severity: 'WARNING',
      count: 1,
      most: 1,
      since: sql`now()`,
      details: '{"examples":[]}',
    })
    .execute();
  return id;
};
/** About one saga that is parked. */
export const addStuckIncident = async (http: Http): Promise<string> => {
  const code = next('code');
  const parked = { name: 'processPayment', status: 'parked', errorCode: code } as const;
  await addSaga(http.db, { ...parked, subjectId: await addStay(http) });
  const id = await addIncident(http);
  await http.db
    .updateTable('incident')
    .set({ subject: `processPayment.1: ${code}` })
    .where('id', '=', id)
    .execute();
  return id;
};
const addRedrive = async (http: Http): Promise<string> => {
  const incident_id = await addStuckIncident(http);
  const pace = { act: 'RETRY', is_undoing: false, per_second: 1, stop_after_errors: 1 } as const;
  await http.db
    .insertInto('redrive')
    .values({ id: next('redrive'), incident_id, ...pace, reason: 'x', ordered_by: 'admin-1' })
    .execute();
  return incident_id;
};
const newLimits = {
  overrides: [{ currency: 'AED', amount: 5000 }],
  charges: [{ currency: 'AED', amount: 5000 }],
  roles: { FINANCE: [{ currency: 'AED', amount: 50_000 }], ADMIN: null },
  overEstimatePercent: 10,
  expiresHours: 168,
  accountWaitHours: 72,
};

const CSV = (reference: string) =>
  `type,reference,provider_id,amount,currency,fee,date,settled\ncharge,${reference},ch-${reference},10.00,AED,,2024-03-01,no\n`;
const cleaner: Call = { as: 'CLEANER', sub: 'cleaner-1' };
const newLeave = { from: '2030-02-01T00:00:00Z', to: '2030-02-03T00:00:00Z' };
const newRecurrence = {
  propertyId: 'property-1',
  type: 'INSPECTION',
  title: 'Monthly',
  every: 'MONTHLY',
  anchorDate: '2030-01-31',
};
const newTask = {
  type: 'MAINTENANCE',
  title: 'Drips',
  propertyId: 'property-1',
  scheduledDate: '2031-03-01T09:00:00Z',
};

export const FIXTURES: Readonly<Record<string, Fixture>> = {
  'POST owners': create('owners', { name: 'Olga', email }, { name: 'Other', email }),
  'PATCH owners/:id': on((id) => `owners/${id}`, addOwner, { name: 'Renamed' }, { name: 'Other' }),
  'POST guests': create('guests', { name: 'Gus', email }, { name: 'Other', email }),
  'PATCH guests/:id': on((id) => `guests/${id}`, addGuest, { name: 'Renamed' }, { name: 'Other' }),
  'POST staff': create('staff', { name: 'Nina', email, role: 'CLEANER' }, { name: 'Other', email, role: 'CLEANER' }),
  'PATCH staff/:id': on((id) => `staff/${id}`, addStaff, { name: 'Renamed' }, { name: 'Other' }),
  'POST staff/:id/leave': on((id) => `staff/${id}/leave`, addStaff, newLeave, {
    from: '2030-02-01T00:00:00Z',
    to: '2030-02-04T00:00:00Z',
  }),
  'DELETE staff/:id/leave/:leaveId': on((id) => `staff/${id}`, addLeave),
  'POST accounts': {
    prepare: async () => ({
      path: `${API}/accounts`,
      body: { email: `${next('person')}@example.com`, name: 'Omar', role: 'OPS' },
    }),
    other: (request) => ({ ...request, body: { email: `${next('person')}@example.com`, name: 'Omar', role: 'OPS' } }),
  },
  'PATCH accounts/:id': on((id) => `accounts/${id}`, addAccount, { name: 'Renamed' }, { name: 'Other' }),
  'POST accounts/:id/deactivate': on((id) => `accounts/${id}/deactivate`, addAccount),
  'POST accounts/:id/reactivate': on((id) => `accounts/${id}/reactivate`, addAccount),
  'POST accounts/:id/invitation': on((id) => `accounts/${id}/invitation`, addAccount),
  'DELETE accounts/:id/sessions': on((id) => `accounts/${id}/sessions`, addAccount),
  'DELETE accounts/:id/authenticator': on((id) => `accounts/${id}/authenticator`, addAccount),
  'DELETE me/sessions': {
    prepare: async (http) => ({ as: 'OPS', sub: (await addSession(http)).account, path: `${API}/me/sessions` }),
    other: (request) => ({ ...request, path: `${API}/me/sessions/another` }),
  },
  'DELETE me/sessions/:id': {
    prepare: async (http) => {
      const { account, session } = await addSession(http);
      return { as: 'OPS', sub: account, path: `${API}/me/sessions/${session}` };
    },
    other: (request) => ({ ...request, path: `${API}/me/sessions/another` }),
  },
  'POST properties': create('properties', { name: 'New', ownerId: 'owner-1' }, { name: 'Other', ownerId: 'owner-1' }),
  'PATCH properties/:id': on((id) => `properties/${id}`, addProperty, { name: 'Renamed' }, { name: 'Other' }),
  'POST reservations': create(
    'reservations',
    {
      propertyId: 'property-1',
      guestId: 'guest-1',
      checkInDate: '2031-02-01',
      checkOutDate: '2031-02-03',
      totalAmount: 1000,
      currency: 'AED',
    },
    {
      propertyId: 'property-1',
      guestId: 'guest-1',
      checkInDate: '2031-02-01',
      checkOutDate: '2031-02-04',
      totalAmount: 1000,
      currency: 'AED',
    },
  ),
  'PATCH reservations/:id': on((id) => `reservations/${id}`, addStay, { guestCount: 3 }, { guestCount: 2 }),
  'POST reservations/:id/confirm': on((id) => `reservations/${id}/confirm`, addStay, { notes: 'a' }, { notes: 'b' }),
  'POST reservations/:id/check-in': on((id) => `reservations/${id}/check-in`, addStay, { notes: 'a' }, { notes: 'b' }),
  'POST reservations/:id/check-out': on(
    (id) => `reservations/${id}/check-out`,
    addStay,
    { notes: 'a' },
    { notes: 'b' },
  ),
  'POST reservations/:id/rating': on(
    (id) => `reservations/${id}/rating`,
    addLeftStay,
    { score: 5, comment: 'a' },
    { score: 4, comment: 'b' },
  ),
  'POST reservations/:id/guest-link': on((id) => `reservations/${id}/guest-link`, addFutureStay),
  'POST reservations/:id/payment': on(
    (id) => `reservations/${id}/payment`,
    addStay,
    { amount: 1000, currency: 'AED', gatewayId: 'sandbox', gatewayReference: 'ref-456' },
    { amount: 900, currency: 'AED', gatewayId: 'sandbox', gatewayReference: 'ref-456' },
  ),
  'POST reservations/:id/refunds': on(
    (id) => `reservations/${id}/refunds`,
    async (http) => (await addPaidStay(http)).id,
    { amount: 100, reason: 'No hot water', bearer: 'AGENCY' },
    { amount: 90, reason: 'No hot water', bearer: 'AGENCY' },
  ),
  'POST reservations/:id/cancel': on((id) => `reservations/${id}/cancel`, addStay, { notes: 'a' }, { notes: 'b' }),
  'POST tasks': create('tasks', newTask, { ...newTask, title: 'Other' }),
  'PATCH tasks/:id': on((id) => `tasks/${id}`, addTask(), { priority: 'URGENT' }, { priority: 'LOW' }),
  'POST tasks/:id/start': on((id) => `tasks/${id}/start`, addTask(), undefined, undefined, cleaner),
  'POST tasks/:id/complete': on((id) => `tasks/${id}/complete`, addTask(), { notes: 'a' }, { notes: 'b' }, cleaner),
  'POST tasks/:id/accept': on((id) => `tasks/${id}/accept`, addTask(), undefined, undefined, cleaner),
  'POST tasks/:id/decline': on((id) => `tasks/${id}/decline`, addTask(), { reason: 'a' }, { reason: 'b' }, cleaner),
  'POST tasks/:id/approval': on(
    (id) => `tasks/${id}/approval`,
    addWaitingRepair,
    { decision: 'APPROVED' },
    { decision: 'DECLINED' },
  ),
  'POST tasks/:id/charge': on(
    (id) => `tasks/${id}/charge`,
    addTask('COMPLETED', { type: 'MAINTENANCE', completed_at: new Date(), completed_by: 'cleaner-1' }),
    { amount: 120, currency: 'AED' },
    { amount: 130, currency: 'AED' },
  ),
  'PUT tasks/:id/photos/:photoId': {
    prepare: async (http) => ({
      ...cleaner,
      path: `${API}/tasks/${await addTask()(http)}/photos/photo-1`,
      raw: tinyJpeg(1),
      headers: { 'content-type': 'image/jpeg' },
    }),
    other: (request) => ({ ...request, raw: tinyJpeg(2) }),
  },
  'POST me/calendar': {
    prepare: async () => ({ ...cleaner, path: `${API}/me/calendar` }),
    other: (request) => ({ ...request, path: `${API}/tasks/nothing/start` }),
  },
  'DELETE me/calendar': {
    prepare: async (http) => {
      await http.call('POST', `${API}/me/calendar`, cleaner);
      return { ...cleaner, path: `${API}/me/calendar` };
    },
    other: (request) => ({ ...request, path: `${API}/tasks/nothing/start` }),
  },
  'PATCH assignment-rules': create(
    'assignment-rules',
    { workloadPercent: 50, proximityPercent: 30 },
    { workloadPercent: 40, proximityPercent: 40 },
  ),
  'POST recurrences': create('recurrences', newRecurrence, { ...newRecurrence, title: 'Other' }),
  'PATCH recurrences/:id': on((id) => `recurrences/${id}`, addRecurrence, { title: 'Renamed' }, { title: 'Other' }),
  'DELETE recurrences/:id': on((id) => `recurrences/${id}`, addRecurrence),
  'PUT financial/income-distribution': {
    prepare: async (http) => {
      const path = `${API}/financial/income-distribution`;
      const tag = (await http.call('GET', path)).headers.get('etag') ?? '';
      return {
        path,
        body: { ownerIncome: 70, roomyAgencyFee: 25, referringAgent: 5 },
        headers: { 'if-match': tag },
      };
    },
    other: withBody({ ownerIncome: 60, roomyAgencyFee: 35, referringAgent: 5 }),
  },
  'POST financial/reconciliations': create(
    'financial/reconciliations',
    { gatewayId: 'sandbox', from: '2024-03-01', to: '2024-03-02' },
    { gatewayId: 'sandbox', from: '2024-03-01', to: '2024-03-03' },
  ),
  'POST financial/differences/:id/explanation': on(
    (id) => `financial/differences/${id}/explanation`,
    ({ db }) => feeDifference(db),
    { reason: 'a' },
    { reason: 'b' },
  ),
  'DELETE financial/differences/:id/explanation': on(
    (id) => `financial/differences/${id}/explanation`,
    async ({ db }) => {
      const id = await feeDifference(db);
      const author = { actor: 'finance-1', requestId: null };
      await db.transaction().execute((tx) => explainDifference(tx, id, { reason: 'a', expected: null }, author));
      return id;
    },
  ),
  'POST financial/differences/:id/correction': on(
    (id) => `financial/differences/${id}/correction`,
    ({ db }) => feeDifference(db),
  ),
  'POST approvals/:id': on(
    (id) => `approvals/${id}`,
    (http) => addQuestion(http),
    { decision: 'APPROVE', reason: 'a' },
    { decision: 'APPROVE', reason: 'b' },
  ),
  'PUT settings/approval-limits': {
    prepare: async (http) => {
      const path = `${API}/settings/approval-limits`;
      const tag = (await http.call('GET', path)).headers.get('etag') ?? '';
      return { path, body: newLimits, headers: { 'if-match': tag } };
    },
    other: withBody({ ...newLimits, expiresHours: 24 }),
  },
  'POST transactions/:id/payout': on((id) => `transactions/${id}/payout`, addPayout, { notes: 'a' }, { notes: 'b' }),
  'POST transactions/:id/settlement': on(
    (id) => `transactions/${id}/settlement`,
    addManualRefund,
    { reference: 'FT-1' },
    { reference: 'FT-2' },
  ),
  'POST events/tickets': {
    prepare: async () => ({ path: `${API}/events/tickets` }),
    other: (request) => ({ ...request, path: `${API}/tasks/nothing/start` }),
  },
  'POST webhook-endpoints': create(
    'webhook-endpoints',
    { url: 'https://93.184.216.34/a' },
    { url: 'https://93.184.216.34/b' },
  ),
  'PATCH webhook-endpoints/:id': on(
    (id) => `webhook-endpoints/${id}`,
    addEndpoint,
    { description: 'a' },
    { description: 'b' },
  ),
  'DELETE webhook-endpoints/:id': on((id) => `webhook-endpoints/${id}`, addEndpoint),
  'POST webhook-endpoints/:id/rotate-secret': on((id) => `webhook-endpoints/${id}/rotate-secret`, addEndpoint),
  'POST webhook-endpoints/:id/enable': on((id) => `webhook-endpoints/${id}/enable`, addEndpoint),
  'POST webhook-endpoints/:id/replay': on(
    (id) => `webhook-endpoints/${id}/replay`,
    addEndpoint,
    { afterSeq: 0 },
    { afterSeq: 1 },
  ),
  'POST webhook-endpoints/:id/test': on((id) => `webhook-endpoints/${id}/test`, addEndpoint),
  'POST api-keys': create('api-keys', newKey, { ...newKey, name: 'Other' }),
  'DELETE api-keys/:id': on((id) => `api-keys/${id}`, addKey),
  'POST api-keys/:id/rotate': on(
    (id) => `api-keys/${id}/rotate`,
    addKey,
    { expiresAt: inDays(60) },
    { expiresAt: inDays(90) },
  ),
  'POST incidents/:id/close': on((id) => `incidents/${id}/close`, addIncident, { reason: 'a' }, { reason: 'b' }),
  'POST incidents/:id/redrive': on(
    (id) => `incidents/${id}/redrive`,
    addStuckIncident,
    { reason: 'a', perSecond: 2, stopAfterErrors: 1 },
    { reason: 'b', perSecond: 2, stopAfterErrors: 1 },
  ),
  'POST incidents/:id/redrive/stop': on(
    (id) => `incidents/${id}/redrive/stop`,
    addRedrive,
    { reason: 'a' },
    { reason: 'b' },
  ),
  'POST incidents/:id/mute': on(
    (id) => `incidents/${id}/mute`,
    addIncident,
    { until: new Date(Date.now() + 86_400_000).toISOString(), reason: 'a' },
    { until: null, reason: 'a' },
  ),
  'POST sweep-failures/retry': {
    prepare: async (http) => {
      const id = next('task');
      const next_try_at = new Date(Date.UTC(2090, 0, 1));
      await http.db
        .insertInto('sweep_failure')
        .values({ sweep: 'offers', row_id: id, reason: 'x', next_try_at })
        .execute();
      return { path: `${API}/sweep-failures/retry`, body: { ids: [`offers:${id}`] } };
    },
    other: withBody({ sweep: 'holds' }),
  },
  'POST notifications/resend': {
    prepare: async (http) => ({ path: `${API}/notifications/resend`, body: { ids: [await addSent(http)] } }),
    other: withBody({ reason: 'LEASE_EXPIRED' }),
  },
  'POST notifications/:id/resend': on((id) => `notifications/${id}/resend`, addSent, {}, { channel: 'EMAIL' }),
  'POST templates/:key/versions': create(
    'templates/reservation-confirmed.guest@1/versions',
    { locale: 'en', subject: 'Confirmed', message: 'Dear {guestName}, it is confirmed.' },
    { locale: 'en', subject: 'Confirmed', message: 'Dear {guestName}, it is.' },
  ),
  'POST templates/:key/preview': create(
    'templates/reservation-confirmed.guest@1/preview',
    { locale: 'en' },
    { locale: 'ar' },
  ),
  'PATCH notification-rules': create('notification-rules', { quietFrom: '22:00' }, { quietFrom: '23:00' }),
  'PUT notification-settings': create(
    'notification-settings',
    { event: 'REVIEW_REQUEST', recipientType: 'GUEST', channel: 'EMAIL', enabled: false },
    { event: 'REVIEW_REQUEST', recipientType: 'GUEST', channel: 'EMAIL', enabled: true },
  ),
  'PUT :party/:id/notification-preferences': on(
    (id) => `guests/${id}/notification-preferences`,
    addGuest,
    { optOuts: [{ event: '*', channel: 'SMS' }] },
    { optOuts: [] },
  ),
  'POST schedules/:schedule/run': {
    prepare: async () => ({ path: `${API}/schedules/assign-sweep/run`, body: { reason: 'The staff are back' } }),
    other: withBody({ reason: 'Another' }),
  },
  'POST queues/:queue/pause': {
    prepare: async () => ({ path: `${API}/queues/finance/pause`, body: { reason: 'The bank is moved' } }),
    other: withBody({ reason: 'Another' }),
  },
  'POST queues/:queue/resume': {
    prepare: async () => ({ path: `${API}/queues/finance/resume`, body: { reason: 'The bank is back' } }),
    other: withBody({ reason: 'Another' }),
  },
  'POST holds': {
    prepare: async (http) => ({
      path: `${API}/holds`,
      body: { scope: 'SAGA', subject: await addParked(http), reason: 'a' },
    }),
    other: (request) => ({ ...request, body: { ...Object(request.body), reason: 'b' } }),
  },
  'POST holds/:id/release': on((id) => `holds/${id}/release`, addHold, { reason: 'a' }, { reason: 'b' }),
  'POST sagas/executions/:id/retry': on(
    (id) => `sagas/executions/${id}/retry`,
    addParked,
    { reason: 'a' },
    { reason: 'b' },
  ),
  'POST sagas/executions/:id/retry-now': on(
    (id) => `sagas/executions/${id}/retry-now`,
    addBackingOff,
    { reason: 'a' },
    { reason: 'b' },
  ),
  'POST sagas/executions/:id/skip': on(
    (id) => `sagas/executions/${id}/skip`,
    addParkedTelling,
    { step: 'sendPaymentConfirmation', reason: 'a' },
    { step: 'sendPaymentConfirmation', reason: 'b' },
  ),
  'POST sagas/executions/:id/amend': on(
    (id) => `sagas/executions/${id}/amend`,
    addParkedCancellation,
    { input: { reason: 'OTHER' }, reason: 'a' },
    { input: { reason: 'OTHER' }, reason: 'b' },
  ),
  'POST sagas/executions/:id/cancel': on(
    (id) => `sagas/executions/${id}/cancel`,
    addParked,
    { reason: 'a' },
    { reason: 'b' },
  ),
  'POST sagas/executions/:id/resolve': on(
    (id) => `sagas/executions/${id}/resolve`,
    addParked,
    { reason: 'a' },
    { reason: 'b' },
  ),
};

/** A settlement file instead of a request to the gateway: the other body of one route. */
export const SETTLEMENT_FILE: Fixture = {
  prepare: async () => ({
    path: `${API}/financial/reconciliations?gatewayId=sandbox`,
    raw: CSV(next('ref')),
    headers: { 'content-type': 'text/csv' },
  }),
  other: (request) => ({ ...request, raw: CSV(next('ref')) }),
};

const SAFE = new Set(['GET', 'HEAD']);
/** Every endpoint that changes something and knows its caller, `POST /api/production/owners`. */
export const MUTATIONS: readonly string[] = Object.entries(POLICIES).flatMap(([name, policy]) =>
  policy !== 'anonymous' && !SAFE.has(name.split(' ')[0] ?? '') ? [name] : [],
);

export function fixtureOf(endpoint: string): Fixture {
  const fixture = FIXTURES[endpoint.replace(`${API}/`, '')] ?? derived(endpoint);
  if (fixture === undefined) throw new Error(`no valid request for ${endpoint} in ${import.meta.filename}`);
  return fixture;
}

const NOUNS: Readonly<Record<string, (http: Http) => Promise<string>>> = {
  owners: addOwner,
  guests: addGuest,
  staff: addStaff,
  properties: addProperty,
  reservations: addStay,
  tasks: addTask(),
};
/**
 * `POST <noun>/:id/<word>` on a new record of the noun, with the example of the API's description as its body. The other
 * request is to another record.
 */
function derived(endpoint: string): Fixture | undefined {
  const [, method = '', noun = '', word = ''] =
    /^([A-Z]+) \/api\/production\/([a-z-]+)\/:id(\/[a-z-]+)?$/.exec(endpoint) ?? [];
  const make = NOUNS[noun];
  if (make === undefined) return undefined;
  return {
    prepare: async (http) => {
      const { body } = await http.call('GET', '/openapi.json', { as: null });
      const operation = at(body, 'paths', `${API}/${noun}/{id}${word}`, method.toLowerCase());
      const example = at(operation, 'requestBody', 'content', 'application/json', 'example');
      const path = `${API}/${noun}/${await make(http)}${word}`;
      return { path, ...(typeof example === 'object' && example !== null ? { body: example } : {}) };
    },
    other: elsewhere,
  };
}

export const methodOf = (endpoint: string): string => endpoint.split(' ')[0] ?? '';
export const sendTo = (
  http: Http,
  endpoint: string,
  { path, ...call }: ValidRequest,
  headers: Readonly<Record<string, string>> = {},
) => http.call(methodOf(endpoint), path, { ...call, headers: { ...call.headers, ...headers } });

/** Fixtures of endpoints that there are not, which a test should know of. */
export const STRAY_FIXTURES = Object.keys(FIXTURES).filter((name) => {
  const [method = '', path = ''] = name.split(' ');
  return !Object.hasOwn(POLICIES, endpointName(method, `${API}/${path}`));
});

/** The contents of every table, by table: a digest that any change of any row changes. */
export async function digestOfEverything(db: Db): Promise<Readonly<Record<string, string>>> {
  const { rows: tables } = await sql<{ name: string }>`
    SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') ORDER BY 1`.execute(db);
  const digests: Record<string, string> = {};
  for (const { name } of tables) {
    const { rows } = await sql<{ digest: string }>`
      SELECT count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '') AS digest FROM ${sql.table(name)} t`.execute(
      db,
    );
    digests[name] = rows[0]?.digest ?? '';
  }
  return digests;
}
