import { describe, expect, it } from 'vitest';
import { effectKey, ID_PATTERN, newId, newProcessId } from './ids.ts';

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
