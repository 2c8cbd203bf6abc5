import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { INSTALLATION } from '../../db/data-keys.ts';
import type { Channel } from '../../db/schema.ts';
import { openColumn, sealEach } from '../../db/sealed-fields.ts';
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
  const clear = messages.map(({ messageId, channel, to, subject, text, html, parts }) => ({
    message_id: messageId,
    channel,
    recipient: to,
    subject,
    body: parts?.content ?? html ?? text,
    frame: parts?.frame,
    locale: parts?.locale,
  }));
  const mails = await sealed(db, clear);
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

/** What a mail says and to whom, which the database is not to know. */
async function sealed<Mail extends Said>(db: Db, mails: readonly Mail[]): Promise<readonly Mail[]> {
  const seal = (field: 'recipient' | 'subject' | 'body'): Promise<readonly string[]> =>
    sealEach(
      db,
      `dev_mail.${field}`,
      mails.map(({ message_id: row, [field]: text }) => ({ row, subject: INSTALLATION, text: text ?? '' })),
    );
  const [recipients, subjects, bodies] = [await seal('recipient'), await seal('subject'), await seal('body')];
  return mails.map((mail, index) => ({
    ...mail,
    recipient: recipients[index] ?? '',
    subject: mail.subject === null ? null : (subjects[index] ?? null),
    body: bodies[index] ?? '',
  }));
}
interface Said {
  readonly message_id: string;
  readonly recipient: string;
  readonly subject: string | null;
  readonly body: string;
}

/** Newest first; `before` is the id of the last one on the page before. */
export async function listDevMail(
  db: Db,
  page: { readonly before: number | null; readonly limit: number },
): Promise<readonly DevMailSummary[]> {
  const rows = await db
    .selectFrom('dev_mail')
    .$if(page.before !== null, (query) => query.where('id', '<', page.before))
    .orderBy('id', 'desc')
    .limit(page.limit)
    .select([
      'id',
      'channel',
      'recipient',
      'subject',
      'message_id as messageId',
      'received_at as receivedAt',
      sql<string | null>`CASE WHEN channel = 'SMS' THEN body END`.as('body'),
    ])
    .execute();
  const opened = await openMails(db, rows);
  return opened.map(({ messageId: _, body, recipient, ...mail }) => ({
    ...mail,
    recipient: recipient ?? '',
    excerpt: body?.slice(0, EXCERPT) ?? null,
  }));
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
  const [found = mail] = await openMails(db, [mail]);
  const { frame: frameId, locale, html, ...rest } = found;
  const shown = { ...rest, recipient: rest.recipient ?? '', body: rest.body ?? '' };
  if (frameId === null || locale === null) return shown;
  const frame = html === null ? frameOfId(frameId) : { id: frameId, html };
  // Of another build that has stopped before it kept its frame: the content is all there is.
  if (!frame) return shown;
  return { ...shown, body: documentOf(frame, { locale, content: shown.body }, shown.subject ?? '') };
}

const EXCERPT = 90;

/** Rows with what they say. */
async function openMails<
  Row extends Readonly<Record<'recipient' | 'subject' | 'body', string | null>> & { messageId: string },
>(db: Db, rows: readonly Row[]): Promise<readonly Row[]> {
  const row = ({ messageId }: Row): string => messageId;
  const recipients = await openColumn(db, 'dev_mail.recipient', 'recipient', rows, row);
  const subjects = await openColumn(db, 'dev_mail.subject', 'subject', recipients, row);
  return await openColumn(db, 'dev_mail.body', 'body', subjects, row);
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
