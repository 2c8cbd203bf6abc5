import { describe, expect, it } from 'vitest';
import { createAlarm } from './alarm.ts';
import { pause } from './clock.ts';

const NEVER_MS = 1_000_000;
const awake = new AbortController().signal;

describe('an alarm', () => {
  it('ends the sleep at a ring', async () => {
    const alarm = createAlarm();
    const slept = alarm.sleep(NEVER_MS, awake);
    alarm.ring();
    await slept;
  });

  it('keeps one ring for the next sleep, and no more', async () => {
    const asked: boolean[] = [];
    const alarm = createAlarm((_ms, signal) => {
      asked.push(signal.aborted);
      return Promise.resolve();
    });
    alarm.ring();
    alarm.ring();
    await alarm.sleep(NEVER_MS, awake);
    await alarm.sleep(NEVER_MS, awake);
    expect(asked).toEqual([true, false]);
  });

  it('ends when it is told to stop, and by itself', async () => {
    const stopping = new AbortController();
    const slept = createAlarm().sleep(NEVER_MS, stopping.signal);
    stopping.abort();
    await slept;
    await createAlarm(pause).sleep(1, awake);
  });
});
