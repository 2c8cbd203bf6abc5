import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { listDevMail, readDevMail, storeDevMail } from '../../src/domain/messages/delivery-mailbox.ts';
import { frameFor } from '../../src/domain/messages/mail-frame.ts';
import { parseTemplate, renderMessage } from '../../src/domain/messages/render.ts';
import type { OutgoingMessage } from '../../src/domain/ports.ts';
import { createTestDatabase } from '../setup/database.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 2, applicationName: 'mailbox-test' }));
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});
beforeEach(async () => {
  await sql`TRUNCATE dev_mail, mail_frame`.execute(db);
});

const TEXT =
  'Dear {name},\n\nArrival: {day}\nNights: 3\n\nYour stay is confirmed, and we look forward to it.\nAnn\n\n{pageUrl}';
const VALUES = { name: '<b>Ann & co</b>', day: '@lang <!--content-->', pageUrl: 'https://roomy.example/?a=1&b=2' };
function mail(id: string, locale = 'en', channel: 'EMAIL' | 'SMS' = 'EMAIL'): OutgoingMessage {
  const text = { locale, subject: parseTemplate('For {name}'), message: parseTemplate(TEXT) };
  const rendered = renderMessage(text, channel, VALUES);
  if ('missing' in rendered) throw new Error(rendered.missing.join());
  return { messageId: `<${id}@roomy>`, channel, to: 'ann@example.com', ...rendered };
}
const frames = () => db.selectFrom('mail_frame').selectAll().orderBy('id').execute();
async function shown(): Promise<readonly string[]> {
  const mails = await listDevMail(db, { before: null, limit: 50 });
  const read = await Promise.all(mails.toReversed().map(({ id }) => readDevMail(db, id)));
  return read.map((one) => one?.body ?? 'none');
}

describe('the mailbox of development', () => {
  it('shows each mail byte for byte as it was sent, and keeps the frame of all once', async () => {
    const sent = [mail('1'), mail('2'), mail('3', 'ar'), mail('4', 'en-GB'), mail('5', 'en', 'SMS')];
    await storeDevMail(db, sent.slice(0, 2));
    await storeDevMail(db, sent);
    expect(await shown()).toEqual(sent.map(({ html, text }) => html ?? text));
    expect((await frames()).map(({ id }) => id)).toEqual([frameFor('en').id, frameFor('ar').id].toSorted());
  });

  it('writes the content of a mail and not its frame', async () => {
    const { html, ...one } = mail('1');
    await storeDevMail(db, [{ html, ...one }]);
    const { rows } = await sql<{ bytes: number }>`SELECT pg_column_size(d.*)::int AS bytes FROM dev_mail d`.execute(db);
    expect(html?.length).toBeGreaterThan(6_000);
    expect(rows[0]?.bytes).toBeLessThan(1_200);
  });

  it('shows a mail in the frame that it was sent in, after the layout has changed', async () => {
    const sent = mail('1');
    const old = '<html lang="@lang"><title><!--title--></title><!--preheader-->|<!--content--></html>';
    await db.insertInto('mail_frame').values({ id: 'old', html: old }).execute();
    await storeDevMail(db, [{ ...sent, parts: { frame: 'old', locale: 'en', content: '<p>Hello</p>' } }]);
    expect(await shown()).toEqual([
      '<html lang="en"><title>For &lt;b&gt;Ann &amp; co&lt;/b&gt;</title>|<p>Hello</p></html>',
    ]);
    expect((await frames()).map(({ id }) => id)).toEqual(['old']);
  });

  it('shows a mail of which the frame was not kept: a crash may come between', async () => {
    const sent = mail('1');
    await storeDevMail(db, [sent]);
    await db.deleteFrom('mail_frame').execute();
    expect(await shown()).toEqual([sent.html]);
    // The next mail brings the frame.
    await storeDevMail(db, [mail('2')]);
    expect(await frames()).toHaveLength(1);
  });

  it('is not in the log of the server, nor will its next partitions be', async () => {
    await sql`SELECT make_like('dev_mail_next', 'dev_mail_open')`.execute(db);
    const { rows } = await sql<{ name: string; persistence: string }>`
      SELECT relname AS name, relpersistence AS persistence FROM pg_class WHERE relkind = 'r' AND relname LIKE 'dev_mail%'
       ORDER BY relname`.execute(db);
    expect(rows.map(({ name }) => name)).toContain('dev_mail_next');
    expect(rows.filter(({ persistence }) => persistence !== 'u')).toEqual([]);
    await sql`DROP TABLE dev_mail_next`.execute(db);
  });

  it('shows a mail of before, which is whole', async () => {
    const whole = { message_id: '<old@roomy>', channel: 'EMAIL' as const, recipient: 'a@example.com', subject: 'Old' };
    await db
      .insertInto('dev_mail')
      .values({ ...whole, body: '<html>old</html>' })
      .execute();
    expect(await shown()).toEqual(['<html>old</html>']);
  });
});
