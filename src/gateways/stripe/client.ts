import Stripe from 'stripe';
import type { z } from 'zod';
import type { Clock } from '../../kernel/clock.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { VERSION } from '../../kernel/version.ts';
import { failureOf, MalformedReply } from './errors.ts';

/** How we speak to Stripe: the official SDK, one try each, bounded in time and size, no redirects (guarantees.md 2.5.4). */

/** Less than the 8 s of a call step, so that Stripe's silence is distinguished from our own slowness. */
const TIMEOUT_MS = 7_000;
/** Lists are the only long answers: a hundred movements with what they are about. */
export const LIST_REPLY_BYTES = 4 * 1024 * 1024;
export const REPLY_BYTES = 64 * 1024;

export interface ClientSettings {
  readonly secretKey: string;
  /** Null: Stripe's own address. Tests give another one. */
  readonly apiUrl: string | null;
  /** Of one request. */
  readonly timeoutMs?: number;
}

export function createClient(
  { secretKey, apiUrl, timeoutMs = TIMEOUT_MS }: ClientSettings,
  maxReplyBytes: number,
): Stripe {
  const address = apiUrl === null ? null : new URL(apiUrl);
  return new Stripe(secretKey, {
    httpClient: Stripe.createFetchHttpClient(boundedFetch(maxReplyBytes)),
    // The saga decides about retries.
    maxNetworkRetries: 0,
    timeout: timeoutMs,
    telemetry: false,
    appInfo: { name: 'roomy-orchestrator', version: VERSION },
    ...(address && {
      protocol: address.protocol === 'http:' ? ('http' as const) : ('https' as const),
      host: address.hostname,
      port: address.port || (address.protocol === 'http:' ? 80 : 443),
    }),
  });
}

const boundedFetch =
  (maxBytes: number): typeof fetch =>
  async (input, init) => {
    const response = await fetch(input, { ...init, redirect: 'error' });
    if (response.body === null) return response;
    let bytes = 0;
    const bounded = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.byteLength;
        if (bytes > maxBytes) controller.error(new Error(`the answer is longer than ${maxBytes} bytes`));
        else controller.enqueue(chunk);
      },
    });
    const { status, headers } = response;
    return new Response(response.body.pipeThrough(bounded), { status, headers });
  };

/** The requests of one attempt. Each throws what `failureOf` says, and `MalformedReply`. */
export interface Exchange {
  read<S extends z.ZodType>(schema: S, ask: (stripe: Stripe) => Promise<unknown>): Promise<z.output<S>>;
  write<S extends z.ZodType>(schema: S, ask: (stripe: Stripe) => Promise<unknown>): Promise<z.output<S>>;
}

/** `signal`: nothing more is sent once it is aborted; what is under way ends by its own timeout. */
export function openExchange(stripe: Stripe, clock: Clock, signal: AbortSignal | null): Exchange {
  let wrote = false;
  async function send<S extends z.ZodType>(
    schema: S,
    ask: (stripe: Stripe) => Promise<unknown>,
    writes: boolean,
  ): Promise<z.output<S>> {
    if (signal?.aborted) throw new RoomyError('STEP_TIMEOUT', { cause: signal.reason, unsent: !wrote });
    let reply: unknown;
    try {
      reply = await ask(stripe);
    } catch (error) {
      throw failureOf(error, { writes, wrote, clock });
    }
    wrote ||= writes;
    const parsed = schema.safeParse(reply);
    if (!parsed.success) throw new MalformedReply(parsed.error);
    return parsed.data;
  }
  return {
    read: (schema, ask) => send(schema, ask, false),
    write: (schema, ask) => send(schema, ask, true),
  };
}
