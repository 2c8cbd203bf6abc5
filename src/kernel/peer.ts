import type { Context } from 'hono';

/** The address at the other end of a request's connection; undefined where there is no connection, as in tests. */
export function peerOf(c: Context): string | undefined {
  const incoming: unknown = c.env?.incoming;
  const socket = typeof incoming === 'object' && incoming !== null && 'socket' in incoming ? incoming.socket : null;
  const isOpen = typeof socket === 'object' && socket !== null && 'remoteAddress' in socket;
  return isOpen && typeof socket.remoteAddress === 'string' ? socket.remoteAddress : undefined;
}
