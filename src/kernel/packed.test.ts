import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packed, unpacked } from './packed.ts';

describe('a text that is kept', () => {
  it('comes back byte for byte, whatever it is', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(unpacked(packed(text)).toString()).toBe(text);
      }),
    );
  });
  it('takes a part of its room where it repeats itself, and never more than its own', () => {
    expect(
      packed(JSON.stringify(Array.from({ length: 20 }, (_, no) => ({ taskId: `task-${no}` })))).length,
    ).toBeLessThan(150);
    expect(packed('{}')).toEqual(Buffer.from('{}'));
  });
  it('is read as well where it was kept plain', () => {
    expect(unpacked(Buffer.from('{"success":true}')).toString()).toBe('{"success":true}');
    expect(unpacked(Buffer.alloc(0))).toHaveLength(0);
  });
});
