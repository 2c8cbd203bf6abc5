import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SweepName } from '../../src/domain/sweeps/names.ts';
import { pruneFailures } from '../../src/domain/sweeps/prune.ts';
import { type Bench, closeBench, insertRaw, openBench } from './harness.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
}, 60_000);
afterAll(() => closeBench(bench));

const setAside = (sweep: SweepName, id: string, daysAgo: number) =>
  sql`INSERT INTO sweep_failure (sweep, row_id, reason, last_at, next_try_at)
    VALUES (${sweep}, ${id}, 'x', now() - ${daysAgo}::int * interval '1 day', now() - ${daysAgo}::int * interval '1 day')`.execute(
    bench.db,
  );

it('forgets rows that are gone or done, and keeps those that are tried again and messages that can be sent again', async () => {
  const { db } = bench;
  await insertRaw(
    db,
    `INSERT INTO notification (id, effect_key, event, template, channel, recipient_type, recipient_id, status, resend_of)
     VALUES ('lost', 'k1', 'E', 't@1', 'EMAIL', 'GUEST', 'g', 'FAILED', NULL), ('resent', 'k2', 'E', 't@1', 'EMAIL', 'GUEST', 'g', 'FAILED', NULL),
       ('again', 'k3', 'E', 't@1', 'EMAIL', 'GUEST', 'g', 'SENT', 'resent'), ('sent', 'k4', 'E', 't@1', 'EMAIL', 'GUEST', 'g', 'SENT', NULL),
       ('too-old', 'k5', 'E', 't@1', 'EMAIL', 'GUEST', 'g', 'FAILED', NULL)`,
  );
  await setAside('offers', 'task-that-is-gone', 3);
  await setAside('payouts', 'owner-1 AED', 3);
  await setAside('offers', 'task-that-fails', 1);
  for (const id of ['lost', 'resent', 'sent', 'message-that-is-gone']) await setAside('messages', id, 3);
  await setAside('messages', 'too-old', 31);

  expect(await pruneFailures(db)).toBe(6);
  const left = await db.selectFrom('sweep_failure').select('row_id').orderBy('row_id').execute();
  expect(left.map(({ row_id: id }) => id)).toEqual(['lost', 'task-that-fails']);
  expect(await pruneFailures(db)).toBe(0);
});
