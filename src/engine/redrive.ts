import type { Db } from '../db/client.ts';
import { classifyDbError, retryContention } from '../db/errors.ts';
import { RoomyError } from '../kernel/errors.ts';
import {
  endRedrive,
  nextOf,
  progressOf,
  type RedriveRow,
  recordTried,
  redrivesAtHand,
  redrivesToSettle,
  settleTried,
  takeRedrive,
  takeWaiting,
} from './store/redrives.ts';
import type { Intervention, SagaOrchestrator } from './types.ts';

/**
 * Moves the redrives on that people have ordered: of each, as many sagas as it may try in a second. Postgres alone says which, so any number of
 * processes may call it, and one that dies leaves nothing behind but what is still to try. Each saga is retried in a transaction of its
 * own, in the name of who ordered it. A redrive ends when all were tried, and before that when too many of them fail again, or a person stops
 * it; what has become of those that were under way then is noted still.
 */

export interface RedriveParts {
  readonly db: Db;
  readonly orchestrator: Pick<SagaOrchestrator, 'retryWithin' | 'retryNowWithin'>;
}

/** One round. Answers how many sagas were tried. */
export async function driveRedrives(parts: RedriveParts, signal?: AbortSignal): Promise<number> {
  let tried = 0;
  const { due, toSettle } = await redrivesAtHand(parts.db);
  for (const id of due) {
    const second = await retryContention(() => nextSecond(parts.db, id));
    for (const no of second?.next ?? []) {
      if (signal?.aborted === true) return tried;
      if (second && (await tryOne(parts, second.redrive, no))) tried += 1;
    }
  }
  // Those that were due may be over by now.
  for (const id of due.length === 0 ? toSettle : await redrivesToSettle(parts.db))
    await retryContention(() => parts.db.transaction().execute((tx) => settleTried(tx, id)));
  return tried;
}

interface Second {
  readonly redrive: RedriveRow;
  readonly next: readonly number[];
}
const nextSecond = (db: Db, id: string): Promise<Second | null> =>
  db.transaction().execute(async (tx) => {
    const redrive = await takeRedrive(tx, id);
    if (!redrive) return null;
    await settleTried(tx, id);
    const { waiting, underWay, failed } = await progressOf(tx, id);
    if (failed >= redrive.stop_after_errors) await endRedrive(tx, redrive, 'FAILED');
    else if (waiting) {
      // No more are under way than may fail: an outage stops it before it has tried them all.
      const most = Math.max(0, Math.min(redrive.per_second, redrive.stop_after_errors - failed - underWay));
      return { redrive, next: most === 0 ? [] : await nextOf(tx, id, most) };
    } else if (underWay === 0) await endRedrive(tx, redrive, 'DONE');
    return null;
  });

/** False: another process has tried it. */
async function tryOne({ db, orchestrator }: RedriveParts, redrive: RedriveRow, no: number): Promise<boolean> {
  try {
    const announce = await retryContention(() =>
      db.transaction().execute(async (tx) => {
        const taken = await takeWaiting(tx, redrive.id, no);
        if (taken === undefined) return null;
        const act = interventionOf(redrive, taken.sagaId);
        // It has parked while it waited for its turn: that is retried.
        if (taken.act === 'RETRY_NOW' && !taken.isParked) {
          const announceNow = await orchestrator.retryNowWithin(tx, act);
          await recordTried(tx, redrive.id, no, { status: 'RETRIED', code: null });
          return announceNow;
        }
        if (taken.act === 'RETRY' && taken.hasMoved) {
          await recordTried(tx, redrive.id, no, { status: 'SKIPPED', code: null });
          return nothing;
        }
        const retried = await orchestrator.retryWithin(tx, act);
        const status = retried.outcome === 'resumed' ? 'RETRIED' : 'SKIPPED';
        await recordTried(tx, redrive.id, no, { status, code: null });
        return retried.announce;
      }),
    );
    announce?.();
    return announce !== null;
  } catch (error) {
    const { kind } = classifyDbError(error);
    if (kind === 'unreachable' || kind === 'contention') throw error;
    // It has moved on by itself, or cannot be tried now. Whatever else is wrong with one holds up no other.
    const code = error instanceof RoomyError ? error.code : 'STEP_FAILED';
    const status = code === 'INVALID_STATE_TRANSITION' ? 'SKIPPED' : 'FAILED';
    await recordTried(db, redrive.id, no, { status, code });
    return true;
  }
}

const nothing = (): void => undefined;

const interventionOf = (redrive: RedriveRow, sagaId: string): Intervention => ({
  sagaId,
  by: redrive.ordered_by,
  requestId: redrive.request_id,
  via: 'api',
  reason: redrive.reason,
});
