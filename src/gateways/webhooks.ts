import { lookup as resolveName } from 'node:dns/promises';
import { request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { Webhook } from 'standardwebhooks';
import type { WebhookOutcome, WebhookRequest, WebhookSender } from '../domain/ports.ts';
import type { Clock } from '../kernel/clock.ts';
import { traceHeaders } from '../kernel/telemetry/tracing.ts';
import { VERSION } from '../kernel/version.ts';

/**
 * Standard Webhooks over HTTPS to addresses that customers name. An address is looked at when it is given and again at
 * every call: a name is resolved once, what comes of it must be public, and the connection goes to exactly that, so a
 * name that answers differently a moment later changes nothing (security.md X7).
 */
export interface WebhookSenderOptions {
  readonly clock: Clock;
  /** `host:port` that may be called whatever they are, also without TLS: for tests and consumers next door. */
  readonly allowed: readonly string[];
  /** All addresses of a name. Only tests give one. */
  readonly resolve?: (hostname: string) => Promise<readonly string[]>;
}

const TIMEOUT_MS = 15_000;
/** The body of a consumer's answer is not used; reading a little of it lets the connection end in order. */
const ANSWER_BYTES = 4_096;

class Refused extends Error {
  override readonly name = 'Refused';
}

export function createWebhookSender({ clock, allowed, resolve = resolveAll }: WebhookSenderOptions): WebhookSender {
  /** The address, and what to connect to; throws `Refused`. */
  async function vet(text: string): Promise<{ readonly url: URL; readonly address: string }> {
    const url = URL.canParse(text) ? new URL(text) : null;
    if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) throw new Refused('NOT_HTTPS');
    if (url.username !== '' || url.password !== '') throw new Refused('HAS_CREDENTIALS');
    const isAllowed = allowed.includes(`${url.hostname}:${url.port || (url.protocol === 'https:' ? '443' : '80')}`);
    if (url.protocol === 'http:' && !isAllowed) throw new Refused('NOT_HTTPS');
    const hostname = url.hostname.replace(/^\[|\]$/g, '');
    const addresses = ipaddr.isValid(hostname) ? [hostname] : await resolve(hostname);
    const [address] = addresses;
    if (address === undefined) throw new Refused('NAME_UNKNOWN');
    if (!isAllowed && !addresses.every(isPublic)) throw new Refused('ADDRESS_NOT_PUBLIC');
    return { url, address };
  }

  return {
    async refusalOf(url) {
      try {
        await vet(url);
        return null;
      } catch (error) {
        return reasonOf(error);
      }
    },
    async send(request) {
      const began = performance.now();
      const outcome = await attempt(request).catch((error: unknown) => ({ statusCode: null, reason: reasonOf(error) }));
      const taken = outcome.statusCode !== null && outcome.statusCode >= 200 && outcome.statusCode < 300;
      return { taken, ...outcome, ms: Math.round(performance.now() - began) };
    },
  };

  async function attempt(request: WebhookRequest): Promise<Pick<WebhookOutcome, 'statusCode' | 'reason'>> {
    const { url, address } = await vet(request.url);
    const statusCode = await post(url, address, request.body, headersOf(request, clock.now()));
    const isRedirect = statusCode >= 300 && statusCode < 400;
    return { statusCode, reason: isRedirect ? 'REDIRECT' : null };
  }
}

function headersOf({ id, body, secrets }: WebhookRequest, at: Date): Readonly<Record<string, string>> {
  return {
    'content-type': 'application/json',
    'user-agent': `Roomy-Webhooks/${VERSION}`,
    ...traceHeaders(),
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' '),
  };
}

/** Resolves with the status. The name is in the request and in the certificate; the connection goes to `address`. */
function post(url: URL, address: string, body: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const family = ipaddr.parse(address).kind() === 'ipv6' ? 6 : 4;
  const lookup: LookupFunction = (_hostname, options, done) => {
    if (options.all) done(null, [{ address, family }]);
    else done(null, address, family);
  };
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? overHttps : overHttp)(url, {
      method: 'POST',
      agent: false,
      lookup,
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const status = response.statusCode ?? 0;
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES) response.destroy();
      });
      response.on('error', () => resolve(status));
      response.on('close', () => resolve(status));
    });
    request.end(body);
  });
}

const resolveAll = async (hostname: string): Promise<readonly string[]> =>
  (await resolveName(hostname, { all: true, verbatim: true })).map(({ address }) => address);

/** Of the internet at large: not this machine, a private network, a link, a carrier's own, nor a group. */
function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  // An IPv4 address in IPv6 clothes is looked at as what it is.
  const parsed = ipaddr.process(address);
  // Of IPv6 only what is handed out: 2000::/3.
  const isHandedOut = parsed.kind() === 'ipv4' || parsed.match(ipaddr.IPv6.parse('2000::'), 3);
  return isHandedOut && parsed.range() === 'unicast';
}

function reasonOf(error: unknown): string {
  if (error instanceof Refused) return error.message;
  if (!(error instanceof Error)) return 'FAILED';
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'TIMEOUT';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'FAILED';
  return code === 'ENOTFOUND' || code === 'EAI_AGAIN' ? 'NAME_UNKNOWN' : code;
}
