import { z } from 'zod';
import type { Db, Tx } from '../../db/client.ts';
import { notifyDisplaced } from '../../domain/assignment/turnovers.ts';
import { cancelAmountDue, createAmountDue } from '../../domain/finance/store/amount-due.ts';
import { countNotifications } from '../../domain/messages/catalogue/deliveries.ts';
import { confirmationMessages } from '../../domain/messages/catalogue/reservation-confirmed.ts';
import { notifyRolledBack } from '../../domain/messages/catalogue/reservation-rolled-back.ts';
import { taskAssignedMessage } from '../../domain/messages/catalogue/task-assigned.ts';
import { taskWithdrawnMessage } from '../../domain/messages/catalogue/task-withdrawn.ts';
import { enqueueMessages, orderMessages } from '../../domain/notifications/enqueue.ts';
import { withdrawMessages } from '../../domain/notifications/store/move.ts';
import { transitionError } from '../../domain/reservations/actions.ts';
import type { StayOccurrence, StayPlan } from '../../domain/reservations/stay-plan.ts';
import { confirm, unconfirm } from '../../domain/reservations/store.ts';
import { checkChosenTimes } from '../../domain/stay-tasks/chosen-times.ts';
import { type StayTask, taskOrchestrator } from '../../domain/stay-tasks/task-orchestrator.ts';
import { assertConfirmable, conflictError, type StayFacts } from '../../domain/stays/confirmable.ts';
import { readOutcome } from '../../domain/stays/outcome.ts';
import { ensureTask, type TaskValues, withdrawTask } from '../../domain/tasks/store/ensure.ts';
import { settleTurnoversOfGuard, settleTurnoversWithout } from '../../domain/tasks/store/turnover.ts';
import { saga } from '../../engine/definition.ts';
import type { Failure, StepContext } from '../../engine/step.ts';
import { type RoomyError, required } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';

const OCCURRENCES = [
  'PRE_ARRIVAL',
  'ARRIVAL',
  'DEPARTURE',
  'POST_DEPARTURE',
] as const satisfies readonly StayOccurrence[];

export const ConfirmReservation = z.strictObject({
  reservationId: z.string(),
  /** A task for which nobody can be found undoes the confirmation; otherwise it stays unassigned for a while. */
  requireAssignment: z.boolean().default(false),
  /** Starts that a person has chosen, instead of the rules'; ISO instants. Only where staff is required. */
  taskTimes: z.partialRecord(z.enum(OCCURRENCES), z.string()).optional(),
  /** The times that a refusal suggests are kept free for the next request with the hold's id. */
  holdAlternatives: z.boolean().optional(),
  holdId: z.string().optional(),
});

type Context = StepContext<z.output<typeof ConfirmReservation>, { readonly validateReservation: StayFacts }>;

const valuesOf = ({ done }: Context, task: keyof StayPlan): TaskValues => ({
  taskId: newId('task'),
  ...done.validateReservation.plan[task],
});

const stayTaskOf = (context: Context, task: keyof StayPlan): StayTask => ({
  ...valuesOf(context, task),
  propertyId: context.done.validateReservation.propertyId,
  chosenStart: context.input.taskTimes?.[context.done.validateReservation.plan[task].occurrence] ?? null,
});

/** The step's form when staff is required: the person is found in the same transaction, or the step refuses. */
const assigned = <Name extends string>(task: keyof StayPlan, output: Name) => ({
  when: ({ input }: Context) => input.requireAssignment,
  run: async (context: Context & { readonly tx: Tx }) => {
    const made = stayTaskOf(context, task);
    const requirement = { nowMs: context.requestedAt.getTime(), holdId: context.input.holdId ?? null, notifies: false };
    const { taskId, ...rest } = await taskOrchestrator.ensureAssignedTask(context.tx, made, context, requirement);
    return { ...({ [output]: taskId } as { readonly [K in Name]: string }), ...rest };
  },
});

/**
 * The people whose cleaning was merged by the step itself, in executions that ran it in a build before `settleTurnovers`,
 * which sends these messages now.
 */
const displacedBefore = (output: object) => Displaced.parse('displaced' in output ? output.displaced : []);
const Displaced = z.array(z.object({ taskId: z.string(), assigneeId: z.string() }));

/** Keeps the times free that the step's refusal suggests, if that was asked for. */
const heldOn =
  (task: keyof StayPlan) =>
  async (context: Context & { readonly db: Db; readonly failure: Failure }): Promise<RoomyError | undefined> => {
    const { db, failure, input, requestedAt, sagaId, subjectId } = context;
    if (!('refusal' in failure) || failure.refusal.code !== 'NO_STAFF_AVAILABLE' || !input.holdAlternatives)
      return undefined;
    const hold = { nowMs: requestedAt.getTime(), holdId: input.holdId ?? `hold-${sagaId}`, reservationId: subjectId };
    return taskOrchestrator.holdForStay(db, stayTaskOf(context, task), hold);
  };

/** The brief's workflow 1 (domain.md 1.1). */
export const confirmReservation = saga('confirmReservation', ConfirmReservation, {
  version: 1,
  subjectType: 'reservation',
  notFound: 'RESERVATION_NOT_FOUND',
})
  .read('validateReservation', {
    run: async ({ db, subjectId, requestedAt, input }) => {
      const stay = await assertConfirmable({ db, reservationId: subjectId, requestedAt });
      const warnings = checkChosenTimes(stay.plan, input.taskTimes ?? {}, requestedAt);
      return { ...stay, warnings: [...stay.warnings, ...warnings] };
    },
  })
  .statement('updateReservationStatus', {
    values: ({ done }) => ({ distributionVersion: done.validateReservation.distributionVersion }),
    run: confirm,
    onNoRow: 'INVALID_STATE_TRANSITION',
    explain: ({ db, subjectId, failure }) =>
      'constraint' in failure ? conflictError(db, subjectId) : transitionError(db, subjectId, 'confirm'),
    compensate: {
      values: ({ done }) => ({ version: required(done.own, 'the confirmed version').version }),
      run: unconfirm,
      onNoRow: 'SUPERSEDED',
    },
  })
  .statement('createCleaningTask', {
    values: (context) => valuesOf(context, 'preArrivalCleaning'),
    run: ensureTask('cleaningTaskId'),
    onNoRow: 'STEP_FAILED',
    imperative: assigned('preArrivalCleaning', 'cleaningTaskId'),
    explain: heldOn('preArrivalCleaning'),
    compensate: { run: withdrawTask, secondEffect: settleTurnoversWithout },
  })
  .statement('createCheckInTask', {
    values: (context) => valuesOf(context, 'checkIn'),
    run: ensureTask('checkInTaskId'),
    onNoRow: 'STEP_FAILED',
    imperative: assigned('checkIn', 'checkInTaskId'),
    explain: heldOn('checkIn'),
    compensate: { run: withdrawTask },
  })
  .statement('createCheckOutTask', {
    values: (context) => valuesOf(context, 'checkOut'),
    run: ensureTask('checkOutTaskId'),
    onNoRow: 'STEP_FAILED',
    imperative: assigned('checkOut', 'checkOutTaskId'),
    explain: heldOn('checkOut'),
    compensate: { run: withdrawTask },
  })
  .statement('createPostCleaningTask', {
    values: (context) => valuesOf(context, 'postDepartureCleaning'),
    run: ensureTask('postCleaningTaskId'),
    onNoRow: 'STEP_FAILED',
    imperative: assigned('postDepartureCleaning', 'postCleaningTaskId'),
    explain: heldOn('postDepartureCleaning'),
    compensate: { run: withdrawTask, secondEffect: settleTurnoversWithout },
  })
  // Behind all steps that make cleanings: of two stays that are confirmed at once, the later one finds both here.
  .effect('settleTurnovers', { run: settleTurnoversOfGuard, onRows: notifyDisplaced })
  .statement('createFinancialTransaction', {
    values: ({ done: { validateReservation: stay } }) => ({
      transactionId: newId('transaction'),
      ownerId: stay.ownerId,
      amountMinor: stay.amountMinor,
      currency: stay.currency,
      distributionVersion: stay.distributionVersion,
    }),
    // No row where nothing is owed.
    run: createAmountDue,
    compensate: { run: cancelAmountDue },
  })
  .statement('sendConfirmationNotification', {
    values: ({ done, key }) => {
      const tasks = [
        { taskId: done.createCleaningTask.cleaningTaskId, ...done.createCleaningTask },
        { taskId: done.createCheckInTask.checkInTaskId, ...done.createCheckInTask },
        { taskId: done.createCheckOutTask.checkOutTaskId, ...done.createCheckOutTask },
        { taskId: done.createPostCleaningTask.postCleaningTaskId, ...done.createPostCleaningTask },
      ];
      const assignments = tasks.flatMap(({ taskId, assignee }) =>
        assignee === null ? [] : [{ ...taskAssignedMessage(assignee), taskId }],
      );
      const withdrawals = displacedBefore(done.createPostCleaningTask).map(({ taskId, assigneeId }) =>
        taskWithdrawnMessage(assigneeId, taskId),
      );
      return orderMessages(key, [...confirmationMessages(done.validateReservation), ...assignments, ...withdrawals]);
    },
    run: enqueueMessages,
    compensate: { run: withdrawMessages, secondEffect: notifyRolledBack },
  })
  .ends(async ({ db, subjectId, done }) => {
    const stay = await readOutcome(db, subjectId);
    const messages = confirmationMessages(done.validateReservation);
    const { warnings } = done.validateReservation;
    return {
      event: 'RESERVATION_CONFIRMED',
      message: 'Reservation confirmed successfully',
      data: { ...stay, warnings },
      details: {
        tasksCreated: stay.tasks.length,
        transactionsCreated: stay.transaction === null ? 0 : 1,
        notificationsSent: countNotifications(messages),
        deliveries: messages.length,
      },
    };
  });
