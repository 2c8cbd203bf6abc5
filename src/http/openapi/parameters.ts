/** Descriptions of parameters whose schemas have none. */

const IN_PATH: Readonly<Record<string, string>> = {
  file: 'The secret token of the calendar and `.ics`, as `createMyCalendar` answered it',
  key: 'The message, its recipient and the version of its variables, such as `reservation-confirmed.guest@1`',
  leaveId: 'Id of the leave',
  name: 'Name of the saga, such as `confirmReservation`, `processPayment` or `cancelReservation`',
  party: 'Whose preferences they are',
  provider: 'Id of the provider that calls, such as `stripe` or `twilio`',
  queue: 'Name of the queue, such as `finance`; `listQueues` has them all',
  schedule: 'Name of the schedule, such as `assign-sweep`; `listSchedules` has them all',
  photoId: 'Id of the photo, chosen by the client: the same for every repeat of the same upload',
  token: 'The secret token of the address: of the mail, or of the link that was made',
};

/** `id` is of what the path names before it. */
const NOUNS: readonly (readonly [RegExp, string])[] = [
  [/\/(?:reservations|me\/stays)\/\{id\}/, 'reservation'],
  [/\/transactions\/\{id\}/, 'transaction'],
  [/\/incidents\/\{id\}/, 'incident'],
  [/\/holds\/\{id\}/, 'hold'],
  [/\/approvals\/\{id\}/, 'approval'],
  [/\/executions\/\{id\}/, 'saga execution'],
  [/\/tasks\/\{id\}/, 'task'],
  [/\/recurrences\/\{id\}/, 'rule'],
  [/\/owners\/\{id\}/, 'owner'],
  [/\/reconciliations\/\{id\}/, 'reconciliation'],
  [/\/differences\/\{id\}/, 'difference'],
  [/\/notifications\/\{id\}/, 'message'],
  [/\/webhook-endpoints\/\{id\}/, 'webhook endpoint'],
  [/\/api-keys\/\{id\}/, 'API key'],
  [/\/accounts\/\{id\}/, 'account'],
  [/\/sessions\/\{id\}/, 'session'],
  [/\/passkeys\/\{id\}/, 'passkey'],
  [/\/properties\/\{id\}/, 'property'],
  [/\/guests\/\{id\}/, 'guest'],
  [/\/staff\/\{id\}/, 'staff member'],
  [/\/\{party\}\/\{id\}/, 'guest, owner or staff member'],
];

const IN_QUERY: Readonly<Record<string, string>> = {
  active: '`true` or `false`: only those that are, or are not',
  actor: 'Only what this person or service has done: the subject of its token',
  after: 'Events after this place in the feed (`seq`); 0 is the beginning',
  approval: 'Only repairs about which the owner has said this; `PENDING`: that wait for the owner’s answer',
  assigneeId: 'Only tasks of this staff member',
  before: 'Calls before this one: the last `id` of the page before',
  currency: 'Only this currency, as an ISO 4217 code',
  errorCode: 'Only those that stand still or back off, and failed with this error code last',
  event: 'Only of this event, such as `RESERVATION_CONFIRMED`',
  executionId: 'This execution instead of the newest',
  from: 'From this instant or day on',
  gatewayId: 'Only of this payment gateway',
  guestId: 'Only stays of this guest',
  includeDeleted: '`true`: also tasks that were withdrawn because their stay was undone or cancelled',
  isParked: '`true`: only those that wait for a person; `false`: only those that back off',
  isUndoing: '`true`: only those that stand still or back off while they are undone; `false`: on their way forward',
  kind: 'Only differences of this kind, such as `FEE_MISMATCH`',
  limit: 'How many at the most',
  name: 'Only sagas of this name, such as `processPayment`',
  ownerId: 'Only what belongs to this owner',
  propertyId: 'Only what belongs to this property',
  recipientId: 'Only messages to this guest, owner or staff member',
  region: 'Only properties of this region, exactly as it is written there',
  reservationId: 'Only what belongs to this reservation',
  role: 'Only staff of this role',
  sagaExecutionId: 'Only what this saga execution has done',
  status: 'Only those in this status',
  step: 'Only those that stand still or back off at this step',
  sweep: 'Only of this sweep, such as `messages` or `payouts`',
  system: 'Only those that this device, gateway or bank keeps from coming on',
  to: 'Up to this instant or day',
  type: 'Only those of this type',
};

/** Undefined for a parameter that nothing is known of, which a test refuses. */
export function describeParameter(name: string, place: string, path: string): string | undefined {
  if (place === 'header') return undefined;
  if (place === 'query') {
    const isFeed = name === 'type' && path.includes('/events');
    return isFeed
      ? 'Only events of this type, such as `reservation.confirmed`, or of this noun, such as `task.*`'
      : IN_QUERY[name];
  }
  const noun = NOUNS.find(([pattern]) => name === 'id' && pattern.test(path))?.[1];
  return noun === undefined ? IN_PATH[name] : `Id of the ${noun}`;
}
