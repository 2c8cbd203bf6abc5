import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';
import { effectKey, ID_PATTERN, newId, newProcessId } from './ids.ts';
import { canonicalJson, sha256 } from './json.ts';

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

describe('ids', () => {
  it('are distinct, ordered by time, and such that a client could have chosen them', () => {
    const ids = Array.from({ length: 1_000 }, () => newId('task'));
    expect(new Set(ids).size).toBe(1_000);
    for (const id of ids) expect(id).toMatch(ID_PATTERN);
    expect(ids.map((id) => id.slice(0, 18))).toEqual(ids.map((id) => id.slice(0, 18)).toSorted());
    expect(newProcessId('worker')).toMatch(/^worker-\d+-[0-9a-f]{8}$/);
  });
  it('of an effect are the same on every attempt and for nothing else', () => {
    expect(effectKey('saga-1', 3, 'F')).toBe('saga-1-3-F');
    const keys = [1, 2].flatMap((step) => (['F', 'C'] as const).map((direction) => effectKey('s', step, direction)));
    expect(new Set(keys).size).toBe(4);
  });
  it.each(['', '-a', '_a', 'a b', 'a:b', 'a/b', 'ä', 'a'.repeat(65)])('%j is no id', (id) => {
    expect(ID_PATTERN.test(id)).toBe(false);
  });
});

describe('canonical JSON', () => {
  it('is the same for equal values, in whatever order their keys were written', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 8 }), (value) => {
        const turned = Object.fromEntries(Object.entries(value).toReversed());
        expect(canonicalJson(turned)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
  it('is refused for what is no JSON', () => {
    expect(() => canonicalJson(undefined)).toThrow();
  });
});

describe('a hash of several parts', () => {
  it('tells where one part ends and the next begins', () => {
    expect(sha256('ab', 'c').equals(sha256('a', 'bc'))).toBe(false);
    expect(sha256('a', '').equals(sha256('a'))).toBe(false);
    expect(sha256('a', 'b').equals(sha256('a', 'b'))).toBe(true);
  });
});
