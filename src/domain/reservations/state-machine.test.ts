import { describe, expect, it } from 'vitest';
import type { ReservationStatus } from '../../db/schema.ts';
import { RESERVATION_ACTIONS, targetOf } from './state-machine.ts';

/** domain.md 2, as a table of targets; a dash is a refusal. */
const TABLE: Readonly<Record<ReservationStatus, readonly string[]>> = {
  //            confirm      check-in      check-out      cancel       payment        amend        no-show   refunds
  PENDING: ['CONFIRMED', '-', '-', 'CANCELLED', 'PENDING', 'PENDING', '-', 'PENDING'],
  CONFIRMED: ['-', 'CHECKED_IN', '-', 'CANCELLED', 'CONFIRMED', 'CONFIRMED', 'NO_SHOW', 'CONFIRMED'],
  CHECKED_IN: ['-', '-', 'CHECKED_OUT', '-', 'CHECKED_IN', 'CHECKED_IN', '-', 'CHECKED_IN'],
  CHECKED_OUT: ['-', '-', '-', '-', 'CHECKED_OUT', '-', '-', 'CHECKED_OUT'],
  CANCELLED: ['-', '-', '-', '-', '-', '-', '-', 'CANCELLED'],
  NO_SHOW: ['-', '-', '-', '-', 'NO_SHOW', '-', '-', 'NO_SHOW'],
};
const STATUSES = Object.keys(TABLE).filter((status): status is ReservationStatus => Object.hasOwn(TABLE, status));

describe('the reservation state machine', () => {
  it.each(STATUSES)('leads from %s where the rules say', (status) => {
    const targets = RESERVATION_ACTIONS.map((action) => targetOf(status, action) ?? '-');
    expect(targets).toEqual(TABLE[status]);
  });
});
