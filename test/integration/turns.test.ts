import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTurn, type Failed } from '../../src/engine/store/turn.ts';
import { createRunSlots } from '../../src/kernel/run-slots.ts';
import { errand, runErrand } from '../sagas/errand.ts';
import { createTestbed, duePointer, type Testbed, type TestProcess } from '../setup/engine.ts';

let bed: Testbed;
let desk: TestProcess;
beforeAll(async () => {
  bed = await createTestbed([runErrand]);
  await errand.prepare(bed.db);
  desk = await bed.start({ prefix: bed.newPrefix(), works: false });
});
afterAll(() => bed?.drop());

it('answers a stale job of a saga with nothing, and the due one in the same batch with the turn', async () => {
  const { sagaId } = await bed.accept(desk, runErrand, await errand.seed(bed.db));
  for (let pointer = await duePointer(bed.db, sagaId); pointer && pointer.step < 3; ) {
    await desk.step(pointer);
    pointer = await duePointer(bed.db, sagaId);
  }
  const failed = (no: number): Failed => {
    const step = runErrand.steps[no - 1];
    if (!step) throw new Error(`no step ${no}`);
    return {
      saga_id: sagaId,
      generation: 1,
      step: { no, name: step.name, class: step.class, maxAttempts: step.maxAttempts },
      error: { code: 'STEP_FAILED', text: 'It failed', failedStep: step.name, step: no, retryable: false },
      note: { event: 'STEP_FAILED', actor: 'test', reservation_id: null, request_id: null, body: '{}' },
      alert: null,
    };
  };
  const turn = createTurn(bed.db, createRunSlots({ max: 1 }));
  const [stale, due] = await Promise.all([turn(failed(2)), turn(failed(3))]);
  expect(stale).toBeNull();
  expect(due).toMatchObject({ generation: 2, steps: [2] });
});
