import { describe, expect, it } from 'vitest';
import type { ReservationStatus } from '../../db/schema.ts';
import { actionsOf, allowedOf, RESERVATION_ACTIONS, refusalDetails, targetOf } from './state-machine.ts';

/** domain.md 2, as a table of targets; a dash is a refusal. */
const TABLE: Readonly<Record<ReservationStatus, readonly string[]>> = {
  //            confirm      check-in      check-out      cancel       payment        amend        no-show
  PENDING: ['CONFIRMED', '-', '-', 'CANCELLED', 'PENDING', 'PENDING', '-'],
  CONFIRMED: ['-', 'CHECKED_IN', '-', 'CANCELLED', 'CONFIRMED', 'CONFIRMED', 'NO_SHOW'],
  CHECKED_IN: ['-', '-', 'CHECKED_OUT', '-', 'CHECKED_IN', 'CHECKED_IN', '-'],
  CHECKED_OUT: ['-', '-', '-', '-', 'CHECKED_OUT', '-', '-'],
  CANCELLED: ['-', '-', '-', '-', '-', '-', '-'],
  NO_SHOW: ['-', '-', '-', '-', 'NO_SHOW', '-', '-'],
};
const STATUSES = Object.keys(TABLE).filter((status): status is ReservationStatus => Object.hasOwn(TABLE, status));

describe('the reservation state machine', () => {
  it.each(STATUSES)('leads from %s where the rules say', (status) => {
    const targets = RESERVATION_ACTIONS.map((action) => targetOf(status, action) ?? '-');
    expect(targets).toEqual(TABLE[status]);
  });

  it('lists what is allowed in the order of the actions', () => {
    const free = { isBusy: false, isPaid: false, isBlock: false };
    expect(allowedOf(actionsOf({ ...free, status: 'PENDING' }))).toEqual(['confirm', 'cancel', 'payment']);
    expect(allowedOf(actionsOf({ ...free, status: 'CANCELLED' }))).toEqual([]);
  });

  it('says in a refusal what would have been allowed', () => {
    expect(refusalDetails('CHECKED_IN', 'cancel', false)).toMatchObject({
      currentStatus: 'CHECKED_IN',
      action: 'cancel',
      allowedActions: ['check-out', 'payment'],
      actions: [
        { action: 'confirm', reason: { code: 'INVALID_STATE_TRANSITION' } },
        { action: 'check-in', reason: { code: 'INVALID_STATE_TRANSITION' } },
        { action: 'check-out', allowed: true, reason: null },
        { action: 'cancel', allowed: false, reason: { code: 'RESERVATION_IN_HOUSE', message: expect.any(String) } },
        { action: 'payment', allowed: true, reason: null },
      ],
    });
  });
});
