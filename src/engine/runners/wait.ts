import type { Db } from '../../db/client.ts';
import { retryContention } from '../../db/errors.ts';
import { recordDone } from '../record.ts';
import type { DueStep } from '../state.ts';
import type { Advanced } from '../store/fused.ts';
import { passGuard } from '../store/sagas.ts';
import { holdSaga, readSignal, recordWaiting } from '../store/waits.ts';
import { waitOf } from '../wait.ts';

/**
 * The saga arrives at a wait: a signal that came before is taken, else one commit records that it waits. Null when the
 * step is not due, or waits already.
 */
export function beginWait(db: Db, due: DueStep): Promise<Advanced | 'waits' | null> {
  return retryContention(() =>
    db.transaction().execute(async (tx) => {
      if (!(await passGuard(tx, due))) return null;
      const early = await readSignal(tx, due.state.id, due.step.name);
      if (early) return recordDone(tx, due, { signal: early.payload });
      if (!(await recordWaiting(tx, due, waitOf(due).timeoutMs))) return null;
      await holdSaga(tx, due);
      return 'waits';
    }),
  );
}
