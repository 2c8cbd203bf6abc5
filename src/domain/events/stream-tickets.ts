import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { batchLimit } from '../../db/literal.ts';
import type { Json } from '../../db/schema.ts';
import { newSecret } from '../../kernel/ids.ts';
import { sha256OfBytes } from '../../kernel/json.ts';
import { type Author, recordAudit } from '../audit/record.ts';

/**
 * Tickets with which a browser opens a stream: its `EventSource` can send no header, and a token does not belong into an address.
 * A ticket opens one stream, within a minute; only its digest is kept.
 */

const LIFETIME_SECONDS = 60;
const PRUNED_AT_ONCE = 100;

const digestOf = (ticket: string): Buffer => sha256OfBytes(Buffer.from(ticket, 'utf8'));

/** `caller`: who opens the stream then, with the rights that count now. Takes away what nobody has used. */
export async function issueTicket(
  tx: Tx,
  caller: Json,
  author: Author,
): Promise<{ readonly ticket: string; readonly expiresAt: Date }> {
  const expired = tx
    .selectFrom('stream_ticket')
    .select('hash')
    .where('expires_at', '<', sql<Date>`now()`)
    .limit(batchLimit(PRUNED_AT_ONCE))
    .forUpdate()
    .skipLocked();
  await tx.deleteFrom('stream_ticket').where('hash', 'in', expired).execute();
  const ticket = newSecret();
  const { expires_at } = await tx
    .insertInto('stream_ticket')
    .values({
      hash: digestOf(ticket),
      caller: JSON.stringify(caller),
      expires_at: sql`now() + make_interval(secs => ${LIFETIME_SECONDS}::int)`,
    })
    .returning('expires_at')
    .executeTakeFirstOrThrow();
  await recordAudit(tx, {
    streamId: `stream-tickets:${author.actor}`,
    event: 'STREAM_TICKET_ISSUED',
    ...author,
    body: { outcome: 'success', details: {} },
  });
  return { ticket, expiresAt: expires_at };
}

/** Takes the ticket: whoever comes with it again finds none. Null: there is none, or not any more. */
export async function takeTicket(db: Db, ticket: string): Promise<Json | null> {
  const row = await db
    .deleteFrom('stream_ticket')
    .where('hash', '=', digestOf(ticket))
    .returning(['caller', sql<boolean>`expires_at > now()`.as('is_valid')])
    .executeTakeFirst();
  return row?.is_valid === true ? row.caller : null;
}

/** Of everybody, as a restore does. */
export async function endAllTickets(tx: Tx): Promise<void> {
  await tx.deleteFrom('stream_ticket').execute();
}
