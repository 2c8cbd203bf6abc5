import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CASES } from './cases.ts';
import { type Bench, closeBench, NUMBERS, openBench, POISONED, type SweepCase } from './harness.ts';

/** For each sweep, one row of twenty that cannot be worked on, in more than one way: nineteen end well. */

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
});
afterEach(() => closeBench(bench));

const others = NUMBERS.filter((n) => n !== POISONED);
const sorted = (numbers: readonly number[]) => [...new Set(numbers)].toSorted((a, b) => a - b);
const failures = () => bench.db.selectFrom('sweep_failure').selectAll().orderBy('row_id').execute();

const ALL = Object.entries<SweepCase>(CASES).flatMap(([name, one]) =>
  Object.entries(one.poisons).map(([what, poison]) => ({ name, what, one, poison })),
);

describe('one row that cannot be worked on', () => {
  it.each(ALL)('costs itself only: $name, $what', async ({ name, one: { seed, sweep, done }, poison }) => {
    const { db } = bench;
    await seed(db);
    await poison(db);
    for (let round = 0; round < 3; round += 1) await sweep(db, bench);
    expect(sorted(await done(db))).toEqual(others);

    const noted = (await failures()).filter((row) => row.sweep === name);
    expect(noted).toHaveLength(1);
    const [failure] = noted;
    expect(failure?.reason).toMatch(/poisoned|time ?zone|IST|no answer|not known|22003/i);
    expect(failure?.next_try_at.getTime()).toBeGreaterThan(failure?.last_at.getTime() ?? 0);
    const { rows: alerts } = await sql<{ code: string; saga: string }>`
      SELECT params ->> 'code' AS code, params ->> 'sagaName' AS saga FROM notification
       WHERE event = 'SYSTEM_ALERT' AND params ->> 'code' = 'ROW_FAILED'`.execute(db);
    expect(alerts).toEqual([{ code: 'ROW_FAILED', saga: `sweep ${name}` }]);
  });
});
