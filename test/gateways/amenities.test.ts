import { createHmac, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ActivateRequest } from '../../src/domain/ports.ts';
import { createHttpAmenities } from '../../src/gateways/amenities/http.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { RoomyError } from '../../src/kernel/errors.ts';

/** The adapter for devices that speak HTTP, against a building that checks what it is sent. */

const SECRET = 'a secret that the building knows as well';
const never = new AbortController().signal;

interface Building {
  readonly grants: Map<string, { id: string; body: Record<string, string>; active: boolean }>;
  readonly requests: { method: string; path: string; key: string | undefined }[];
  /** It knows the key, and answers as the first time. */
  keepsTimes: boolean;
  saysUntil: boolean;
  /** Its answer instead of doing its work. */
  fault: { status: number; text?: string; headers?: Record<string, string> } | 'silent' | 'cut' | null;
}
const building: Building = { grants: new Map(), requests: [], fault: null, keepsTimes: false, saysUntil: false };
let server: Server;
let host: string;

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const { method = '', url = '', headers } = request;
    const signed = `${headers['roomy-timestamp']}.${method}.${url}.${body}`;
    const right = `v1=${createHmac('sha256', SECRET).update(signed).digest('hex')}`;
    const age = Math.abs(Date.now() / 1000 - Number(headers['roomy-timestamp']));
    const answer = (status: number, content: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(content));
    };
    if (headers['roomy-signature'] !== right || age > 300) return answer(401, {});
    building.requests.push({ method, path: url, key: headers['idempotency-key'] as string | undefined });
    if (building.fault === 'silent') return;
    if (building.fault === 'cut') return void request.socket.destroy();
    if (building.fault !== null) {
      response.writeHead(building.fault.status, building.fault.headers);
      return void response.end(building.fault.text ?? '{}');
    }
    const key = decodeURIComponent(url.split('/').at(-1) ?? '');
    if (method === 'GET') {
      const grants = [...building.grants].map(([activationKey, grant]) => {
        const { reservationId, from, until } = grant.body;
        return { id: grant.id, activationKey, active: grant.active, reservationId, from, until };
      });
      return answer(200, { grants });
    }
    const known = building.grants.get(key);
    if (method === 'DELETE') {
      if (known) known.active = false;
      return known ? answer(200, { outcome: 'deactivated' }) : answer(404, {});
    }
    if (known && !known.active) return answer(409, {});
    if (known && key !== headers['idempotency-key'] && !building.keepsTimes) known.body = JSON.parse(body);
    const grant = known ?? { id: randomUUID(), body: JSON.parse(body) as Record<string, string>, active: true };
    building.grants.set(key, grant);
    const until = building.saysUntil ? { until: grant.body['until'] } : {};
    return answer(200, { id: grant.id, accessCode: '4711', ...until });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  building.grants.clear();
  building.requests.length = 0;
  Object.assign(building, { fault: null, keepsTimes: false, saysUntil: false });
});

const adapter = (settings: { hosts?: string[]; signingSecret?: string | null } = {}) =>
  createHttpAmenities({ hosts: [host], signingSecret: SECRET, ...settings }, systemClock);
const device = (): string => `http://${host}/devices/12/`;
const request = (changes: Partial<ActivateRequest> = {}): ActivateRequest => ({
  key: 'saga-1-5-F',
  device: device(),
  propertyId: 'property-1',
  reservationId: 'reservation-1',
  from: '2026-03-01T12:00:00.000Z',
  until: '2026-03-03T08:00:00.000Z',
  ...changes,
});
const off = () => ({
  key: 'saga-1-5-C',
  device: device(),
  propertyId: 'property-1',
  reservationId: 'reservation-1',
  activationKey: 'saga-1-5-F',
});
const failure = async (work: Promise<unknown>): Promise<RoomyError> => {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof RoomyError)) throw new Error('was to fail');
  return error;
};

describe('a building that speaks HTTP', () => {
  it('switches on and off what is signed, under its key', async () => {
    const first = await adapter().activate(request(), never);
    expect(first.accessCode).toBe('4711');
    expect(await adapter().activate(request(), never)).toEqual(first);
    expect(await adapter().grantsOf(device(), never)).toMatchObject([
      { providerId: first.providerId, activationKey: 'saga-1-5-F', reservationId: 'reservation-1', active: true },
    ]);
    expect(await adapter().deactivate(off(), never)).toEqual({ outcome: 'deactivated' });
    expect(building.requests).toEqual([
      { method: 'PUT', path: '/devices/12/grants/saga-1-5-F', key: 'saga-1-5-F' },
      { method: 'PUT', path: '/devices/12/grants/saga-1-5-F', key: 'saga-1-5-F' },
      { method: 'GET', path: '/devices/12/grants', key: undefined },
      { method: 'DELETE', path: '/devices/12/grants/saga-1-5-F', key: 'saga-1-5-C' },
    ]);
  });

  describe('that is asked for another time', () => {
    const later = () => ({
      ...request({ key: 'saga-2-2-F', until: '2026-03-03T10:00:00.000Z' }),
      activationKey: 'saga-1-5-F',
    });
    const untils = async () => (await adapter().grantsOf(device(), never)).map(({ until }) => until);

    it.each([true, false])('keeps its code and serves until then (it says so at once: %s)', async (saysUntil) => {
      building.saysUntil = saysUntil;
      const first = await adapter().activate(request(), never);
      await adapter().changePeriod(later(), never);
      await adapter().changePeriod(later(), never);
      expect(await untils()).toEqual([later().until]);
      expect(building.grants.size).toBe(1);
      expect(building.requests.filter(({ method }) => method === 'PUT').slice(1)).toEqual([
        { method: 'PUT', path: '/devices/12/grants/saga-1-5-F', key: 'saga-2-2-F' },
        { method: 'PUT', path: '/devices/12/grants/saga-1-5-F', key: 'saga-2-2-F' },
      ]);
      expect(await adapter().activate(request(), never)).toEqual(first);
    });

    it.each([true, false])(
      'is not believed when it has kept the time that it had (it says so: %s)',
      async (saysUntil) => {
        Object.assign(building, { saysUntil, keepsTimes: true });
        await adapter().activate(request(), never);
        const error = await failure(adapter().changePeriod(later(), never));
        expect(error).toMatchObject({ code: 'AMENITIES_REFUSED', details: { amenityError: 'TIME_NOT_CHANGED' } });
        expect(await untils()).toEqual([request().until]);
      },
    );

    it('says no when it has taken the grant back, or does not know it', async () => {
      await adapter().activate(request(), never);
      await adapter().deactivate(off(), never);
      expect(await failure(adapter().changePeriod(later(), never))).toMatchObject({ code: 'AMENITIES_REFUSED' });
      building.fault = { status: 404 };
      expect(await failure(adapter().changePeriod(later(), never))).toMatchObject({
        details: { amenityError: 'HTTP_404' },
      });
    });
  });

  it('has nothing to take back where it knows nothing', async () => {
    expect(await adapter().deactivate(off(), never)).toEqual({ outcome: 'nothing' });
    building.fault = { status: 404 };
    expect(await adapter().grantsOf(device(), never)).toEqual([]);
    expect(await failure(adapter().activate(request(), never))).toMatchObject({ code: 'AMENITIES_REFUSED' });
  });

  it.each([400, 401, 403, 409, 422])('says no with %i', async (status) => {
    building.fault = { status };
    const error = await failure(adapter().activate(request(), never));
    expect(error).toMatchObject({
      code: 'AMENITIES_REFUSED',
      unsent: true,
      details: { amenityError: `HTTP_${status}` },
    });
  });

  it.each([408, 429, 500, 503])('cannot now with %i, and may have acted', async (status) => {
    building.fault = { status };
    const error = await failure(adapter().activate(request(), never));
    expect(error).toMatchObject({ code: 'AMENITIES_UNAVAILABLE', unsent: false });
  });

  it.each([
    ['no JSON', 'yes', 'MALFORMED_REPLY'],
    ['no id', '{}', 'MALFORMED_REPLY'],
    ['too much', JSON.stringify({ id: 'x'.repeat(70_000) }), 'REPLY_TOO_LONG'],
  ])('X8: is not believed when it answers %s', async (_what, text, amenityError) => {
    building.fault = { status: 200, text };
    expect(await failure(adapter().activate(request(), never))).toMatchObject({ details: { amenityError } });
  });

  it('X8: is not followed elsewhere', async () => {
    building.fault = { status: 302, headers: { location: `http://${host}/elsewhere` } };
    expect(await failure(adapter().activate(request(), never))).toMatchObject({ code: 'AMENITIES_UNAVAILABLE' });
    expect(building.requests).toHaveLength(1);
  });

  it('X8: is given up when it is silent, and may have acted', async () => {
    building.fault = 'silent';
    const error = await failure(adapter().activate(request(), AbortSignal.timeout(50)));
    expect(error).toMatchObject({ code: 'STEP_TIMEOUT', unsent: false });
  });

  it('may have acted when it hangs up', async () => {
    building.fault = 'cut';
    const error = await failure(adapter().activate(request(), never));
    expect(error).toMatchObject({ details: { amenityError: 'CONNECTION_LOST' }, unsent: false });
  });

  it('has certainly not acted when nobody listens', async () => {
    const dead = createServer();
    await new Promise<void>((listening) => dead.listen(0, '127.0.0.1', listening));
    const gone = `127.0.0.1:${(dead.address() as AddressInfo).port}`;
    await new Promise((closed) => dead.close(closed));
    const asked = adapter({ hosts: [gone] }).activate(request({ device: `http://${gone}/d` }), never);
    expect(await failure(asked)).toMatchObject({ details: { amenityError: 'UNREACHABLE' }, unsent: true });
  });
});

describe('an address that somebody entered', () => {
  it.each([
    ['of a host that is not ours to call', 'https://169.254.169.254/latest', 'HOST_NOT_ALLOWED'],
    ['without encryption', 'http://building.example/d', 'NOT_HTTPS'],
    ['with a password', 'https://a:b@building.example/d', 'ADDRESS_INVALID'],
    ['with a query', 'https://building.example/d?x=1', 'ADDRESS_INVALID'],
    ['that is none', 'https://', 'HOST_NOT_ALLOWED'],
  ])('H7: %s is not called', async (_what, address, amenityError) => {
    const asked = adapter({ hosts: ['building.example'] }).activate(request({ device: address }), never);
    expect(await failure(asked)).toMatchObject({ code: 'AMENITIES_REFUSED', details: { amenityError }, unsent: true });
  });

  it('is not called unsigned', async () => {
    const asked = adapter({ signingSecret: null }).activate(request(), never);
    expect(await failure(asked)).toMatchObject({ details: { amenityError: 'NO_SIGNING_SECRET' } });
    expect(building.requests).toEqual([]);
  });
});
