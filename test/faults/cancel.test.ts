import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StepDefinition } from '../../src/engine/step.ts';
import { RoomyError } from '../../src/kernel/errors.ts';
import { unpacked } from '../../src/kernel/packed.ts';
import { DEFINITIONS } from '../../src/sagas/index.ts';
import { type TestProcess, until } from '../setup/engine.ts';
import { fixtureOf } from './every-saga.ts';
import { type Lab, openLab } from './lab.ts';
import { pivotOf, restAfterFailing } from './scenarios.ts';
import { FORWARD_ATTEMPTS } from './with-fault.ts';

/** A person cancels at every step of every saga: everything is undone before the point of no return, and nothing behind it. */

const WITHIN_MS = 180_000;
const REASON = 'The guest has asked for other dates';

describe.each(DEFINITIONS.map((definition) => [`${definition.name}@${definition.version}`, definition] as const))(
  'cancelling %s',
  (_name, definition) => {
    let lab: Lab;
    /** Its worker undoes. */
    let worker: TestProcess;
    beforeAll(async () => {
      lab = await openLab(definition, await fixtureOf(definition));
      worker = await lab.bed.start({ prefix: lab.bed.newPrefix() });
    }, 60_000);
    afterAll(() => lab?.close(), 60_000);

    it('undoes it at each step before the pivot, and is refused behind it', { timeout: WITHIN_MS }, async () => {
      for (const step of definition.steps) {
        const saga = await lab.begin([], { by: 'hand' });
        await saga.walkTo({ step, direction: 'F' });
        if (step.no > pivotOf(definition) || definition.notCancelled !== undefined) {
          await expect(cancel(worker, saga.id), step.name).rejects.toMatchObject({ code: 'INVALID_STATE_TRANSITION' });
          await saga.walkToEnd();
          await saga.rests('completed');
        } else {
          await cancel(worker, saga.id);
          await saga.rests('compensated');
          await expectAnswer(lab, saga.id, step);
          await expect(cancel(worker, saga.id), step.name).rejects.toMatchObject({ code: 'INVALID_STATE_TRANSITION' });
        }
        await saga.verify();
      }
    });

    it('is decided by the row when the step runs at that moment', { timeout: WITHIN_MS }, async () => {
      for (const step of definition.steps) {
        const saga = await lab.begin([], { by: 'hand' });
        const pointer = await saga.walkTo({ step, direction: 'F' });
        const ran = lab.racers[0].step(pointer).catch(() => undefined);
        const first = await cancel(worker, saga.id).then(() => 'cancelled' as const, asRefusal);
        await ran;
        // A call that was under way has ended now.
        const outcome =
          first === 'cancelled' ? first : await cancel(worker, saga.id).then(() => 'cancelled' as const, asRefusal);
        if (outcome === 'cancelled') await saga.rests('compensated');
        else {
          const isLate = step.no >= Math.min(pivotOf(definition), definition.steps.length);
          expect(isLate || definition.notCancelled !== undefined, step.name).toBe(true);
          await saga.walkToEnd();
          await saga.rests('completed');
        }
        await saga.verify();
      }
    });

    it('undoes it where it is parked before the pivot', { timeout: WITHIN_MS }, async () => {
      const parking = definition.steps.filter(
        (step) => step.no <= pivotOf(definition) && restAfterFailing(definition, step, 'breaks') === 'parked',
      );
      for (const step of parking) {
        const saga = await lab.begin([{ step: step.no, direction: 'F', mode: 'breaks', times: FORWARD_ATTEMPTS }]);
        await saga.rests('parked');
        if (step.class === 'PIVOT' || definition.notCancelled !== undefined) {
          await expect(cancel(worker, saga.id), step.name).rejects.toMatchObject({ code: 'INVALID_STATE_TRANSITION' });
          await saga.isRetriedTo('completed');
        } else {
          await cancel(saga.worker(), saga.id);
          await saga.rests('compensated');
          await expectAnswer(lab, saga.id, step);
        }
        await saga.verify();
      }
    });
  },
);

async function cancel({ db, engine }: TestProcess, sagaId: string): Promise<void> {
  const person = { by: 'olivia', requestId: 'cancel-1', via: 'api' } as const;
  const announce = await db
    .transaction()
    .execute((tx) => engine.orchestrator.cancelWithin(tx, { sagaId, reason: REASON, ...person }));
  announce();
}

function asRefusal(error: unknown): 'refused' {
  if (error instanceof RoomyError && error.code === 'INVALID_STATE_TRANSITION') return 'refused';
  throw error;
}

/** The caller of the request reads who cancelled it and why; the audit trail has it once, and nobody is alerted. */
async function expectAnswer({ bed }: Lab, sagaId: string, step: StepDefinition): Promise<void> {
  const row = await until('its answer is there', () =>
    bed.db
      .selectFrom('saga')
      .select(['response_status', 'response_body'])
      .where('id', '=', sagaId)
      .where('response_body', 'is not', null)
      .executeTakeFirst(),
  );
  expect(row.response_status).toBe(409);
  expect(JSON.parse(String(unpacked(row.response_body ?? Buffer.alloc(0))))).toMatchObject({
    success: false,
    code: 'SAGA_CANCELLED',
    details: { reason: REASON, cancelledBy: 'olivia' },
    failedStep: step.name,
    compensated: true,
  });
  const audited = await bed.db
    .selectFrom('audit_log')
    .select('actor')
    .where('stream_id', '=', sagaId)
    .where('event', '=', 'SAGA_CANCELLED')
    .execute();
  expect(audited).toEqual([{ actor: 'olivia' }]);
  const alerts = await bed.db
    .selectFrom('outbox')
    .select('payload')
    .where('saga_id', '=', sagaId)
    .where('kind', '=', 'ALERT')
    .execute();
  expect(alerts.filter(({ payload }) => JSON.stringify(payload).includes('rolled-back'))).toEqual([]);
}
