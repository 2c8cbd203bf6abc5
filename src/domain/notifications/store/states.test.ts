import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
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

describe('a statement that changes the state of a notification, or when it is due', () => {
  /** Selects and locks its rows by `mayMove('claim')` before (`messages/delivery-rows.ts`). */
  const CLAIM = 'claimRows';

  it('asks `mayMove`', () => {
    const statements = readdirSync(import.meta.dirname)
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .flatMap((file) => readFileSync(path.join(import.meta.dirname, file), 'utf8').split(/\n(?=export )/))
      .filter((text) => /(?:updateTable\('notification|UPDATE notification|DO UPDATE)/.test(text))
      .filter((text) => /\b(?:status|due_at)(?::| =)/.test(text));
    expect(statements.length).toBeGreaterThan(9);
    const silent = statements.filter((text) => !text.includes('mayMove(') && !text.includes(`const ${CLAIM} =`));
    // A digest that is there already is returned as it is.
    expect(silent.map((text) => /(?:function|const) (\w+)/.exec(text)?.[1])).toEqual(['putIntoDigests']);
  });
});
