import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CASES } from './cases.ts';
import { type Bench, closeBench, letLeasesRunOut, NUMBERS, openBench, POISONED, type SweepCase } from './harness.ts';

/** For each sweep, one row of twenty that cannot be worked on, in more than one way: nineteen end well. */

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
});
afterEach(() => closeBench(bench));

const others = NUMBERS.filter((n) => n !== POISONED);
const sorted = (numbers: readonly number[]) => [...new Set(numbers)].toSorted((a, b) => a - b);
const failures = () => bench.db.selectFrom('sweep_failure').selectAll().orderBy('row_id').execute();

/** A rule that is broken, a page that is damaged, a conflict that does not end. */
const SQL_STATES = ['P0001', 'XX001', '40001'];

const ALL = Object.entries<SweepCase>(CASES).flatMap(([name, one]) =>
  Object.entries(one.poisons).flatMap(([what, poison]) =>
    (poison.byTrigger ? SQL_STATES : [undefined]).map((sqlState) => ({ name, what, one, poison, sqlState })),
  ),
);

describe('one row that cannot be worked on', () => {
  it.each(ALL)(
    'costs itself only: $name, $what, $sqlState',
    async ({ name, one: { seed, sweep, done }, poison, sqlState }) => {
      const { db } = bench;
      await seed(db);
      await poison(db, sqlState);
      for (let round = 0; round < 3; round += 1) await sweep(db, bench);
      expect(sorted(await done(db))).toEqual(others);

      const noted = (await failures()).filter((row) => row.sweep === name);
      expect(noted).toHaveLength(1);
      const [failure] = noted;
      expect(failure?.reason).toMatch(
        /poisoned|time ?zone|IST|no answer|not known|22003|XX001|40001|still being accepted/i,
      );
      expect(failure?.next_try_at.getTime()).toBeGreaterThan(failure?.last_at.getTime() ?? 0);
      const { rows: alerts } = await sql<{ code: string; saga: string }>`
      SELECT params ->> 'code' AS code, params ->> 'sagaName' AS saga FROM notification
       WHERE event = 'SYSTEM_ALERT' AND params ->> 'code' = 'ROW_FAILED'`.execute(db);
      expect(alerts).toEqual([{ code: 'ROW_FAILED', saga: `sweep ${name}` }]);
    },
  );

  it.each(ALL.filter(({ sqlState }) => sqlState === 'P0001'))(
    'is worked on once its cause is gone, and is no failure any more: $name, $what',
    async ({ name, one: { seed, sweep, done }, poison }) => {
      const { db } = bench;
      await seed(db);
      await poison(db);
      for (let round = 0; round < 3; round += 1) await sweep(db, bench);
      await sql`DROP FUNCTION poison() CASCADE`.execute(db);
      await db.updateTable('sweep_failure').set({ next_try_at: sql<Date>`now()` }).execute();
      for (let round = 0; round < 3; round += 1) {
        await letLeasesRunOut(db);
        await sweep(db, bench);
        if ((await failures()).every((row) => row.sweep !== name)) break;
      }
      expect(sorted(await done(db))).toEqual(NUMBERS);
      expect((await failures()).filter((row) => row.sweep === name)).toEqual([]);
    },
  );
});
