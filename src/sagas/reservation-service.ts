import type { Tx } from '../db/client.ts';
import { acceptWithin } from '../engine/accept.ts';
import type { SagaDefinition } from '../engine/definition.ts';
import type { IdempotencyClaim, Requester, SagaOrchestrator } from '../engine/types.ts';
import {
  cancelReservation,
  checkIn,
  checkOut,
  confirmReservation,
  processPayment,
  refundReservation,
} from './index.ts';

type InputOf<Definition> = Definition extends SagaDefinition<infer Input> ? Input : never;
/** The input of a saga, without the stay, which each method takes by itself. */
type Order<Definition> = Omit<InputOf<Definition>, 'reservationId'>;

/** How a saga is started and answered: over HTTP with stored bytes (`http/idempotent.ts`), or within the process. */
export type StartReservationSaga<Context, Answer> = <Input>(
  definition: SagaDefinition<Input>,
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

/**
 * For a change that starts the saga in its own commit: the methods resolve to the saga's id. `key` is the idempotency key of
 * the start, which is unique for the requester. A stay on which another saga is at work breaks a constraint of `ONE_OPEN_SAGA`.
 */
export const reservationServiceWithin = (tx: Tx) =>
  reservationServiceBy(
    (definition, subjectId, input, context: { readonly requester: Requester; readonly key: string }) =>
      acceptWithin(tx, definition, { subjectId, input, ...context }),
  );
