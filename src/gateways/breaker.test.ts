import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Charge, PaymentGateway } from '../domain/ports.ts';
import { CircuitOpenError, RoomyError } from '../kernel/errors.ts';
import { createLogger } from '../kernel/log.ts';
import { type BreakerSettings, createBreakers, withBreakers } from './breaker.ts';
import { declined, NotYetError } from './failures.ts';

const log = createLogger('test', 'silent');
const never = new AbortController().signal;
const outage = (): RoomyError => new RoomyError('GATEWAY_UNAVAILABLE');
const create = (settings: Partial<BreakerSettings> = {}) => {
  const breakers = createBreakers(log, settings);
  const run = (circuit: string, answer: Error | string): Promise<string> =>
    breakers.run(circuit, never, async () => {
      if (answer instanceof Error) throw answer;
      return answer;
    });
  const failTimes = async (circuit: string, times: number, error: () => Error = outage): Promise<void> => {
    for (let n = 0; n < times; n += 1) await expect(run(circuit, error())).rejects.not.toBeInstanceOf(CircuitOpenError);
  };
  return { breakers, run, failTimes };
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-03-01T12:00:00Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a circuit', () => {
  it('opens at the fifth failure in a row, and says until when', async () => {
    const { breakers, run, failTimes } = create();
    await failTimes('stripe', 4);
    expect(breakers.states().get('stripe')).toBe('closed');
    await failTimes('stripe', 1);
    expect(breakers.states().get('stripe')).toBe('open');
    const error = await run('stripe', 'well').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CircuitOpenError);
    expect(error).toMatchObject({
      code: 'GATEWAY_UNAVAILABLE',
      unsent: true,
      until: new Date('2026-03-01T12:00:02Z'),
      details: { gatewayError: 'CIRCUIT_OPEN', retryAfter: '2026-03-01T12:00:02.000Z' },
    });
  });

  it.each([
    ['a timeout', () => new RoomyError('STEP_TIMEOUT')],
    ['an unknown error', () => new TypeError('x')],
  ])('opens by %s', async (_name, error) => {
    const { breakers, failTimes } = create();
    await failTimes('stripe', 5, error);
    expect(breakers.states().get('stripe')).toBe('open');
  });

  it('takes a refusal as a sign of health', async () => {
    const { breakers, failTimes } = create();
    const refusal = () => declined({ gatewayError: 'CARD_DECLINED', retryAfter: null, advice: 'x' });
    await failTimes('stripe', 4);
    await failTimes('stripe', 1, refusal);
    await failTimes('stripe', 4);
    await failTimes('stripe', 9, () => new NotYetError('PROCESSING', null));
    expect(breakers.states().get('stripe')).toBe('closed');
  });

  it('lets one probe through after the pause, and closes when it succeeds', async () => {
    const { breakers, run, failTimes } = create();
    await failTimes('stripe', 5);
    vi.setSystemTime(new Date('2026-03-01T12:00:02Z'));
    const probe = Promise.withResolvers<string>();
    const probing = breakers.run('stripe', never, () => probe.promise);
    expect(breakers.states().get('stripe')).toBe('half-open');
    await expect(run('stripe', 'others')).rejects.toMatchObject({ until: new Date('2026-03-01T12:00:02.500Z') });
    probe.resolve('well');
    expect(await probing).toBe('well');
    expect(breakers.states().get('stripe')).toBe('closed');
    expect(await run('stripe', 'again')).toBe('again');
  });

  it('stays open for twice as long after each failed probe, 30 s at the most', async () => {
    const { run, failTimes } = create();
    await failTimes('stripe', 5);
    const pauses: number[] = [2_000];
    for (let n = 0; n < 5; n += 1) {
      vi.setSystemTime(Date.now() + (pauses.at(-1) ?? 0));
      await failTimes('stripe', 1);
      const error = await run('stripe', 'well').catch((thrown: unknown) => thrown);
      if (!(error instanceof CircuitOpenError)) throw new Error('it was to be open');
      pauses.push(error.until.getTime() - Date.now());
    }
    expect(pauses).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it('is left by whoever has no more time, and a probe that hangs counts as failed', async () => {
    const { breakers } = create({ failures: 1 });
    const stop = new AbortController();
    const hanging = breakers.run('stripe', stop.signal, () => new Promise(() => {}));
    stop.abort();
    await expect(hanging).rejects.toMatchObject({ code: 'STEP_TIMEOUT', unsent: false });
    expect(breakers.states().get('stripe')).toBe('open');
    await expect(breakers.run('other', stop.signal, async () => 1)).rejects.toMatchObject({ unsent: true });
    expect(breakers.states().has('other')).toBe(false);
  });

  it('does not concern the others, and the oldest is forgotten', async () => {
    const { breakers, run, failTimes } = create({ maxCircuits: 2 });
    await failTimes('one', 5);
    expect(await run('two', 'well')).toBe('well');
    await expect(run('one', 'well')).rejects.toBeInstanceOf(CircuitOpenError);
    await run('three', 'well');
    expect([...breakers.states().keys()]).toEqual(['one', 'three']);
  });
});

describe('a gateway behind breakers', () => {
  it('has one circuit for all that it does, or as many as its references say', async () => {
    const fail = async (): Promise<never> => {
      throw outage();
    };
    const charge: Charge = { providerId: 'ch', amountMinor: 1, currency: 'AED', feeMinor: 0 };
    const inner: PaymentGateway = {
      charge: async () => charge,
      undoCharge: fail,
      refund: fail,
      payOut: fail,
      cardOf: fail,
      recordOf: fail,
      disputes: async () => [],
      movements: async () => [],
    };
    const breakers = createBreakers(log, { failures: 2 });
    const gateway = withBreakers(inner, breakers, (gatewayId, reference) =>
      reference.startsWith('ref-down') ? `${gatewayId}/${reference}` : gatewayId,
    );
    const request = { key: 'k', gatewayId: 'g', amountMinor: 1, currency: 'AED', reservationId: 'r' };
    const refund = (reference: string) => gateway.refund({ ...request, reference, chargeId: 'ch' }, never);
    const undo = gateway.undoCharge({ ...request, reference: 'ref-down', chargeKey: 'c' }, never);
    await expect(undo).rejects.toMatchObject({ code: 'GATEWAY_UNAVAILABLE' });
    await expect(refund('ref-down')).rejects.not.toBeInstanceOf(CircuitOpenError);
    await expect(refund('ref-down')).rejects.toBeInstanceOf(CircuitOpenError);
    expect(await gateway.charge({ ...request, reference: 'ref-1' }, never)).toBe(charge);
    await expect(
      gateway.payOut({ key: 'k', account: 'acct-1', amountMinor: 1, currency: 'AED' }, never),
    ).rejects.toThrow();
    expect(await gateway.movements('g', new Date(0), new Date(), 1)).toEqual([]);
    expect([...breakers.states()]).toEqual([
      ['g/ref-down', 'open'],
      ['bank', 'closed'],
      ['g', 'closed'],
    ]);
    const look = () => gateway.cardOf({ gatewayId: 'g', reference: 'ref-1' }, never);
    await expect(look()).rejects.not.toBeInstanceOf(CircuitOpenError);
    await expect(look()).rejects.not.toBeInstanceOf(CircuitOpenError);
    await expect(look()).rejects.toBeInstanceOf(CircuitOpenError);
    const record = () => gateway.recordOf({ gatewayId: 'g', reference: 'ref-1', chargeId: 'ch' }, never);
    await expect(record()).rejects.not.toBeInstanceOf(CircuitOpenError);
    await expect(record()).rejects.not.toBeInstanceOf(CircuitOpenError);
    await expect(record()).rejects.toBeInstanceOf(CircuitOpenError);
    // What cannot be looked up stops no payment.
    expect(await gateway.charge({ ...request, reference: 'ref-1' }, never)).toBe(charge);
  });
});
