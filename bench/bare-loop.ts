import pg from 'pg';
import { planStay } from '../src/domain/reservations/stay-plan.ts';
import { newId } from '../src/kernel/ids.ts';
import * as statements from './bare-statements.ts';
import type { Outcome } from './types.ts';

/**
 * The confirmation's eight steps as a bare loop: begin, effect, record, commit for each, on a connection of its own
 * meanwhile, with named statements. No queue, no saga row, no guard, no audit trail, no answer to build.
 */
export interface BareLoop {
  readonly run: (outcome: Outcome, stay: string) => Promise<void>;
}

export function createBareLoop(databaseUrl: string, connections: number): BareLoop {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: connections, application_name: 'bench-bare' });
  pool.on('error', () => undefined);
  return {
    run: async (outcome, stay) => {
      const client = await pool.connect();
      try {
        await confirm(client, outcome, stay);
      } finally {
        client.release();
      }
    },
  };
}

interface StayRow {
  readonly status: string;
  readonly property_id: string;
  readonly guest_id: string;
  readonly check_in_date: string;
  readonly check_out_date: string;
  readonly currency: string;
  readonly total_minor: string;
  readonly owner_id: string;
  readonly time_zone: string;
  readonly check_in_time: string;
  readonly check_out_time: string;
  readonly cleaning_minutes: number;
  readonly guest_has_phone: boolean;
  readonly taken: boolean;
  readonly distribution_version: number;
}

/** By the trigger of a migrated schema, or the constraint of the reference. */
const REFUSALS: readonly unknown[] = ['RM001', '23514'];

async function confirm(client: pg.PoolClient, outcome: Outcome, stay: string): Promise<void> {
  const saga = newId('saga');
  const requestedAt = new Date();
  const key = (step: number, direction = 'F'): string => `${saga}-${step}-${direction}`;

  async function step<Row>(no: number, effect: pg.QueryConfig, direction = 'F'): Promise<Row> {
    await client.query('BEGIN');
    try {
      const { rows } = await client.query(effect);
      if (rows[0] === undefined) throw new Error(`step ${no}${direction} of ${stay} found nothing`);
      await client.query(statements.record(saga, no, direction, 'done', rows[0]));
      await client.query('COMMIT');
      return rows[0] as Row;
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    }
  }

  const facts = await step<StayRow>(1, statements.validate(stay, requestedAt));
  if (facts.status !== 'PENDING' || facts.taken) throw new Error(`${stay} cannot be confirmed`);
  const plan = planStay(
    {
      checkInDate: facts.check_in_date,
      checkOutDate: facts.check_out_date,
      plannedArrival: null,
      plannedDeparture: null,
    },
    {
      timeZone: facts.time_zone,
      checkInTime: facts.check_in_time,
      checkOutTime: facts.check_out_time,
      cleaningMinutes: facts.cleaning_minutes,
    },
  );
  const { version } = await step<{ version: number }>(
    2,
    statements.confirm(stay, requestedAt, facts.distribution_version),
  );
  await step(3, statements.preArrivalCleaning(stay, requestedAt, plan.preArrivalCleaning, key(3)));
  await step(4, statements.stayTask(stay, requestedAt, plan.checkIn, key(4)));
  await step(5, statements.stayTask(stay, requestedAt, plan.checkOut, key(5)));
  await step(6, statements.postCleaning(stay, requestedAt, plan.postDepartureCleaning, key(6)));
  await step(
    7,
    statements.amountDue(stay, key(7), {
      ownerId: facts.owner_id,
      amountMinor: facts.total_minor,
      currency: facts.currency,
      distributionVersion: facts.distribution_version,
    }),
  );
  const messages = statements.notify(stay, key(8), {
    guestId: facts.guest_id,
    hasPhone: facts.guest_has_phone,
    ownerId: facts.owner_id,
  });
  if (outcome === 'confirm') {
    await step(8, messages);
    return;
  }
  const refused = await step(8, messages).then(
    () => false,
    (error: { code?: unknown }) => REFUSALS.includes(error.code),
  );
  if (!refused) throw new Error(`${stay} should have been refused`);
  await client.query(statements.record(saga, 8, 'F', 'failed', {}));
  await step(7, statements.cancelAmountDue(key(7)), 'C');
  await step(6, statements.withdrawPostCleaning(key(6)), 'C');
  await step(5, statements.withdrawTask(key(5)), 'C');
  await step(4, statements.withdrawTask(key(4)), 'C');
  await step(3, statements.withdrawPreArrivalCleaning(key(3)), 'C');
  await step(2, statements.unconfirm(stay, version), 'C');
}
