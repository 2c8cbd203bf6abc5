import type { ReservationStatus } from '../../db/schema.ts';
import { CATALOGUE, type ErrorCode } from '../../kernel/errors.ts';

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

/** Those that have an endpoint, and so can be offered; `amend` and `no-show` have none yet. */
export const OFFERED_ACTIONS = [
  'confirm',
  'check-in',
  'check-out',
  'cancel',
  'payment',
] as const satisfies readonly ReservationAction[];
export type OfferedAction = (typeof OFFERED_ACTIONS)[number];

/** What an action would be accepted or refused for, as far as the stay itself says. */
export interface ActionFacts {
  readonly status: ReservationStatus;
  /** A saga is at work on the stay, or parked: it keeps out every other. */
  readonly isBusy: boolean;
  /** Nothing is left to pay. */
  readonly isPaid: boolean;
  /** A repair's block in the calendar: no guest's stay, and changed by its task alone. */
  readonly isBlock: boolean;
}

/** The code with which the action's endpoint would refuse it now; null: it would be accepted. */
export function refusalOfAction(action: ReservationAction, facts: ActionFacts): ErrorCode | null {
  const { status, isBusy, isPaid, isBlock } = facts;
  if (isBusy) return 'SAGA_IN_PROGRESS';
  if (isBlock) return 'RESERVATION_NOT_FOUND';
  if (targetOf(status, action) === null) {
    if (action === 'cancel' && status === 'CHECKED_IN') return 'RESERVATION_IN_HOUSE';
    return action === 'payment' ? 'RESERVATION_NOT_PAYABLE' : 'INVALID_STATE_TRANSITION';
  }
  return action === 'payment' && isPaid ? 'ALREADY_PAID' : null;
}

export interface ActionView {
  readonly action: OfferedAction;
  readonly allowed: boolean;
  readonly reason: { readonly code: ErrorCode; readonly message: string } | null;
}
/** Every action with an endpoint, and why it would be refused, if it would. */
export const actionsOf = (facts: ActionFacts): ActionView[] =>
  OFFERED_ACTIONS.map((action) => {
    const code = refusalOfAction(action, facts);
    return { action, allowed: code === null, reason: code && { code, message: CATALOGUE[code].text } };
  });
export const allowedOf = (actions: readonly ActionView[]): OfferedAction[] =>
  actions.filter(({ allowed }) => allowed).map(({ action }) => action);

/** Null when the action is not permitted in this status. */
export const targetOf = (status: ReservationStatus, action: ReservationAction): ReservationStatus | null =>
  TRANSITIONS[status][action] ?? null;

/**
 * The details of every refusal of an action: what would be accepted instead, once the saga that is refused is over.
 * `isPaid`: nothing is left to pay.
 */
export function refusalDetails(status: ReservationStatus, action: string, isPaid: boolean) {
  const actions = actionsOf({ status, isBusy: false, isPaid, isBlock: false });
  return { currentStatus: status, action, allowedActions: allowedOf(actions), actions };
}
