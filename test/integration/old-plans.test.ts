import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RoomyError } from '../../src/kernel/errors.ts';
import { checkInV1 } from '../../src/sagas/check-in/v1.ts';
import { checkIn, DEFINITIONS, definitionOf } from '../../src/sagas/index.ts';
import { prepareStays } from '../sagas/confirmation.ts';
import { openSandbox, type Sandbox } from '../sagas/money.ts';
import { confirmedStay, stayOf, visitInput } from '../sagas/visits.ts';
import { createTestbed, duePointer, finishByHand, restOf, type Testbed, type TestProcess } from '../setup/engine.ts';

/** An execution is pinned to the version that it was accepted under, whatever is deployed while it runs. */

let bed: Testbed;
let sandbox: Sandbox;
let process: TestProcess;
beforeAll(async () => {
  sandbox = await openSandbox();
  bed = await createTestbed(DEFINITIONS, sandbox.ports);
  await prepareStays(bed.db);
  process = await bed.start({ prefix: bed.newPrefix(), works: false, relay: false });
});
afterAll(async () => {
  await bed?.drop();
  await sandbox?.close();
});

const arrivalTasksOf = async (reservationId: string) => {
  const rows = await bed.db
    .selectFrom('task')
    .select(['occurrence', 'status'])
    .where('reservation_id', '=', reservationId)
    .where('occurrence', 'in', ['PRE_ARRIVAL', 'ARRIVAL'])
    .orderBy('occurrence')
    .execute();
  return rows.map(({ occurrence, status }) => `${occurrence} ${status}`);
};
const seed = () => confirmedStay({ sandbox, helper: { bed, process } }, bed.db);
const versionOf = async (sagaId: string) =>
  (await bed.db.selectFrom('saga').select('definition_ver').where('id', '=', sagaId).executeTakeFirstOrThrow())
    .definition_ver;

describe('a check-in', () => {
  it('that was accepted under version 1 ends on its plan after version 2 was deployed', async () => {
    const subjectId = await seed();
    const before = await arrivalTasksOf(subjectId);
    const knows = (name: string, version?: number) =>
      name === 'checkIn' ? (version === 1 ? checkInV1 : undefined) : definitionOf(name, version);
    const old = await bed.start({ prefix: bed.newPrefix(), works: false, relay: false, knows });
    const { sagaId } = await bed.accept(old, checkInV1, { subjectId, input: visitInput(subjectId) });
    for (let steps = 0; steps < 3; steps += 1) {
      const pointer = await duePointer(bed.db, sagaId);
      if (pointer) await old.step(pointer);
    }
    await old.stop();
    await finishByHand(bed, process, sagaId);
    expect(await restOf(bed.db, sagaId)).toBe('completed');
    expect(await versionOf(sagaId)).toBe(1);
    expect((await stayOf(bed.db, subjectId)).status).toBe('CHECKED_IN');
    expect(await arrivalTasksOf(subjectId)).toEqual(before);
  });

  it('that ended tasks under version 1, by a build that did so, tells the people and gives them back when it is undone', async () => {
    const subjectId = await seed();
    const before = await arrivalTasksOf(subjectId);
    // As that build ran it: the step of version 2 under the number of version 1.
    const mixed = { ...checkIn, version: 1 };
    const knows = (name: string, version?: number) => (name === 'checkIn' ? mixed : definitionOf(name, version));
    const build = await bed.start({ prefix: bed.newPrefix(), works: false, relay: false, knows });
    const { sagaId } = await bed.accept(build, mixed, { subjectId, input: visitInput(subjectId) });
    for (let steps = 0; steps < 4; steps += 1) {
      const pointer = await duePointer(bed.db, sagaId);
      if (pointer) await build.step(pointer);
    }
    await build.stop();
    expect(await arrivalTasksOf(subjectId)).not.toEqual(before);
    const undoing = {
      ...checkInV1,
      steps: checkInV1.steps.map((step) => (step.kind === 'call' ? refusing(step) : step)),
    };
    const now = await bed.start({
      prefix: bed.newPrefix(),
      works: false,
      relay: false,
      knows: (name, version) => (name === 'checkIn' ? undoing : definitionOf(name, version)),
    });
    await finishByHand(bed, now, sagaId);
    expect(await restOf(bed.db, sagaId)).toBe('compensated');
    expect(await arrivalTasksOf(subjectId)).toEqual(before);
  });

  it('that is accepted now runs under version 2', async () => {
    const subjectId = await seed();
    const { sagaId } = await bed.accept(process, checkIn, { subjectId, input: visitInput(subjectId) });
    await finishByHand(bed, process, sagaId);
    expect(await versionOf(sagaId)).toBe(2);
    expect(await arrivalTasksOf(subjectId)).toEqual(['ARRIVAL OVERTAKEN', 'PRE_ARRIVAL OVERTAKEN']);
  });
});

type Step = (typeof checkInV1.steps)[number];
const refusing = (step: Step): Step => ({
  ...step,
  forward: {
    kind: 'call',
    run: async () => {
      throw new RoomyError('AMENITIES_REFUSED');
    },
  },
});
