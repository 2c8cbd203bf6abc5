import { Hono } from 'hono';
import { html, raw } from 'hono/html';
import type { Db } from '../db/client.ts';
import { type DevMail, type DevMailSummary, listDevMail, readDevMail } from '../domain/messages/delivery-mailbox.ts';
import { escapeHtml } from '../domain/messages/mail-frame.ts';
import type { OpsEnv } from './guard.ts';
import { MAIL_CSP, messagePage, page } from './pages.ts';

const PAGE_SIZE = 50;
const ID = /^[1-9]\d{0,14}$/;

/** The messages that would have gone out, as their recipients would see them. */
export function createMailbox(db: Db): Hono<OpsEnv> {
  const app = new Hono<OpsEnv>();

  app.get('/', async (c) => {
    const prefix = c.get('prefix');
    const asked = c.req.query('before') ?? '';
    const before = ID.test(asked) ? Number(asked) : null;
    const mails = await listDevMail(db, { before, limit: PAGE_SIZE + 1 });
    const shown = mails.slice(0, PAGE_SIZE);
    const older = mails.length > PAGE_SIZE ? (shown.at(-1)?.id ?? null) : null;
    return c.html(
      page(
        { prefix, title: 'Mailbox', operator: c.get('operator'), current: 'mailbox' },
        html`<h1>Mailbox</h1><p class="soft">Messages that no provider is configured for, newest first. None of them left this system.</p>
${shown.length === 0 ? html`<p class="card">No messages yet. Confirm a reservation, and its messages appear here within seconds.</p>` : html`<ol class="mails">${shown.map((mail) => row(prefix, mail))}</ol>`}
<p class="pages"><span>${before === null ? '' : html`<a href="${prefix}/mailbox">Newest</a>`}</span><span>${older === null ? '' : html`<a href="${prefix}/mailbox?before=${older}" rel="next">Older</a>`}</span></p>`,
      ),
    );
  });

  app.get('/:id', async (c) => {
    const prefix = c.get('prefix');
    const id = c.req.param('id');
    const mail = ID.test(id) ? await readDevMail(db, Number(id)) : null;
    if (!mail) return c.html(messagePage(prefix, 'Not found', 'There is no such message.', c.get('operator')), 404);
    const title = mail.subject ?? `SMS to ${mail.recipient}`;
    c.header('content-security-policy', MAIL_CSP);
    return c.html(
      page(
        { prefix, title, operator: c.get('operator'), current: 'mailbox' },
        html`<p><a href="${prefix}/mailbox">Back to the mailbox</a></p><h1>${title}</h1>
<dl><dt>To</dt><dd>${mail.recipient}</dd><dt>Sent</dt><dd>${time(mail.receivedAt)}</dd><dt>Message-ID</dt><dd><code>${mail.messageId}</code></dd></dl>${body(mail)}`,
      ),
    );
  });
  return app;
}

const row = (prefix: string, mail: DevMailSummary) =>
  html`<li><a href="${prefix}/mailbox/${mail.id}"><span class="tag">${
    mail.channel === 'SMS' ? 'SMS' : 'E-mail'
  }</span><span class="what">${mail.subject ?? mail.excerpt ?? ''}</span>${time(mail.receivedAt)}<span class="who">to ${mail.recipient}</span></a></li>`;

/** The frame is sandboxed with nothing allowed: no script, no form, no link out of it, no access to this page. */
const body = (mail: DevMail) =>
  html`${
    mail.channel === 'SMS'
      ? html`<p class="sms">${mail.body}</p>`
      : html`<iframe sandbox title="The e-mail" srcdoc="${raw(escapeHtml(mail.body))}"></iframe>`
  }${linksOf(mail).map((link) => html`<p><a href="${link}" target="_blank" rel="noopener noreferrer">${link}</a></p>`)}`;

const MAX_LINKS = 10;
/** The links that its recipient could follow: web addresses only. */
function linksOf({ channel, body }: DevMail): readonly string[] {
  const found =
    channel === 'SMS'
      ? [...body.matchAll(/https?:\/\/\S+/g)].map(([link]) => link)
      : [...body.matchAll(/\shref="(https?:[^"]+)"/g)].map(([, link = '']) => link.replaceAll('&amp;', '&'));
  return [...new Set(found)].filter((link) => URL.canParse(link)).slice(0, MAX_LINKS);
}

const time = (at: Date) =>
  html`<time datetime="${at.toISOString()}">${at.toISOString().slice(0, 19).replace('T', ' ')} UTC</time>`;
