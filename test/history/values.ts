import type { Db } from '../../src/db/client.ts';
import { GATEWAY } from '../sagas/money.ts';
import type { Pattern } from './copies.ts';
import { day, LIVES, MANY, PEOPLE } from './life.ts';
import type { Values } from './requests.ts';

/** A copy that has rows in every table, also in those that only every fiftieth stay is in. */
const COPY = 200;
/** Which days are asked for, and a stay of today. */
export interface Asked {
  readonly from: number;
  readonly to: number;
  readonly stay: string;
}
const OF_TESTS: Asked = { from: -70, to: -63, stay: 'stay-now-a' };
const ofCopy = (id: string): string => `${id}-${COPY}`;

/** Values for every path parameter and every filter, about a stay of the history and about one of today. */
export async function valuesOf(db: Db, pattern: Pattern, asked: Asked = OF_TESTS): Promise<Values> {
  const rowOf = (table: string, where: (row: Readonly<Record<string, string | null>>) => boolean = () => true) => {
    const row = pattern.samples.find((sample) => sample.table === table)?.rows.find(where);
    return ofCopy(row?.['id'] ?? `no ${table}`);
  };
  const providersOf = (table: string): string => {
    const row = pattern.samples
      .find((sample) => sample.table === table)
      ?.rows.find(({ provider_id: id }) => id !== null);
    return ofCopy(row?.['provider_id'] ?? `no ${table}`);
  };
  const sent = (row: Readonly<Record<string, string | null>>): boolean => row['status'] === 'SENT';
  const stays = [ofCopy(LIVES[0]), asked.stay];
  const [reconciliation] = await db.selectFrom('reconciliation').select('id').limit(1).execute();
  const [difference] = await db.selectFrom('difference').select('id').limit(1).execute();
  const api = '/api/production';
  const [first, second] = [day(asked.from), day(asked.to)];
  const instants = { from: `${first}T00:00:00Z`, to: `${second}T00:00:00Z` };
  const dated = (path: string): Values => ({ [`${path}?from`]: [first], [`${path}?to`]: [second] });
  return {
    from: [instants.from],
    to: [instants.to],
    ...dated(`${api}/reservations`),
    ...dated(`${api}/financial/summary`),
    ...dated(`${api}/owners/{id}/statement`),
    asOf: [second],
    date: [first, day(0)],
    [`${api}/day?after`]: [MANY.property],
    [`${api}/day?properties`]: ['50'],
    zone: ['Asia/Dubai'],
    // By a name that nobody has: all copies have the same one, and what is found then is read from as many pages as there are, up to its bound.
    [`${api}/search?q`]: [
      ...stays,
      ofCopy('guest-life'),
      rowOf('saga'),
      rowOf('transaction'),
      rowOf('notification'),
      ofCopy('ref-life-a'),
      providersOf('transaction'),
      MANY.cleaner,
      'admin-1',
      'request-019b76da-a800-7000-8000-000000000000',
      'RESERVATION_CONFIRMED',
      'GATEWAY_UNAVAILABLE',
      '+97250',
      first,
      'johanna',
    ],
    [`${api}/search?perKind`]: ['50'],
    propertyId: [MANY.property, 'property-none'],
    guestId: [ofCopy('guest-life')],
    ownerId: [MANY.owner, 'owner-none'],
    // Of an owner or a place with as many stays in both histories: these cost by its own.
    ...Object.fromEntries(
      ['conversion', 'payments', 'tasks', 'satisfaction', 'payouts'].map((name) => [
        `${api}/analytics/${name}?propertyId`,
        [MANY.property],
      ]),
    ),
    [`${api}/reservations/{id}/rating/id`]: [ofCopy(LIVES[0])],
    [`${api}/tasks/statistics?propertyId`]: [MANY.property],
    [`${api}/financial/summary?propertyId`]: [PEOPLE.property],
    [`${api}/financial/summary?ownerId`]: [PEOPLE.owner],
    assigneeId: [MANY.cleaner, 'cleaner-none'],
    recipientId: [MANY.cleaner, ofCopy('guest-life'), 'nobody'],
    reservationId: stays,
    executionId: [rowOf('saga')],
    sagaExecutionId: [rowOf('saga')],
    sweep: ['messages', 'offers'],
    name: ['confirmReservation', 'executeRefund'],
    step: ['refundAtGateway', 'none'],
    errorCode: ['GATEWAY_UNAVAILABLE', 'NONE'],
    system: [GATEWAY, 'bank', 'none'],
    include: ['tasks', 'transactions', 'notifications', 'sagas', 'tasks,transactions,notifications,sagas'],
    event: ['NEW_RESERVATION', 'PAYOUT_FAILED'],
    actor: ['admin-1', 'nobody'],
    currency: ['AED', 'USD'],
    gatewayId: [GATEWAY, 'bank'],
    providerId: [providersOf('payment'), providersOf('transaction'), 'none'],
    gatewayReference: [ofCopy('ref-life-a'), 'none'],
    region: ['Marina', 'none'],
    version: ['1'],
    after: ['0'],
    afterStream: ['0'],
    afterSeal: ['0'],
    [`${api}/events?after`]: ['0', '300'],
    [`${api}/events?type`]: ['task.assigned', 'task.*', 'saga.parked'],
    [`${api}/audit?requestId`]: ['request-019b76da-a800-7000-8000-000000000000'],
    [`${api}/audit?event`]: ['RESERVATION_CONFIRMED', 'MESSAGE_RULES_CHANGED'],
    '/id': stays,
    [`${api}/tasks/{id}/id`]: [rowOf('task')],
    [`${api}/tasks/{id}/assignment/id`]: [rowOf('task')],
    [`${api}/tasks/{id}/photos/{photoId}/id`]: [rowOf('task')],
    '/photoId': ['none'],
    '/token': ['none'],
    '/file': ['none.ics'],
    '/name': ['confirmReservation'],
    '/key': ['task-assigned.staff@1'],
    '/party': ['guests'],
    [`${api}/{party}/{id}/notification-preferences/id`]: [ofCopy('guest-life')],
    [`${api}/sagas/executions/{id}/id`]: [rowOf('saga')],
    [`${api}/sagas/executions/{id}/attempts/id`]: [rowOf('saga')],
    [`${api}/sagas/executions/{id}/export/id`]: [rowOf('saga')],
    [`${api}/holds/{id}/id`]: ['none'],
    [`${api}/recurrences/{id}/id`]: ['none'],
    [`${api}/owners/{id}/id`]: [PEOPLE.owner],
    [`${api}/owners/{id}/balance/id`]: [MANY.owner],
    [`${api}/owners/{id}/statement/id`]: [PEOPLE.owner],
    [`${api}/financial/reconciliations/{id}/id`]: [reconciliation?.id ?? 'none'],
    [`${api}/financial/differences/{id}/id`]: [difference?.id ?? 'none'],
    [`${api}/transactions/{id}/id`]: [rowOf('transaction')],
    [`${api}/notifications/{id}/id`]: [rowOf('notification', sent)],
    [`${api}/notifications/{id}/content/id`]: [rowOf('notification', sent)],
    [`${api}/webhook-endpoints/{id}/id`]: ['webhook-h'],
    [`${api}/webhook-endpoints/{id}/deliveries/id`]: ['webhook-h'],
    [`${api}/api-keys/{id}/id`]: ['none'],
    [`${api}/properties/{id}/id`]: [MANY.property],
    [`${api}/properties/{id}/timeline/id`]: [MANY.property],
    [`${api}/owners/{id}/timeline/id`]: [MANY.owner],
    [`${api}/staff/{id}/timeline/id`]: [MANY.cleaner],
    [`${api}/guests/{id}/id`]: [ofCopy('guest-life')],
    [`${api}/staff/{id}/id`]: [MANY.cleaner],
    [`${api}/staff/{id}/leave/id`]: [MANY.cleaner],
  };
}
