import { describe, expect, it } from 'vitest';
import { MOVES } from './states.ts';

const moves = Object.entries(MOVES);
const reachable = new Set<string>(moves.flatMap(([, { to }]) => to));

describe('the moves of a notification', () => {
  it('reach every state, and lead out of none that is final', () => {
    const all = ['QUEUED', 'SENDING', 'SENT', 'DELIVERED', 'FAILED', 'SKIPPED', 'BLOCKED'];
    expect([...reachable].toSorted()).toEqual(all.toSorted());
    const left = new Set<string>(moves.flatMap(([, { from }]) => from));
    expect(['DELIVERED', 'BLOCKED'].filter((state) => left.has(state))).toEqual([]);
  });

  it('send nothing again that was sent', () => {
    const again = moves.filter(
      ([, { from, to }]) =>
        from.some((state) => state === 'SENT') &&
        to.some((state) => ['QUEUED', 'SENDING'].some((one) => one === state)),
    );
    expect(again).toEqual([]);
  });
});
