import type { Db, Tx } from '../../db/client.ts';
import { retryContention } from '../../db/errors.ts';
import { recordDone } from '../record.ts';
import type { DueStep } from '../state.ts';
import type { Advanced } from '../store/fused.ts';
import { passGuard } from '../store/sagas.ts';

/** Guard, effect and record of a step in free TypeScript, in one transaction. Null when it was not due any more. */
export function runInTransaction(db: Db, due: DueStep, work: (tx: Tx) => Promise<unknown>): Promise<Advanced | null> {
  return retryContention(() =>
    db.transaction().execute(async (tx) => {
      if (!(await passGuard(tx, due))) return null;
      const output = (await work(tx)) ?? {};
      return recordDone(tx, due, output);
    }),
  );
}
