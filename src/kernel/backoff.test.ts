import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';

describe('back-off', () => {
  it('is never longer than its cap nor than twice the wait before, whatever the attempt', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), (attempt) => {
        const wait = backoffMs({ baseMs: 200, maxMs: 30_000 }, attempt);
        expect(Number.isInteger(wait) && wait >= 0).toBe(true);
        expect(wait).toBeLessThanOrEqual(Math.min(30_000, 200 * 2 ** attempt));
      }),
    );
  });
  it('spreads those that failed together', () => {
    const waits = new Set(Array.from({ length: 50 }, () => backoffMs({ baseMs: 1_000, maxMs: 60_000 }, 5)));
    expect(waits.size).toBeGreaterThan(25);
  });
});
