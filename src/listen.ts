import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import {
  createAdaptorServer,
  getRequestListener,
  RequestError,
  type ServerType,
  type WebSocketServerLike,
} from '@hono/node-server';
import { WebSocketServer } from 'ws';
import { type Config, ConfigError } from './config.ts';
import { answerBroken, bytesForBroken } from './http/broken-requests.ts';

/** How long a client may take, in milliseconds. */
export interface ServerLimits {
  readonly headersTimeoutMs: number;
  /** Until the last byte of the body. */
  readonly requestTimeoutMs: number;
  /** How often both are looked at. */
  readonly checkMs: number;
}
const LIMITS: ServerLimits = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  checkMs: 2_000,
};
const MAX_HEADER_BYTES = 16_384;
/** Of what a client says over a WebSocket: nothing is asked of it there. */
const MAX_MESSAGE_BYTES = 1_024;

/** Listens with limits on everything that a client can draw out. Rejects with `ConfigError` when the port is taken. */
export function listen(
  name: string,
  { host, port, keepAliveMs }: Config['http'],
  fetch: Parameters<typeof getRequestListener>[0],
  limits: ServerLimits = LIMITS,
): Promise<ServerType> {
  return new Promise((resolve, reject) => {
    const answer = getRequestListener(fetch, {
      // It would read up to 64 MiB of a body that was refused.
      autoCleanupIncoming: false,
      errorHandler: (error) => answerBroken(error instanceof RequestError ? 'MALFORMED_REQUEST' : 'INTERNAL_ERROR'),
    });
    const options: ServerOptions = {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      // The side that closes first may cut off a request of the other: that side has to be the proxy.
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: limits.checkMs,
      maxHeaderSize: MAX_HEADER_BYTES,
      // Node's own refusal has no body; the listener refuses it as well.
      requireHostHeader: false,
      // A request to upgrade to anything but a WebSocket is answered as plain HTTP.
      shouldUpgradeCallback: ({ method, headers, headersDistinct, socket }) => {
        const upgrades = method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
        // Two of them are refused, which a handshake would not see: it knows the first alone.
        if (!upgrades || (headersDistinct['authorization']?.length ?? 0) > 1) return false;
        // What was refused is only ended, and Node's limits are over by then: who does not close would keep the socket for ever.
        socket.once('finish', () => setTimeout(() => socket.destroy(), LINGER_MS).unref());
        return true;
      },
    };
    const server = createServer(options, answer);
    // It hears upgrades on a server that it is given, and nothing else of it: requests have the listener above.
    const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
    createAdaptorServer({
      fetch,
      createServer: () => server,
      // Its published types say less than it takes, of optional parameters.
      websocket: { server: sockets as unknown as WebSocketServerLike },
    });
    // An expectation that nobody here knows is no reason to refuse (RFC 9110 10.1.1).
    server.on('checkExpectation', (request, response) => server.emit('request', request, response));
    cutUnread(server);
    answerUnreadable(server);
    server.listen(port, host, () => resolve(server));
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new ConfigError(
              `${name} ${port} is already in use: stop what listens there, or set ${name} to another port`,
            )
          : error,
      );
    });
  });
}

/**
 * What Node cannot read, or does not wait for any longer, gets an answer of ours instead of a bare status line. Where an answer
 * is under way already, nothing can be put behind it.
 */
function answerUnreadable(server: Server): void {
  const answers = new WeakMap<Socket, ServerResponse>();
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    answers.set(socket, response);
    response.once('close', () => answers.delete(socket));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (!socket.writable || error.code === 'ECONNRESET' || answers.get(socket)?.headersSent === true) {
      socket.destroy();
      return;
    }
    socket.end(bytesForBroken(error.code ?? ''));
    socket.pause();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  });
}

/** So long a client whose body was not read may take to read its answer. */
const LINGER_MS = 500;

/**
 * A body that is refused, or that its route does not take, is not read to its end: the connection is cut after the
 * answer. Kept alive, it would be read for as long as the client sends. It is cut a moment later, with nothing more being
 * read: a client that is still sending would notice the cut first, and never see the answer.
 */
function cutUnread(server: Server): void {
  // Before the app's own listener, which may answer at once.
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
    if (encoding === undefined && (length === undefined || length === '0')) return;
    const { socket } = request;
    const mayKeep = response.shouldKeepAlive;
    response.shouldKeepAlive = false;
    request.once('end', () => {
      response.shouldKeepAlive = mayKeep;
    });
    // Before Node's own listener, which reads on and destroys the socket.
    response.prependOnceListener('finish', () => {
      if (request.complete) return;
      socket.destroySoon = () => {
        socket.end();
        // Node's reading on has begun by then; it would go on for as long as the client sends.
        setImmediate(() => socket.pause());
        setTimeout(() => socket.destroy(), LINGER_MS).unref();
      };
    });
  });
}

/**
 * Lets requests under way finish, and closes connections that only wait. A client that always has a next request for
 * its connection would keep the server open, so it is asked to close it.
 */
export function closeServer(server: ServerType): Promise<void> {
  server.prependListener('request', (_request: unknown, response: ServerResponse) => {
    response.setHeader('Connection', 'close');
  });
  return new Promise((resolve) => {
    server.close(() => resolve());
    if ('closeIdleConnections' in server) server.closeIdleConnections();
  });
}
