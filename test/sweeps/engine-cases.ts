import { once } from 'node:events';
import { sql } from 'kysely';
import { inject } from 'vitest';
import type { Db } from '../../src/db/client.ts';
import { addUpLedger } from '../../src/domain/finance/totals.ts';
import type { Ports } from '../../src/domain/ports.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { confirmReservation, definitionOf } from '../../src/sagas/index.ts';
import { createEngine, type Engine } from '../../src/wiring.ts';
import { expireApprovals, releaseDuePayouts, sendOwedRefunds } from '../../src/workers/finance.ts';
import { NO_DEVICES } from '../setup/engine.ts';
import { type Bench, insertAll, insertRaw, NUMBERS, numbersOf, POISONED, raises, type SweepCase } from './harness.ts';

/** The sweeps that need the saga engine, with a real Redis. */

const log = createLogger('test', 'silent');
const NO_PORTS: Ports = {
  amenities: NO_DEVICES,
  gatewayIds: [],
  gateway: () => {
    throw new Error('no gateway in this test');
  },
  payouts: () => {
    throw new Error('no gateway in this test');
  },
  amountStep: () => 1,
};

/** The engine as a worker has it, connected, for as long as `work` takes. */
async function withEngine<T>({ db, database }: Bench, work: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = createEngine({
    db,
    databaseUrl: database.url,
    redisUrl: inject('redisUrl'),
    queuePrefix: `sweeps-${new URL(database.url).pathname.slice(1)}`,
    log,
    processId: 'sweeps',
    definitionOf,
    ports: NO_PORTS,
  });
  try {
    // Orders are left alone while Redis is not known to be there.
    const { producer } = engine.queues;
    if (producer.status !== 'ready') await once(producer, 'ready');
    return await work(engine);
  } finally {
    await engine.close();
  }
}

const sagaRow = (n: number) => ({
  id: `saga-${n}`,
  name: confirmReservation.name,
  definition_ver: confirmReservation.version,
  subject_type: 'reservation',
  subject_id: `reservation-${n}`,
  input: {},
  input_hash: '\\x00',
  requested_by: 'test',
  requested_at: '2026-01-01T00:00:00Z',
  updated_at: '2026-01-01T00:00:00Z',
  status: 'pending',
  current_step: 1,
  total_steps: confirmReservation.steps.length,
  generation: 1,
  version: 0,
  redispatches: 0,
  next_check_at: '2026-01-01T00:00:00Z',
  deadline_at: '2090-01-01T00:00:00Z',
});
const seedSagas = (db: Db): Promise<void> => insertAll(db, 'saga', NUMBERS.map(sagaRow));

export const ENGINE_CASES = {
  payouts: {
    seed: async (db) => {
      await insertRaw(
        db,
        `INSERT INTO transaction (id, type, status, owner_id, amount_minor, settled_minor, outstanding_minor, currency, scheduled_for)
         SELECT 'transaction-' || n, 'OWNER_PAYOUT', 'PENDING', 'owner-' || n, 100, 0, 100, 'AED', now() - interval '1 day' FROM generate_series(0, 19) n;
         INSERT INTO ledger_account (id, kind, party_id, currency) SELECT 'account-' || n, 'OWNER_PAYABLE', 'owner-' || n, 'AED' FROM generate_series(0, 19) n;
         INSERT INTO ledger_tx (id, kind, effect_key, purpose, currency, posted_by, made_in) SELECT 'tx-' || n, 'GUEST_PAYMENT', 'tx-' || n, 'RECEIPT', 'AED', 'test', '1' FROM generate_series(0, 19) n;
         INSERT INTO ledger_entry (tx_id, line, account_id, amount, currency) SELECT 'tx-' || n, 1, 'account-' || n, -100, 'AED' FROM generate_series(0, 19) n;
         SELECT ledger_totals_anew();`,
      );
      await sql`UPDATE owner SET payout_account = 'acct-1'`.execute(db);
    },
    poisons: {
      'its saga': raises('saga', 'INSERT', `NEW.subject_id = 'transaction-${POISONED}'`),
    },
    sweep: (db, bench) =>
      withEngine(bench, ({ orchestrator }) => releaseDuePayouts({ db, orchestrator, ports: NO_PORTS, log })),
    done: (db) => numbersOf(db, 'SELECT subject_id AS id FROM saga'),
  },
  approvals: {
    seed: (db) =>
      insertRaw(
        db,
        `INSERT INTO approval (id, kind, subject_type, subject_id, owner_id, asked, asked_by, expires_at)
         SELECT 'approval-' || n, 'PAYOUT_ACCOUNT', 'owner', 'owner-' || n, 'owner-' || n, 'An account', 'somebody', now() - interval '1 hour'
           FROM generate_series(0, 19) n`,
      ),
    poisons: {
      'its end': raises('approval', 'UPDATE', `OLD.id = 'approval-${POISONED}'`),
    },
    sweep: (db, bench) => withEngine(bench, ({ orchestrator }) => expireApprovals({ db, orchestrator })),
    done: (db) => numbersOf(db, `SELECT id FROM approval WHERE status <> 'PENDING'`),
  },
  refunds: {
    seed: (db) =>
      insertRaw(
        db,
        `INSERT INTO transaction (id, type, status, reservation_id, owner_id, amount_minor, settled_minor, outstanding_minor, currency)
         SELECT 'transaction-' || n, 'REFUND', 'PENDING', 'reservation-' || n, 'owner-' || n, 100, 0, 100, 'AED' FROM generate_series(0, 19) n`,
      ),
    poisons: {
      'its saga': raises('saga', 'INSERT', `NEW.subject_id = 'transaction-${POISONED}'`),
    },
    sweep: (db) => sendOwedRefunds({ db }),
    done: (db) => numbersOf(db, 'SELECT subject_id AS id FROM saga'),
  },
  totals: {
    seed: (db) =>
      insertRaw(
        db,
        `INSERT INTO ledger_part (account_kind, party_id, currency, purpose, kind, amount)
         SELECT 'OWNER_PAYABLE', 'owner-' || n, 'AED', 'RECEIPT', 'GUEST_PAYMENT', 100 FROM generate_series(0, 19) n`,
      ),
    poisons: {
      'a sum that is too large': async (db) => {
        await sql`INSERT INTO ledger_total (account_kind, party_id, currency, purpose, kind, amount)
          VALUES ('OWNER_PAYABLE', ${`owner-${POISONED}`}, 'AED', 'RECEIPT', 'GUEST_PAYMENT', 9223372036854775800)`.execute(
          db,
        );
      },
      'its deletion': raises('ledger_part', 'DELETE', `OLD.party_id = 'owner-${POISONED}'`),
    },
    sweep: (db) => addUpLedger(db),
    done: async (db) => {
      const left = await numbersOf(db, 'SELECT party_id AS id FROM ledger_part');
      return NUMBERS.filter((n) => !left.includes(n));
    },
  },
  orders: {
    seed: async (db) => {
      await seedSagas(db);
      await insertRaw(
        db,
        `INSERT INTO outbox (kind, dedupe_key, saga_id, payload) SELECT 'FLOW_F', 'saga-' || n || '-F-1', 'saga-' || n, '{}' FROM generate_series(0, 19) n`,
      );
    },
    poisons: {
      'its lease': raises('outbox', 'UPDATE', `OLD.saga_id = 'saga-${POISONED}' AND NEW.attempts > OLD.attempts`),
      'the mark that it is published': raises(
        'outbox',
        'UPDATE',
        `OLD.saga_id = 'saga-${POISONED}' AND NEW.published_at IS NOT NULL`,
      ),
      'a saga that no build knows': async (db) => {
        await insertRaw(db, `UPDATE saga SET name = 'poisoned' WHERE id = 'saga-${POISONED}'`);
      },
    },
    sweep: (db, bench) =>
      withEngine(bench, async ({ relay }) => {
        // A row that a newer build may know is tried some times before it is set aside.
        await insertRaw(
          db,
          'UPDATE outbox SET available_at = now(), attempts = attempts + 3 WHERE published_at IS NULL',
        );
        relay.start();
        await relay.stop();
      }),
    done: (db) => numbersOf(db, 'SELECT saga_id AS id FROM outbox WHERE published_at IS NOT NULL'),
  },
  sagas: {
    seed: seedSagas,
    poisons: {
      'a write to it': raises('saga', 'UPDATE', `OLD.id = 'saga-${POISONED}'`),
      'its new order': raises('outbox', 'INSERT', `NEW.saga_id = 'saga-${POISONED}'`),
    },
    sweep: (_db, bench) => withEngine(bench, ({ reconciler }) => reconciler.tick()),
    done: (db) => numbersOf(db, 'SELECT id FROM saga WHERE generation > 1'),
  },
} satisfies Record<string, SweepCase>;
