import type { SagaDefinition } from '../engine/definition.ts';
import { createRegistry } from '../engine/registry.ts';
import { cancelReservation } from './cancel-reservation.ts';
import { changeAccess } from './change-access.ts';
import { checkIn } from './check-in.ts';
import { checkOut } from './check-out.ts';
import { confirmReservation } from './confirm-reservation.ts';
import { executeRefund } from './execute-refund.ts';
import { processOwnerPayout } from './process-owner-payout.ts';
import { processPayment } from './process-payment.ts';
import { refundReservation } from './refund-reservation.ts';

export {
  cancelReservation,
  changeAccess,
  checkIn,
  checkOut,
  confirmReservation,
  executeRefund,
  processOwnerPayout,
  processPayment,
  refundReservation,
};

/** Every definition that a saga in flight may still be pinned to; the newest version of a name comes last. */
const DEFINITIONS: readonly SagaDefinition[] = [
  confirmReservation,
  checkIn,
  changeAccess,
  checkOut,
  processPayment,
  cancelReservation,
  refundReservation,
  executeRefund,
  processOwnerPayout,
];

const registry = createRegistry(DEFINITIONS);
export const { definitionOf } = registry;
/** The names of all sagas, each once. */
export const SAGA_NAMES: readonly string[] = registry.names;
