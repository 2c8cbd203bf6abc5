import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { isRedisAway } from '../queues/connection.ts';
import { RoomyError } from './errors.ts';
import { createOutages, describeFailure, logFailure, outageOf } from './outages.ts';

const lines: Record<string, unknown>[] = [];
const log = pino(
  { base: null, timestamp: false, level: 'info', serializers: { err: describeFailure } },
  { write: (line) => lines.push(JSON.parse(line)) },
);
let nowMs = 0;
const outages = () => createOutages(log, () => nowMs);
const refused = (): Error => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

beforeEach(() => {
  lines.length = 0;
  nowMs = 0;
});

describe('outages', () => {
  it('writes one line when a dependency goes away, in its own words, and one when it is back, with the time', () => {
    const away = outages();
    for (; nowMs < 31_000; nowMs += 100) away.failed('postgres', refused());
    nowMs += 1_000;
    away.answered('postgres');
    away.answered('postgres');
    expect(lines).toEqual([
      {
        level: 40,
        dependency: 'postgres',
        err: { type: 'Error', code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' },
        msg: 'a dependency is away',
      },
      { level: 30, dependency: 'postgres', awayMs: 32_000, failures: 310, msg: 'a dependency is back' },
    ]);
  });

  it('is not over while some get through and others do not', () => {
    const away = outages();
    for (; nowMs < 5_000; nowMs += 50) {
      away.failed('postgres', refused());
      away.answered('postgres');
    }
    expect(lines).toHaveLength(1);
  });

  it('keeps dependencies apart', () => {
    const away = outages();
    away.failed('postgres', refused());
    away.failed('redis', refused());
    nowMs = 2_000;
    away.answered('redis');
    expect(lines.map((line) => [line['dependency'], line['msg']])).toEqual([
      ['postgres', 'a dependency is away'],
      ['redis', 'a dependency is away'],
      ['redis', 'a dependency is back'],
    ]);
  });

  it("does not take one dependency's error for another's, whose driver uses the same words", () => {
    const away = outages();
    const error = refused();
    away.failed('postgres', error);
    away.failed('redis', error);
    away.failed('redis', new Error('the tick failed', { cause: error }));
    expect(lines.map((line) => line['dependency'])).toEqual(['postgres']);
    expect(outageOf(error)).toBe('postgres');
    expect(isRedisAway(error)).toBe(false);
    expect(isRedisAway(refused())).toBe(true);
  });

  it('knows an error of an outage again, also as the cause of another', () => {
    const error = refused();
    outages().failed('postgres', error);
    expect(outageOf(error)).toBe('postgres');
    expect(outageOf(new RoomyError('SERVICE_UNAVAILABLE', { cause: new Error('wrapped', { cause: error }) }))).toBe(
      'postgres',
    );
    expect(outageOf(refused())).toBeNull();
    expect(outageOf('text')).toBeNull();
  });

  it('lets loops speak of everything but outages', () => {
    const error = refused();
    outages().failed('postgres', error);
    lines.length = 0;
    logFailure(log, error, 'a sweep failed');
    logFailure(log, new Error('a bug'), 'a sweep failed', { queue: 'q' }, 'error');
    expect(lines).toMatchObject([{ level: 50, queue: 'q', msg: 'a sweep failed' }]);
  });

  it('says what each address of a host answered', () => {
    outages().failed('redis', new AggregateError([new Error('::1 refused'), new Error('127.0.0.1 refused')]));
    expect(lines).toMatchObject([{ err: { type: 'AggregateError', message: '::1 refused; 127.0.0.1 refused' } }]);
  });

  it('names something thrown that is no error', () => {
    outages().failed('redis', 'gone');
    expect(lines).toMatchObject([{ err: { message: 'gone' } }]);
  });
});
