import { describe, expect, it } from 'vitest';
import { segmentsOf } from './segments.ts';

describe('the segments of an SMS', () => {
  it.each([
    ['x'.repeat(160), 'GSM-7', 160, 1],
    ['x'.repeat(161), 'GSM-7', 161, 2],
    ['x'.repeat(306), 'GSM-7', 306, 2],
    ['x'.repeat(307), 'GSM-7', 307, 3],
    ['€'.repeat(80), 'GSM-7', 160, 1],
    ['{}'.repeat(41), 'GSM-7', 164, 2],
    ['م'.repeat(70), 'UCS-2', 70, 1],
    ['م'.repeat(71), 'UCS-2', 71, 2],
    ['م'.repeat(202), 'UCS-2', 202, 4],
    ['😀'.repeat(35), 'UCS-2', 70, 1],
    ['', 'GSM-7', 0, 1],
    // 153 septets hold 76 pairs, 67 units 33.
    ['€'.repeat(228), 'GSM-7', 456, 3],
    ['€'.repeat(229), 'GSM-7', 458, 4],
    ['😀'.repeat(99), 'UCS-2', 198, 3],
    ['😀'.repeat(100), 'UCS-2', 200, 4],
  ])('of %j', (text, encoding, units, segments) => {
    expect(segmentsOf(text)).toEqual({ encoding, units, segments });
  });
});
