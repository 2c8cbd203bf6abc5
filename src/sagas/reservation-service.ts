import type { StayOccurrence } from '../domain/reservations/stay-plan.ts';
import type { StayOutcome } from '../domain/stays/outcome.ts';
import type { IdempotencyClaim, Requester, SagaAnswer, SagaOrchestrator, StartableSaga } from '../engine/types.ts';
import { InvariantError, isErrorCode, RoomyError } from '../kernel/errors.ts';
import {
  cancelReservation,
  checkIn,
  checkOut,
  confirmReservation,
  processPayment,
  refundReservation,
} from './index.ts';

type InputOf<Definition> = Definition extends StartableSaga<infer Input> ? Input : never;
/** The input of a saga, without the stay, which each method takes by itself. */
type Order<Definition> = Omit<InputOf<Definition>, 'reservationId'>;

/** How a saga is started and answered: over HTTP with stored bytes (`http/idempotent.ts`), or within the process. */
export type StartReservationSaga<Context, Answer> = <Input>(
  definition: StartableSaga<Input>,
  subjectId: string,
  input: Input,
  context: Context,
) => Promise<Answer>;

/**
 * The brief's ReservationService: one method for each saga about a stay. It is the one place that knows which saga serves
 * which act and that its subject is the reservation; amounts are in minor units, times are ISO instants. The methods throw
 * the refusals of `SagaOrchestrator.accept`: `RESERVATION_NOT_FOUND`, `SAGA_IN_PROGRESS`, `IDEMPOTENCY_KEY_REUSED`,
 * `IDEMPOTENCY_IN_PROGRESS`.
 */
export const reservationServiceBy = <Context, Answer>(start: StartReservationSaga<Context, Answer>) => ({
  confirmReservation: (reservationId: string, order: Order<typeof confirmReservation>, context: Context) =>
    start(confirmReservation, reservationId, { reservationId, ...order }, context),
  checkIn: (reservationId: string, order: Order<typeof checkIn>, context: Context) =>
    start(checkIn, reservationId, { reservationId, ...order }, context),
  checkOut: (reservationId: string, order: Order<typeof checkOut>, context: Context) =>
    start(checkOut, reservationId, { reservationId, ...order }, context),
  cancelReservation: (reservationId: string, order: Order<typeof cancelReservation>, context: Context) =>
    start(cancelReservation, reservationId, { reservationId, ...order }, context),
  processPayment: (reservationId: string, order: Order<typeof processPayment>, context: Context) =>
    start(processPayment, reservationId, { reservationId, ...order }, context),
  refundReservation: (reservationId: string, order: Order<typeof refundReservation>, context: Context) =>
    start(refundReservation, reservationId, { reservationId, ...order }, context),
});
export type ReservationSagas<Context, Answer> = ReturnType<typeof reservationServiceBy<Context, Answer>>;

/** For callers that do not wait: the service's methods resolve as soon as the saga is accepted. */
export const acceptingReservationService = (orchestrator: Pick<SagaOrchestrator, 'accept'>) =>
  reservationServiceBy(
    (
      definition,
      subjectId,
      input,
      context: { readonly requester: Requester; readonly idempotency?: IdempotencyClaim },
    ) => orchestrator.accept(definition, { subjectId, input, ...context }),
  );

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

/** The service for callers that wait for the end within the process, in the brief's own form. */
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
  // Written by the orchestrator itself, in `ending.ts` and `accept.ts`.
  const envelope = JSON.parse(body.toString()) as Envelope;
  if (envelope.success) return envelope;
  if (!isErrorCode(envelope.code)) throw new InvariantError(`unknown code ${envelope.code}`);
  throw new RoomyError(envelope.code, {
    text: envelope.error,
    ...(envelope.details ? { details: envelope.details } : {}),
  });
}
