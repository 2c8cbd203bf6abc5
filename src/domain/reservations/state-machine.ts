import type { ReservationStatus } from '../../db/schema.ts';
import type { ErrorCode } from '../../kernel/errors.ts';

/** The brief's actions on a stay; each is an endpoint of its own, because status is never written directly. */
export const RESERVATION_ACTIONS = [
  'confirm',
  'check-in',
  'check-out',
  'cancel',
  'payment',
  'amend',
  'no-show',
  // Of a person's decision; whether there is anything to refund is the money's to say.
  'refunds',
] as const;
export type ReservationAction = (typeof RESERVATION_ACTIONS)[number];

/** The status that each permitted action leads to (domain.md 2); what is not listed is refused. */
export const TRANSITIONS: Readonly<
  Record<ReservationStatus, Readonly<Partial<Record<ReservationAction, ReservationStatus>>>>
> = {
  PENDING: { confirm: 'CONFIRMED', cancel: 'CANCELLED', payment: 'PENDING', amend: 'PENDING', refunds: 'PENDING' },
  CONFIRMED: {
    'check-in': 'CHECKED_IN',
    cancel: 'CANCELLED',
    payment: 'CONFIRMED',
    amend: 'CONFIRMED',
    'no-show': 'NO_SHOW',
    refunds: 'CONFIRMED',
  },
  CHECKED_IN: { 'check-out': 'CHECKED_OUT', payment: 'CHECKED_IN', amend: 'CHECKED_IN', refunds: 'CHECKED_IN' },
  CHECKED_OUT: { payment: 'CHECKED_OUT', refunds: 'CHECKED_OUT' },
  CANCELLED: { refunds: 'CANCELLED' },
  NO_SHOW: { payment: 'NO_SHOW', refunds: 'NO_SHOW' },
};

/** Those that have an endpoint, and so can be offered; `amend` and `no-show` have none yet. */
export const OFFERED_ACTIONS = [
  'confirm',
  'check-in',
  'check-out',
  'cancel',
  'payment',
  'refunds',
] as const satisfies readonly ReservationAction[];
export type OfferedAction = (typeof OFFERED_ACTIONS)[number];

/** Null when the action is not permitted in this status. */
export const targetOf = (status: ReservationStatus, action: ReservationAction): ReservationStatus | null =>
  TRANSITIONS[status][action] ?? null;

/** Actions that lead from one status to another, whichever permitted status it begins in. */
const RESULTS = {
  confirm: 'CONFIRMED',
  cancel: 'CANCELLED',
  'check-in': 'CHECKED_IN',
  'check-out': 'CHECKED_OUT',
} as const satisfies Readonly<Partial<Record<ReservationAction, ReservationStatus>>>;
export type StatusChange = keyof typeof RESULTS;

/** The status that an action ends in. */
export const resultOf = (action: StatusChange): ReservationStatus => RESULTS[action];

/** The statuses in which an action may begin, by `TRANSITIONS`: the store's statements compare with these. */
export const statusesBefore = (action: StatusChange): readonly ReservationStatus[] =>
  RESERVATION_STATUSES.filter((status) => TRANSITIONS[status][action] === RESULTS[action]);

const RESERVATION_STATUSES = ['PENDING', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT', 'CANCELLED', 'NO_SHOW'] as const;

/** The code with which the status by itself refuses an action (domain.md 2); null: it permits it. */
export function refusalOfStatus(status: ReservationStatus, action: ReservationAction): ErrorCode | null {
  if (targetOf(status, action) !== null) return null;
  if (action === 'cancel' && status === 'CHECKED_IN') return 'RESERVATION_IN_HOUSE';
  return action === 'payment' ? 'RESERVATION_NOT_PAYABLE' : 'INVALID_STATE_TRANSITION';
}
