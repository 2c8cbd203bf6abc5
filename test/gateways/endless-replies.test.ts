import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { OutgoingMessage } from '../../src/domain/ports.ts';
import { createHttpAmenities } from '../../src/gateways/amenities/http.ts';
import { createSmtp } from '../../src/gateways/smtp/messenger.ts';
import { createStripeGateway } from '../../src/gateways/stripe/gateway.ts';
import { createTwilio } from '../../src/gateways/twilio/messenger.ts';
import { createWebhookSender } from '../../src/gateways/webhooks.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { ACCOUNT, TOKEN } from './fake-twilio.ts';

/** A server may answer without an end: each client that calls out stops reading, and fills no memory with it. */

/** The bytes that a peer would send, were it read to the end. */
const ENDLESS_BYTES = 70 * 1024 * 1024;
/** The most that may be read of it: the longest bound of a client, 4 MiB of a list at Stripe, and what kernels buffer. */
const MOST_BYTES = 16 * 1024 * 1024;
const CHUNK = 64 * 1024;

interface Peer {
  readonly port: number;
  /** Bytes that were taken off its hands, on all connections. */
  taken(): number;
}
let server: Server | undefined;
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server?.close();
});

/** Greets, waits for the first bytes of a request where there are to be some, and then sends `filler` as long as anybody reads. */
async function endlessPeer(greeting: string, waits: boolean, filler: string): Promise<Peer> {
  const chunk = filler.repeat(Math.ceil(CHUNK / filler.length));
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    const pour = (): void => {
      while (!socket.destroyed && socket.bytesWritten < ENDLESS_BYTES) {
        if (!socket.write(chunk)) return void socket.once('drain', pour);
      }
    };
    const begin = (): void => {
      socket.resume();
      if (greeting !== '') socket.write(greeting);
      pour();
    };
    if (waits) socket.once('data', begin);
    else begin();
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, taken: () => [...sockets].reduce((sum, { bytesWritten }) => sum + bytesWritten, 0) };
}

const message = (channel: 'EMAIL' | 'SMS'): OutgoingMessage => ({
  messageId: '<1@roomy>',
  channel,
  to: channel === 'SMS' ? '+971501234567' : 'ann@example.com',
  subject: 'Hello',
  text: 'Hello',
  html: null,
});
const HTTP = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"data":"';
const mail = async (port: number): Promise<unknown> => {
  const smtp = createSmtp({ url: `smtp://127.0.0.1:${port}`, from: 'Roomy <no-reply@roomy.example>' });
  const [outcome] = await smtp.send([message('EMAIL')]);
  await smtp.close();
  return outcome;
};
const stripe = (port: number) =>
  createStripeGateway(
    { secretKey: 'sk_test_0123456789', apiUrl: `http://127.0.0.1:${port}` },
    { clock: systemClock, log: createLogger('test', 'silent') },
  );
const refused = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    (value) => ({ value }),
    () => 'refused',
  );

interface Case {
  readonly name: string;
  readonly greeting: string;
  readonly waits: boolean;
  readonly filler: string;
  readonly call: (port: number) => Promise<unknown>;
  readonly outcome: unknown;
}
const CASES: readonly Case[] = [
  ...[
    ['a line without an end', 'x'],
    ['a reply of lines that always goes on', '220-more\r\n'],
    ['one reply after the other', '220 hello\r\n'],
  ].map(([name, filler = '']) => ({
    name: `mail: ${name}`,
    greeting: '220-hello\r\n',
    waits: false,
    filler,
    call: mail,
    // Short replies, each of them whole, are taken for the answers to what is asked; only how much is read counts.
    outcome: filler.startsWith('220 ') ? expect.anything() : expect.objectContaining({ sent: false }),
  })),
  {
    name: 'SMS',
    greeting: HTTP,
    waits: true,
    filler: 'x',
    call: async (port) => {
      const apiUrl = `http://127.0.0.1:${port}`;
      const sms = createTwilio({ accountSid: ACCOUNT, authToken: TOKEN, from: '+15005550006', apiUrl });
      const [outcome] = await sms.send([message('SMS')]);
      await sms.close();
      return outcome;
    },
    outcome: expect.objectContaining({ sent: false, unknown: true }),
  },
  {
    name: 'Stripe: one record',
    greeting: HTTP,
    waits: true,
    filler: 'x',
    call: (port) =>
      refused(stripe(port).cardOf({ gatewayId: 'stripe', reference: 'pm_1' }, new AbortController().signal)),
    outcome: 'refused',
  },
  {
    name: 'Stripe: a list',
    greeting: HTTP,
    waits: true,
    filler: 'x',
    call: (port) => refused(stripe(port).movements('stripe', new Date(0), new Date(1), 10)),
    outcome: 'refused',
  },
  {
    name: 'a consumer of webhooks',
    greeting: HTTP,
    waits: true,
    filler: 'x',
    call: (port) =>
      createWebhookSender({ clock: systemClock, allowed: [`127.0.0.1:${port}`] }).send({
        id: 'event-1',
        url: `http://127.0.0.1:${port}/hook`,
        body: '{}',
        secrets: [`whsec_${Buffer.from('0123456789abcdef01234567').toString('base64')}`],
      }),
    // Its status was read before, and nothing of its body counts.
    outcome: expect.objectContaining({ statusCode: 200 }),
  },
  {
    name: 'a device',
    greeting: HTTP,
    waits: true,
    filler: 'x',
    call: (port) =>
      refused(
        createHttpAmenities(
          { hosts: [`127.0.0.1:${port}`], signingSecret: 'a secret that the building knows as well' },
          systemClock,
        ).activate(
          {
            key: 'key-1',
            device: `http://127.0.0.1:${port}/door`,
            propertyId: 'property-1',
            reservationId: 'reservation-1',
            from: '2031-02-01T10:00:00Z',
            until: '2031-02-03T10:00:00Z',
          },
          new AbortController().signal,
        ),
      ),
    outcome: 'refused',
  },
];

describe.each(CASES)('X8: $name', ({ greeting, waits, filler, call, outcome }) => {
  it('that never ends is not read to the end', async () => {
    const peer = await endlessPeer(greeting, waits, filler);
    expect(await call(peer.port)).toEqual(outcome);
    expect(peer.taken()).toBeGreaterThan(0);
    expect(peer.taken()).toBeLessThan(MOST_BYTES);
    sockets.clear();
  }, 20_000);
});

describe('X8: a body that comes to a stop', () => {
  it('is given up with the patience of its caller, whatever came before', async () => {
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('data', () => socket.write(HTTP));
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const asked = { gatewayId: 'stripe', reference: 'pm_1' };
    expect(await refused(stripe(port).cardOf(asked, AbortSignal.timeout(200)))).toBe('refused');
    sockets.clear();
  });
});
