import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { confirmReservation } from '../../src/sagas/index.ts';
import { NEXT_YEAR } from '../setup/dates.ts';
import { createTestbed, type Testbed, until } from '../setup/engine.ts';
import { createReservationService, type ReservationService } from '../setup/reservation-service.ts';
import { seedStays } from '../setup/stays.ts';

/** A confirmation beside other writers of the same tasks. */

let bed: Testbed;
let reservations: ReservationService;
beforeAll(async () => {
  bed = await createTestbed([confirmReservation]);
  const worker = await bed.start({ prefix: bed.newPrefix() });
  reservations = createReservationService(worker.engine.orchestrator, 20_000);
});
afterAll(() => bed?.drop());

const cleaningOf = (reservationId: string, occurrence: string) =>
  bed.db
    .selectFrom('task')
    .selectAll()
    .where('reservation_id', '=', reservationId)
    .where('occurrence', '=', occurrence)
    .executeTakeFirstOrThrow();
const aStatementWaits = () =>
  until('a statement that waits for a lock', async () => {
    const { rows } = await sql<{ n: number }>`SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(bed.db);
    return (rows[0]?.n ?? 0) > 0 || undefined;
  });

describe('a confirmation', () => {
  it('sets the deadline of the departing cleaning, although somebody is given it while the settling waits for it', async () => {
    await seedStays(bed.db, [
      { id: 'leaves', propertyId: 'shared', checkInDate: `${NEXT_YEAR}-05-01`, checkOutDate: `${NEXT_YEAR}-05-03` },
      { id: 'arrives', propertyId: 'shared', checkInDate: `${NEXT_YEAR}-05-03`, checkOutDate: `${NEXT_YEAR}-05-05` },
    ]);
    await bed.db
      .insertInto('staff')
      .values({ id: 'nina', name: 'Nina', email: 'nina@staff.example', role: 'CLEANER' })
      .execute();
    await reservations.confirmReservation('leaves');
    const { id } = await cleaningOf('leaves', 'POST_DEPARTURE');
    const confirming = await bed.db.transaction().execute(async (tx) => {
      await tx
        .updateTable('task')
        .set((eb) => ({ status: 'ASSIGNED', assignee_id: 'nina', version: eb('version', '+', 1) }))
        .where('id', '=', id)
        .execute();
      const answer = reservations.confirmReservation('arrives');
      await aStatementWaits();
      return [answer] as const;
    });
    await Promise.all(confirming);
    const before = await cleaningOf('arrives', 'PRE_ARRIVAL');
    expect(before).toMatchObject({ status: 'MERGED', merged_into_task_id: id });
    expect(await cleaningOf('leaves', 'POST_DEPARTURE')).toMatchObject({
      status: 'ASSIGNED',
      must_finish_by: before.must_finish_by,
    });
  });

  it('that requires staff puts out the id of a task that an earlier one has left', async () => {
    await seedStays(bed.db, [
      { id: 'again', propertyId: 'home', checkInDate: `${NEXT_YEAR}-06-02`, checkOutDate: `${NEXT_YEAR}-06-04` },
    ]);
    await bed.db
      .insertInto('staff')
      .values([
        { id: 'cara', name: 'Cara', email: 'cara@staff.example', role: 'CLEANER', property_ids: ['home'] },
        { id: 'sara', name: 'Sara', email: 'sara@staff.example', role: 'AGENT', property_ids: ['home'] },
      ])
      .execute();
    await bed.db
      .insertInto('task')
      .values({
        id: 'left',
        reservation_id: 'again',
        property_id: 'home',
        type: 'CLEANING',
        occurrence: 'PRE_ARRIVAL',
        title: 'Cleaning',
        status: 'COMPLETED',
        assignee_id: 'cara',
        completed_at: new Date(),
        completed_by: 'cara',
        scheduled_at: `${NEXT_YEAR}-06-01T11:00:00Z`,
        ends_at: `${NEXT_YEAR}-06-01T13:00:00Z`,
      })
      .execute();
    await reservations.confirmReservation('again', { requireAssignment: true });
    const { result } = await bed.db
      .selectFrom('saga_step')
      .innerJoin('saga', 'saga.id', 'saga_step.saga_id')
      .select('saga_step.result')
      .where('saga.subject_id', '=', 'again')
      .where('saga_step.name', '=', 'createCleaningTask')
      .where('direction', '=', 'F')
      .executeTakeFirstOrThrow();
    expect(result).toMatchObject({ cleaningTaskId: 'left', status: 'COMPLETED' });
  });
});
