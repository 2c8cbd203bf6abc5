import { type RawBuilder, sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Db } from '../../src/db/client.ts';
import { approvalsDue } from '../../src/domain/approvals/store.ts';
import { assignmentsDue } from '../../src/domain/assignment/assign-sweep.ts';
import { holdsOver } from '../../src/domain/assignment/holds.ts';
import { answersOverdue } from '../../src/domain/assignment/offers.ts';
import { gatewayEventsDue } from '../../src/domain/finance/due-events.ts';
import { refundsDue } from '../../src/domain/finance/refund.ts';
import { messagesDue } from '../../src/domain/messages/delivery-rows.ts';
import { remindersDue } from '../../src/domain/messages/reminders.ts';
import { cleaningsLate } from '../../src/domain/stay-tasks/late-turnovers.ts';
import { departuresDue } from '../../src/domain/stays/access.ts';
import { endpointsDue } from '../../src/domain/webhooks/store.ts';
import { JOBS, type SweepQueueRow } from '../../src/workers/jobs.ts';
import { CASES } from './cases.ts';
import { type Bench, closeBench, letLeasesRunOut, openBench, type SweepCase } from './harness.ts';

/** A sweep is due while it would find something, and one row that cannot be worked on keeps it neither awake nor asleep. */

const DUE = {
  messages: messagesDue,
  reminders: remindersDue,
  assignment: assignmentsDue,
  offers: answersOverdue,
  turnovers: cleaningsLate,
  holds: holdsOver,
  access: departuresDue,
  'gateway-events': gatewayEventsDue,
  refunds: refundsDue,
  webhooks: endpointsDue,
  approvals: approvalsDue,
} as const satisfies Partial<Record<keyof typeof CASES, RawBuilder<boolean>>>;

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
});
afterEach(() => closeBench(bench));

async function isTrue(db: Db, due: RawBuilder<boolean>): Promise<boolean> {
  const { rows } = await sql<{ due: boolean }>`SELECT ${due} AS due`.execute(db);
  return rows[0]?.due === true;
}
/** What was tried is put off, or was taken: a minute has not gone by. */
async function sweepAll(one: SweepCase, db: Db): Promise<void> {
  for (let round = 0; round < 3; round += 1) await one.sweep(db, bench);
}

describe('what is due', () => {
  it('is asked for by every condition of the table of jobs, each with a case here', () => {
    const inTable = Object.values<SweepQueueRow<never>>(JOBS).flatMap(({ jobs }) =>
      Object.values(jobs).flatMap(({ due = [] }) => due),
    );
    expect(new Set(inTable)).toEqual(new Set(Object.values(DUE)));
  });

  it.each(Object.entries(DUE))(
    'is nothing at first, rows of %s, and nothing again after its sweep',
    async (name, due) => {
      const { db } = bench;
      const one = caseOf(name);
      expect(await isTrue(db, due)).toBe(false);
      await one.seed(db);
      expect(await isTrue(db, due)).toBe(true);
      await sweepAll(one, db);
      expect(await isTrue(db, due)).toBe(false);
    },
  );

  it.each(Object.entries(DUE))('is no row that was set aside, until it is tried again: %s', async (name, due) => {
    const { db } = bench;
    const one = caseOf(name);
    await one.seed(db);
    // One by a trigger, if there is any: such a row is tried again.
    const poisons = Object.values(one.poisons);
    const poison = poisons.find(({ byTrigger }) => byTrigger) ?? poisons[0];
    await poison?.(db);
    expect(await isTrue(db, due)).toBe(true);
    await sweepAll(one, db);
    expect(await db.selectFrom('sweep_failure').select('sweep').distinct().execute()).toEqual([{ sweep: name }]);
    expect(await isTrue(db, due)).toBe(false);
    await db.updateTable('sweep_failure').set({ next_try_at: sql<Date>`now()` }).execute();
    await letLeasesRunOut(db);
    expect(await isTrue(db, due)).toBe(true);
  });
});

function caseOf(name: string): SweepCase {
  const one = Object.entries<SweepCase>(CASES).find(([known]) => known === name)?.[1];
  if (!one) throw new RangeError(`no case ${name}`);
  return one;
}
