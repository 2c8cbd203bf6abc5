import { z } from 'zod';
import { countNotifications } from '../../domain/messages/catalogue/deliveries.ts';
import { taskWithdrawnMessage } from '../../domain/messages/catalogue/task-withdrawn.ts';
import { welcomeMessages } from '../../domain/messages/catalogue/welcome.ts';
import { enqueueMessages, orderMessages } from '../../domain/notifications/enqueue.ts';
import { withdrawMessages } from '../../domain/notifications/store/move.ts';
import { DEVICES } from '../../domain/ports.ts';
import { recordActivation, recordDeactivation } from '../../domain/properties/amenities.ts';
import { transitionError } from '../../domain/reservations/actions.ts';
import { checkIn as arrive, undoCheckIn } from '../../domain/reservations/store.ts';
import { endDoorTask, ensureDoorTask } from '../../domain/stay-tasks/door-task.ts';
import { ensureStayTask } from '../../domain/stay-tasks/stay-task.ts';
import { arriveAtProperty, undoArrival } from '../../domain/stays/arrival.ts';
import { assertMayCheckIn } from '../../domain/stays/visit.ts';
import { readVisitOutcome } from '../../domain/stays/visit-outcome.ts';
import { withdrawTaskByKey } from '../../domain/tasks/store/finish.ts';
import { saga } from '../../engine/definition.ts';
import { required } from '../../kernel/errors.ts';

export const CheckIn = z.strictObject({
  reservationId: z.string(),
  /** ISO instant at which the guest really came; null: when the request was accepted. */
  actualTime: z.string().nullable().default(null),
  /** Early, unpaid and not ready are refusals, whatever the property says. */
  strict: z.boolean().default(false),
});

/** A guest stands at the door: better to refuse within seconds than to succeed within minutes. */
const DEVICE_RETRY = { attempts: 4, baseMs: 200, maxMs: 1_000 };

/** The brief's workflow 2 (domain.md 1.1). */
export const checkIn = saga('checkIn', CheckIn, {
  version: 2,
  subjectType: 'reservation',
  notFound: 'RESERVATION_NOT_FOUND',
})
  .read('validateCheckIn', {
    run: ({ db, input, requestedAt }) => assertMayCheckIn(db, input, requestedAt),
  })
  .statement('updateReservationStatus', {
    values: ({ done }) => ({ actualAt: done.validateCheckIn.actualAt }),
    run: arrive,
    onNoRow: 'INVALID_STATE_TRANSITION',
    explain: ({ db, subjectId }) => transitionError(db, subjectId, 'check-in'),
    compensate: {
      values: ({ done }) => ({ version: required(done.own, 'the version of the stay at its check-in').version }),
      run: undoCheckIn,
      onNoRow: 'SUPERSEDED',
    },
  })
  .tx('createCheckOutTask', {
    run: ({ tx, done, ...step }) =>
      ensureStayTask(tx, { ...step, reservationId: step.subjectId }, done.validateCheckIn.checkOut),
    compensate: async ({ tx, forwardKey }) => {
      await withdrawTaskByKey(tx, forwardKey);
    },
  })
  .tx('createPostCheckOutCleaningTask', {
    run: ({ tx, done, ...step }) => arriveAtProperty(tx, step, done.validateCheckIn),
    compensate: ({ tx, subjectId, forwardKey, done }) => undoArrival(tx, subjectId, forwardKey, done.own),
  })
  .call('activatePropertyAmenities', {
    foresees: 'ports',
    speaksTo: () => DEVICES,
    retry: DEVICE_RETRY,
    onOpenCircuit: 'refuse',
    run: async ({ ports, key, done, signal }) => {
      const { device, propertyId, reservationId, actualAt, until } = done.validateCheckIn;
      if (device === null) return null;
      const request = { key, device, propertyId, reservationId, from: actualAt, until };
      return ports.amenities.activate(request, signal);
    },
    book: async ({ tx, sagaId, key, done, answer }) => {
      const { device, propertyId, reservationId, actualAt, until } = done.validateCheckIn;
      if (device === null || answer === null) return { amenities: 'NONE', hasCode: false };
      const grant = { reservationId, propertyId, device, activationKey: key, from: actualAt, until };
      await recordActivation(tx, grant, answer);
      await endDoorTask(tx, sagaId, key, reservationId);
      return { amenities: 'ACTIVE', hasCode: answer.accessCode !== null };
    },
    compensate: {
      run: async ({ ports, key, forwardKey, done, inDoubt, signal }) => {
        const { device, propertyId, reservationId } = done.validateCheckIn;
        if (device === null || !inDoubt) return { outcome: 'nothing' as const };
        const request = { key, device, propertyId, reservationId, activationKey: forwardKey };
        return ports.amenities.deactivate(request, signal);
      },
      book: async ({ tx, done, answer }) => {
        const { propertyId, reservationId } = done.validateCheckIn;
        await recordDeactivation(tx, reservationId, propertyId);
        return { outcome: answer.outcome };
      },
      skippable: {
        follows:
          'The device is not asked: take the code of the guest off it by hand, if it has one. Here it counts as taken off, a task has somebody see to it at the door, and the check-in is undone.',
        instead: async ({ tx, done }) => {
          const { propertyId, reservationId } = done.validateCheckIn;
          await recordDeactivation(tx, reservationId, propertyId);
          await ensureDoorTask(tx, { reservationId, propertyId, wants: 'DOOR_CODE_OFF' });
          return { outcome: 'by-hand' as const };
        },
      },
    },
  })
  .statement('sendWelcomeNotification', {
    values: ({ key, done }) => {
      const welcome = welcomeMessages(done.validateCheckIn, done.activatePropertyAmenities.hasCode);
      // Not before it is sure that the guest is in.
      const withdrawn = (done.createPostCheckOutCleaningTask.ended ?? []).flatMap(({ taskId, assigneeId }) =>
        assigneeId === null ? [] : [taskWithdrawnMessage(assigneeId, taskId)],
      );
      return orderMessages(key, [...welcome, ...withdrawn]);
    },
    run: enqueueMessages,
    compensate: { run: withdrawMessages },
  })
  .ends(async ({ db, subjectId, done }) => {
    const stay = await readVisitOutcome(db, subjectId);
    const messages = welcomeMessages(done.validateCheckIn, done.activatePropertyAmenities.hasCode);
    const kept = [done.createCheckOutTask, done.createPostCheckOutCleaningTask].some((task) => task.kept);
    const warnings = [...done.validateCheckIn.warnings, ...(kept ? ['TASK_TIME_KEPT'] : [])];
    return {
      event: 'RESERVATION_CHECKED_IN',
      message: 'Guest checked in successfully',
      data: { ...stay, warnings },
      details: {
        warnings,
        amenities: done.activatePropertyAmenities.amenities,
        notificationsSent: countNotifications(messages),
        deliveries: messages.length,
      },
    };
  });
