import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Twilio's Messages resource as its reference describes it: creating one and listing them, with its errors. */

export interface FakeMessage {
  readonly sid: string;
  readonly to: string;
  readonly from: string | null;
  readonly messagingServiceSid: string | null;
  readonly body: string;
  readonly statusCallback: string | null;
  readonly at: Date;
}
export type Fault =
  | { readonly status: number; readonly code: number; readonly retryAfter?: string }
  /** Takes the message, and the answer is lost. */
  | 'lost-after'
  /** Takes the message, and answers with far more than anybody reads. */
  | 'endless'
  /** The answer is lost before anything happened. */
  | 'lost-before';
export interface FakeTwilio {
  readonly url: string;
  readonly messages: FakeMessage[];
  /** Of the next requests, one after the other. */
  readonly faults: Fault[];
  readonly requests: { readonly method: string; readonly path: string; readonly authorization: string }[];
  close(): Promise<void>;
}

export const ACCOUNT = `AC${'0'.repeat(31)}1`;
export const TOKEN = 'twilio-auth-token-of-the-test';

export async function startFakeTwilio(): Promise<FakeTwilio> {
  const messages: FakeMessage[] = [];
  const faults: Fault[] = [];
  const requests: { method: string; path: string; authorization: string }[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://fake');
      const authorization = request.headers.authorization ?? '';
      requests.push({ method: request.method ?? '', path: url.pathname, authorization });
      const answer = (status: number, body: object, headers: Record<string, string> = {}): void => {
        response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
      };
      const expected = `Basic ${Buffer.from(`${ACCOUNT}:${TOKEN}`).toString('base64')}`;
      if (authorization !== expected) return answer(401, { code: 20003, message: 'Authenticate', status: 401 });
      if (url.pathname !== `/2010-04-01/Accounts/${ACCOUNT}/Messages.json`)
        return answer(404, { code: 20404, message: 'Not found', status: 404 });
      if (request.method === 'GET') {
        const found = messages.filter(({ to }) => to === url.searchParams.get('To'));
        return answer(200, { messages: found.map(resourceOf), next_page_uri: null, page: 0, page_size: 50 });
      }
      const fault = faults.shift();
      if (fault === 'lost-before') return void request.socket.destroy();
      if (typeof fault === 'object') {
        const headers: Record<string, string> = fault.retryAfter ? { 'retry-after': fault.retryAfter } : {};
        return answer(fault.status, { code: fault.code, message: `To ${text}`, status: fault.status }, headers);
      }
      const form = new URLSearchParams(text);
      const message = {
        sid: `SM${String(messages.length + 1).padStart(32, '0')}`,
        to: form.get('To') ?? '',
        from: form.get('From'),
        messagingServiceSid: form.get('MessagingServiceSid'),
        body: form.get('Body') ?? '',
        statusCallback: form.get('StatusCallback'),
        at: new Date(),
      };
      messages.push(message);
      if (fault === 'lost-after') return void request.socket.destroy();
      answer(201, { ...resourceOf(message), ...(fault === 'endless' && { padding: 'x'.repeat(1_000_000) }) });
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    messages,
    faults,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** RFC 2822 dates, snake case, as in the reference. */
const resourceOf = (message: FakeMessage) => ({
  sid: message.sid,
  account_sid: ACCOUNT,
  to: message.to,
  from: message.from,
  messaging_service_sid: message.messagingServiceSid,
  body: message.body,
  status: 'queued',
  num_segments: '1',
  direction: 'outbound-api',
  date_created: message.at.toUTCString(),
  date_updated: message.at.toUTCString(),
  date_sent: null,
  error_code: null,
  error_message: null,
  uri: `/2010-04-01/Accounts/${ACCOUNT}/Messages/${message.sid}.json`,
});
