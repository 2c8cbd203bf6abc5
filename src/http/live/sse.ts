import { ServerResponse } from 'node:http';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import type { AnyContext, Services } from '../context.ts';
import { eventShown } from '../masks.ts';
import { TooSlow, tell, type Wanted } from './tell.ts';

/** Server-sent events. */

/** Runs `serve` until nobody listens any more. `release`: gives the place back then. */
export function answerStream(
  c: AnyContext,
  { closing, log }: Pick<Services, 'closing' | 'log'>,
  release: () => void,
  serve: (sse: SSEStreamingApi, signal: AbortSignal) => Promise<void>,
): Response {
  c.header('X-Accel-Buffering', 'no');
  const answer = streamSSE(c, async (sse) => {
    const gone = c.req.raw.signal;
    const ended = new AbortController();
    // The place is free as soon as nobody listens, whatever is waited for below.
    const end = (): void => {
      ended.abort();
      release();
    };
    sse.onAbort(end);
    for (const signal of [gone, closing]) {
      signal?.addEventListener('abort', end, { once: true });
      if (signal?.aborted === true) end();
    }
    try {
      await serve(sse, ended.signal);
    } catch (error) {
      // The client comes again with its position, and is refused then if that is wrong.
      log.warn({ err: error }, 'a stream of events ended early');
      if (error instanceof TooSlow) cut(c);
    } finally {
      end();
      for (const signal of [gone, closing]) signal?.removeEventListener('abort', end);
    }
  });
  // The framework says `no-cache`, which lets a cache keep it.
  answer.headers.set('Cache-Control', 'no-store');
  // It speaks for the connection as well, which is the server's matter: kept alive against the client's word, or behind a body that
  // nobody has read, it would take what follows for another request.
  for (const name of ['Connection', 'Transfer-Encoding']) answer.headers.delete(name);
  return answer;
}

/** The feed, and steps where they are wanted. */
export const answerEvents = (c: AnyContext, services: Services, wanted: Wanted, release: () => void): Response =>
  answerStream(c, services, release, (sse, signal) => {
    const sink = {
      event: (event: Parameters<typeof eventShown>[1]) =>
        sse.writeSSE({ id: String(event.seq), event: event.type, data: JSON.stringify(eventShown(c, event)) }),
      // Without an id: a client that comes again says how far it was in the feed.
      step: (step: object) => sse.writeSSE({ event: 'step', data: JSON.stringify(step) }),
      // Without data it is no event: clients only keep the id.
      place: (seq: number) => sse.write(`id:${seq}\n\n`),
    };
    return tell(services, wanted, sink, signal);
  });

/** Nothing more can be written to a client that does not read, not even the end. */
function cut(c: AnyContext): void {
  const env: unknown = c.env;
  if (typeof env === 'object' && env !== null && 'outgoing' in env && env.outgoing instanceof ServerResponse)
    env.outgoing.destroy();
}
