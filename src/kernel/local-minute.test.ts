import { expect, it } from 'vitest';
import { localMinute } from './local-minute.ts';

it('shows an instant on the clock of a zone, and one in a zone that is none in UTC', () => {
  expect(localMinute('2026-11-29T23:12:40.000Z', 'Asia/Dubai')).toBe('2026-11-30 03:12 (Asia/Dubai)');
  expect(localMinute('2026-11-29T23:12:40.000Z', 'Mars/Olympus')).toBe('2026-11-29 23:12 (UTC)');
  expect(localMinute('soon', 'Asia/Dubai')).toBe('soon');
});
