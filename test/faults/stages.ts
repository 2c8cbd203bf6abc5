import { AsyncLocalStorage } from 'node:async_hooks';

/** Where a scenario is, so that one that hangs can say where. */

const journeys = new AsyncLocalStorage<{ at: string; sinceMs: number; readonly past: string[] }>();

/** Notes what the running scenario does next. */
export function stage(name: string): void {
  const journey = journeys.getStore();
  if (!journey) return;
  const nowMs = performance.now();
  journey.past.push(`${journey.at}: ${Math.round(nowMs - journey.sinceMs)} ms`);
  journey.at = name;
  journey.sinceMs = nowMs;
}

/** Fails after the time with what the scenario was at, and how long all before had taken. */
export async function withStages(withinMs: number, run: () => Promise<void>): Promise<void> {
  const journey = { at: 'begins', sinceMs: performance.now(), past: [] as string[] };
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const past = journey.past.join('\n');
    late.reject(new Error(`after ${withinMs} ms it still ${journey.at}; before that it\n${past}`));
  }, withinMs);
  try {
    await Promise.race([journeys.run(journey, run), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
