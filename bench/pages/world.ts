import { patternOf, vacuum, writeHistory } from '../../test/history/copies.ts';
import { live } from '../../test/history/life.ts';
import { OF_TESTS, type Shape } from '../../test/history/shapes.ts';
import { openSystem } from '../../test/history/system.ts';
import { run } from '../growth/history.ts';
import type { Started } from '../programs.ts';

/** What the pages are asked about: years of finished stays, and a full day of today. */

const PROPERTIES = 1_500;
/** Every row of a stay itself, its money, tasks and sagas; of the many rows about each, those of every tenth stay. */
const SHAPE: Shape = {
  ...OF_TESTS,
  spread: { owner: 300, staff: 100, property: PROPERTIES },
  shareOf: (many) => `n % ${many}`,
  youngestDays: 4,
  lanes: 2,
};

/** Makes a database of so many finished stays and today's; answers its URL. */
export async function makeWorld(started: Started, stays: number): Promise<string> {
  const few = await started.database('pages_pattern');
  const system = await openSystem(few, undefined, started.redis.url);
  await live(system).finally(() => system.close());
  const url = await started.database('pages');
  await writeHistory(url, await patternOf(few), stays, SHAPE);
  await run(url, TODAY);
  await vacuum(url);
  return url;
}

/** Of five properties one has an arrival, one a departure, and four of them have somebody in the house. */
const TODAY = `
  SET statement_timeout = 0;
  INSERT INTO guest (id, name, email, phone)
    SELECT 'guest-today-' || n, 'Guest Today' || n, 'today-' || n || '@example.com', '+97151' || lpad(n::text, 7, '0')
      FROM generate_series(0, ${PROPERTIES - 1}) n;
  INSERT INTO reservation (id, property_id, guest_id, check_in_date, check_out_date, total_minor, currency, guest_count, status,
         confirmed_at, actual_check_in_at, created_by)
    SELECT 'stay-today-' || n, 'property-h' || n, 'guest-today-' || n,
           current_date - CASE n % 5 WHEN 0 THEN 0 ELSE 1 + n % 5 END, current_date + CASE n % 5 WHEN 1 THEN 0 ELSE 3 END,
           100000 + n, 'AED', 2, CASE n % 5 WHEN 0 THEN 'CONFIRMED' ELSE 'CHECKED_IN' END, now() - interval '20 days',
           CASE n % 5 WHEN 0 THEN NULL ELSE now() - (1 + n % 5) * interval '1 day' END, 'bench'
      FROM generate_series(0, ${PROPERTIES - 1}) n;
  INSERT INTO task (id, reservation_id, property_id, type, occurrence, title, status, scheduled_at, ends_at, next_assign_at)
    SELECT 'task-today-' || n || '-' || t.type, 'stay-today-' || n, 'property-h' || n, t.type, 'today', t.type || ' of the day',
           'UNASSIGNED', current_date + t.hour * interval '1 hour', current_date + (t.hour + 1) * interval '1 hour', NULL
      FROM generate_series(0, ${PROPERTIES - 1}) n, (VALUES ('CLEANING', 9), ('CHECK_IN', 11), ('INSPECTION', 13), ('CHECK_OUT', 15)) AS t (type, hour)
     WHERE n % 5 < 2`;
