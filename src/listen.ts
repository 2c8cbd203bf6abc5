import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { type ServerType, serve } from '@hono/node-server';
import { type Config, ConfigError } from './config.ts';

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

/** Listens with limits on everything that a client can draw out. Rejects with `ConfigError` when the port is taken. */
export function listen(
  name: string,
  { host, port, keepAliveMs }: Config['http'],
  fetch: Parameters<typeof serve>[0]['fetch'],
  limits: ServerLimits = LIMITS,
): Promise<ServerType> {
  return new Promise((resolve, reject) => {
    const server = serve(
      {
        fetch,
        hostname: host,
        port,
        // It would read up to 64 MiB of a body that was refused.
        autoCleanupIncoming: false,
        serverOptions: {
          headersTimeout: limits.headersTimeoutMs,
          requestTimeout: limits.requestTimeoutMs,
          // The side that closes first may cut off a request of the other: that side has to be the proxy.
          keepAliveTimeout: keepAliveMs,
          connectionsCheckingInterval: limits.checkMs,
          maxHeaderSize: MAX_HEADER_BYTES,
        },
      },
      () => resolve(server),
    );
    cutUnread(server as Server);
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
