import { RoomyError } from '../kernel/errors.ts';
import { confirmReservation } from './confirm-reservation.ts';
import type { SagaAnswer, SagaOrchestrator } from './orchestrator/types.ts';

/** The brief's envelope, as a saga ended or as it was accepted. */
export type SagaResult =
  | { readonly success: true; readonly data: Readonly<Record<string, unknown>>; readonly message?: string }
  | { readonly success: false; readonly error: string; readonly code: string; readonly details?: unknown };

export interface ServiceCall {
  /** The actor, as the audit trail will name it. */
  readonly by?: string;
  readonly requireAssignment?: boolean;
}

/** The brief's ReservationService: one method a saga, for callers within the process. */
export interface ReservationService {
  /** Resolves when the saga has ended, or with the accepted envelope when it takes longer. Throws `RESERVATION_NOT_FOUND`, `SAGA_IN_PROGRESS`. */
  confirmReservation(reservationId: string, call?: ServiceCall): Promise<SagaResult>;
}

export function createReservationService(orchestrator: SagaOrchestrator, waitMs: number): ReservationService {
  return {
    confirmReservation: async (reservationId, call = {}) => {
      const { sagaId, accepted } = await orchestrator.accept(confirmReservation, {
        subjectId: reservationId,
        input: { reservationId, requireAssignment: call.requireAssignment ?? false },
        requester: { sub: call.by ?? 'system', requestId: null },
      });
      return parse((await orchestrator.waitForEnd(sagaId, waitMs)) ?? accepted);
    },
  };
}

function parse({ body }: SagaAnswer): SagaResult {
  const result: unknown = JSON.parse(body.toString());
  if (typeof result === 'object' && result !== null && 'success' in result) return result as SagaResult;
  throw new RoomyError('INTERNAL_ERROR');
}
