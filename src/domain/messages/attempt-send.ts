import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { messageOf } from '../../kernel/errors.ts';
import type { Logger } from '../../kernel/log.ts';
import { isTracing, openSpan } from '../../kernel/telemetry/tracing.ts';
import type { Messenger, OutgoingMessage, SendOutcome } from '../ports.ts';
import type { ClaimedNotification } from './delivery-rows.ts';

/** A message that is ready, with its row. */
interface Ready {
  readonly row: Pick<ClaimedNotification, 'id' | 'template' | 'channel'>;
  readonly message: OutgoingMessage;
}

/** Hands messages to their channel: an outcome for each, or none at all when the channel itself has failed. */
export async function attemptSend(
  { db, log }: { readonly db: Db; readonly log: Logger },
  messenger: Messenger,
  batch: readonly Ready[],
): Promise<readonly SendOutcome[]> {
  const end = isTracing() ? await openSpans(db, batch) : () => undefined;
  try {
    const outcomes = await messenger.send(batch.map(({ message }) => message));
    end(outcomes);
    return outcomes;
  } catch (error) {
    end([]);
    log.warn({ reason: messageOf(error), messages: batch.length }, 'a batch of messages was not sent');
    return [];
  }
}

/** A span for each message, in the trace of the saga that ordered it, or the task that it is about. Answers the function that ends them. */
async function openSpans(db: Db, batch: readonly Ready[]): Promise<(outcomes: readonly SendOutcome[]) => void> {
  const { rows } = await sql<{ id: string; traceparent: string }>`
    SELECT n.id, s.traceparent FROM notification n LEFT JOIN task t ON t.id = n.task_id
      JOIN saga s ON s.id = coalesce(n.saga_id, t.created_by_saga)
     WHERE n.id = ANY(${batch.map(({ row }) => row.id)}::text[]) AND s.traceparent IS NOT NULL`.execute(db);
  const parents = new Map(rows.map(({ id, traceparent }) => [id, traceparent]));
  const spans = batch.map(({ row }) =>
    openSpan(`send ${row.channel} ${row.template}`, {
      kind: 'client',
      parent: parents.get(row.id) ?? null,
      attributes: { 'roomy.message.id': row.id, 'roomy.message.channel': row.channel },
    }),
  );
  return (outcomes) => {
    for (const [n, span] of spans.entries()) {
      span.set({ 'roomy.message.sent': outcomes[n]?.sent === true });
      span.end();
    }
  };
}
