import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { Channel } from '../../db/schema.ts';
import type { OutgoingMessage } from '../ports.ts';
import { documentOf, frameOfId } from './mail-frame.ts';

/** The mailbox that stands in for a provider. A person reads it on the ops port. The frame of its mails is kept once. */

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
  const mails = messages.map(({ messageId, channel, to, subject, text, html, parts }) => ({
    message_id: messageId,
    channel,
    recipient: to,
    subject,
    body: parts?.content ?? html ?? text,
    frame: parts?.frame,
    locale: parts?.locale,
  }));
  const { rows } = await sql<{ frame: string }>`
    WITH m AS (SELECT * FROM jsonb_to_recordset(${JSON.stringify(mails)}::jsonb)
           AS m(message_id text, channel text, recipient text, subject text, body text, frame text, locale text)),
    kept AS (INSERT INTO dev_mail (message_id, channel, recipient, subject, body, frame, locale)
      SELECT message_id, channel, recipient, subject, body, frame, locale FROM m ON CONFLICT DO NOTHING)
    SELECT DISTINCT m.frame FROM m LEFT JOIN mail_frame f ON f.id = m.frame WHERE m.frame IS NOT NULL AND f.id IS NULL`.execute(
    db,
  );
  // The first mails of a layout. Not before them: until then, and after a crash here, this build knows its own frames.
  const frames = rows.flatMap(({ frame }) => frameOfId(frame) ?? []);
  if (frames.length === 0) return;
  await db
    .insertInto('mail_frame')
    .values(frames.map(({ id, html }) => ({ id, html })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
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
    .selectFrom('dev_mail as m')
    .leftJoin('mail_frame as f', 'f.id', 'm.frame')
    .where('m.id', '=', id)
    .select([
      'm.id',
      'm.message_id as messageId',
      'm.channel',
      'm.recipient',
      'm.subject',
      'm.received_at as receivedAt',
    ])
    .select(['m.body', 'm.frame', 'm.locale', 'f.html'])
    .executeTakeFirst();
  if (!mail) return null;
  const { frame: frameId, locale, html, ...shown } = mail;
  if (frameId === null || locale === null) return shown;
  const frame = html === null ? frameOfId(frameId) : { id: frameId, html };
  // Of another build that has stopped before it kept its frame: the content is all there is.
  if (!frame) return shown;
  return { ...shown, body: documentOf(frame, { locale, content: mail.body }, mail.subject ?? '') };
}

/** Deletes some mails that are so many days old, the oldest first; answers how many. */
export async function pruneDevMail(db: Db, days: number, limit: number): Promise<number> {
  // The mailbox has an index of its ids only, and the older mail has the smaller one.
  const { rows } = await sql<{ id: number }>`
    SELECT m.id FROM (SELECT id, received_at FROM dev_mail ORDER BY id LIMIT ${limit}::int) m
     WHERE m.received_at < now() - ${days}::int * interval '1 day'`.execute(db);
  const ids = rows.map(({ id }) => id);
  if (ids.length > 0) await sql`DELETE FROM dev_mail WHERE id = ANY (${ids}::bigint[])`.execute(db);
  return ids.length;
}
