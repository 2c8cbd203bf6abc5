import { describe, expect, it } from 'vitest';
import type { StayCheck } from '../../db/schema.ts';
import { actionsOf, allowedOf } from './actions.ts';
import type { ActionFacts } from './refusals.ts';

const FREE: ActionFacts = {
  status: 'PENDING',
  isBusy: false,
  isMoneyBusy: false,
  isBlock: false,
  taken: false,
  totalMinor: 100,
  refundableMinor: 0,
  outstandingMinor: 100,
  check_in_date: '2031-03-30',
  actual_check_in_at: null,
  outstanding_minor: 100,
  time_zone: 'Europe/Paris',
  readiness: 'DIRTY',
  inspection_required: false,
  strict_checks: [],
  occupied_by: null,
  now: new Date('2031-03-29T22:59:59Z'),
};
const CHECKS: StayCheck[] = ['CHECK_IN_TOO_EARLY', 'BALANCE_DUE', 'PROPERTY_NOT_READY'];
const reasons = (facts: Partial<ActionFacts>) =>
  Object.fromEntries(actionsOf({ ...FREE, ...facts }).map(({ action, reason }) => [action, reason?.code ?? null]));

describe('what a stay offers', () => {
  it('is listed in the order of the actions', () => {
    expect(allowedOf(actionsOf(FREE))).toEqual(['confirm', 'cancel', 'payment']);
    expect(allowedOf(actionsOf({ ...FREE, status: 'CANCELLED' }))).toEqual([]);
  });

  it('says why not of the rest', () => {
    expect(reasons({ status: 'CHECKED_IN' })).toEqual({
      confirm: 'INVALID_STATE_TRANSITION',
      'check-in': 'INVALID_STATE_TRANSITION',
      'check-out': null,
      cancel: 'RESERVATION_IN_HOUSE',
      payment: null,
      refunds: 'NOTHING_TO_REFUND',
    });
  });

  it('gives back in every state what was captured and is not refunded', () => {
    for (const status of ['PENDING', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT', 'CANCELLED', 'NO_SHOW'] as const) {
      expect(reasons({ status, refundableMinor: 1 })['refunds']).toBeNull();
      expect(reasons({ status })['refunds']).toBe('NOTHING_TO_REFUND');
    }
    expect(reasons({ refundableMinor: 1, isMoneyBusy: true })['refunds']).toBe('SAGA_IN_PROGRESS');
  });

  it('takes no money for what costs nothing, and calls only what is confirmed paid', () => {
    const free = { totalMinor: 0, outstandingMinor: 0 };
    expect(reasons(free)['payment']).toBe('PAYMENT_EXCEEDS_BALANCE');
    expect(reasons({ ...free, status: 'CONFIRMED' })['payment']).toBe('ALREADY_PAID');
    expect(reasons({ outstandingMinor: 0 })['payment']).toBe('ALREADY_PAID');
  });

  it('names the first check that refuses, of those that the property is strict about', () => {
    const stay = { status: 'CONFIRMED', strict_checks: CHECKS } as const;
    expect(reasons(stay)['check-in']).toBe('CHECK_IN_TOO_EARLY');
    const today = { ...stay, now: new Date('2031-03-29T23:00:00Z') };
    expect(reasons(today)['check-in']).toBe('BALANCE_DUE');
    expect(reasons({ ...today, outstanding_minor: 0 })['check-in']).toBe('PROPERTY_NOT_READY');
    expect(reasons({ ...today, outstanding_minor: 0, readiness: 'CLEAN' })['check-in']).toBeNull();
    expect(reasons({ ...stay, strict_checks: [] })['check-in']).toBeNull();
  });
});
