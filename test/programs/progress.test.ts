import { describe, expect, it } from 'vitest';
import { createStages, logLineFor, secondsOf } from '../../scripts/progress.ts';

/** The output while one waits for `npm start`. */

describe('a stage', () => {
  it('is a line when it begins, and its seconds when it has ended', async () => {
    const lines: string[] = [];
    let nowMs = 1_000;
    const stage = createStages(
      (line) => lines.push(line),
      () => nowMs,
    );
    const answer = await stage('Starting Postgres', async () => {
      expect(lines).toEqual(['Starting Postgres ...']);
      nowMs += 2_340;
      return 42;
    });
    expect([answer, lines]).toEqual([42, ['Starting Postgres ...', '  done in 2.3 s']]);
  });

  it('that fails claims no end', async () => {
    const lines: string[] = [];
    const stage = createStages((line) => lines.push(line));
    await expect(stage('Starting Redis', () => Promise.reject(new Error('no Redis')))).rejects.toThrow('no Redis');
    expect(lines).toEqual(['Starting Redis ...']);
  });

  it.each([
    [0, '0.0 s'],
    [440, '0.4 s'],
    [9_900, '9.9 s'],
    [9_990, '10 s'],
    [34_400, '34 s'],
    [125_000, '125 s'],
  ])('of %i ms took %s', (ms, text) => {
    expect(secondsOf(ms)).toBe(text);
  });
});

describe('a line of the log', () => {
  const line =
    '{"level":50,"time":1700000000000,"name":"worker","msg":"a step failed","sagaId":"saga-1","err":{"message":"no route"}}';
  it('is for people on a terminal', () => {
    const shown = logLineFor({ isTTY: true }, false)(line);
    expect(shown).toMatch(/^\[\d\d:\d\d:\d\d\] ERROR: a step failed/);
    expect(shown).toContain('saga-1');
    expect(shown.startsWith('{')).toBe(false);
  });
  it('is the same JSON for everything else', () => {
    for (const stream of [{}, { isTTY: false }]) expect(logLineFor(stream)(line)).toBe(line);
  });
  it('that is none stays as it is', () => {
    expect(logLineFor({ isTTY: true })('Killed')).toBe('Killed');
  });
});
