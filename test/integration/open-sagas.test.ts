import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RoomyError } from '../../src/kernel/errors.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/rate-limits.ts';
import { confirmReservation } from '../../src/sagas/index.ts';
import { API, startHttp } from '../http/harness.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { createTestbed, type Testbed, type TestProcess } from '../setup/engine.ts';
import { startLimits } from '../setup/limits.ts';

/** security.md Q5: how many sagas of one caller may be open at a time. Postgres counts, when it accepts one. */

const MAX_OPEN = 50;
let bed: Testbed;
let process: TestProcess;
beforeAll(async () => {
  bed = await createTestbed([confirmReservation]);
  await prepareStays(bed.db);
  process = await bed.start({ prefix: bed.newPrefix(), works: false, relay: false });
}, 60_000);
afterAll(() => bed?.drop(), 60_000);

const ask = async (sub: string, options: { maxOpen?: number; key?: string; stay?: string } = {}) => {
  const { key, stay = await seedStay(bed.db), maxOpen } = options;
  return process.engine.orchestrator
    .accept(confirmReservation, {
      subjectId: stay,
      input: { reservationId: stay, requireAssignment: false },
      requester: { sub, requestId: null, ...(maxOpen === undefined ? {} : { maxOpen }) },
      idempotency: key === undefined ? null : { key, requestHash: Buffer.alloc(32) },
    })
    .then(
      ({ sagaId }) => sagaId,
      (error: unknown) => (error instanceof RoomyError ? error.code : String(error)),
    );
};
const tally = (outcomes: readonly string[]) => ({
  accepted: outcomes.filter((outcome) => outcome.startsWith('saga-')).length,
  refused: outcomes.filter((outcome) => outcome === 'TOO_MANY_OPEN').length,
});
const openOf = async (sub: string): Promise<number> =>
  (
    await bed.db
      .selectFrom('saga')
      .select('id')
      .where('requested_by', '=', sub)
      .where('finished_at', 'is', null)
      .execute()
  ).length;

describe('a caller', () => {
  it('Q5: has fifty sagas open, however many are asked for at once; the others leave nothing behind', async () => {
    const stays = await Promise.all(Array.from({ length: 70 }, () => seedStay(bed.db)));
    const keys = stays.map(() => randomUUID());
    const outcomes = await Promise.all(
      stays.map((stay, n) => ask('flood', { maxOpen: MAX_OPEN, stay, key: keys[n] ?? '' })),
    );
    expect(tally(outcomes)).toEqual({ accepted: MAX_OPEN, refused: 20 });
    expect(await openOf('flood')).toBe(MAX_OPEN);
    const kept = await bed.db.selectFrom('idempotency_key').select('key').where('principal', '=', 'flood').execute();
    expect(kept).toHaveLength(MAX_OPEN);
    // A repeat of one that was accepted is no new one.
    const first = outcomes.findIndex((outcome) => outcome.startsWith('saga-'));
    expect(await ask('flood', { maxOpen: MAX_OPEN, stay: stays[first] ?? '', key: keys[first] ?? '' })).toBe(
      outcomes[first],
    );
    expect(await ask('flood', { maxOpen: MAX_OPEN })).toBe('TOO_MANY_OPEN');
  });

  it('Q5: takes nothing from others, nor from what has a number of its own or none', async () => {
    expect(await ask('modest', { maxOpen: MAX_OPEN })).toMatch(/^saga-/);
    expect(await ask('flood', { maxOpen: MAX_OPEN + 1 })).toMatch(/^saga-/);
    expect(await ask('flood')).toMatch(/^saga-/);
  });

  it('Q5: may ask for another as soon as one has ended', async () => {
    expect(await ask('patient', { maxOpen: 1 })).toMatch(/^saga-/);
    expect(await ask('patient', { maxOpen: 1 })).toBe('TOO_MANY_OPEN');
    const worker = await bed.start({ prefix: process.prefix });
    await expect.poll(() => openOf('patient'), { timeout: 30_000 }).toBe(0);
    await worker.stop();
    expect(await ask('patient', { maxOpen: 1 })).toMatch(/^saga-/);
  });
});

it('Q5: a person has fifty, a program a thousand, and who is over is told so', async () => {
  const limits = await startLimits(DEFAULT_LIMITS);
  const http = await startHttp({ limits });
  const confirm = (as: 'ADMIN' | { scope: string }) => http.call('POST', `${API}/reservations/stay-1/confirm`, { as });
  await confirm('ADMIN');
  await confirm({ scope: 'reservations:confirm' });
  expect(http.orchestrator.accepts.map(({ request }) => request)).toMatchObject([
    { requester: { maxOpen: 50 } },
    { requester: { maxOpen: 1_000 } },
  ]);
  http.orchestrator.refusal = new RoomyError('TOO_MANY_OPEN', { details: { maxOpen: 50 } });
  const refused = await confirm('ADMIN');
  expect([refused.status, refused.body.code]).toEqual([429, 'TOO_MANY_OPEN']);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  await http.stop();
  await limits.limiter.close();
});
