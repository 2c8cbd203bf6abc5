import { stayId } from './seed.ts';

/** The requests that start the sagas of a stay, and how each ends. */
export type Action = 'confirm' | 'rollback' | 'pay' | 'checkIn' | 'checkOut' | 'cancel';

export interface ActionPlan {
  readonly path: (index: number) => string;
  readonly body: (index: number) => Readonly<Record<string, unknown>>;
  /** Of its answer. */
  readonly status: number;
  readonly saga: string;
  readonly ends: 'completed' | 'compensated';
}

/** What `seed` says a stay costs, in minor units. */
export const totalMinorOf = (index: number): number => 100_000 + index;

const on = (verb: string) => (index: number) => `/api/production/reservations/${stayId('confirm', index)}/${verb}`;
const nothing = () => ({});

export const ACTIONS: Readonly<Record<Action, ActionPlan>> = {
  confirm: { path: on('confirm'), body: nothing, status: 200, saga: 'confirmReservation', ends: 'completed' },
  rollback: {
    path: (index) => `/api/production/reservations/${stayId('rollback', index)}/confirm`,
    body: nothing,
    status: 409,
    saga: 'confirmReservation',
    ends: 'compensated',
  },
  pay: {
    path: on('payment'),
    // The whole balance, at the sandbox, which takes no time to answer.
    body: (index) => ({
      amount: totalMinorOf(index) / 100,
      currency: 'AED',
      gatewayId: 'gateway-123',
      gatewayReference: `bench-${index}`,
    }),
    status: 200,
    saga: 'processPayment',
    ends: 'completed',
  },
  checkIn: { path: on('check-in'), body: nothing, status: 200, saga: 'checkIn', ends: 'completed' },
  checkOut: { path: on('check-out'), body: nothing, status: 200, saga: 'checkOut', ends: 'completed' },
  cancel: { path: on('cancel'), body: nothing, status: 200, saga: 'cancelReservation', ends: 'completed' },
};
