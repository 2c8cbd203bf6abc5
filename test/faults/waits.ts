import { sql } from 'kysely';
import type { Db } from '../../src/db/client.ts';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import { createReconciliation } from '../../src/engine/reconcile.ts';
import { createStateLoader } from '../../src/engine/store/load.ts';
import type { SignalOutcome } from '../../src/engine/types.ts';
import { pause } from '../../src/kernel/clock.ts';
import { type TestProcess, until } from '../setup/engine.ts';

/** The people and the clock that a saga with waits needs to get on. */

/** Sends a wait its signal: the same on every call, as a sender that repeats itself does. */
export const signal = (process: TestProcess, sagaId: string, name: string): Promise<SignalOutcome> =>
  process.engine.orchestrator.signal({
    sagaId,
    name,
    payload: { decision: 'yes' },
    key: `answer-${name}`,
    by: 'olivia',
    requestId: 'signal-1',
  });

/** The step at which the saga waits. */
export const waitingAt = (db: Db, sagaId: string) =>
  db
    .selectFrom('saga_step')
    .select(['step_no', 'name', 'wait_until'])
    .where('saga_id', '=', sagaId)
    .where('status', '=', 'waiting')
    .executeTakeFirst();

export const arrival = (db: Db, sagaId: string, name: string) =>
  until(`${sagaId} waits at ${name}`, async () => ((await waitingAt(db, sagaId))?.name === name ? true : undefined));

/** The time of the wait is up from now on. */
export async function letWaitPass(db: Db, sagaId: string): Promise<void> {
  const past = sql<Date>`now() - interval '1 ms'`;
  const { numUpdatedRows } = await db
    .updateTable('saga_step')
    .set({ wait_until: past })
    .where('saga_id', '=', sagaId)
    .where('status', '=', 'waiting')
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) throw new Error(`${sagaId} does not wait`);
  await db.updateTable('saga').set({ next_check_at: past }).where('id', '=', sagaId).execute();
}

/** The part of a reconciler's round that ends the wait, for this saga alone. Whether it did. */
export async function timeOut(process: TestProcess, definition: SagaDefinition, sagaId: string): Promise<boolean> {
  const { db, engine } = process;
  const reconciliation = createReconciliation(
    db,
    createStateLoader(db),
    () => definition,
    () => undefined,
  );
  const flow = await reconciliation.timeOut(sagaId);
  if (flow) engine.relay.publish(flow);
  return flow !== null;
}

/**
 * Answers the waits of a saga while something is awaited, by the process that is alive then; `unanswered` is left to the
 * scenario.
 */
export function keepAnswering(db: Db, sagaId: string, unanswered: () => string | undefined) {
  return async <T>(awaited: Promise<T>, by: () => TestProcess): Promise<T> => {
    let settled = false;
    const end = awaited.finally(() => {
      settled = true;
    });
    const answer = async (): Promise<void> => {
      while (!settled) {
        const wait = await waitingAt(db, sagaId);
        // One at a gate, or of a process that dies meanwhile, never comes to an end.
        if (wait && wait.name !== unanswered())
          await Promise.race([signal(by(), sagaId, wait.name), end]).catch(() => undefined);
        await pause(15);
      }
    };
    const answered = answer();
    try {
      return await end;
    } finally {
      await answered;
    }
  };
}
