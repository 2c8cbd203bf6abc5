import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type {
  ActivateRequest,
  Activation,
  Amenities,
  ChangePeriodRequest,
  DeactivateRequest,
  DeviceGrant,
} from '../../domain/ports.ts';
import { readBounded } from '../../kernel/bounded.ts';
import type { Clock } from '../../kernel/clock.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { traceHeaders } from '../../kernel/telemetry/tracing.ts';

/**
 * Smart locks and buildings that speak HTTP. A device is named by an address, `https://building.example/devices/12`:
 *
 * - `PUT <device>/grants/<activationKey>` with `{propertyId, reservationId, from, until}` answers `{id, accessCode?}`;
 *   the same key again answers the same. Under another `Idempotency-Key` it changes from and until when the grant serves,
 *   and nothing else: the code stays. The answer may have `until`, as the device keeps it;
 * - `DELETE <device>/grants/<activationKey>` takes back what came of the key, and whatever comes under it later; 404
 *   when it is not known;
 * - `GET <device>/grants` answers `{grants: [{id, reservationId, activationKey, from, until, active}]}`, never a code.
 *
 * Every request has an `Idempotency-Key`, and is signed: `Roomy-Signature: v1=<hex>` is the HMAC-SHA256, under the
 * shared secret, of `<Roomy-Timestamp>.<METHOD>.<path>.<body>`; the timestamp is in seconds.
 */
export interface AmenitySettings {
  /** Only these are called, `host` or `host:port`: the address of a device is data that people enter. */
  readonly hosts: readonly string[];
  /** Null: nothing can be signed, so nothing is sent. */
  readonly signingSecret: string | null;
}

const REPLY_BYTES = 64 * 1024;
const MAX_GRANTS = 100;
const LOCAL: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);
/** The request did not get as far as the device. */
const UNSENT: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

const Granted = z.object({
  id: z.string().min(1).max(200),
  accessCode: z.string().min(1).max(64).nullish(),
  until: z.string().nullish(),
});
const Grants = z.object({
  grants: z
    .array(
      z.object({
        id: z.string(),
        reservationId: z.string(),
        activationKey: z.string(),
        from: z.string(),
        until: z.string(),
        active: z.boolean(),
      }),
    )
    .max(MAX_GRANTS),
});

export const isHttpDevice = (device: string): boolean => /^https?:\/\//i.test(device);

export function createHttpAmenities({ hosts, signingSecret }: AmenitySettings, clock: Clock): Amenities {
  /** The answer's text and status; a device that does not know what it is asked about answers 404. */
  async function exchange(
    method: 'PUT' | 'DELETE' | 'GET',
    address: URL,
    key: string | null,
    body: object | null,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly text: string }> {
    if (signingSecret === null) throw refused('NO_SIGNING_SECRET');
    const content = body === null ? '' : JSON.stringify(body);
    const timestamp = String(Math.floor(clock.now().getTime() / 1000));
    const signed = `${timestamp}.${method}.${address.pathname}.${content}`;
    const response = await fetch(address, {
      method,
      redirect: 'error',
      signal,
      headers: {
        ...traceHeaders(),
        accept: 'application/json',
        ...(key === null ? {} : { 'idempotency-key': key }),
        ...(body === null ? {} : { 'content-type': 'application/json' }),
        'roomy-timestamp': timestamp,
        'roomy-signature': `v1=${createHmac('sha256', signingSecret).update(signed).digest('hex')}`,
      },
      ...(body === null ? {} : { body: content }),
    }).catch((error: unknown) => {
      throw failureOf(error, signal);
    });
    const text = await replyOf(response, signal);
    if (response.ok || response.status === 404) return { status: response.status, text };
    if (response.status >= 500 || response.status === 429 || response.status === 408) {
      throw unavailable(`HTTP_${response.status}`);
    }
    throw refused(`HTTP_${response.status}`);
  }

  function addressOf(device: string, ...parts: readonly string[]): URL {
    const address = URL.canParse(device) ? new URL(device) : null;
    if (!address || !hosts.includes(address.host)) throw refused('HOST_NOT_ALLOWED');
    if (address.protocol !== 'https:' && !LOCAL.has(address.hostname)) throw refused('NOT_HTTPS');
    if (address.username !== '' || address.search !== '' || address.hash !== '') throw refused('ADDRESS_INVALID');
    address.pathname = [address.pathname.replace(/\/+$/, ''), ...parts.map(encodeURIComponent)].join('/');
    return address;
  }

  async function grantsOf(device: string, signal: AbortSignal): Promise<readonly DeviceGrant[]> {
    const { status, text } = await exchange('GET', addressOf(device, 'grants'), null, null, signal);
    if (status === 404) return [];
    return parsed(Grants, text).grants.map(({ id, ...grant }) => ({ providerId: id, ...grant }));
  }

  return {
    async activate({ key, device, ...grant }: ActivateRequest, signal): Promise<Activation> {
      const { status, text } = await exchange('PUT', addressOf(device, 'grants', key), key, grant, signal);
      if (status === 404) throw refused('HTTP_404');
      const { id, accessCode } = parsed(Granted, text);
      return { providerId: id, accessCode: accessCode ?? null };
    },
    async changePeriod({ key, device, activationKey, ...grant }: ChangePeriodRequest, signal) {
      const { status, text } = await exchange('PUT', addressOf(device, 'grants', activationKey), key, grant, signal);
      if (status === 404) throw refused('HTTP_404');
      // A device that knows the key may answer as the first time, and keep the time that it had.
      const kept =
        parsed(Granted, text).until ??
        (await grantsOf(device, signal)).find((one) => one.activationKey === activationKey)?.until;
      if (kept === undefined || Date.parse(kept) !== Date.parse(grant.until)) throw refused('TIME_NOT_CHANGED');
    },
    async deactivate({ key, device, activationKey }: DeactivateRequest, signal) {
      const { status } = await exchange('DELETE', addressOf(device, 'grants', activationKey), key, null, signal);
      return { outcome: status === 404 ? ('nothing' as const) : ('deactivated' as const) };
    },
    grantsOf,
  };
}

function failureOf(error: unknown, signal: AbortSignal): RoomyError {
  if (signal.aborted) return new RoomyError('STEP_TIMEOUT', { cause: error });
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return new RoomyError('AMENITIES_UNAVAILABLE', {
    details: { amenityError: UNSENT.has(code) ? 'UNREACHABLE' : 'CONNECTION_LOST' },
    unsent: UNSENT.has(code),
    cause: error,
  });
}

async function replyOf(response: Response, signal: AbortSignal): Promise<string> {
  try {
    const bytes = await readBounded(response.body, REPLY_BYTES, () => unavailable('REPLY_TOO_LONG'));
    return bytes.toString('utf8');
  } catch (error) {
    throw error instanceof RoomyError ? error : failureOf(error, signal);
  }
}

/** The answer of a device is checked like any input. */
function parsed<T>(schema: z.ZodType<T>, text: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw unavailable('MALFORMED_REPLY');
  }
}

/** It may have acted all the same. */
const unavailable = (amenityError: string): RoomyError =>
  new RoomyError('AMENITIES_UNAVAILABLE', { details: { amenityError } });
const refused = (amenityError: string): RoomyError =>
  new RoomyError('AMENITIES_REFUSED', { details: { amenityError }, unsent: true });
