import { sql } from 'kysely';
import type { Db } from '../db/client.ts';
import { batchLimit } from '../db/literal.ts';
import { type Sample, sample } from '../kernel/telemetry/measure.ts';

/** How sagas, money, plans, books and workers stand, as Postgres has it. */

const MAX_ROWS = 10_000;

/** Sagas that have not ended, by name and status. */
export async function openSagas(db: Db): Promise<readonly Sample[]> {
  const { rows } = await sql<{ name: string; status: string; n: number; oldest: number }>`
    SELECT s.name, s.status, count(*)::int AS n, extract(epoch FROM now() - min(s.updated_at))::float8 AS oldest
      FROM (SELECT x.name, x.status, x.updated_at FROM saga x WHERE x.finished_at IS NULL
             ORDER BY x.requested_at, x.id LIMIT ${batchLimit(MAX_ROWS)}) s
     GROUP BY s.name, s.status`.execute(db);
  return rows.flatMap(({ name: saga, status, n, oldest }) => [
    sample('roomy_sagas_open', n, { saga, status }),
    sample('roomy_sagas_open_oldest_seconds', Math.max(0, oldest), { saga, status }),
  ]);
}

/** Sagas at a step that has failed and is tried again. */
export async function retryingSagas(db: Db): Promise<readonly Sample[]> {
  const { rows } = await sql<{ name: string; n: number; oldest: number }>`
    SELECT s.name, count(*)::int AS n, extract(epoch FROM now() - min(coalesce(t.first_sent_at, t.started_at)))::float8 AS oldest
      FROM (SELECT x.id, x.name, x.current_step FROM saga x WHERE x.finished_at IS NULL AND x.status IN ('pending', 'running', 'compensating')
             ORDER BY x.requested_at, x.id LIMIT ${batchLimit(MAX_ROWS)}) s
      JOIN saga_step t ON t.saga_id = s.id AND t.step_no = s.current_step
     WHERE t.status IN ('pending', 'running') AND t.error IS NOT NULL
     GROUP BY s.name`.execute(db);
  return rows.flatMap(({ name: saga, n, oldest }) => [
    sample('roomy_sagas_retrying', n, { saga }),
    sample('roomy_sagas_retrying_oldest_seconds', Math.max(0, oldest), { saga }),
  ]);
}

/** Refunds that are owed, and payouts that are with the bank. Amounts in minor units. */
export async function moneyInFlight(db: Db): Promise<readonly Sample[]> {
  const { rows } = await sql<{ kind: 'refund' | 'payout'; currency: string; amount: number; oldest: number }>`
    SELECT 'refund' AS kind, t.currency, sum(t.amount_minor)::bigint AS amount, extract(epoch FROM now() - min(t.created_at))::float8 AS oldest
      FROM transaction t WHERE t.status IN ('PENDING', 'PROCESSING', 'MANUAL_REQUIRED') AND t.type = 'REFUND' GROUP BY t.currency
    UNION ALL
    SELECT 'payout', t.currency, sum(t.amount_minor)::bigint, extract(epoch FROM now() - min(s.requested_at))::float8
      FROM transaction t LEFT JOIN saga s ON s.id = t.payout_saga
     WHERE t.status = 'PROCESSING' AND t.type = 'OWNER_PAYOUT' GROUP BY t.currency`.execute(db);
  const oldest = Map.groupBy(rows, ({ kind }) => kind);
  return [
    ...rows.map(({ kind, currency, amount }) => sample('roomy_money_in_flight_minor', amount, { kind, currency })),
    ...(['refund', 'payout'] as const).map((kind) =>
      sample(
        'roomy_money_in_flight_oldest_seconds',
        Math.max(0, ...(oldest.get(kind) ?? []).map((row) => row.oldest ?? 0)),
        { kind },
      ),
    ),
  ];
}

/** Work that was to begin and that nobody has; what sweeps have set aside; and the books. */
export async function plansAndBooks(db: Db): Promise<readonly Sample[]> {
  const { rows } = await sql<{
    unplanned: number;
    lateness: number | null;
    aside: number;
    pass_age: number | null;
    differences: number | null;
  }>`
    SELECT late.n AS unplanned, late.lateness, aside.n AS aside, pass.age AS pass_age, pass.differences
      FROM (SELECT count(*)::int AS n, extract(epoch FROM now() - min(x.at))::float8 AS lateness
              FROM (SELECT t.scheduled_at AS at FROM task t WHERE t.status = 'UNASSIGNED' AND t.next_assign_at IS NOT NULL
                     AND t.scheduled_at <= now() LIMIT ${batchLimit(MAX_ROWS)}) x) late,
           (SELECT count(*)::int AS n FROM (SELECT FROM sweep_failure LIMIT ${batchLimit(MAX_ROWS)}) x) aside
      LEFT JOIN (SELECT extract(epoch FROM now() - p.finished_at)::float8 AS age, p.difference_count AS differences
                   FROM integrity_pass p ORDER BY p.id DESC LIMIT 1) pass ON true`.execute(db);
  return rows.flatMap(({ unplanned, lateness, aside, pass_age, differences }) => [
    sample('roomy_tasks_unplanned', unplanned, {}),
    sample('roomy_plan_lateness_seconds', Math.max(0, lateness ?? 0), {}),
    sample('roomy_rows_set_aside', aside, {}),
    ...(pass_age === null ? [] : [sample('roomy_integrity_pass_age_seconds', Math.max(0, pass_age), {})]),
    ...(differences === null ? [] : [sample('roomy_integrity_differences', differences, {})]),
  ]);
}

/**
 * Who serves which role, by the names of connections (`workerName`): `roomy-worker` serves all roles, `roomy-worker:a,b` those
 * two.
 */
export async function workers(db: Db, roles: readonly string[]): Promise<readonly Sample[]> {
  const { rows } = await sql<{ name: string; n: number }>`
    SELECT application_name AS name, count(*)::int AS n FROM pg_stat_activity
     WHERE datname = current_database() AND (application_name = 'roomy-worker' OR application_name LIKE 'roomy-worker:%')
     GROUP BY application_name`.execute(db);
  const serves = (name: string, role: string): boolean =>
    !name.includes(':') ||
    name
      .slice(name.indexOf(':') + 1)
      .split(',')
      .includes(role);
  return roles.map((role) =>
    sample(
      'roomy_worker_connections',
      rows.reduce((all, { name, n }) => all + (serves(name, role) ? n : 0), 0),
      { role },
    ),
  );
}
