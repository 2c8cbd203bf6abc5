import { z } from 'zod';
import { accessAlertMessage } from '../../domain/messages/catalogue/maintenance-alert.ts';
import { enqueueFirstOfHour } from '../../domain/notifications/first-of-hour.ts';
import { releaseHeldMessages } from '../../domain/notifications/store/move.ts';
import type { Ports } from '../../domain/ports.ts';
import { DEVICES } from '../../domain/ports.ts';
import { recordAccessEnd } from '../../domain/properties/amenities.ts';
import { ensureDoorTask } from '../../domain/stay-tasks/door-task.ts';
import { readAccess } from '../../domain/stays/access.ts';
import { saga } from '../../engine/definition.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';

export const ChangeAccess = z.strictObject({
  reservationId: z.string(),
  /** ISO instant until which the guest's code is to open the door. */
  until: z.string(),
});

/** A lock may be without a network for a night; the guest's text waits for it, and after that for a person. */
const RETRY = { attempts: 50, baseMs: 500, maxMs: 10 * 60_000 };
const DEADLINE_MS = 3 * 24 * 60 * 60_000;

/**
 * Has the devices of a guest in the house serve until another departure. Its subject is the grant and not the stay, which
 * can be paid for, changed and checked out while a lock does not answer.
 */
export const changeAccess = saga('changeAccess', ChangeAccess, {
  version: 1,
  subjectType: 'amenity_grant',
  notFound: 'RESERVATION_NOT_FOUND',
  deadlineMs: DEADLINE_MS,
  // A device may refuse a time that it cannot keep.
  amendable: { until: z.iso.datetime() },
  mayAmend: ({ before, after, now }) =>
    new Date(after.until) > now && new Date(after.until) <= new Date(before.until)
      ? null
      : 'The door may serve for a shorter time than was asked for, and not for a longer one, nor for one that is over',
})
  .read('validateAccess', {
    // The period is asked for anew at each attempt, and a device that has been replaced meanwhile is another grant.
    readsAgain: true,
    run: async ({ db, input }): Promise<Read> => ({
      ...(await readAccess(db, input.reservationId)),
      reading: newId('reading'),
    }),
  })
  .call('changeAccessPeriod', {
    foresees: 'ports',
    speaksTo: () => DEVICES,
    retry: RETRY,
    onExhausted: 'park',
    parksOn: ['AMENITIES_REFUSED'],
    // A guest who has left meanwhile needs no code.
    prepare: ({ tx, input }) => readAccess(tx, input.reservationId),
    run: async ({ ports, key, input, amendments, done, prepared, signal }) => {
      const { activationKey, reading } = done.validateAccess;
      if (prepared.device === null || prepared.activationKey !== activationKey) return { isThere: false };
      // Another time, or another grant that was read again, is another request: a key goes with one content alone.
      const parts = [key, ...(reading === undefined ? [] : [reading]), ...(amendments === 0 ? [] : [amendments])];
      await ports.amenities.changePeriod(
        requestOf(input, parts.join('-'), { ...done.validateAccess, until: input.until }),
        signal,
      );
      return { isThere: true };
    },
    book: async ({ tx, input, done, answer }) => {
      const { activationKey } = done.validateAccess;
      const isChanged = answer.isThere && (await recordAccessEnd(tx, { ...input, activationKey }));
      return { amenities: isChanged ? 'ACTIVE' : 'REVOKED' };
    },
    // Perhaps the guest has got a key.
    ifResolved: {
      follows:
        'The device is not asked again for this departure, and here the code ends at the old one: let the guest in another way. The guest is told of the new departure.',
    },
    skippable: {
      follows:
        'The device is not asked: set the code of the guest to the new departure by hand. Here it counts as set, the guest is told so, and a task has somebody see to it at the door.',
      instead: async ({ tx, input, done: { validateAccess } }) => {
        const isThere = await recordAccessEnd(tx, { ...input, activationKey: validateAccess.activationKey });
        if (isThere) await ensureDoorTask(tx, { ...input, ...validateAccess, wants: 'DOOR_CODE_UNTIL' });
        return { amenities: isThere ? 'ACTIVE' : 'REVOKED' };
      },
    },
    compensate: {
      run: async ({ ports, key, input, done, inDoubt, signal }) =>
        inDoubt ? setBack(ports, requestOf(input, key, done.validateAccess), signal) : { outcome: 'nothing' as const },
      book: async ({ tx, input, done, answer }) => {
        const { activationKey, until } = done.validateAccess;
        await recordAccessEnd(tx, { ...input, activationKey, until });
        return { outcome: answer.outcome };
      },
      skippable: {
        follows:
          'The device is not asked: set the code of the guest back to the old departure by hand. Here it counts as set back, and a task has somebody see to it at the door.',
        instead: async ({ tx, input, done }) => {
          const { activationKey, until, propertyId } = done.validateAccess;
          await recordAccessEnd(tx, { ...input, activationKey, until });
          await ensureDoorTask(tx, { ...input, propertyId, wants: 'DOOR_CODE_UNTIL' });
          return { outcome: 'by-hand' as const };
        },
      },
    },
    tellsWhenParked: true,
    whenParked: async ({ tx, sagaId, subjectId, code }) => {
      const alert = accessAlertMessage({ sagaName: 'changeAccess', step: 'changeAccessPeriod', code, sagaId });
      await enqueueFirstOfHour(tx, `access-${sagaId}-${code}`, { sagaId, reservationId: subjectId, code }, [alert]);
    },
  })
  .retriable()
  .statement('releaseMessages', {
    skippable: {
      follows: 'The texts that wait for the door go some minutes later, with their next look. Nothing has to be done.',
      instead: async () => ({ count: 0 }),
    },
    // Only now is it true that the guest may stay so long.
    run: releaseHeldMessages,
  })
  .ends(async ({ input, done }) => ({
    event: 'ACCESS_CHANGED',
    message: 'Access changed successfully',
    data: {
      reservation: { id: input.reservationId },
      amenities: { status: done.changeAccessPeriod.amenities, validUntil: input.until },
    },
    details: { amenities: done.changeAccessPeriod.amenities, until: input.until },
  }));

interface Grant {
  readonly device: string | null;
  readonly activationKey: string;
  readonly propertyId: string;
  readonly from: string;
  readonly until: string;
}
/** `reading`: of each time that it was read; a saga that passed the step before there was one has none. */
type Read = Awaited<ReturnType<typeof readAccess>> & { readonly reading?: string };
const requestOf = (
  { reservationId }: { readonly reservationId: string },
  key: string,
  { device, activationKey, propertyId, from, until }: Grant,
) => ({ key, device: device ?? '', activationKey, propertyId, reservationId, from, until });

/** What a device has taken back meanwhile serves nobody any more. */
async function setBack(ports: Ports, request: ReturnType<typeof requestOf>, signal: AbortSignal) {
  try {
    await ports.amenities.changePeriod(request, signal);
    return { outcome: 'set-back' as const };
  } catch (error) {
    if (error instanceof RoomyError && error.code === 'AMENITIES_REFUSED') return { outcome: 'nothing' as const };
    throw error;
  }
}
