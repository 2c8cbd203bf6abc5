import { describe, expect, it } from 'vitest';
import { preferred } from './start-saga.ts';

describe('the Prefer header', () => {
  it.each([
    [undefined, { waitMs: 10_000, async: false, wait: null }],
    ['respond-async', { waitMs: 0, async: true, wait: null }],
    ['wait=3', { waitMs: 3_000, async: false, wait: 'wait=3' }],
    ['wait=0', { waitMs: 0, async: false, wait: 'wait=0' }],
    ['wait=60', { waitMs: 10_000, async: false, wait: null }],
    ['Respond-Async, Wait=2', { waitMs: 2_000, async: true, wait: 'wait=2' }],
    ['wait="2"', { waitMs: 2_000, async: false, wait: 'wait=2' }],
    ['wait=-1, handling=lenient', { waitMs: 10_000, async: false, wait: null }],
    [`wait=${'9'.repeat(400)}`, { waitMs: 10_000, async: false, wait: null }],
  ])('%s', (header, expected) => {
    expect(preferred(header, 10_000)).toEqual(expected);
  });
});
