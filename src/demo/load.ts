import type { Db, Tx } from '../db/client.ts';
import type { Completion, TaskType } from '../db/schema.ts';
import { planDay } from './day.ts';
import { loadFixed } from './fixed.ts';
import {
  DAY_GUESTS,
  DAY_OWNERS,
  DAY_PROPERTIES,
  DAY_ZONES,
  type DayPropertyId,
  type DayZones,
  DEMO_AUTHOR,
} from './places.ts';

/**
 * The demo data. The brief's examples are added wherever they are missing; the stays of the day only to a database without
 * any stay, place or person, so that a later start neither repeats them nor puts them among somebody's own. All of it in one transaction.
 */
export async function loadDemo(db: Db, now: Date, zones: DayZones = DAY_ZONES): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const isEmpty = await holdsNothing(tx);
    await loadFixed(tx);
    if (isEmpty) await loadDay(tx, now, zones);
  });
}

async function holdsNothing(tx: Tx): Promise<boolean> {
  for (const table of ['property', 'owner', 'guest', 'reservation'] as const) {
    if (await tx.selectFrom(table).select('id').limit(1).executeTakeFirst()) return false;
  }
  return true;
}

/** Stays begin PENDING: everything else becomes of them by the API, so that books, tasks and audit trail are true. */
async function loadDay(tx: Tx, now: Date, zones: DayZones): Promise<void> {
  await tx.insertInto('owner').values(DAY_OWNERS).execute();
  await tx.insertInto('guest').values(DAY_GUESTS).execute();
  await tx
    .insertInto('property')
    .values(
      DAY_PROPERTIES.map(({ agent_ids, primary_staff_ids, ...property }) => ({
        ...property,
        time_zone: zones[property.id],
        agent_ids: [...agent_ids],
        primary_staff_ids: [...primary_staff_ids],
        readiness: 'CLEAN' as const,
      })),
    )
    .execute();
  await tx
    .insertInto('reservation')
    .values(
      planDay(now, zones).stays.map((stay) => ({
        id: stay.id,
        property_id: stay.propertyId,
        guest_id: stay.guestId,
        check_in_date: stay.checkInDate,
        check_out_date: stay.checkOutDate,
        planned_arrival: stay.plannedArrival,
        planned_departure: stay.plannedDeparture,
        total_minor: stay.totalMinor,
        currency: stay.currency,
        referring_agent_id: stay.referringAgentId,
        created_by: DEMO_AUTHOR,
        // The moment from which `scripts/demo-day.ts` works out the day's actions.
        created_at: now,
      })),
    )
    .execute();
  await tx
    .insertInto('task')
    .values(FINISHED.map((finished, n) => finishedTask(finished, n, now)))
    .execute();
}

interface FinishedWork {
  readonly type: TaskType;
  readonly title: string;
  readonly propertyId: DayPropertyId;
  readonly assigneeId: string;
  readonly daysAgo: number;
  readonly minutes: number;
  /** Begun so much later than planned. */
  readonly lateMinutes: number;
}

/** Finished tasks of the weeks before, inserted as an import would insert them, so that the statistics are not empty. */
const FINISHED: readonly FinishedWork[] = [
  work(27, 'property-4', 'cleaner-1', 'CLEANING', 'Balcony and windows', 95),
  work(25, 'property-5', 'agent-1', 'INSPECTION', 'Monthly inspection', 40),
  work(24, 'property-3', 'cleaner-1', 'CLEANING', 'Deep cleaning', 170),
  work(21, 'property-6', 'agent-2', 'INSPECTION', 'Monthly inspection', 35),
  work(20, 'property-5', 'maintenance-1', 'MAINTENANCE', 'Dripping tap in the bathroom', 35),
  work(18, 'property-5', 'cleaner-1', 'CLEANING', 'Cleaning after painting', 110),
  work(16, 'property-6', 'cleaner-2', 'CLEANING', 'Deep cleaning', 150),
  work(13, 'property-4', 'maintenance-1', 'MAINTENANCE', 'Filters of the air conditioning', 60, 90),
  work(11, 'property-3', 'agent-1', 'INSPECTION', 'Monthly inspection', 45),
  work(9, 'property-3', 'maintenance-1', 'MAINTENANCE', 'New lamps in the garden', 80),
  work(8, 'property-4', 'cleaner-2', 'CLEANING', 'Deep cleaning', 165),
  work(6, 'property-6', 'cleaner-2', 'CLEANING', 'Windows', 75),
];

function work(
  daysAgo: number,
  propertyId: DayPropertyId,
  assigneeId: string,
  type: TaskType,
  title: string,
  minutes: number,
  lateMinutes = 0,
): FinishedWork {
  return { daysAgo, propertyId, assigneeId, type, title, minutes, lateMinutes };
}

const PLANNED_DAYS_BEFORE = 7;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

function finishedTask(
  { type, title, propertyId, assigneeId, daysAgo, minutes, lateMinutes }: FinishedWork,
  n: number,
  now: Date,
) {
  const startMs = Math.floor((now.getTime() - daysAgo * DAY_MS) / HOUR_MS) * HOUR_MS;
  const begunMs = startMs + lateMinutes * MINUTE_MS;
  const done: Completion = { minutes, ...(type === 'INSPECTION' ? { outcome: 'PASSED' } : {}) };
  return {
    id: `task-finished-${n + 1}`,
    type,
    occurrence: 'MANUAL',
    title,
    property_id: propertyId,
    status: 'COMPLETED' as const,
    assignee_id: assigneeId,
    scheduled_at: new Date(startMs),
    ends_at: new Date(startMs + minutes * MINUTE_MS),
    next_assign_at: null,
    started_at: new Date(begunMs),
    completed_at: new Date(begunMs + minutes * MINUTE_MS),
    completed_by: assigneeId,
    completion: JSON.stringify(done),
    created_at: new Date(startMs - PLANNED_DAYS_BEFORE * DAY_MS),
  };
}
