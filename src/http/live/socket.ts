import { IncomingMessage } from 'node:http';
import { upgradeWebSocket } from '@hono/node-server';
import { WebSocket } from 'ws';
import { RoomyError } from '../../kernel/errors.ts';
import type { AnyContext, Services } from '../context.ts';
import { eventShown } from '../masks.ts';
import { tell, type Wanted } from './tell.ts';

/** The same as messages of a WebSocket, each with the fields that a server-sent event has. Nothing is read from the client. */

/** Whether the request asks for one, and came by a connection that can become one. */
export const asksForSocket = (c: AnyContext): boolean =>
  c.req.header('upgrade')?.toLowerCase() === 'websocket' && connectionOf(c) !== null;

function connectionOf(c: AnyContext): IncomingMessage | null {
  const env: unknown = c.env;
  const isUpgrade = typeof env === 'object' && env !== null && 'wss' in env && 'incoming' in env;
  return isUpgrade && env.incoming instanceof IncomingMessage ? env.incoming : null;
}

/**
 * Browsers open WebSockets to any server, whatever it says about origins: a page of somebody else is refused here. Throws
 * `FORBIDDEN`.
 */
export function assertOwnOrigin(c: AnyContext, { publicUrl, corsOrigins = [] }: Services): void {
  const origin = c.req.header('origin');
  if (origin === undefined || [new URL(publicUrl).origin, ...corsOrigins].includes(origin)) return;
  throw new RoomyError('FORBIDDEN', { text: 'Pages of this origin may not listen here' });
}

/** As RFC 6455 names them. */
const GOING_AWAY = 1001;
const TRY_AGAIN = 1013;
/** So long the other side may take to say goodbye. */
const GOODBYE_MS = 1_000;

/** As RFC 6455 4.2.1 wants it; what is not so would be refused outside of the answers of the API. Throws `MALFORMED_REQUEST`. */
export function assertHandshake(c: AnyContext): void {
  const isKey = /^[+/0-9A-Za-z]{22}==$/.test(c.req.header('sec-websocket-key') ?? '');
  if (isKey && c.req.header('sec-websocket-version') === '13') return;
  throw new RoomyError('MALFORMED_REQUEST', {
    text: 'A WebSocket needs Sec-WebSocket-Version 13 and a Sec-WebSocket-Key of 16 bytes in base64',
  });
}

/** `release`: gives the place back, once nobody listens any more. */
export async function answerSocket(
  c: AnyContext,
  services: Services,
  wanted: Wanted,
  release: () => void,
): Promise<Response> {
  const ended = new AbortController();
  const end = (): void => {
    ended.abort();
    release();
    services.closing?.removeEventListener('abort', end);
  };
  // Also where the handshake comes to nothing.
  connectionOf(c)?.socket.once('close', end);
  services.closing?.addEventListener('abort', end, { once: true });
  // It may have been closed already, which nobody is told again.
  if (services.closing?.aborted === true || connectionOf(c)?.socket.destroyed !== false) end();
  const upgrade = upgradeWebSocket(() => ({
    onOpen: (_opened, { raw }) => {
      if (raw instanceof WebSocket) void serve(c, raw, services, wanted, ended.signal).finally(end);
    },
  }));
  const answer = await upgrade(c, async () => undefined);
  return answer instanceof Response ? answer : c.body(null, 400);
}

async function serve(c: AnyContext, socket: WebSocket, services: Services, wanted: Wanted, signal: AbortSignal) {
  const send = (message: object): Promise<void> => sent((done) => socket.send(JSON.stringify(message), done));
  const sink = {
    event: (event: Parameters<typeof eventShown>[1]) =>
      send({ id: String(event.seq), event: event.type, data: eventShown(c, event) }),
    step: (data: object) => send({ event: 'step', data }),
    place: (seq: number) => send({ id: String(seq), event: 'place', data: null }),
  };
  let code = GOING_AWAY;
  try {
    await tell(services, wanted, sink, signal);
  } catch (error) {
    services.log.warn({ err: error }, 'a stream of events ended early');
    code = TRY_AGAIN;
  }
  socket.close(code);
  setTimeout(() => socket.terminate(), GOODBYE_MS).unref();
}

/** Resolves when the bytes have left. */
const sent = (send: (done: (error?: Error | null) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => send((error) => (error ? reject(error) : resolve())));
