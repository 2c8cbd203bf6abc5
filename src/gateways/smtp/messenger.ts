import { createTransport } from 'nodemailer';
import type { Messenger, OutgoingMessage, SendOutcome } from '../../domain/ports.ts';

export interface SmtpOptions {
  /** `smtp:` or `smtps:` URL with the credentials. */
  readonly url: string;
  /** The operator's own address, from the configuration. */
  readonly from: string;
}

export const SMTP_CONNECTIONS = 5;
/** A message that takes longer counts as not sent. `maxBatch` messages over all connections fit 20 s. */
const MESSAGE_TIMEOUT_MS = 4_500;
const MAX_BATCH = 20;
/** Of one reply, whole or not: RFC 5321 has 512 bytes to a line. */
const MAX_REPLY_BYTES = 64 * 1024;

/**
 * Pooled SMTP. A time-out or a crash after the server took the message leads to a second send; the Message-ID stays
 * the same, so the receiver can recognise a repeat (guarantees.md G5).
 */
export function createSmtp({ url, from }: SmtpOptions): Messenger {
  const { hostname, port, protocol, username, password } = new URL(url);
  const secure = protocol === 'smtps:';
  const transport = createTransport({
    pool: true,
    host: hostname,
    port: Number(port) || (secure ? 465 : 587),
    secure,
    ...(username && { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
    maxConnections: SMTP_CONNECTIONS,
    // A connection that works is kept.
    maxMessages: Number.POSITIVE_INFINITY,
    // The lease and the attempts of the notification decide about a retry, not the pool.
    maxRequeues: 0,
    connectionTimeout: MESSAGE_TIMEOUT_MS,
    greetingTimeout: MESSAGE_TIMEOUT_MS,
    socketTimeout: MESSAGE_TIMEOUT_MS,
    maxResponseSize: MAX_REPLY_BYTES,
    // A message is made of our own text: nothing in it may make this process read a file or fetch a URL.
    disableFileAccess: true,
    disableUrlAccess: true,
  });

  const send = async (message: OutgoingMessage): Promise<SendOutcome> => {
    if (!isOneAddress(message.to)) return { sent: false, permanent: true, reason: 'BAD_ADDRESS' };
    // Not `AbortSignal.timeout`, which would hold each message in memory until then, however soon it was taken.
    const timeout = new AbortController();
    const timer = setTimeout(
      () => timeout.abort(new DOMException('not taken in time', 'TimeoutError')),
      MESSAGE_TIMEOUT_MS,
    );
    const subject = headerText(message.subject ?? '');
    const texts = [from, message.to, subject, message.text, message.html ?? message.text];
    try {
      const sent = await transport.sendMail({
        from,
        // As an object, so that nothing in the text is parsed as a list or a display name.
        to: { name: '', address: message.to },
        envelope: { from: addressOf(from), to: [message.to] },
        subject,
        messageId: message.messageId,
        text: message.text,
        ...(message.html !== null && { html: message.html }),
        // As it would be chosen, without counting the letters of each part: that costs as much as encoding them.
        ...(texts.every(isPlainLatin) && { textEncoding: 'quoted-printable' as const }),
        signal: timeout.signal,
      });
      return { sent: true, providerId: sent.messageId.slice(0, 200) };
    } catch (error) {
      return { sent: false, ...failureOf(error) };
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    maxBatch: MAX_BATCH,
    send: async (messages) => {
      const outcomes: SendOutcome[] = new Array(messages.length);
      const queue = messages.entries();
      const lane = async (): Promise<void> => {
        for (const [index, message] of queue) outcomes[index] = await send(message);
      };
      await Promise.all(Array.from({ length: SMTP_CONNECTIONS }, lane));
      return outcomes;
    },
    close: async () => transport.close(),
  };
}

/** Exactly one address: no list, no display name, no route, nothing that ends a header line. */
const ADDRESS = /^[^\s,;:<>()[\]\\"@\p{Cc}\u2028\u2029]{1,64}@[^\s,;:<>()[\]\\"@\p{Cc}\u2028\u2029]{1,255}$/u;
export const isOneAddress = (text: string): boolean => text.length <= 254 && ADDRESS.test(text);

/** ASCII with a letter in it: base64 is for texts with fewer letters than other characters. */
const isPlainLatin = (text: string): boolean => /^[\t\n\r -~]*$/.test(text) && /[A-Za-z]/.test(text);

/** Values were cleaned when the text was rendered; a header gets no line end whatever wrote it. */
export const headerText = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();

const addressOf = (from: string): string => /<([^<>]+)>\s*$/.exec(from)?.[1] ?? from.trim();

/** Codes only: a server's answer quotes addresses. */
function failureOf(error: unknown): { readonly permanent: boolean; readonly reason: string } {
  const { code, responseCode } = error instanceof Error ? (error as { code?: unknown; responseCode?: unknown }) : {};
  if (typeof responseCode === 'number') {
    // Refused logins are 5xx too, but they are our mistake and pass when it is mended.
    return { permanent: responseCode >= 500 && code !== 'EAUTH', reason: `SMTP_${responseCode}` };
  }
  return { permanent: false, reason: typeof code === 'string' ? `SMTP_${code}` : 'SMTP_FAILED' };
}
