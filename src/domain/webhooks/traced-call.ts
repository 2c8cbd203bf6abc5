import type { Db } from '../../db/client.ts';
import { inSpan, isTracing } from '../../kernel/telemetry/tracing.ts';
import type { WebhookOutcome } from '../ports.ts';

/** The part of an event's row by which its saga is found. */
interface EventRow {
  readonly type: string;
  readonly at: Date;
  readonly resource_id: string;
  readonly reservation_id: string | null;
}

/** Calls an endpoint within the trace of the saga that made the event: the last one of its stay, or of its record, until then. */
export async function tracedCall(db: Db, row: EventRow, call: () => Promise<WebhookOutcome>): Promise<WebhookOutcome> {
  if (!isTracing()) return call();
  const about = { kind: 'client', attributes: { 'roomy.event': row.type }, parent: await traceOf(db, row) } as const;
  return inSpan(`webhook ${row.type}`, about, async (span) => {
    const outcome = await call();
    span.set({ 'roomy.webhook.taken': outcome.taken });
    return outcome;
  });
}

async function traceOf(db: Db, { at, resource_id, reservation_id }: EventRow): Promise<string | null> {
  const saga = await db
    .selectFrom('saga')
    .select('traceparent')
    .where('subject_id', '=', reservation_id ?? resource_id)
    .where('requested_at', '<=', at)
    .orderBy('requested_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  return saga?.traceparent ?? null;
}
