import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Messenger, OutgoingMessage } from '../../domain/ports.ts';
import { createSmtp, isOneAddress } from './messenger.ts';

const message: OutgoingMessage = {
  messageId: '<saga-1-8-F-EMAIL-GUEST@roomy>',
  channel: 'EMAIL',
  to: 'ann@example.com',
  subject: 'Reservation Confirmed - Marina 12',
  text: 'Dear Ann',
  html: '<p>Dear Ann</p>',
};

describe('SMTP', () => {
  let sink: Awaited<ReturnType<typeof startSink>> | undefined;
  let smtp: Messenger | undefined;
  afterEach(async () => {
    await smtp?.close();
    sink?.server.close();
  });
  const open = async (answers: Readonly<Record<string, string>> = {}): Promise<Messenger> => {
    sink = await startSink(answers);
    smtp = createSmtp({ url: `smtp://127.0.0.1:${sink.port}`, from: 'Roomy <no-reply@roomy.example>' });
    return smtp;
  };

  it('X2: sends one mail to one address with a stable Message-ID', async () => {
    const outcomes = await (await open()).send([message]);
    expect(outcomes).toEqual([{ sent: true, providerId: message.messageId }]);
    expect(sink?.recipients).toEqual(['<ann@example.com>']);
    expect(sink?.mails[0]).toContain('Message-ID: <saga-1-8-F-EMAIL-GUEST@roomy>');
    expect(sink?.mails[0]).toContain('Subject: Reservation Confirmed - Marina 12');
  });

  it('X1: keeps line ends out of the headers', async () => {
    const subject = 'A\r\nBcc: evil@example.com\u2028X-Evil: 1\n folded';
    await (await open()).send([{ ...message, subject }]);
    const headers = sink?.mails[0]?.split('\r\n\r\n')[0] ?? '';
    expect(headers).not.toMatch(/^(Bcc|X-Evil):/im);
    expect(headers.match(/^Subject:/gim)).toHaveLength(1);
    expect(sink?.recipients).toEqual(['<ann@example.com>']);
  });

  it.each([
    'A\u2028Bcc: evil@example.com',
    'A\n Bcc: evil@example.com',
    'A\rBcc: evil@example.com',
    'A%0d%0aBcc: evil@example.com',
    '\u0085Bcc: evil@example.com',
  ])('X1: has one subject and one recipient, whatever the subject is: %j', async (subject) => {
    await (await open()).send([{ ...message, subject }]);
    const headers = sink?.mails[0]?.split('\r\n\r\n')[0] ?? '';
    expect(headers).not.toMatch(/^Bcc:/im);
    expect(headers.match(/^Subject:/gim)).toHaveLength(1);
    expect(headers.match(/^To:/gim)).toHaveLength(1);
    expect(sink?.recipients).toEqual(['<ann@example.com>']);
  });

  it.each([
    'a@x.com,b@y.com',
    'a@x\nb@y',
    'Ann <ann@x.com>',
    'a b@x.com',
    'a@x;b@y',
    'no-address',
    `${'a'.repeat(300)}@x.com`,
  ])('X2: sends nothing to %j', async (to) => {
    expect(isOneAddress(to)).toBe(false);
    expect(await (await open()).send([{ ...message, to }])).toEqual([
      { sent: false, permanent: true, reason: 'BAD_ADDRESS' },
    ]);
    expect(sink?.recipients).toEqual([]);
  });

  it('tells a refusal from a failure that may pass, without quoting the server', async () => {
    const refusing = await open({ RCPT: '550 no ann@example.com here' });
    expect(await refusing.send([message])).toEqual([{ sent: false, permanent: true, reason: 'SMTP_550' }]);
    await refusing.close();
    const busy = await open({ RCPT: '451 later, ann@example.com' });
    expect(await busy.send([message])).toEqual([{ sent: false, permanent: false, reason: 'SMTP_451' }]);
    await busy.close();
    const gone = createSmtp({ url: 'smtp://127.0.0.1:1', from: 'x@roomy.example' });
    const [outcome] = await gone.send([message]);
    expect(outcome).toMatchObject({ sent: false, permanent: false });
    await gone.close();
  });

  it('keeps the order of a batch', async () => {
    const batch = Array.from({ length: 12 }, (_, n) => ({ ...message, messageId: `<m${n}@roomy>` }));
    const outcomes = await (await open()).send([...batch, { ...message, to: 'bad' }]);
    expect(outcomes.map((outcome) => (outcome.sent ? outcome.providerId : outcome.reason))).toEqual([
      ...batch.map(({ messageId }) => messageId),
      'BAD_ADDRESS',
    ]);
  });
});

/** As much of a mail server as a client needs. */
async function startSink(
  answers: Readonly<Record<string, string>>,
): Promise<{ server: Server; port: number; recipients: string[]; mails: string[] }> {
  const recipients: string[] = [];
  const mails: string[] = [];
  const server = createServer((socket) => {
    let buffer = '';
    let inData = false;
    const say = (line: string) => socket.write(`${line}\r\n`);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      buffer += chunk.toString();
      for (;;) {
        const end = buffer.indexOf(inData ? '\r\n.\r\n' : '\r\n');
        if (end < 0) return;
        const part = buffer.slice(0, end);
        buffer = buffer.slice(end + (inData ? 5 : 2));
        if (inData) {
          mails.push(part);
          inData = false;
          say('250 kept');
          continue;
        }
        const verb = part.split(/[ :]/)[0]?.toUpperCase() ?? '';
        const answer = answers[verb];
        if (verb === 'RCPT' && !answer) recipients.push(part.slice('RCPT TO:'.length));
        if (verb === 'DATA') inData = true;
        say(answer ?? (verb === 'DATA' ? '354 go on' : '250 ok'));
      }
    });
    say('220 sink');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return { server, port: typeof address === 'object' && address ? address.port : 0, recipients, mails };
}
