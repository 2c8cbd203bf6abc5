import path from 'node:path';
import axe from 'axe-core';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileLayouts } from '../../scripts/mail-layout.ts';
import { deliverDue } from '../../src/domain/messages/delivery.ts';
import { storeDevMail } from '../../src/domain/messages/delivery-mailbox.ts';
import { LAYOUTS } from '../../src/domain/messages/mail-layout.ts';
import { createDevMailbox } from '../../src/gateways/dev-mailbox.ts';
import { createSmtp } from '../../src/gateways/smtp/messenger.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLinkSeal } from '../../src/kernel/link-seal.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { createTextSeal } from '../../src/kernel/text-seal.ts';
import { GATEWAY } from '../sagas/money.ts';
import { createSimulatedDatabase, type SimulatedDatabase } from '../setup/database.ts';
import { type System, startSystem } from '../setup/system.ts';
import { openPhone, type Phone } from './browser.ts';

/** Mails as they arrive at a real mail server, parsed, and looked at in a real browser as wide as a phone. */

let simulated: SimulatedDatabase;
let system: System;
let server: SMTPServer;
let phone: Phone;
const received: { readonly to: readonly string[]; readonly mail: ParsedMail }[] = [];
const SCREENSHOTS = process.env['ROOMY_SCREENSHOTS'] === '1';

beforeAll(async () => {
  server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData(stream, session, done) {
      simpleParser(stream).then((mail) => {
        received.push({ to: session.envelope.rcptTo.map(({ address }) => address), mail });
        done();
      }, done);
    },
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  simulated = await createSimulatedDatabase();
  system = await startSystem(simulated);
  phone = await openPhone();
  await simulated.clock.moveTo('2027-05-01T08:00:00Z');
  await book('en', { name: 'John Doe', locale: 'en-GB' });
  await book('bare', { name: 'John Doe', locale: 'en-GB' });
  await book('ar', { name: 'ليلى حداد', locale: 'ar-AE' });
  await book('evil', { name: '<img src=x onerror=alert(1)> {ownerEmail} $& Bcc: evil@example.com', locale: 'en-GB' });
  await deliver();
}, 120_000);
afterAll(async () => {
  await phone?.close();
  await system?.close();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

async function book(id: string, guest: { readonly name: string; readonly locale: string }): Promise<void> {
  const call = async (method: string, at: string, body: object): Promise<void> => {
    const { status, text } = await system.call(method, at, { body });
    expect(status, text).toBeLessThan(300);
  };
  await call('POST', '/owners', {
    id: `owner-${id}`,
    name: 'Aisha Rahman',
    email: `owner-${id}@example.com`,
    locale: guest.locale,
  });
  await call('POST', '/guests', { id: `guest-${id}`, email: `guest-${id}@example.com`, ...guest });
  await call('POST', '/staff', {
    id: `agent-${id}`,
    name: 'Sara Malik',
    email: 'sara@roomy.example',
    phone: '+971500000020',
    role: 'AGENT',
  });
  await call('POST', '/properties', {
    id: `home-${id}`,
    name: 'Marina View 1204',
    ownerId: `owner-${id}`,
    timeZone: 'Asia/Dubai',
    ...(id === 'bare' ? {} : { address: 'Marina Walk 12, Dubai', agentIds: [`agent-${id}`] }),
  });
  const stay = {
    id: `stay-${id}`,
    propertyId: `home-${id}`,
    guestId: `guest-${id}`,
    checkInDate: '2027-06-01',
    checkOutDate: '2027-06-04',
  };
  await call('POST', '/reservations', { ...stay, totalAmount: 1000, currency: 'AED' });
  if (id !== 'bare') {
    const paid = { amount: 400, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `ref-of-${id}` };
    await call('POST', `/reservations/stay-${id}/payment`, paid);
  }
  await call('POST', `/reservations/stay-${id}/confirm`, {});
}
async function deliver(): Promise<void> {
  const { db } = system.bed;
  const { port } = server.server.address() as { port: number };
  const smtp = createSmtp({ url: `smtp://127.0.0.1:${port}`, from: 'Roomy <no-reply@roomy.example>' });
  const mailbox = createDevMailbox((messages) => storeDevMail(db, messages));
  const log = createLogger('test', 'silent');
  while (
    (await deliverDue({
      db,
      messengers: { EMAIL: smtp, SMS: mailbox },
      opsEmail: 'ops@roomy.example',
      secrets: createTextSeal([]),
      links: createLinkSeal([], systemClock),
      publicUrl: 'https://roomy.example',
      agencyTimeZone: 'Asia/Dubai',
      log,
    })) > 0
  );
  await smtp.close();
}
/** Of the payment before it they are told as well. */
const CONFIRMED = /Reservation Confirmed|New reservation|تم تأكيد الحجز|حجز جديد/;
const mailTo = (recipient: string) => {
  const found = received.filter(({ to, mail }) => to.includes(recipient) && CONFIRMED.test(mail.subject ?? ''));
  expect(found).toHaveLength(1);
  return found[0] as (typeof received)[number];
};

const TERMS =
  '100% of what you paid is refunded until 25 May 2027, 23:59 (Gulf Standard Time); 50% of what you paid until 29 May 2027, 23:59; ' +
  '25% of what you paid until 31 May 2027, 23:59; nothing after that';

describe('a mail', () => {
  it('arrives once, with both parts, from us to one address', () => {
    const { to, mail } = mailTo('guest-bare@example.com');
    expect(to).toEqual(['guest-bare@example.com']);
    expect(mail.subject).toBe('Reservation Confirmed - Marina View 1204');
    expect(mail.from?.value).toEqual([{ name: 'Roomy', address: 'no-reply@roomy.example' }]);
    expect(mail.messageId).toMatch(/^<saga-.+-EMAIL-GUEST@roomy>$/);
    const [sentence] = mail.text?.split('\n') ?? [];
    expect(sentence).toBe('Dear John Doe, your reservation for Marina View 1204 is confirmed for 1 June 2027.');
    expect(mail.html).toContain(`<p>${sentence}</p>`);
    // Nothing was paid, nobody looks after the place, and where it is nobody has said.
    expect(mail.text?.trim().replace(/(\/stay\/)[\w-]+$/, '$1...')).toBe(`${sentence}

Arrival: 1 June 2027, from 15:00 (Gulf Standard Time)
Departure: 4 June 2027, until 11:00 (Gulf Standard Time)

Price: AED 1,000.00
Paid: AED 0.00
Still to pay: AED 1,000.00

If you cancel: ${TERMS}

Questions: just answer this message
Reservation: stay-bare

Your stay online: https://roomy.example/stay/...`);
  });

  it('of a confirmation says what was paid, where it is and whom to ask, in the language of the guest', () => {
    const english = mailTo('guest-en@example.com').mail;
    expect(english.text).toContain(
      'Address: Marina Walk 12, Dubai\n\nPrice: AED 1,000.00\nPaid: AED 400.00\nStill to pay: AED 600.00\n',
    );
    expect(english.text).toContain(TERMS);
    expect(english.text).toContain('Questions: Sara Malik, +971500000020, sara@roomy.example\n');
    expect(english.html).toContain('<th scope="row">Still to pay</th><td>AED 600.00</td>');
    const { text = '', html } = mailTo('guest-ar@example.com').mail;
    for (const said of ['Marina Walk 12, Dubai', 'توقيت الخليج', 'Sara Malik', 'يُسترد', 'stay-ar']) {
      expect(text).toContain(said);
    }
    expect(html).toMatch(/<th scope="row">المبلغ المتبقي<\/th><td><bdi>[^<]*600/);
  });

  it('is written from right to left in Arabic', () => {
    const { mail } = mailTo('guest-ar@example.com');
    expect(mail.subject).toContain('تم تأكيد الحجز');
    expect(mail.html).toContain('dir="rtl"');
    expect(mail.html).toContain('<bdi>Marina View 1204</bdi>');
    const owner = mailTo('owner-ar@example.com').mail;
    expect(owner.html).toContain('<th scope="row">الوصول</th>');
    expect(owner.text).not.toContain('ليلى');
  });

  it('carries hostile names as text', () => {
    const { mail } = mailTo('guest-evil@example.com');
    expect(mail.text).toContain('<img src=x onerror=alert(1)> {ownerEmail} $& Bcc: evil@example.com');
    expect(mail.html).toContain('&lt;img src=x onerror=alert(1)&gt; {ownerEmail} $&amp; Bcc: evil@example.com');
    expect(mail.bcc).toBeUndefined();
    expect(received.flatMap(({ to }) => to)).not.toContain('evil@example.com');
  });

  it.each([
    ['owner-en@example.com', null],
    ['guest-en@example.com', 'mail-confirmed-en.png'],
    ['guest-ar@example.com', 'mail-confirmed-ar.png'],
    ['owner-ar@example.com', null],
  ])('to %s can be read on a phone, by everybody', async (recipient, picture) => {
    const page = await phone.context.newPage();
    const { html } = mailTo(recipient).mail;
    await page.setContent(html || '');
    const isWide = 'document.documentElement.scrollWidth > document.documentElement.clientWidth';
    expect(await page.evaluate<boolean>(isWide)).toBe(false);
    const direction = await page.evaluate<string>("getComputedStyle(document.querySelector('p')).direction");
    expect(direction).toBe(recipient.includes('-ar') ? 'rtl' : 'ltr');
    await page.evaluate(axe.source);
    // Rules of pages, such as landmarks, are those of the program that shows the mail.
    const violations = await page.evaluate<string[]>(`(async () => {
      const { violations } = await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] });
      return violations.map(({ id, nodes }) => id + ': ' + nodes.map((node) => node.html).join(' '));
    })()`);
    expect(violations).toEqual([]);
    if (SCREENSHOTS && picture !== null)
      await page.screenshot({ path: path.join(import.meta.dirname, '../../docs', picture), fullPage: true });
    await page.close();
  });
});

describe('the layout of mails', () => {
  it('is what its source compiles to', async () => {
    expect(await compileLayouts()).toEqual(LAYOUTS);
  });
});
