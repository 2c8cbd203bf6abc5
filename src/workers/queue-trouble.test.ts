import { expect, it } from 'vitest';
import { createLogger } from '../kernel/log.ts';
import { createQueueTrouble } from './queue-trouble.ts';

function listening() {
  const lines: string[] = [];
  const log = createLogger('test', 'silent');
  const note = (_fields: object, message: string): void => void lines.push(message);
  Object.assign(log, { info: note, warn: note });
  let nowMs = 0;
  const trouble = createQueueTrouble(log, () => nowMs);
  const after = (ms: number): void => {
    nowMs += ms;
  };
  return { lines, trouble, after };
}
const BEGINS = 'a worker has trouble with its queue';
const ENDS = 'a worker is well again';
const missing = new Error('Missing key for job 1');

it('is one while jobs that were at hand are missed one after the other, though others complete between them', () => {
  const { lines, trouble, after } = listening();
  const ends = Array.from({ length: 50 }, () => trouble.takes());
  for (const [n, end] of ends.entries()) {
    end();
    trouble.failed(n % 2 === 0 ? 'forward' : 'finance', missing);
    after(3_000);
    // A sweep of any queue comes and goes.
    const other = trouble.takes();
    after(50);
    other();
    trouble.works();
    expect(lines).toEqual(n < 49 ? [BEGINS] : [BEGINS, ENDS]);
  }
  trouble.failed('forward', missing);
  expect(lines).toEqual([BEGINS, ENDS, BEGINS]);
});

it('does not end within a second of the last complaint', () => {
  const { lines, trouble, after } = listening();
  trouble.failed('tasks', missing);
  after(999);
  trouble.works();
  expect(lines).toEqual([BEGINS]);
  after(1);
  trouble.works();
  expect(lines).toEqual([BEGINS, ENDS]);
});

it('ends when every queue that had it is connected again', () => {
  const { lines, trouble } = listening();
  trouble.failed('tasks', missing);
  trouble.failed('finance', missing);
  trouble.connected('notifications');
  trouble.connected('tasks');
  expect(lines).toEqual([BEGINS]);
  trouble.connected('finance');
  expect(lines).toEqual([BEGINS, ENDS]);
});
