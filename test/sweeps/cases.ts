import { sql } from 'kysely';
import type { Db } from '../../src/db/client.ts';
import { assignDueTasks } from '../../src/domain/assignment/assign-sweep.ts';
import { forgetHolds } from '../../src/domain/assignment/holds.ts';
import { reassignUnanswered } from '../../src/domain/assignment/offers.ts';
import { forgetEvents, numberEvents } from '../../src/domain/events/feed.ts';
import { verifyMarked } from '../../src/domain/finance/integrity-now.ts';
import { alertOldDebts } from '../../src/domain/finance/owner-debts.ts';
import { reconcileNight } from '../../src/domain/finance/reconciliation-night.ts';
import { pruneKeys } from '../../src/domain/idempotency/prune.ts';
import { deliverDue } from '../../src/domain/messages/delivery.ts';
import { planDueReminders } from '../../src/domain/messages/reminders.ts';
import { advanceLateCleanings } from '../../src/domain/stay-tasks/late-turnovers.ts';
import { followDepartures } from '../../src/domain/stays/access.ts';
import type { SweepName } from '../../src/domain/sweeps/names.ts';
import { pruneFailures } from '../../src/domain/sweeps/prune.ts';
import { escalateEmergencies, sweepRecurrences } from '../../src/domain/tasks/recurring.ts';
import { deliverWebhooks } from '../../src/domain/webhooks/deliver.ts';
import { noOutages } from '../../src/kernel/outages.ts';
import { startAccessChange } from '../../src/sagas/change-access/start.ts';
import { takeUpGatewayNews } from '../../src/workers/finance.ts';
import { mailboxDeps } from '../setup/deliver.ts';
import { ENGINE_CASES } from './engine-cases.ts';
import {
  breakZoneOf,
  insertAll,
  insertRaw,
  NUMBERS,
  numberOf,
  numbersOf,
  POISONED,
  type Poison,
  raises,
  type SweepCase,
} from './harness.ts';

const seedStays = (db: Db): Promise<void> =>
  insertAll(
    db,
    'reservation',
    NUMBERS.map((n) => ({
      id: `reservation-${n}`,
      property_id: `property-${n}`,
      guest_id: `guest-${n}`,
      check_in_date: '2090-03-01',
      check_out_date: '2090-03-03',
      status: 'CONFIRMED',
      confirmed_at: '2026-01-01T00:00:00Z',
      total_minor: 100_000,
      currency: 'AED',
      created_by: 'test',
    })),
  );

const seedTasks = (db: Db, more: (n: number) => Record<string, unknown>): Promise<void> =>
  insertAll(
    db,
    'task',
    NUMBERS.map((n) => ({
      id: `task-${n}`,
      property_id: `property-${n}`,
      type: 'CLEANING',
      occurrence: 'MANUAL',
      title: `Task ${n}`,
      status: 'UNASSIGNED',
      scheduled_at: '2090-03-01T08:00:00Z',
      ends_at: '2090-03-01T10:00:00Z',
      manual_fields: [],
      required_skills: [],
      assign_attempts: 0,
      alert_level: 0,
      version: 1,
      created_at: '2026-01-01T00:00:00Z',
      ...more(n),
    })),
  );

const NIGHT = '2026-01-05';

/** A place names its event by its number only. */
const ofTheEvent = (poison: Poison): Poison =>
  Object.assign(
    async (db: Db, sqlState?: string) => {
      await sql
        .raw(`
    CREATE OR REPLACE FUNCTION is_poisoned(first bigint, events integer) RETURNS boolean LANGUAGE sql AS
      $$ SELECT bool_or(resource_id = 'reservation-${POISONED}') FROM domain_event WHERE id >= first AND id < first + events $$`)
        .execute(db);
      await poison(db, sqlState);
    },
    { byTrigger: true as const },
  );

export const CASES = {
  ...ENGINE_CASES,
  messages: {
    seed: async (db) => {
      await seedStays(db);
      // No hour is quiet, but the recipient's clock is asked.
      await sql`UPDATE message_rule SET quiet_channels = '{EMAIL,SMS}', quiet_from = '21:00', quiet_to = '21:00'`.execute(
        db,
      );
      await db
        .insertInto('notification')
        .values(
          NUMBERS.map((n) => ({
            id: `message-${n}`,
            effect_key: `message-${n}`,
            reservation_id: `reservation-${n}`,
            event: 'RESERVATION_CONFIRMED',
            template: 'reservation-confirmed.guest@1',
            channel: 'EMAIL' as const,
            recipient_type: 'GUEST' as const,
            recipient_id: `guest-${n}`,
          })),
        )
        .execute();
    },
    poisons: {
      'a zone of the guest': breakZoneOf('guest'),
      'its claim': raises('notification', 'UPDATE', `OLD.id = 'message-${POISONED}'`),
      'its outcome': raises('notification', 'UPDATE', `OLD.id = 'message-${POISONED}' AND NEW.status = 'SENT'`),
    },
    sweep: (db) => deliverDue(mailboxDeps(db)),
    done: (db) =>
      // The others have lost no attempt.
      numbersOf(
        db,
        `SELECT id FROM notification WHERE status = 'SENT' AND recipient_type = 'GUEST' AND (attempts = 1 OR id = 'message-${POISONED}')`,
      ),
  },
  reminders: {
    seed: seedStays,
    poisons: {
      'a zone of the guest': async (db) => {
        await sql`UPDATE message_rule SET quiet_channels = '{EMAIL,SMS}'`.execute(db);
        await breakZoneOf('guest')(db);
      },
      'a zone of the property': breakZoneOf('property'),
      'a write to it': raises('reservation', 'UPDATE', `OLD.id = 'reservation-${POISONED}'`),
    },
    sweep: (db) => planDueReminders(db, 100),
    done: (db) => numbersOf(db, 'SELECT id FROM reservation WHERE reminded_version = version'),
  },
  assignment: {
    seed: (db) => seedTasks(db, () => ({ next_assign_at: '2026-01-01T00:00:00Z' })),
    poisons: {
      'a zone of the property': breakZoneOf('property'),
      'a write to it': raises('task', 'UPDATE', `OLD.id = 'task-${POISONED}'`),
    },
    sweep: (db) => assignDueTasks(db, 50),
    done: (db) => numbersOf(db, "SELECT id FROM task WHERE status = 'ASSIGNED'"),
  },
  offers: {
    seed: (db) =>
      seedTasks(db, (n) => ({ status: 'ASSIGNED', assignee_id: `staff-${n}`, accept_by: '2026-01-01T00:00:00Z' })),
    poisons: {
      'a write to it': raises('task', 'UPDATE', `OLD.id = 'task-${POISONED}'`),
      'what is said of it': raises(
        'notification',
        'INSERT',
        `NEW.effect_key LIKE 'alert-TASK_NOT_ANSWERED-staff-${POISONED}-%'`,
      ),
    },
    sweep: (db) => reassignUnanswered(db, 50),
    done: (db) => numbersOf(db, "SELECT id FROM task WHERE status = 'UNASSIGNED'"),
  },
  turnovers: {
    seed: async (db) => {
      await seedStays(db);
      await seedTasks(db, (n) => ({
        reservation_id: `reservation-${n}`,
        occurrence: 'PRE_ARRIVAL',
        status: 'ASSIGNED',
        assignee_id: `staff-${n}`,
        slot_start: '2090-03-01T12:00:00Z',
        slot_end: '2090-03-01T14:00:00Z',
        must_finish_by: '2090-03-01T11:00:00Z',
      }));
    },
    poisons: {
      'a zone of the property': breakZoneOf('property'),
      'a write to it': raises('task', 'UPDATE', `OLD.id = 'task-${POISONED}'`),
    },
    sweep: (db) => advanceLateCleanings(db, 50),
    done: (db) => numbersOf(db, 'SELECT id FROM task WHERE slot_end IS NULL OR slot_end <= must_finish_by'),
  },
  access: {
    seed: async (db) => {
      await seedStays(db);
      await sql`UPDATE reservation SET status = 'CHECKED_IN', actual_check_in_at = '2026-01-01T00:00:00Z'`.execute(db);
      await insertAll(
        db,
        'amenity_grant',
        NUMBERS.map((n) => ({
          reservation_id: `reservation-${n}`,
          property_id: `property-${n}`,
          device: `lock-${n}`,
          activation_key: `key-${n}`,
          status: 'ACTIVE',
          provider_id: `grant-${n}`,
          valid_from: '2026-01-01T00:00:00Z',
          valid_until: '2090-03-02T07:00:00Z',
          asked_until: '2090-03-02T07:00:00Z',
          changes: 0,
          activated_at: '2026-01-01T00:00:00Z',
        })),
      );
    },
    poisons: {
      'a zone of the property': breakZoneOf('property'),
      'a write to it': raises('amenity_grant', 'UPDATE', `OLD.reservation_id = 'reservation-${POISONED}'`),
      'the saga that it starts': raises('saga', 'INSERT', `NEW.subject_id = 'reservation-${POISONED}'`),
    },
    sweep: (db) => followDepartures(db, startAccessChange, 50),
    done: (db) => numbersOf(db, "SELECT subject_id AS id FROM saga WHERE name = 'changeAccess'"),
  },
  holds: {
    seed: (db) =>
      insertAll(
        db,
        'staff_hold',
        NUMBERS.map((n) => ({
          id: `hold-${n}`,
          occasion: 'o',
          staff_id: `staff-${n}`,
          property_id: `property-${n}`,
          starts_at: '2026-01-01T08:00:00Z',
          ends_at: '2026-01-01T09:00:00Z',
          expires_at: '2026-01-01T00:00:00Z',
        })),
      ),
    poisons: { 'its deletion': raises('staff_hold', 'DELETE', `OLD.id = 'hold-${POISONED}'`) },
    sweep: (db) => forgetHolds(db),
    done: async (db) => {
      const left = await numbersOf(db, 'SELECT id FROM staff_hold');
      return NUMBERS.filter((n) => !left.includes(n));
    },
  },
  emergencies: {
    seed: (db) => seedTasks(db, () => ({ type: 'EMERGENCY' })),
    poisons: {
      'what is said of it': raises('notification', 'INSERT', `NEW.effect_key LIKE 'task-${POISONED}-waits-%'`),
    },
    sweep: (db) => escalateEmergencies(db, new Date('2026-01-01T00:30:00Z')),
    done: (db) => numbersOf(db, "SELECT task_id AS id FROM notification WHERE event = 'MAINTENANCE_ALERT'"),
  },
  recurrences: {
    seed: (db) =>
      insertAll(
        db,
        'recurrence',
        NUMBERS.map((n) => ({
          id: `rule-${n}`,
          property_id: `property-${n}`,
          type: 'INSPECTION',
          title: 'Inspection',
          every: n % 2 === 0 ? 'MONTHLY' : { days: 20 },
          anchor_date: '2027-02-01',
          local_time: '11:00',
          duration_minutes: 60,
          next_period: 0,
          active: true,
          next_look_at: '2026-01-01T00:00:00Z',
          version: 1,
          created_at: '2026-01-01T00:00:00Z',
          created_by: 'test',
        })),
      ),
    poisons: {
      'a zone of the property': breakZoneOf('property'),
      'a write to it': raises('recurrence', 'UPDATE', `OLD.id = 'rule-${POISONED}'`),
      'the task that comes of it': raises('task', 'INSERT', `NEW.property_id = 'property-${POISONED}'`),
    },
    sweep: (db) => sweepRecurrences(db, new Date('2027-01-25T00:00:00Z'), 20),
    done: (db) => numbersOf(db, "SELECT DISTINCT property_id AS id FROM task WHERE occurrence = 'RECURRING'"),
  },
  reconciliations: {
    seed: (db) =>
      insertRaw(
        db,
        `INSERT INTO transaction (id, type, status, owner_id, amount_minor, settled_minor, outstanding_minor, currency, gateway_id, completed_at)
         SELECT 'transaction-' || n, 'OWNER_PAYOUT', 'COMPLETED', 'owner-' || n, 100, 100, 0, 'AED', 'gateway-' || n, '${NIGHT}T10:00:00Z'
           FROM generate_series(0, 19) n`,
      ),
    poisons: {
      'the record of it': raises('reconciliation', 'INSERT', `NEW.gateway_id = 'gateway-${POISONED}'`),
      'the answer of the gateway': async (db) => {
        await sql`UPDATE owner SET name = 'no answer' WHERE id = ${`owner-${POISONED}`}`.execute(db);
      },
    },
    sweep: async (db) => {
      const silent = await numbersOf(db, "SELECT id FROM owner WHERE name = 'no answer'");
      return reconcileNight(db, portsOf(silent), NIGHT);
    },
    done: (db) => numbersOf(db, 'SELECT gateway_id AS id FROM reconciliation'),
  },
  'gateway-events': {
    seed: (db) =>
      insertRaw(
        db,
        `INSERT INTO payment (id, reservation_id, saga_id, gateway_id, gateway_reference, amount_minor, currency, status, requested_by, provider_id)
         SELECT 'payment-' || n, 'reservation-' || n, 'saga-' || n, 'gateway-' || n, 'ref-' || n, 100, 'AED', 'REVERSED', 'test', 'charge-' || n FROM generate_series(0, 19) n;
         INSERT INTO gateway_event (gateway_id, event_id, type, event, payment_id, reservation_id)
         SELECT 'gateway-' || n, 'event-' || n, 'look', '{"kind":"charge-changed","reference":"r","chargeId":null}', 'payment-' || n, 'reservation-' || n FROM generate_series(0, 19) n`,
      ),
    poisons: { 'what came of it': raises('gateway_event', 'UPDATE', `OLD.event_id = 'event-${POISONED}'`) },
    sweep: (db) => takeUpGatewayNews({ db, ports: portsOf([]), orchestrator: NO_SAGAS }),
    done: (db) => numbersOf(db, 'SELECT event_id AS id FROM gateway_event WHERE processed_at IS NOT NULL'),
  },
  debts: {
    seed: (db) =>
      insertRaw(
        db,
        `INSERT INTO ledger_account (id, kind, party_id, currency) SELECT 'account-' || n, 'OWNER_PAYABLE', 'owner-' || n, 'AED' FROM generate_series(0, 19) n;
         INSERT INTO ledger_tx (id, kind, effect_key, purpose, currency, posted_by, made_in, created_at) SELECT 'tx-' || n, 'REFUND', 'tx-' || n, 'RECEIPT', 'AED', 'test', '1', now() - interval '40 days' FROM generate_series(0, 19) n;
         INSERT INTO ledger_entry (tx_id, line, account_id, amount, currency) SELECT 'tx-' || n, 1, 'account-' || n, 100, 'AED' FROM generate_series(0, 19) n;
         SELECT ledger_totals_anew();`,
      ),
    poisons: {
      'what is said of it': raises(
        'notification',
        'INSERT',
        `NEW.effect_key LIKE 'alert-owner-debt-owner-${POISONED}-%'`,
      ),
    },
    sweep: (db) => alertOldDebts(db),
    done: (db) =>
      numbersOf(
        db,
        "SELECT split_part(params ->> 'sagaId', ' ', 1) AS id FROM notification WHERE params ->> 'code' = 'OWNER_OWES'",
      ),
  },
  events: {
    seed: seedStays,
    poisons: {
      'its number': ofTheEvent(raises('event_run', 'INSERT', 'is_poisoned(NEW.event_id, NEW.events)')),
    },
    sweep: (db) => numberEvents(db),
    done: (db) =>
      numbersOf(
        db,
        `SELECT e.resource_id AS id FROM domain_event e JOIN event_run p ON e.id >= p.event_id AND e.id < p.event_id + p.events
          WHERE e.resource = 'reservation'`,
      ),
  },
  'event-retention': {
    seed: async (db) => {
      await seedStays(db);
      await numberEvents(db);
      await sql`UPDATE domain_event SET at = now() - interval '100 days'`.execute(db);
    },
    poisons: { 'its deletion': raises('domain_event', 'DELETE', `OLD.resource_id = 'reservation-${POISONED}'`) },
    sweep: (db) => forgetEvents(db, 30),
    done: async (db) => {
      const left = await numbersOf(db, "SELECT resource_id AS id FROM domain_event WHERE resource = 'reservation'");
      return NUMBERS.filter((n) => !left.includes(n));
    },
  },
  webhooks: {
    seed: async (db) => {
      await insertAll(
        db,
        'webhook_endpoint',
        NUMBERS.map((n) => ({
          id: `endpoint-${n}`,
          url: `https://example.com/${n}`,
          types: [],
          status: 'ACTIVE',
          secret: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD',
          next_seq: 1,
          attempt: 0,
          next_attempt_at: '2026-01-01T00:00:00Z',
          fence: 0,
          created_by: 'test',
          version: 1,
          created_at: '2026-01-01T00:00:00Z',
        })),
      );
      await seedStays(db);
    },
    poisons: {
      'its claim': raises('webhook_endpoint', 'UPDATE', `OLD.id = 'endpoint-${POISONED}'`),
      'what came of it': raises('webhook_attempt', 'INSERT', `NEW.endpoint_id = 'endpoint-${POISONED}'`),
    },
    sweep: (db) =>
      deliverWebhooks({
        db,
        random: () => 0.5,
        outages: noOutages,
        sender: {
          send: async () => ({ taken: true, statusCode: 204, reason: null, ms: 1 }),
          refusalOf: async () => null,
        },
      }),
    done: (db) => numbersOf(db, 'SELECT id FROM webhook_endpoint WHERE next_seq > 1'),
  },
  'idempotency-keys': {
    seed: (db) =>
      insertRaw(
        db,
        `INSERT INTO idempotency_key (principal, key, request_hash, accepted_status, accepted_body, created_at)
         SELECT 'tester', 'key-' || n, '', 200, '', now() - interval '40 days' FROM generate_series(0, 19) n`,
      ),
    poisons: { 'its deletion': raises('idempotency_key', 'DELETE', `OLD.key = 'key-${POISONED}'`) },
    sweep: (db) => pruneKeys(db),
    done: async (db) => {
      const left = await numbersOf(db, 'SELECT key AS id FROM idempotency_key');
      return NUMBERS.filter((n) => !left.includes(n));
    },
  },
  integrity: {
    seed: async (db) => {
      await seedStays(db);
      await sql`UPDATE reservation SET status = 'CHECKED_IN'`.execute(db);
    },
    poisons: { 'its deletion': raises('integrity_mark', 'DELETE', `OLD.ref = 'reservation-${POISONED}'`) },
    sweep: (db) => verifyMarked(db, { after: '0' }),
    done: async (db) => {
      const left = await numbersOf(db, 'SELECT ref AS id FROM integrity_mark');
      return NUMBERS.filter((n) => !left.includes(n));
    },
  },
  failures: {
    seed: (db) =>
      insertRaw(
        db,
        `INSERT INTO sweep_failure (sweep, row_id, reason, last_at, next_try_at)
         SELECT 'offers', 'task-' || n, 'x', now() - interval '3 days', now() - interval '3 days' FROM generate_series(0, 19) n`,
      ),
    poisons: { 'its deletion': raises('sweep_failure', 'DELETE', `OLD.row_id = 'task-${POISONED}'`) },
    sweep: (db) => pruneFailures(db),
    done: async (db) => {
      const left = await numbersOf(db, "SELECT row_id AS id FROM sweep_failure WHERE sweep = 'offers'");
      return NUMBERS.filter((n) => !left.includes(n));
    },
  },
} satisfies Record<SweepName, SweepCase>;

const NO_SAGAS = {} as Parameters<typeof takeUpGatewayNews>[0]['orchestrator'];

/** Gateways with nothing to say; some do not answer. */
function portsOf(silent: readonly number[]): Parameters<typeof reconcileNight>[1] {
  const movements = async (gatewayId: string) => {
    if (silent.includes(numberOf(gatewayId))) throw new Error('no answer');
    return [];
  };
  return { gateway: () => ({ movements, disputes: async () => [] }) } as unknown as Parameters<
    typeof reconcileNight
  >[1];
}
