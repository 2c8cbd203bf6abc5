import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assignDueTasks } from '../../src/domain/assignment/assign-sweep.ts';
import { RoomyError } from '../../src/kernel/errors.ts';
import { confirmReservation } from '../../src/sagas/index.ts';
import { NEXT_YEAR } from '../setup/dates.ts';
import { createTestbed, type Testbed, type TestProcess, until } from '../setup/engine.ts';
import { createReservationService, type ReservationService } from '../setup/reservation-service.ts';
import { type StaySeed, seedStays } from '../setup/stays.ts';

let bed: Testbed;
let process: TestProcess;
let reservations: ReservationService;

beforeAll(async () => {
  bed = await createTestbed([confirmReservation]);
  process = await bed.start({ prefix: bed.newPrefix() });
  reservations = createReservationService(process.engine.orchestrator, 20_000);
});
afterAll(() => bed.drop());

const tasksOf = (reservationId: string) =>
  bed.db
    .selectFrom('task')
    .selectAll()
    .where('reservation_id', '=', reservationId)
    .where('status', '<>', 'CANCELLED')
    .orderBy('scheduled_at')
    .execute();

const refusalOf = (work: Promise<unknown>): Promise<RoomyError> =>
  work.then(
    () => expect.fail('it was not refused'),
    (error: unknown) => (error instanceof RoomyError ? error : Promise.reject(error)),
  );

describe('a confirmed reservation', () => {
  it('has the four tasks of the brief, its amount due, its messages and one ending in the audit trail', async () => {
    await seedStays(bed.db, [{ id: 'whole' }]);
    const { data } = await reservations.confirmReservation('whole', { by: 'agent-1' });

    expect(data.reservation).toMatchObject({ id: 'whole', status: 'CONFIRMED' });
    expect(data.tasks?.map(({ type, title }) => ({ type, title }))).toEqual([
      { type: 'CLEANING', title: 'Pre-arrival cleaning' },
      { type: 'CHECK_IN', title: 'Check-in for John Doe' },
      { type: 'CHECK_OUT', title: 'Check-out for John Doe' },
      { type: 'CLEANING', title: 'Post-departure cleaning' },
    ]);
    expect(data.transaction).toMatchObject({ type: 'GUEST_PAYMENT', status: 'PENDING', amount: 1000, currency: 'AED' });
    expect(data.warnings).toEqual(['CHECK_IN_IN_PAST']);
    const messages = await bed.db
      .selectFrom('notification')
      .select(['event', 'channel', 'recipient_type'])
      .where('reservation_id', '=', 'whole')
      .execute();
    expect(messages).toHaveLength(3);
    const due = await bed.db
      .selectFrom('transaction')
      .select('distribution_version')
      .where('reservation_id', '=', 'whole')
      .execute();
    expect(due).toEqual([{ distribution_version: 1 }]);
    const endings = await bed.db
      .selectFrom('audit_log')
      .select(['event', 'actor', 'body'])
      .where('reservation_id', '=', 'whole')
      .where('ends', '=', true)
      .execute();
    expect(endings).toHaveLength(1);
    expect(endings[0]).toMatchObject({ event: 'RESERVATION_CONFIRMED', actor: 'agent-1' });
    expect(JSON.parse(endings[0]?.body ?? '{}').details).toEqual({
      stepsCompleted: confirmReservation.steps.length,
      tasksCreated: 4,
      transactionsCreated: 1,
      notificationsSent: 2,
      deliveries: 3,
    });
  });

  it('cannot be confirmed again', async () => {
    await seedStays(bed.db, [{ id: 'twice' }]);
    await reservations.confirmReservation('twice');
    const refusal = await refusalOf(reservations.confirmReservation('twice'));
    expect(refusal.code).toBe('INVALID_STATE_TRANSITION');
    expect(refusal.details).toMatchObject({ currentStatus: 'CONFIRMED', action: 'confirm' });
  });
});

describe('two reservations of one property', () => {
  it('M10: that overlap and are confirmed at the same moment: one holds the dates, the other hears which, fifty times over', async () => {
    const pairs = Array.from({ length: 50 }, (_, n): [StaySeed, StaySeed] => [
      { id: `a-${n}`, propertyId: `contended-${n}`, checkInDate: '2024-02-01', checkOutDate: '2024-02-03' },
      { id: `b-${n}`, propertyId: `contended-${n}`, checkInDate: '2024-02-02', checkOutDate: '2024-02-04' },
    ]);
    await seedStays(bed.db, pairs.flat());
    const outcomes = await Promise.all(
      pairs.flat().map(async ({ id, propertyId }) => {
        const code = await reservations.confirmReservation(id).then(
          () => 'CONFIRMED',
          (error: unknown) =>
            error instanceof RoomyError ? `${error.code} ${error.details?.['conflictingReservation']}` : String(error),
        );
        return { id, propertyId, code };
      }),
    );
    for (const [a, b] of pairs) {
      const [first, second] = outcomes.filter(({ id }) => id === a.id || id === b.id);
      const winner = first?.code === 'CONFIRMED' ? first : second;
      const loser = winner === first ? second : first;
      expect(winner?.code).toBe('CONFIRMED');
      expect(loser?.code).toBe(`RESERVATION_CONFLICT ${winner?.id}`);
    }
  });

  it('that follow one another on the same day are both confirmed, and their cleanings become one', async () => {
    await seedStays(bed.db, [
      { id: 'leaves', propertyId: 'turnover', checkInDate: `${NEXT_YEAR}-05-01`, checkOutDate: `${NEXT_YEAR}-05-03` },
      { id: 'arrives', propertyId: 'turnover', checkInDate: `${NEXT_YEAR}-05-03`, checkOutDate: `${NEXT_YEAR}-05-05` },
    ]);
    await reservations.confirmReservation('leaves');
    await reservations.confirmReservation('arrives');
    const [, , , departing] = await tasksOf('leaves');
    const [merged] = await tasksOf('arrives');
    expect(merged).toMatchObject({ occurrence: 'PRE_ARRIVAL', status: 'MERGED', merged_into_task_id: departing?.id });
    expect(departing).toMatchObject({
      occurrence: 'POST_DEPARTURE',
      priority: 'HIGH',
      must_finish_by: new Date(`${NEXT_YEAR}-05-03T11:00:00Z`),
    });
  });

  it('merge their cleanings whichever of them is confirmed first', async () => {
    await seedStays(bed.db, [
      {
        id: 'leaves-2',
        propertyId: 'turnover-2',
        checkInDate: `${NEXT_YEAR}-05-01`,
        checkOutDate: `${NEXT_YEAR}-05-03`,
      },
      {
        id: 'arrives-2',
        propertyId: 'turnover-2',
        checkInDate: `${NEXT_YEAR}-05-03`,
        checkOutDate: `${NEXT_YEAR}-05-05`,
      },
    ]);
    await reservations.confirmReservation('arrives-2');
    await reservations.confirmReservation('leaves-2');
    const departing = (await tasksOf('leaves-2')).find(({ occurrence }) => occurrence === 'POST_DEPARTURE');
    const merged = (await tasksOf('arrives-2')).find(({ occurrence }) => occurrence === 'PRE_ARRIVAL');
    expect(merged).toMatchObject({ status: 'MERGED', merged_into_task_id: departing?.id });
    expect(departing?.priority).toBe('HIGH');
  });

  it('merge their cleanings when both are confirmed at the same moment, ten times over', async () => {
    const pairs = Array.from({ length: 10 }, (_, n) => [`leaves-at-once-${n}`, `arrives-at-once-${n}`] as const);
    await seedStays(
      bed.db,
      pairs.flatMap(([leaves, arrives], n) => [
        {
          id: leaves,
          propertyId: `at-once-${n}`,
          checkInDate: `${NEXT_YEAR}-05-01`,
          checkOutDate: `${NEXT_YEAR}-05-03`,
        },
        {
          id: arrives,
          propertyId: `at-once-${n}`,
          checkInDate: `${NEXT_YEAR}-05-03`,
          checkOutDate: `${NEXT_YEAR}-05-05`,
        },
      ]),
    );
    await Promise.all(pairs.flat().map((id) => reservations.confirmReservation(id)));
    for (const [leaves, arrives] of pairs) {
      const departing = (await tasksOf(leaves)).find(({ occurrence }) => occurrence === 'POST_DEPARTURE');
      const merged = (await tasksOf(arrives)).find(({ occurrence }) => occurrence === 'PRE_ARRIVAL');
      expect(merged).toMatchObject({ status: 'MERGED', merged_into_task_id: departing?.id });
      expect(departing).toMatchObject({ priority: 'HIGH', must_finish_by: merged?.must_finish_by });
    }
  });

  it('leave nobody a cleaning that another one is also done for, and notify the person once', async () => {
    await bed.db
      .insertInto('staff')
      .values({ id: 'had-it', name: 'Hana', email: 'hana@staff.example', role: 'CLEANER', active: false })
      .execute();
    await seedStays(bed.db, [
      { id: 'leaves-3', propertyId: 'held', checkInDate: `${NEXT_YEAR}-05-01`, checkOutDate: `${NEXT_YEAR}-05-03` },
      { id: 'arrives-3', propertyId: 'held', checkInDate: `${NEXT_YEAR}-05-03`, checkOutDate: `${NEXT_YEAR}-05-05` },
    ]);
    await reservations.confirmReservation('arrives-3');
    const held = (await tasksOf('arrives-3')).find(({ occurrence }) => occurrence === 'PRE_ARRIVAL');
    await bed.db
      .updateTable('task')
      .set({ status: 'ASSIGNED', assignee_id: 'had-it' })
      .where('id', '=', held?.id ?? '')
      .execute();
    await reservations.confirmReservation('leaves-3');
    const into = (await tasksOf('leaves-3')).find(({ occurrence }) => occurrence === 'POST_DEPARTURE');
    const merged = (await tasksOf('arrives-3')).find(({ occurrence }) => occurrence === 'PRE_ARRIVAL');
    expect(merged).toMatchObject({ status: 'MERGED', assignee_id: null, merged_into_task_id: into?.id });
    const messages = await bed.db
      .selectFrom('notification')
      .select(['event', 'recipient_id'])
      .where('task_id', '=', held?.id ?? '')
      .execute();
    expect(messages).toEqual([{ event: 'TASK_WITHDRAWN', recipient_id: 'had-it' }]);
  });
});

describe('staff', () => {
  it("that is required and not there undoes the confirmation with the brief's body, and leaves the dates free", async () => {
    await seedStays(bed.db, [
      { id: 'unstaffed', checkInDate: `${NEXT_YEAR}-06-01`, checkOutDate: `${NEXT_YEAR}-06-03` },
    ]);
    const refusal = await refusalOf(reservations.confirmReservation('unstaffed', { requireAssignment: true }));
    expect(refusal).toMatchObject({ code: 'NO_STAFF_AVAILABLE', message: 'No available staff for task assignment' });
    expect(refusal.details).toMatchObject({
      taskType: 'CLEANING',
      scheduledDate: `${NEXT_YEAR}-05-31T11:00:00.000Z`,
      suggestedAlternatives: [],
    });
    const { status } = await bed.db
      .selectFrom('reservation')
      .select('status')
      .where('id', '=', 'unstaffed')
      .executeTakeFirstOrThrow();
    expect(status).toBe('PENDING');
    expect(await tasksOf('unstaffed')).toEqual([]);
    expect((await reservations.confirmReservation('unstaffed')).success).toBe(true);
  });

  it('that is free at another time is suggested then, and found when it is free', async () => {
    await bed.db
      .insertInto('staff')
      .values([
        { id: 'cleaner-1', name: 'Nina', email: 'nina@staff.example', role: 'CLEANER', property_ids: ['staffed'] },
        { id: 'agent-1', name: 'Sara', email: 'sara@staff.example', role: 'AGENT', property_ids: ['staffed'] },
      ])
      .execute();
    await seedStays(bed.db, [
      { id: 'staffed-1', propertyId: 'staffed', checkInDate: `${NEXT_YEAR}-06-02`, checkOutDate: `${NEXT_YEAR}-06-04` },
      { id: 'staffed-2', propertyId: 'staffed', checkInDate: `${NEXT_YEAR}-07-02`, checkOutDate: `${NEXT_YEAR}-07-04` },
    ]);
    await bed.db
      .insertInto('task')
      .values({
        id: 'busy',
        property_id: 'staffed',
        type: 'CLEANING',
        occurrence: 'x',
        title: 'Other work',
        status: 'ASSIGNED',
        assignee_id: 'cleaner-1',
        scheduled_at: `${NEXT_YEAR}-06-01T10:00:00Z`,
        ends_at: `${NEXT_YEAR}-06-01T12:00:00Z`,
      })
      .execute();
    const refusal = await refusalOf(reservations.confirmReservation('staffed-1', { requireAssignment: true }));
    expect(refusal.details?.['suggestedAlternatives']).toEqual([
      `${NEXT_YEAR}-06-01T12:00:00.000Z`,
      `${NEXT_YEAR}-06-01T12:30:00.000Z`,
      `${NEXT_YEAR}-06-01T13:00:00.000Z`,
    ]);

    const { data } = await reservations.confirmReservation('staffed-2', { requireAssignment: true });
    expect(data.tasks?.map((task) => task.assigneeId)).toEqual(['cleaner-1', 'agent-1', 'agent-1', 'cleaner-1']);
    const notified = await bed.db
      .selectFrom('notification')
      .select('recipient_id')
      .where('reservation_id', '=', 'staffed-2')
      .where('event', '=', 'TASK_ASSIGNED')
      .execute();
    expect(notified).toHaveLength(4);
  });

  it('is assigned right after the saga when it is not required, never twice for the same hours', async () => {
    await bed.db
      .insertInto('staff')
      .values({ id: 'cleaner-2', name: 'Ravi', email: 'ravi@staff.example', role: 'CLEANER', property_ids: ['later'] })
      .execute();
    await seedStays(bed.db, [
      { id: 'later-1', propertyId: 'later', checkInDate: `${NEXT_YEAR}-08-02`, checkOutDate: `${NEXT_YEAR}-08-04` },
    ]);
    await reservations.confirmReservation('later-1');
    await until('its cleanings are assigned', async () => {
      await assignDueTasks(bed.db, 50);
      const tasks = await tasksOf('later-1');
      return tasks.filter(({ assignee_id }) => assignee_id === 'cleaner-2').length === 2 ? tasks : undefined;
    });
  });
});
