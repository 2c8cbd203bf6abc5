import { createDb, createPool, type Db } from '../src/db/client.ts';
import {
  type FieldPlan,
  type FieldResult,
  type HouseResult,
  measureField,
  measureHouse,
  seedField,
  seedHouse,
  sweepAll,
} from './assignment-field.ts';
import type { Started } from './programs.ts';

/** How well and how fast tasks find their people; everything in this process, on databases of its own. */

const FIELD: FieldPlan = { staff: 20, tasks: 1_000, days: 20, places: true };
const SWEEPS = 4;
const HOUSE = { staff: 500, tasks: 50_000 };
const HOUSE_TIMES = 200;
export const MAX_HOUSE_RATIO = 20;

export interface AssignmentFigures {
  readonly placed: FieldResult;
  readonly equal: FieldResult;
  readonly contended: FieldResult;
  readonly house: HouseResult;
}

export async function measureAssignment(started: Started): Promise<AssignmentFigures> {
  async function inDatabase<T>(name: string, work: (db: Db) => Promise<T>): Promise<T> {
    const url = await started.database(`bench_${name}`);
    const db = createDb(createPool({ connectionString: url, max: SWEEPS + 1, applicationName: 'bench' }));
    return work(db).finally(() => db.destroy());
  }
  const field = (name: string, plan: FieldPlan, sweeps: number) =>
    inDatabase(name, async (db) => {
      await seedField(db, plan);
      await sweepAll(db, sweeps);
      return measureField(db, plan);
    });
  return {
    placed: await field('placed', FIELD, 1),
    equal: await field('equal', { ...FIELD, places: false }, 1),
    // More than there are minutes for: every cap is reached while four sweeps look at once.
    contended: await field('contended', { ...FIELD, days: 5 }, SWEEPS),
    house: await inDatabase('house', async (db) => {
      await seedHouse(db, HOUSE.staff, HOUSE.tasks);
      return measureHouse(db, HOUSE_TIMES);
    }),
  };
}

/** What must hold whatever the machine. */
export function keptByAssignment({ placed, equal, contended, house }: AssignmentFigures): boolean {
  const wrong = [placed, equal, contended].reduce((sum, one) => sum + one.overlaps + one.capsBroken, 0);
  return (
    wrong === 0 && equal.spreadMinutes <= 60 && placed.travelKm < placed.randomTravelKm && house.ratio < MAX_HOUSE_RATIO
  );
}

export function renderAssignment({ placed, equal, contended, house }: AssignmentFigures): string {
  const safety = (one: FieldResult): string =>
    `${one.assigned} of ${one.assigned + one.unassigned} assigned, ${one.overlaps} overlaps, ${one.capsBroken} caps broken`;
  return [
    `\nAssignment: ${FIELD.tasks} tasks of an hour over ${FIELD.staff} people with shifts and caps.`,
    `With homes and places: ${safety(placed)}; ${placed.travelKm.toFixed(0)} km, ${(placed.travelKm / placed.randomTravelKm).toFixed(2)} of a random assignment's ${placed.randomTravelKm.toFixed(0)} km.`,
    `Of equal people: ${safety(equal)}; booked minutes of a day differ by ${equal.spreadMinutes} at the most.`,
    `Too many for their caps, ${SWEEPS} sweeps at once: ${safety(contended)}.`,
    `One task among ${HOUSE.staff} people (${house.people} of its role and place) and ${HOUSE.tasks} tasks: ${house.assignMs.toFixed(2)} ms, ${house.ratio.toFixed(1)} times reading a task by its key (${house.selectMs.toFixed(2)} ms; below ${MAX_HOUSE_RATIO}).`,
  ].join('\n');
}
