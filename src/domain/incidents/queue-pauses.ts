import type { Db } from '../../db/client.ts';
import { listAudit } from '../audit/resource.ts';
import type { AuditView } from '../audit/view.ts';

/** Who has paused a queue that stands, from the audit trail: Redis knows that it is paused, and nothing of why. */

export interface QueuePause {
  readonly by: string;
  /** ISO. */
  readonly at: string;
  /** Null: it was paused in Bull Board, which asks for none. */
  readonly reason: string | null;
}

/** By people here, and by operators in Bull Board. */
const EVENTS = ['QUEUE_PAUSED', 'QUEUE_RESUMED', 'OPS_CALL'] as const;
/** Of each: what was paused before these is known as paused and no more. */
const LOOKED_AT = 100;

/** The last act on each of the queues, where that has paused it. */
export async function lastPauses(db: Db, queues: readonly string[]): Promise<ReadonlyMap<string, QueuePause>> {
  const pages = await Promise.all(EVENTS.map((event) => listAudit(db, { event }, { after: null, limit: LOOKED_AT })));
  const acts = pages.flatMap(({ items }) => items.flatMap((row) => actOf(row) ?? []));
  acts.sort((a, b) => b.at.localeCompare(a.at));
  return new Map(
    queues.flatMap((name) => {
      const last = acts.find(({ queue }) => queue === null || queue === name);
      return last?.pauses ? [[name, { by: last.by, at: last.at, reason: last.reason }] as const] : [];
    }),
  );
}

interface QueueAct extends QueuePause {
  /** Null: all of them. */
  readonly queue: string | null;
  readonly pauses: boolean;
}

/** Null: the row is of something else, or of what was refused. */
function actOf({ event, timestamp: at, userId: by, outcome, details }: AuditView): QueueAct | null {
  const text = (name: string): string | null => {
    const value = typeof details === 'object' && details !== null ? Reflect.get(details, name) : null;
    return typeof value === 'string' ? value : null;
  };
  if (event !== 'OPS_CALL')
    return { queue: text('queue'), pauses: event === 'QUEUE_PAUSED', by, at, reason: text('reason') };
  const [, which, verb] = /^\/api\/queues(\/:queueName)?\/(pause|resume)$/.exec(text('route') ?? '') ?? [];
  if (verb === undefined || outcome !== 'allowed') return null;
  return { queue: which === undefined ? null : text('queue'), pauses: verb === 'pause', by, at, reason: null };
}
