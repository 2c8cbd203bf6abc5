import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { confirmReservation } from '../../src/sagas/index.ts';
import { prepareStays, seedRivals } from '../sagas/confirmation.ts';
import { createTestbed, drained, duePointer, restOf, type Testbed, type TestProcess } from '../setup/engine.ts';
import { expectInvariants } from './invariants.ts';

describe('M10: stays that want the same dates', () => {
  let bed: Testbed;
  let process: TestProcess;
  beforeAll(async () => {
    bed = await createTestbed([confirmReservation]);
    await prepareStays(bed.db);
    process = await bed.start({ prefix: bed.newPrefix(), works: false });
  });
  afterAll(() => bed?.drop());

  it('are confirmed for one of them, although all were free when they were looked at', async () => {
    const rivals = await seedRivals(bed.db, 4);
    const sagaIds: string[] = [];
    for (const subjectId of rivals) {
      const input = { reservationId: subjectId, requireAssignment: false };
      sagaIds.push((await bed.accept(process, confirmReservation, { subjectId, input })).sagaId);
    }
    const first = await Promise.all(sagaIds.map((sagaId) => duePointer(bed.db, sagaId)));
    for (const pointer of first) if (pointer) await process.step(pointer);
    await Promise.all(
      sagaIds.map((sagaId) =>
        process.engine.execute({ sagaId, step: 2, direction: 'F', generation: 1 }, new AbortController().signal),
      ),
    );
    const rests = await Promise.all(sagaIds.map((sagaId) => restOf(bed.db, sagaId)));
    expect(rests.toSorted()).toEqual(['compensated', 'compensated', 'compensated', 'completed']);
    for (const sagaId of sagaIds) {
      const { status, error_code } = await bed.db
        .selectFrom('saga')
        .select(['status', 'error_code'])
        .where('id', '=', sagaId)
        .executeTakeFirstOrThrow();
      if (status === 'compensated') expect(error_code).toBe('RESERVATION_CONFLICT');
      await drained(bed.db, sagaId);
    }
    await expectInvariants(bed.db);
  });
});
