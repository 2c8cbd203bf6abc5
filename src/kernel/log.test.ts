import { describe, expect, it } from 'vitest';
import { createLogger } from './log.ts';

const HOSTILE = [
  'x\n{"level":"fatal"}',
  '\r\n{"level":60}',
  '\u001b[2J',
  '\u009b2J',
  'a\u007fb\u0085c\u2028d\u2029e',
  ...Array.from({ length: 0xa0 }, (_, code) => `<${String.fromCharCode(code)}>`),
];
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
const RAW = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

function lineOf(write: (log: ReturnType<typeof createLogger>) => void): Record<string, unknown> {
  const written: string[] = [];
  write(createLogger('test', 'info', { write: (text) => void written.push(text) }));
  expect(written).toHaveLength(1);
  const [line = ''] = written;
  expect(line.slice(0, -1)).not.toMatch(RAW);
  expect(line.at(-1)).toBe('\n');
  return JSON.parse(line);
}

describe('a line of the log', () => {
  it('X5: is one line without control characters, and says what it was told', () => {
    for (const notes of HOSTILE) {
      expect(lineOf((log) => log.info({ notes, deep: [{ [notes]: notes }] }, 'said'))).toMatchObject({
        level: 30,
        msg: 'said',
        notes,
        deep: [{ [notes]: notes }],
      });
    }
  });

  it('X5: is one line also for a message, a failure and a context of that kind', () => {
    for (const text of HOSTILE) {
      expect(lineOf((log) => log.info(text)).msg).toBe(text);
      expect(lineOf((log) => log.child({ text }).info({}, 'x')).text).toBe(text);
      lineOf((log) => log.error({ err: new Error(text, { cause: new Error(text) }) }, 'x'));
    }
  });
});
