import { RoomyError } from '../../kernel/errors.ts';
import { nearest } from '../../kernel/nearest.ts';
import { type EventResource, EXAMPLE_DATA } from './shapes.ts';

/**
 * Every type of event that there is. Triggers write events (migrations 0010 and 0016), and the table takes no type that
 * is not listed here: a new one is added here and to the constraint `known_event_type`, by a migration; a test compares them.
 */
const DESCRIPTIONS = {
  'reservation.created': 'A stay was entered, as PENDING',
  'reservation.confirmed': 'A stay was confirmed: its nights are taken',
  'reservation.unconfirmed': 'A confirmation was undone: the stay is PENDING again',
  'reservation.checked_in': 'The guest has arrived',
  'reservation.checked_out': 'The guest has left',
  'reservation.cancelled': 'A stay was cancelled: its nights are free',
  'reservation.no_show': 'The guest did not come',
  'reservation.payment_status_changed': 'What is paid of a stay has changed',
  'reservation.updated': 'Something else about a stay has changed',
  'task.created': 'A task was planned',
  'task.unassigned': 'A task was taken from its assignee and waits for another',
  'task.assigned': 'A task was given to somebody',
  'task.started': 'The work on a task has begun',
  'task.completed': 'A task is done',
  'task.cancelled': 'A task was cancelled',
  'task.merged': 'A task has become part of another one',
  'task.overtaken': 'A task has lost its purpose: its guest has arrived, or left, without it',
  'task.rescheduled': 'A task was moved to another time',
  'task.updated': 'Something else about a task has changed',
  'transaction.created': 'A transaction was booked',
  'transaction.pending': 'A transaction waits again',
  'transaction.processing': 'A transaction is on its way to its provider',
  'transaction.completed': 'A transaction has taken effect',
  'transaction.failed': 'A transaction was refused by its provider',
  'transaction.cancelled': 'A transaction was withdrawn before it took effect',
  'transaction.reversed': 'A transaction was taken back',
  'transaction.manual_required': 'A person must settle a transaction outside',
  'transaction.updated': 'Something else about a transaction has changed',
  'payment.processing': 'A payment was sent to its gateway',
  'payment.completed': 'A payment was captured',
  'payment.failed': 'A payment was declined',
  'payment.cancelled': 'A payment was withdrawn before it was captured',
  'payment.reversed': 'A payment was taken back',
  'dispute.opened': 'The bank of a guest demands the money of a payment back',
  'dispute.funds_withdrawn': 'The gateway has taken the disputed money from what it holds',
  'dispute.won': 'A dispute was won: the money is back',
  'dispute.lost': 'A dispute was lost: the guest has the money',
  'dispute.closed': 'A dispute has ended before any money moved',
  'property.created': 'A property was entered',
  'property.readiness_changed': 'A property is ready for the next guest, or is not any more',
  'property.updated': 'Something else about a property has changed',
  'saga.accepted': 'A process was started',
  'saga.compensating': 'A process has failed and is being undone',
  'saga.parked': 'A process waits for a person',
  'saga.completed': 'Every step of a process took effect',
  'saga.compensated': 'Every step of a process was undone',
  'saga.resolved': 'A person has closed a process',
  'notification.sent': 'A message was handed to its provider',
  'notification.delivered': 'A message has reached its recipient',
  'notification.failed': 'A message could not be sent',
  'notification.skipped': 'A message had become pointless and was left out',
  'notification.blocked': 'A message was left out because its recipient does not want it, or cannot be reached',
  'guest.created': 'A guest was entered',
  'guest.updated': 'A guest’s record has changed',
  'owner.created': 'An owner was entered',
  'owner.updated': 'An owner’s record has changed',
  'staff.created': 'A staff member was entered',
  'staff.updated': 'A staff member’s record has changed',
  'difference.opened': 'A gateway’s record and the ledger do not agree about something, for the first time or again',
  'difference.explained': 'A person has said why a difference is right as it is',
  'difference.resolved': 'Both sides agree about what was different, or it was booked',
  'difference.updated': 'Something else about a difference has changed',
} as const satisfies Readonly<Record<`${EventResource}.${string}`, string>>;

export type EventType = keyof typeof DESCRIPTIONS;

/** Whether a text names an event of the feed. */
export const isEventType = (type: string): type is EventType => Object.hasOwn(DESCRIPTIONS, type);
export const EVENT_TYPES: readonly EventType[] = Object.keys(DESCRIPTIONS).filter(isEventType);

export interface EventKind {
  readonly type: EventType;
  readonly resource: EventResource;
  readonly description: string;
  /** As a webhook gets it; `data.data` is what the feed has as `data`. */
  readonly example: {
    readonly type: EventType;
    readonly timestamp: string;
    readonly data: {
      readonly seq: number;
      readonly id: string;
      readonly resource: { readonly type: EventResource; readonly id: string };
      readonly reservationId: string | null;
      readonly data: Readonly<Record<string, unknown>>;
    };
  };
}

/** The states whose event has another name than they have. */
const STATES: Readonly<Partial<Record<EventType, string>>> = {
  'reservation.created': 'PENDING',
  'reservation.unconfirmed': 'PENDING',
  'task.created': 'UNASSIGNED',
  'task.started': 'IN_PROGRESS',
  'transaction.created': 'PENDING',
  'dispute.opened': 'PENDING',
  'dispute.funds_withdrawn': 'PROCESSING',
  'dispute.won': 'REVERSED',
  'dispute.lost': 'COMPLETED',
  'dispute.closed': 'CANCELLED',
  'saga.accepted': 'pending',
  'difference.opened': 'OPEN',
};
const NO_STATES = /\.(?:updated|rescheduled|readiness_changed|payment_status_changed)$/;

export const EVENT_CATALOGUE: readonly EventKind[] = EVENT_TYPES.map((type, index) => {
  const resource = resourceOf(type);
  const { id, reservationId, data } = EXAMPLE_DATA[resource];
  return {
    type,
    resource,
    description: DESCRIPTIONS[type],
    example: {
      type,
      timestamp: '2024-02-01T09:00:00.000Z',
      data: {
        seq: index + 1,
        id: `event-${index + 1}`,
        resource: { type: resource, id },
        reservationId,
        data: { ...data, ...statusAfter(type, data) },
      },
    },
  };
});

function resourceOf(type: EventType): EventResource {
  const [resource = ''] = type.split('.');
  return resource as EventResource;
}

function statusAfter(type: EventType, data: object): object {
  if (!('status' in data) || NO_STATES.test(type)) return {};
  const name = type.slice(type.indexOf('.') + 1);
  return { status: STATES[type] ?? (type.startsWith('saga.') ? name : name.toUpperCase()) };
}

/** `task.*` and the like. */
const PATTERNS: readonly string[] = [...new Set(EVENT_TYPES.map((type) => `${resourceOf(type)}.*`))];
const KNOWN: readonly string[] = [...EVENT_TYPES, ...PATTERNS];

/** Those that no event will ever match. */
export const deadPatterns = (patterns: readonly string[]): readonly string[] =>
  patterns.filter((pattern) => !KNOWN.includes(pattern));

/** Throws `EVENT_TYPE_UNKNOWN`, with what each was probably meant to be. */
export function assertEventPatterns(patterns: readonly string[]): void {
  const unknown = deadPatterns(patterns).map((type) => ({ type, near: nearest(type, KNOWN) }));
  if (unknown.length > 0) throw new RoomyError('EVENT_TYPE_UNKNOWN', { details: { unknown, known: KNOWN } });
}
