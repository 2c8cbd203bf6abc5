import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { Finding } from '../../domain/incidents/findings.ts';
import { parkedSagas, retryingSagas, type StuckSagas } from '../../engine/read/stuck.ts';
import { groupSubject } from '../../engine/stuck-group.ts';
import { DUE_KINDS, dueKind } from '../../queues/due-rows.ts';
import type { Sign } from '../sign.ts';

/** Whether anything that is due has waited for longer than it ever should. One statement for all kinds. */
export const waitingSign = (db: Db): Sign => ({
  name: 'what is due',
  kinds: ['WORK_WAITS'],
  async look() {
    const asked = WATCHED.map(
      ({ rows, since, lateAfterMinutes }, n) =>
        sql`(SELECT due.at FROM (SELECT ${since} AS at ${rows} ORDER BY ${since} LIMIT 1) due
              WHERE due.at < now() - ${lateAfterMinutes}::float8 * interval '1 minute') AS ${sql.id(`since_${n}`)}`,
    );
    const { rows } = await sql<Readonly<Record<string, Date | null>>>`SELECT ${sql.join(asked)}`.execute(db);
    return WATCHED.flatMap(({ what }, n) => {
      const since = rows[0]?.[`since_${n}`] ?? null;
      return since === null ? [] : [{ kind: 'WORK_WAITS', subject: what, since } as const];
    });
  },
});
const WATCHED = DUE_KINDS.map(dueKind).flatMap(({ what, rows, since, lateAfterMinutes }) =>
  since === null || lateAfterMinutes === null ? [] : [{ what, rows, since, lateAfterMinutes }],
);

/** Sagas that try in vain, and those that nobody has looked after for an hour. */
export const sagaSign = (db: Db, isAboutMoney: (name: string) => boolean): Sign => ({
  name: 'sagas',
  kinds: ['SAGA_RETRYING', 'SAGA_PARKED'],
  async look() {
    const finding =
      (kind: 'SAGA_RETRYING' | 'SAGA_PARKED') =>
      (group: StuckSagas): Finding => ({
        kind,
        subject: groupSubject(group),
        count: group.count,
        since: group.since,
        newest: group.newest,
        area: isAboutMoney(group.name) ? 'MONEY' : 'ENGINE',
        examples: group.examples,
      });
    const [retrying, parked] = [await retryingSagas(db), await parkedSagas(db)];
    return [...retrying.map(finding('SAGA_RETRYING')), ...parked.map(finding('SAGA_PARKED'))];
  },
});

/** Rows that sweeps have set aside. */
export const setAsideSign = (db: Db): Sign => ({
  name: 'rows that were set aside',
  kinds: ['ROWS_SET_ASIDE'],
  async look() {
    const { rows } = await sql<{ subject: string; count: number; since: Date; newest: Date; ids: string[] }>`
      SELECT f.sweep AS subject, count(*)::int AS count, min(f.first_at) AS since, max(f.first_at) AS newest,
             (array_agg(f.row_id ORDER BY f.first_at, f.row_id))[1:5] AS ids
        FROM (SELECT sweep, row_id, first_at FROM sweep_failure ORDER BY last_at DESC LIMIT 1000) f GROUP BY f.sweep`.execute(
      db,
    );
    return rows.map(
      ({ ids, ...row }) => ({ kind: 'ROWS_SET_ASIDE', ...row, examples: ids.map((id) => ({ id })) }) as const,
    );
  },
});

/**
 * Endpoints that are on, have been called in vain several times, and have taken nothing for an hour: since the first of the calls in a
 * row that failed. Their place in the feed says nothing of it, for events of types that they do not want lie between.
 */
export const webhookSign = (db: Db): Sign => ({
  name: 'webhook endpoints',
  kinds: ['WEBHOOK_FAILING'],
  async look() {
    const { rows } = await sql<{ subject: string; since: Date }>`
      SELECT w.id AS subject, f.at AS since FROM webhook_endpoint w CROSS JOIN LATERAL (
             SELECT min(a.at) AS at FROM (SELECT x.at FROM webhook_attempt x WHERE x.endpoint_id = w.id ORDER BY x.id DESC LIMIT w.attempt) a) f
       WHERE w.status = 'ACTIVE' AND w.attempt > 2 AND f.at < now() - interval '1 hour' ORDER BY w.id LIMIT 100`.execute(
      db,
    );
    return rows.map((row) => ({ kind: 'WEBHOOK_FAILING', ...row }) as const);
  },
});

/** What people have paused, and may have forgotten. */
export const holdSign = (db: Db): Sign => ({
  name: 'holds',
  kinds: ['SAGAS_PAUSED'],
  async look() {
    const rows = await db
      .selectFrom('hold')
      .select(['id', 'scope', 'subject', 'held_at'])
      .where('released_at', 'is', null)
      .where('held_at', '<', sql<Date>`now() - ${FORGOTTEN_MS / 1_000}::int * interval '1 second'`)
      .orderBy('held_at')
      .limit(MAX_HOLDS)
      .execute();
    return rows.map(({ id, scope, subject, held_at }) => ({
      kind: 'SAGAS_PAUSED',
      subject: scope === 'ALL' ? 'all of them' : subject,
      since: held_at,
      newest: new Date(held_at.getTime() + FORGOTTEN_MS),
      examples: [{ id, ...(scope === 'SAGA' ? { sagaId: subject } : {}) }],
    }));
  },
});
const MAX_HOLDS = 100;
const FORGOTTEN_MS = 3_600_000;

/** Questions about money that nobody has answered. Each is an incident of its own, as each is told at once. */
export const approvalSign = (db: Db): Sign => ({
  name: 'approvals',
  kinds: ['APPROVAL_WAITS'],
  async look() {
    const rows = await db
      .selectFrom('approval')
      .select(['id', 'kind', 'asked_at', 'saga_id', 'reservation_id', 'property_id'])
      .where('status', '=', literal('PENDING'))
      .orderBy('asked_at')
      .orderBy('id')
      .limit(MAX_APPROVALS)
      .execute();
    return rows.map(({ id, kind, asked_at, saga_id, reservation_id, property_id }) => ({
      kind: 'APPROVAL_WAITS',
      subject: `${kind} ${id}`,
      since: asked_at,
      area: 'MONEY',
      examples: [
        {
          id,
          ...(saga_id === null ? {} : { sagaId: saga_id }),
          ...(reservation_id === null ? {} : { reservationId: reservation_id }),
          ...(property_id === null ? {} : { propertyId: property_id }),
        },
      ],
    }));
  },
});
const MAX_APPROVALS = 100;
