import { z } from 'zod';
import { countNotifications } from '../../domain/messages/catalogue/deliveries.ts';
import {
  amenitiesAlertMessage,
  furtherAmenitiesAlertMessage,
} from '../../domain/messages/catalogue/maintenance-alert.ts';
import { thankYouMessages } from '../../domain/messages/catalogue/thank-you.ts';
import { enqueueMessages, orderMessages } from '../../domain/notifications/enqueue.ts';
import { enqueueFirstOfHour } from '../../domain/notifications/first-of-hour.ts';
import { DEVICES } from '../../domain/ports.ts';
import { readDevices, recordDeactivation } from '../../domain/properties/amenities.ts';
import { transitionError } from '../../domain/reservations/actions.ts';
import { checkOut as depart, undoCheckOut } from '../../domain/reservations/store.ts';
import { ensureDoorTask } from '../../domain/stay-tasks/door-task.ts';
import { leaveProperty } from '../../domain/stays/departure.ts';
import { readCheckOutReport, writeCheckOutReport } from '../../domain/stays/report.ts';
import { assertMayCheckOut } from '../../domain/stays/visit.ts';
import { readVisitOutcome } from '../../domain/stays/visit-outcome.ts';
import { saga } from '../../engine/definition.ts';
import { required } from '../../kernel/errors.ts';
import { sentUnlessSkipped, toldByHand } from '../told-by-hand.ts';

export const CheckOut = z.strictObject({
  reservationId: z.string(),
  /** ISO instant at which the guest really left; null: when the request was accepted. */
  actualTime: z.string().nullable().default(null),
  /** An open balance is a refusal, whatever the property says. */
  strict: z.boolean().default(false),
});

/** A person has said so: no device was asked. */
const BY_HAND = 'REVOKED_BY_HAND';

/** Long enough for a device that restarts; a person is called well before the next guest comes. */
const DEVICE_RETRY = { attempts: 6, baseMs: 200, maxMs: 2_000 };

/** The brief's workflow 3 (domain.md 1.1). */
export const checkOut = saga('checkOut', CheckOut, {
  version: 1,
  subjectType: 'reservation',
  notFound: 'RESERVATION_NOT_FOUND',
})
  .read('validateCheckOut', {
    run: ({ db, input, requestedAt }) => assertMayCheckOut(db, input, requestedAt),
  })
  .statement('updateReservationStatus', {
    values: ({ done }) => ({
      actualAt: done.validateCheckOut.actualAt,
      departureDate: done.validateCheckOut.departureDate,
    }),
    run: depart,
    onNoRow: 'INVALID_STATE_TRANSITION',
    explain: ({ db, subjectId }) => transitionError(db, subjectId, 'check-out'),
    compensate: {
      values: ({ done }) => ({ version: required(done.own, 'the version of the stay at its check-out').version }),
      run: undoCheckOut,
      onNoRow: 'SUPERSEDED',
    },
  })
  .pivot()
  .tx('createPostDepartureCleaningTask', {
    run: ({ tx, done, ...step }) => leaveProperty(tx, step, done.validateCheckOut),
  })
  .call('deactivatePropertyAmenities', {
    foresees: 'ports',
    speaksTo: () => DEVICES,
    locks: ['state'],
    retry: DEVICE_RETRY,
    // As the property is wired now: who presses Retry has perhaps put another device in.
    prepare: ({ tx, subjectId }) => readDevices(tx, subjectId),
    run: async ({ ports, key, done, prepared: { devices }, signal }) => {
      const { propertyId, reservationId, activationKey } = done.validateCheckOut;
      // A device that knows of no grant for this stay has nothing to take back.
      const known = activationKey ?? key;
      for (const device of devices) {
        const request = { key: `${key}-${device}`, device, propertyId, reservationId, activationKey: known };
        await ports.amenities.deactivate(request, signal);
      }
      return { devices: devices.length };
    },
    book: async ({ tx, done, answer }) => {
      const { reservationId, propertyId } = done.validateCheckOut;
      await recordDeactivation(tx, reservationId, propertyId);
      return { amenities: answer.devices === 0 ? 'NONE' : 'REVOKED' };
    },
    skippable: {
      follows:
        'The device is not asked: take the code of the guest off it by hand. Here it counts as taken off by hand, and a task has somebody see to it at the door.',
      instead: async ({ tx, done }) => {
        const { reservationId, propertyId } = done.validateCheckOut;
        await recordDeactivation(tx, reservationId, propertyId);
        await ensureDoorTask(tx, { reservationId, propertyId, wants: 'DOOR_CODE_OFF' });
        return { amenities: BY_HAND };
      },
    },
    tellsWhenParked: true,
    whenParked: async ({ tx, sagaId, subjectId, code }) => {
      const alert = { sagaName: 'checkOut', step: 'deactivatePropertyAmenities', code, sagaId } as const;
      await enqueueFirstOfHour(tx, `amenities-${code}`, { sagaId, reservationId: subjectId, code }, [
        amenitiesAlertMessage(alert),
        furtherAmenitiesAlertMessage(alert),
      ]);
    },
  })
  .tx('generateCheckOutReport', {
    locks: ['state'],
    run: ({ tx, sagaId, subjectId, done }) =>
      writeCheckOutReport(tx, sagaId, subjectId, {
        warnings: done.validateCheckOut.warnings,
        isRevokedByHand: done.deactivatePropertyAmenities.amenities === BY_HAND,
      }),
  })
  .statement('sendThankYouNotification', {
    skippable: toldByHand('the guest'),
    locks: ['state'],
    values: ({ key, done }) => orderMessages(key, thankYouMessages(done.validateCheckOut)),
    run: enqueueMessages,
  })
  .ends(async ({ db, subjectId, done, isLastSkipped }) => {
    const stay = await readVisitOutcome(db, subjectId);
    const { warnings } = done.createPostDepartureCleaningTask;
    const { amenities } = done.deactivatePropertyAmenities;
    return {
      event: 'RESERVATION_CHECKED_OUT',
      message: 'Guest checked out successfully',
      data: {
        ...stay,
        ...(amenities === BY_HAND ? { amenities: { ...stay.amenities, byHand: true } } : {}),
        report: await readCheckOutReport(db, subjectId),
        warnings,
      },
      details: {
        warnings,
        amenities,
        reportId: done.generateCheckOutReport.reportId,
        notificationsSent: sentUnlessSkipped(
          countNotifications(thankYouMessages(done.validateCheckOut)),
          isLastSkipped,
        ),
      },
    };
  });
