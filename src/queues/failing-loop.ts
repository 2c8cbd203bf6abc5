import type { Db } from '../db/client.ts';
import { raiseSystemAlert } from '../domain/notifications/alerts.ts';
import type { Failing } from '../kernel/failures.ts';

/** A loop that has failed for this long is a person's business, as a sweep is (`workers/worker.ts`). */
const ALERT_AFTER_MS = 60_000;
const MIN_FAILURES = 2;

/** One alert an hour for each loop. Never throws: while Postgres is away there is nowhere to put it, and the next failure tries again. */
export async function alertAboutLoop(db: Db, loop: string, failing: Failing | null): Promise<void> {
  if (!failing || failing.lastedMs < ALERT_AFTER_MS || failing.failures < MIN_FAILURES) return;
  const params = { sagaName: 'queues', step: loop, code: 'SWEEP_FAILS', sagaId: loop } as const;
  await raiseSystemAlert(db, `sweep-fails-${loop}`, params).catch(() => undefined);
}
