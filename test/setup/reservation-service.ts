import type { StayOccurrence } from '../../src/domain/reservations/stay-plan.ts';
import type { StayOutcome } from '../../src/domain/stays/outcome.ts';
import type { SagaAnswer, SagaOrchestrator } from '../../src/engine/types.ts';
import { InvariantError, isErrorCode, RoomyError } from '../../src/kernel/errors.ts';
import { acceptingReservationService } from '../../src/sagas/reservation-service.ts';

/** The brief's envelope. `data` is empty of the stay when the saga was accepted but has not ended within the wait. */
export interface ConfirmationResult {
  readonly success: true;
  readonly data: Partial<StayOutcome> & { readonly warnings?: readonly string[]; readonly sagaExecutionId?: string };
  readonly message: string;
}

export interface ServiceCall {
  /** The actor, as the audit trail will name it. */
  readonly by?: string;
  readonly requireAssignment?: boolean;
  /** With `requireAssignment`: starts chosen over the rules' (ISO instants), and times held for a next call. */
  readonly taskTimes?: Partial<Record<StayOccurrence, string>>;
  readonly holdAlternatives?: boolean;
  readonly holdId?: string;
}

/** The service for tests that wait for the end within the process, in the form of the brief's snippets. */
export interface ReservationService {
  /**
   * Resolves when the saga has completed, or has been accepted and takes longer or waits for a person. Throws the refusal's `RoomyError`
   * (`RESERVATION_NOT_FOUND`, `RESERVATION_CONFLICT`, `INVALID_STATE_TRANSITION`, `SAGA_IN_PROGRESS`, ...).
   */
  confirmReservation(reservationId: string, call?: ServiceCall): Promise<ConfirmationResult>;
}

/** `waitMs`: how long a call waits for its saga to end, at the most. */
export function createReservationService(orchestrator: SagaOrchestrator, waitMs: number): ReservationService {
  const reservations = acceptingReservationService(orchestrator);
  return {
    confirmReservation: async (reservationId, { by = 'system', requireAssignment = false, ...call } = {}) => {
      const { sagaId, accepted } = await reservations.confirmReservation(
        reservationId,
        { requireAssignment, ...call },
        { requester: { sub: by, requestId: null } },
      );
      return successOf((await orchestrator.waitForAnswer(sagaId, waitMs)) ?? accepted);
    },
  };
}

type Envelope =
  | ConfirmationResult
  | {
      readonly success: false;
      readonly error: string;
      readonly code: string;
      readonly details?: Record<string, unknown>;
    };

function successOf({ body }: SagaAnswer): ConfirmationResult {
  // Written by the engine itself, in `answers.ts`.
  const envelope = JSON.parse(body.toString()) as Envelope;
  if (envelope.success) return envelope;
  if (!isErrorCode(envelope.code)) throw new InvariantError(`unknown code ${envelope.code}`);
  throw new RoomyError(envelope.code, {
    text: envelope.error,
    ...(envelope.details ? { details: envelope.details } : {}),
  });
}
