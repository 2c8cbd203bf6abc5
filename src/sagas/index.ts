import type { SagaDefinition } from '../engine/definition.ts';
import { createRegistry } from '../engine/registry.ts';
import { cancelReservation } from './cancel-reservation/v1.ts';
import { changeAccess } from './change-access/v1.ts';
import { checkInV1 } from './check-in/v1.ts';
import { checkIn } from './check-in/v2.ts';
import { checkOut } from './check-out/v1.ts';
import { confirmReservation } from './confirm-reservation/v1.ts';
import { executeRefund } from './execute-refund/v1.ts';
import { processOwnerPayout } from './process-owner-payout/v1.ts';
import { processPayment } from './process-payment/v1.ts';
import { refundReservation } from './refund-reservation/v1.ts';

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
export const DEFINITIONS: readonly SagaDefinition[] = [
  confirmReservation,
  checkInV1,
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
/** Those that move money, or are about money that is to be moved: FINANCE lets them go on when they are stuck. */
export const MONEY_SAGAS: ReadonlySet<string> = new Set(
  [processPayment, cancelReservation, refundReservation, executeRefund, processOwnerPayout].map(({ name }) => name),
);
/** The names of all sagas, each once. */
export const SAGA_NAMES: readonly string[] = registry.names;
/** `name.step` of every step of every version, each once. */
export const STEP_NAMES: readonly string[] = [
  ...new Set(DEFINITIONS.flatMap(({ name, steps }) => steps.map((step) => `${name}.${step.name}`))),
];
