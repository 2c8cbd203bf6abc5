import { checkDefinition, type SagaDefinition } from '../engine/definition.ts';
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

export const SAGA_NAMES: readonly string[] = [...new Set(DEFINITIONS.map(({ name }) => name))];

/** Definitions by name and version. Throws for one that is not sound, so that a program with it does not start. */
export function createRegistry(definitions: readonly SagaDefinition[]) {
  const byVersion = new Map<string, SagaDefinition>();
  const newest = new Map<string, SagaDefinition>();
  for (const definition of definitions) {
    checkDefinition(definition);
    const id = `${definition.name}@${definition.version}`;
    if (byVersion.has(id)) throw new Error(`saga ${id} is registered twice`);
    byVersion.set(id, definition);
    newest.set(definition.name, definition);
  }
  return {
    /** Without a version, the newest. */
    definitionOf: (name: string, version?: number): SagaDefinition | undefined =>
      version === undefined ? newest.get(name) : byVersion.get(`${name}@${version}`),
    names: [...newest.keys()],
  };
}

export const { definitionOf } = createRegistry(DEFINITIONS);
