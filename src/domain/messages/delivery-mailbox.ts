import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { Channel } from '../../db/schema.ts';
import type { OutgoingMessage } from '../ports.ts';

/** The mailbox that stands in for a provider. A person reads it on the ops port. */

export interface DevMailSummary {
  readonly id: number;
  readonly channel: Channel;
  readonly recipient: string;
  readonly subject: string | null;
  /** The beginning of an SMS; null for an e-mail, which has a subject. */
  readonly excerpt: string | null;
  readonly receivedAt: Date;
}
export interface DevMail extends Omit<DevMailSummary, 'excerpt'> {
  readonly messageId: string;
  /** HTML of an e-mail, text of an SMS. */
  readonly body: string;
}

/** One statement for the whole batch. A message that is there already stays as it is, so a re-send shows once. */
export async function storeDevMail(db: Db, messages: readonly OutgoingMessage[]): Promise<void> {
  const rows = messages.map(({ messageId, channel, to, subject, text, html }) => ({
    message_id: messageId,
    channel,
    recipient: to,
    subject,
    body: html ?? text,
  }));
  await sql`
    INSERT INTO dev_mail (message_id, channel, recipient, subject, body)
    SELECT message_id, channel, recipient, subject, body
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
           AS m(message_id text, channel text, recipient text, subject text, body text)
    ON CONFLICT (message_id) DO NOTHING`.execute(db);
}

/** Newest first; `before` is the id of the last one on the page before. */
export async function listDevMail(
  db: Db,
  page: { readonly before: number | null; readonly limit: number },
): Promise<readonly DevMailSummary[]> {
  return await db
    .selectFrom('dev_mail')
    .$if(page.before !== null, (query) => query.where('id', '<', page.before))
    .orderBy('id', 'desc')
    .limit(page.limit)
    .select([
      'id',
      'channel',
      'recipient',
      'subject',
      'received_at as receivedAt',
      sql<string | null>`CASE WHEN channel = 'SMS' THEN left(body, 90) END`.as('excerpt'),
    ])
    .execute();
}

/** One message of the mailbox, with its body; null when there is none of this id. */
export async function readDevMail(db: Db, id: number): Promise<DevMail | null> {
  const mail = await db
    .selectFrom('dev_mail')
    .where('id', '=', id)
    .select(['id', 'message_id as messageId', 'channel', 'recipient', 'subject', 'body', 'received_at as receivedAt'])
    .executeTakeFirst();
  return mail ?? null;
}
