import type { ReservationStatus } from '../../db/schema.ts';

/** The brief's actions on a stay; each is an endpoint of its own, because status is never written directly. */
export const RESERVATION_ACTIONS = [
  'confirm',
  'check-in',
  'check-out',
  'cancel',
  'payment',
  'amend',
  'no-show',
] as const;
export type ReservationAction = (typeof RESERVATION_ACTIONS)[number];

/** The status that each permitted action leads to (domain.md 2); what is not listed is refused. */
export const TRANSITIONS: Readonly<
  Record<ReservationStatus, Readonly<Partial<Record<ReservationAction, ReservationStatus>>>>
> = {
  PENDING: { confirm: 'CONFIRMED', cancel: 'CANCELLED', payment: 'PENDING', amend: 'PENDING' },
  CONFIRMED: {
    'check-in': 'CHECKED_IN',
    cancel: 'CANCELLED',
    payment: 'CONFIRMED',
    amend: 'CONFIRMED',
    'no-show': 'NO_SHOW',
  },
  CHECKED_IN: { 'check-out': 'CHECKED_OUT', payment: 'CHECKED_IN', amend: 'CHECKED_IN' },
  CHECKED_OUT: { payment: 'CHECKED_OUT' },
  CANCELLED: {},
  NO_SHOW: { payment: 'NO_SHOW' },
};

/** In the order of `RESERVATION_ACTIONS`. */
export const allowedActions = (status: ReservationStatus): ReservationAction[] =>
  RESERVATION_ACTIONS.filter((action) => TRANSITIONS[status][action] !== undefined);

/** Null when the action is not permitted in this status. */
export const targetOf = (status: ReservationStatus, action: ReservationAction): ReservationStatus | null =>
  TRANSITIONS[status][action] ?? null;

/** The details of every refusal of an action. */
export const refusalDetails = (status: ReservationStatus, action: ReservationAction) => ({
  currentStatus: status,
  action,
  allowedActions: allowedActions(status),
});
