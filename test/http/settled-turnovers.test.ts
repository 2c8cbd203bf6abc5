import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { settleTurnovers } from '../../src/domain/tasks/store/turnover.ts';
import { prepareStays } from '../sagas/confirmation.ts';
import { type System, startSystem } from '../setup/system.ts';

/** Whatever happens to stays that follow each other, and in whichever order: their cleanings are as if settled once, at the end. */

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
});
afterAll(() => system?.close());

const DAYS = ['2024-02-01', '2024-02-04', '2024-02-07', '2024-02-10'] as const;
/** Of stay `n`: what is asked for. A refusal is an answer too, and changes nothing. */
interface Happening {
  readonly n: number;
  readonly what:
    | 'confirm'
    | 'cancel'
    | 'check-in'
    | 'check-out'
    | 'arrival'
    | 'departure'
    | 'by-hand'
    | 'clean-before'
    | 'clean-after';
  /** Hours after 07:00Z of the day, where there is a time. */
  readonly hours: number;
}
const happening: fc.Arbitrary<Happening> = fc.record({
  n: fc.integer({ min: 0, max: 2 }),
  what: fc.constantFrom(
    ...(['confirm', 'confirm', 'cancel', 'check-in', 'check-out', 'arrival', 'departure', 'by-hand'] as const),
    ...(['clean-before', 'clean-after'] as const),
  ),
  hours: fc.constantFrom(-49, -25, -20, -2, 0, 2, 6),
});

let made = 0;
async function threeStays(): Promise<readonly string[]> {
  made += 1;
  const propertyId = `row-${made}`;
  const { db } = system.bed;
  await db.insertInto('property').values({ id: propertyId, name: 'Row', owner_id: 'owner-1' }).execute();
  const ids = [0, 1, 2].map((n) => `row-${made}-${n}`);
  await db
    .insertInto('reservation')
    .values(
      ids.map((id, n) => ({
        id,
        property_id: propertyId,
        guest_id: 'guest-1',
        check_in_date: DAYS[n] ?? '',
        check_out_date: DAYS[n + 1] ?? '',
        total_minor: 100_000,
        currency: 'AED',
        created_by: 'test',
      })),
    )
    .execute();
  return ids;
}

const at = (day: string, hours: number): string =>
  new Date(Date.parse(`${day}T07:00:00Z`) + hours * 3_600_000).toISOString();

async function happen(ids: readonly string[], { n, what, hours }: Happening): Promise<void> {
  const id = ids[n] ?? '';
  const act = (action: string, body: object = {}) => system.call('POST', `/reservations/${id}/${action}`, { body });
  const wallClock = `${String(12 + hours / 2).padStart(2, '0')}:00`;
  switch (what) {
    case 'confirm':
    case 'cancel':
      await act(what);
      return;
    case 'check-in':
      await act(what, { actualTime: at(DAYS[n] ?? '', 4) });
      return;
    case 'check-out':
      await act(what, { actualTime: at(DAYS[n + 1] ?? '', hours) });
      return;
    case 'arrival':
    case 'departure': {
      const field = what === 'arrival' ? 'plannedArrival' : 'plannedDeparture';
      await system.call('PATCH', `/reservations/${id}`, {
        body: { [field]: hours < -20 || hours % 4 ? null : wallClock },
      });
      return;
    }
    case 'clean-before':
    case 'clean-after': {
      const task = await cleaningOf(id, what === 'clean-before' ? 'PRE_ARRIVAL' : 'POST_DEPARTURE');
      if (task) await system.call('POST', `/tasks/${task.id}/complete`, { body: {} });
      return;
    }
    case 'by-hand': {
      const task = await cleaningOf(id, 'POST_DEPARTURE');
      const body = { scheduledDate: at(DAYS[n + 1] ?? '', Math.max(0, hours)) };
      if (task) await system.call('PATCH', `/tasks/${task.id}`, { body });
      return;
    }
  }
}

const cleaningOf = (reservationId: string, occurrence: string) =>
  system.bed.db
    .selectFrom('task')
    .select('id')
    .where('reservation_id', '=', reservationId)
    .where('occurrence', '=', occurrence)
    .executeTakeFirst();

const pictureOf = async (ids: readonly string[]) => {
  const { rows } = await sql<object>`
    SELECT reservation_id, occurrence, status, merged_into_task_id, must_finish_by, scheduled_at, ends_at, local_rule, priority, assignee_id,
           slot_start, slot_end, accept_by, accepted_at
      FROM task WHERE reservation_id = ANY(${ids}::text[]) AND type = 'CLEANING' ORDER BY reservation_id, occurrence, created_at`.execute(
    system.bed.db,
  );
  return rows;
};

/** As if no two of them had ever met. What was merged when its guest moved in, or into what is done by now, is history. */
const forget = (ids: readonly string[]) =>
  sql`
  UPDATE task SET status = CASE status WHEN 'MERGED' THEN 'UNASSIGNED' ELSE status END, merged_into_task_id = NULL,
         must_finish_by = CASE occurrence WHEN 'POST_DEPARTURE' THEN NULL ELSE must_finish_by END
   WHERE reservation_id = ANY(${ids}::text[]) AND type = 'CLEANING' AND status IN ('UNASSIGNED', 'ASSIGNED', 'MERGED')
     AND (status <> 'MERGED' OR EXISTS (SELECT FROM reservation r WHERE r.id = task.reservation_id AND r.status = 'CONFIRMED'))
     AND NOT EXISTS (SELECT FROM task o WHERE o.id = task.merged_into_task_id AND o.status NOT IN ('UNASSIGNED', 'ASSIGNED'))`.execute(
    system.bed.db,
  );

it('three stays in a row end with the cleanings that settling them once makes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 4, maxLength: 12 }), async (happenings) => {
      const ids = await threeStays();
      for (const one of happenings) await happen(ids, one);
      const is = await pictureOf(ids);
      await forget(ids);
      await system.bed.db.transaction().execute((tx) => settleTurnovers(tx, ids));
      expect(is).toEqual(await pictureOf(ids));
    }),
    { numRuns: Number(process.env['ROOMY_TURNOVER_CASES'] ?? 25), endOnFailure: true },
  );
}, 300_000);
