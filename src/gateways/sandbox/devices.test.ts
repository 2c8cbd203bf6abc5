import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ActivateRequest } from '../../domain/ports.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { createSandboxDevices, type SandboxDevices } from './devices.ts';

const never = new AbortController().signal;
let dir: string;
const open: SandboxDevices[] = [];
/** As another process, or this one after a restart, would open them. */
const openDevices = (): SandboxDevices => {
  const devices = createSandboxDevices({ dir });
  open.push(devices);
  return devices;
};
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'roomy-devices-'));
});
afterEach(async () => {
  for (const devices of open.splice(0)) devices.close();
  await rm(dir, { recursive: true, force: true });
});

const request = (device: string, key = 'key-1'): ActivateRequest => ({
  key,
  device,
  propertyId: 'property-1',
  reservationId: 'reservation-1',
  from: '2026-03-01T12:00:00.000Z',
  until: '2026-03-03T08:00:00.000Z',
});
const off = (device: string, activationKey = 'key-1') => ({
  key: `${activationKey}-C`,
  device,
  propertyId: 'property-1',
  reservationId: 'reservation-1',
  activationKey,
});
const failure = async (work: Promise<unknown>): Promise<RoomyError> => {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof RoomyError)) throw new Error('was to fail');
  return error;
};

describe('a device', () => {
  it('is switched on once, whoever asks how often, and remembers it', async () => {
    const first = await openDevices().activate(request('lock-1'), never);
    expect(first.accessCode).toMatch(/^\d{6}$/);
    expect(await openDevices().activate(request('lock-1'), never)).toEqual(first);
    expect(await openDevices().grantsOf('lock-1', never)).toEqual([
      {
        providerId: first.providerId,
        reservationId: 'reservation-1',
        activationKey: 'key-1',
        from: '2026-03-01T12:00:00.000Z',
        until: '2026-03-03T08:00:00.000Z',
        active: true,
      },
    ]);
  });

  it('is switched off, and stays off for a request that comes late', async () => {
    const devices = openDevices();
    await devices.activate(request('lock-1'), never);
    expect(await devices.deactivate(off('lock-1'), never)).toEqual({ outcome: 'deactivated' });
    expect(await devices.deactivate(off('lock-1'), never)).toEqual({ outcome: 'deactivated' });
    expect(await failure(devices.activate(request('lock-1'), never))).toMatchObject({ code: 'AMENITIES_REFUSED' });
    expect((await devices.grantsOf('lock-1', never)).map((grant) => grant.active)).toEqual([false]);
  });

  it('serves until another time with the same code, and a change that is repeated late undoes no later one', async () => {
    const devices = openDevices();
    const first = await devices.activate(request('lock-1'), never);
    const change = (key: string, until: string) =>
      devices.changePeriod({ ...request('lock-1', key), activationKey: 'key-1', until }, never);
    const untils = async () => (await devices.grantsOf('lock-1', never)).map(({ until }) => until);
    await change('change-1', '2026-03-03T10:00:00.000Z');
    expect(await untils()).toEqual(['2026-03-03T10:00:00.000Z']);
    await change('change-2', '2026-03-03T09:00:00.000Z');
    await change('change-1', '2026-03-03T10:00:00.000Z');
    expect(await untils()).toEqual(['2026-03-03T09:00:00.000Z']);
    expect(await devices.activate(request('lock-1'), never)).toEqual(first);
    expect(await failure(change('change-2', '2026-03-03T11:00:00.000Z'))).toMatchObject({ code: 'STEP_FAILED' });
    await devices.deactivate(off('lock-1'), never);
    expect(await failure(change('change-3', '2026-03-03T12:00:00.000Z'))).toMatchObject({
      code: 'AMENITIES_REFUSED',
      details: { amenityError: 'TAKEN_BACK' },
    });
  });

  it('that was never switched on has nothing to take back, and takes no late request either', async () => {
    const devices = openDevices();
    expect(await devices.deactivate(off('lock-1'), never)).toEqual({ outcome: 'nothing' });
    expect(await failure(devices.activate(request('lock-1'), never))).toMatchObject({
      code: 'AMENITIES_REFUSED',
      details: { amenityError: 'TAKEN_BACK' },
    });
  });

  it('refuses a key that comes back with another body', async () => {
    const devices = openDevices();
    await devices.activate(request('lock-1'), never);
    const other = { ...request('lock-1'), reservationId: 'reservation-2' };
    expect(await failure(devices.activate(other, never))).toMatchObject({ code: 'STEP_FAILED' });
  });
});

describe('a device that misbehaves', () => {
  it.each(['activate', 'deactivate'] as const)('is down for %s', async (what) => {
    const devices = openDevices();
    const asked =
      what === 'activate'
        ? devices.activate(request('device-down-1'), never)
        : devices.deactivate(off('device-down-1'), never);
    expect(await failure(asked)).toMatchObject({ code: 'AMENITIES_UNAVAILABLE', unsent: true });
    expect(await devices.grantsOf('device-down-1', never)).toEqual([]);
  });

  it('refuses for good, and nothing has come of it', async () => {
    const refused = await failure(openDevices().activate(request('device-refused-1'), never));
    expect(refused).toMatchObject({ code: 'AMENITIES_REFUSED', kind: 'refusal', unsent: true });
  });

  it('acts and loses the answer, once a key', async () => {
    const devices = openDevices();
    const device = 'device-timeout-after-1';
    expect(await failure(devices.activate(request(device), never))).toMatchObject({ code: 'STEP_TIMEOUT' });
    expect((await devices.grantsOf(device, never)).map((grant) => grant.active)).toEqual([true]);
    expect(await devices.activate(request(device), never)).toMatchObject({ accessCode: expect.any(String) });
    expect(await failure(devices.deactivate(off(device), never))).toMatchObject({ code: 'STEP_TIMEOUT' });
    expect(await devices.deactivate(off(device), never)).toEqual({ outcome: 'deactivated' });
  });

  it('is an outage while its file is held for long', async () => {
    const devices = openDevices();
    const file = new DatabaseSync(path.join(dir, 'sandbox-devices.db'));
    file.exec('BEGIN IMMEDIATE');
    expect(await failure(devices.activate(request('lock-1'), never))).toMatchObject({
      code: 'AMENITIES_UNAVAILABLE',
      details: { amenityError: 'DEVICE_BUSY' },
    });
    file.exec('ROLLBACK');
    file.close();
  });
});
