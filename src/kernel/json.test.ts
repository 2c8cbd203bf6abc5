import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, sha256 } from './json.ts';

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
