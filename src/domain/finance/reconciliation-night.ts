import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { MovementKind } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { PAYOUT_BANK, type Ports } from '../ports.ts';
import { attemptEach } from '../sweeps/isolate.ts';
import { BOOKED_GATEWAYS } from './booked-gateways.ts';
import { bookedItems } from './booked-items.ts';
import { bookMissedEvents } from './due-events.ts';
import { keepComparison, oneAtATime, type Reconciled, type ReconcileOrder, reconcile } from './reconciliation.ts';
import { type MatchedLine, matchMovements, type SettledMovement } from './reconciliation-match.ts';
import { findByOccasion } from './reconciliation-views.ts';
import { isHandedOver } from './settlement.ts';

/** Asking gateways for their own record: on demand, and every night. */

/** Movements that one reconciliation compares, at the most. */
const MAX_MOVEMENTS = 100_000;
/** By how much the gateway's clock and ours may differ about one movement. */
const MARGIN_MS = 60 * 60 * 1000;

type GatewayQuestion = Omit<ReconcileOrder, 'movements' | 'source'>;

/** Asks a gateway for its record of `[from, to)`, outside any transaction, and compares. */
export const reconcileWithGateway = async (db: Db, ports: Ports, question: GatewayQuestion): Promise<Reconciled> =>
  reconcile(db, await orderByGateway(db, ports, question));

/**
 * Reads a gateway's record of `[from, to)` for a comparison, outside any transaction. Refunds and disputes of our charges that no
 * event has reported are booked first. Throws `GATEWAY_UNKNOWN`, and `VALIDATION_FAILED` for more movements than can be compared.
 */
export async function orderByGateway(db: Db, ports: Ports, question: GatewayQuestion): Promise<ReconcileOrder> {
  const movements = await gatewayMovements(ports, question);
  await bookMissedEvents(db, ports, { ...question, movements });
  const earlier = await movementsBefore(db, ports, question, movements);
  return { ...question, source: 'GATEWAY', movements, earlier };
}

/** The days before that are searched: those in which an event may be late, and some more. */
const LATE_DAYS = [1, 7];

/**
 * The movements of before the time that we booked within it, because their event was late or lost. The gateway is asked about
 * those days only when a booked row has no movement.
 */
async function movementsBefore(
  db: Db,
  ports: Pick<Ports, 'gateway'>,
  { gatewayId, from, to }: Pick<ReconcileOrder, 'gatewayId' | 'from' | 'to'>,
  movements: readonly SettledMovement[],
): Promise<readonly SettledMovement[]> {
  const booked = await bookedItems(db, { gatewayId, from, to }, movements);
  const missing = new Set(matchMovements(movements, booked, () => false).flatMap(({ item }) => item?.providerId ?? []));
  const found: SettledMovement[] = [];
  let until = new Date(from.getTime() - MARGIN_MS);
  for (const days of LATE_DAYS) {
    if (missing.size === 0) break;
    const since = new Date(until.getTime() - days * DAY_MS);
    for (const movement of await movementsOf(ports, gatewayId, since, until)) {
      if (missing.delete(movement.providerId)) found.push(movement);
    }
    until = since;
  }
  return found;
}

/** Throws `GATEWAY_UNKNOWN`, and `VALIDATION_FAILED` for more movements than can be compared at once. */
async function gatewayMovements(
  ports: Ports,
  { gatewayId, from, to }: Pick<ReconcileOrder, 'gatewayId' | 'from' | 'to'>,
): Promise<readonly SettledMovement[]> {
  const since = new Date(from.getTime() - MARGIN_MS);
  const until = new Date(to.getTime() + MARGIN_MS);
  const movements = await ports.gateway(gatewayId).movements(gatewayId, since, until, MAX_MOVEMENTS);
  if (movements.length >= MAX_MOVEMENTS) {
    throw new RoomyError('VALIDATION_FAILED', {
      text: 'There are too many movements in that time: ask for less of it',
    });
  }
  return movements;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Of one night. */
export interface NightReconciled {
  readonly done: readonly Reconciled[];
  /** Of gateways that could not be asked, or whose record could not be kept. */
  readonly failures: readonly unknown[];
}

/**
 * Reconciles one day, in UTC, with every gateway that we have booked with, and books the settlements of earlier days that came
 * since; each once, however often it is called. A gateway that fails does not delay the others: its reason is recorded, and the
 * next call tries it again. `night`: `YYYY-MM-DD`.
 */
export async function reconcileNight(db: Db, ports: Ports, night: string): Promise<NightReconciled> {
  const from = new Date(`${night}T00:00:00.000Z`);
  const to = new Date(from.getTime() + DAY_MS);
  const done: Reconciled[] = [];
  const failures: unknown[] = [];
  const gateways = await gatewaysInUse(db, from, to);
  await attemptEach(db, 'reconciliations', gateways, {
    id: (gatewayId) => `${gatewayId} ${night}`,
    work: async (gatewayId) => {
      const occasion = `night-${gatewayId}-${night}`;
      try {
        const before = await findByOccasion(db, occasion);
        if (before) {
          done.push({ ...before, replayed: true, settlementsPosted: 0 });
          return;
        }
        await settleEarlier(db, ports, { gatewayId, before: from, night });
        done.push(await reconcileWithGateway(db, ports, { gatewayId, from, to, occasion, startedBy: 'schedule' }));
      } catch (error) {
        failures.push(error);
        throw error;
      }
    },
  });
  return { done, failures };
}

/** Of payments ever, from index entry to index entry: few gateways, many payments. Of payouts within the time. */
async function gatewaysInUse(db: Db, from: Date, to: Date): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    ${BOOKED_GATEWAYS}
    UNION SELECT coalesce(gateway_id, ${PAYOUT_BANK}) FROM transaction
     WHERE type = 'OWNER_PAYOUT' AND status = 'COMPLETED' AND settled_minor > 0 AND completed_at >= ${from} AND completed_at < ${to}
     ORDER BY id LIMIT 100`.execute(db);
  return rows.map(({ id }) => id);
}

/** Movements that are not settled after so long need a person's request: `POST financial/reconciliations` of those days. */
const SETTLED_WITHIN_MS = 31 * DAY_MS;
/** A gateway may date a charge some days before we do (`DATE_MISMATCH`). */
const DATED_EARLIER_MS = 3 * DAY_MS;

interface Earlier {
  readonly gatewayId: string;
  readonly before: Date;
  readonly night: string;
}

/**
 * Gateways hand money over days after its capture, when the comparison of that day is long done. Reads the record again from the
 * oldest charge or refund on that is not settled, and keeps a comparison of the movements that have been settled since; none when
 * there are none.
 */
async function settleEarlier(db: Db, ports: Ports, { gatewayId, before, night }: Earlier): Promise<void> {
  const oldest = gatewayId === PAYOUT_BANK ? null : await oldestUnsettled(db, gatewayId, before);
  if (oldest === null) return;
  const from = new Date(oldest.getTime() - DATED_EARLIER_MS);
  const movements = await movementsOf(ports, gatewayId, from, before);
  await db.transaction().execute(async (tx) => {
    const order = {
      ...({ gatewayId, from, to: before, movements, source: 'GATEWAY', startedBy: 'schedule' } as const),
      occasion: `settled-${gatewayId}-${night}`,
    };
    await oneAtATime(tx, gatewayId);
    // Nothing is expected of that time: missing movements were reported in their own night.
    const booked = await bookedItems(tx, { gatewayId, from, to: from }, movements);
    const all = matchMovements(movements, booked, (movement) => movement.settled || movement.failed);
    const inBank = await settledOf(tx, gatewayId, movements, all);
    const hasComeBack = ({ kind, providerId, failed }: SettledMovement): boolean =>
      failed && inBank.net(kind, providerId) !== 0;
    const lines = all.filter((line) => {
      const { kind, subject, movement } = line;
      if (movement === null) return false;
      return hasComeBack(movement) || (isHandedOver(line) && !inBank.has(kind, subject, movement.providerId));
    });
    const failed = movements.filter(hasComeBack);
    if (lines.length + failed.length > 0) await keepComparison(tx, order, { lines, failed });
  });
}

/** By the index of payments by completion, and of refunds by theirs. */
async function oldestUnsettled(db: Db, gatewayId: string, before: Date): Promise<Date | null> {
  const since = new Date(before.getTime() - SETTLED_WITHIN_MS);
  const { rows } = await sql<{ at: Date | null }>`
    SELECT least(
      (SELECT min(y.completed_at) FROM payment y
        WHERE y.completed_at >= ${since} AND y.completed_at < ${before} AND y.status = 'COMPLETED' AND y.gateway_id = ${gatewayId}
          AND NOT EXISTS (SELECT FROM settlement s WHERE s.gateway_id = ${gatewayId} AND s.movement = 'CHARGE' AND s.subject = 'ours:' || y.id)),
      (SELECT min(t.completed_at) FROM transaction t
        WHERE t.completed_at >= ${since} AND t.completed_at < ${before} AND t.type = 'REFUND' AND t.status = 'COMPLETED' AND t.gateway_id = ${gatewayId}
          AND NOT EXISTS (SELECT FROM settlement s WHERE s.gateway_id = ${gatewayId} AND s.movement = 'REFUND' AND s.subject = 'ours:' || t.id))) AS at`.execute(
    db,
  );
  return rows[0]?.at ?? null;
}

/** However many they are: in halves, where they are too many for one answer. */
async function movementsOf(
  ports: Pick<Ports, 'gateway'>,
  gatewayId: string,
  from: Date,
  to: Date,
): Promise<readonly SettledMovement[]> {
  const movements = await ports.gateway(gatewayId).movements(gatewayId, from, to, MAX_MOVEMENTS);
  const middle = new Date(Math.floor((from.getTime() + to.getTime()) / 2));
  if (movements.length < MAX_MOVEMENTS || middle <= from) return movements;
  return [...(await movementsOf(ports, gatewayId, from, middle)), ...(await movementsOf(ports, gatewayId, middle, to))];
}

/** The booked settlements of these movements, by subject or by the provider's id. */
async function settledOf(
  tx: Tx,
  gatewayId: string,
  movements: readonly SettledMovement[],
  lines: readonly MatchedLine[],
) {
  const { rows } = await sql<{ movement: string; subject: string; provider_id: string; net: number }>`
    SELECT movement, subject, provider_id, sum(net_minor)::bigint AS net FROM (
      SELECT * FROM settlement WHERE provider_id = ANY(${movements.map(({ providerId }) => providerId)}::text[]) AND gateway_id = ${gatewayId}
      UNION SELECT * FROM settlement WHERE gateway_id = ${gatewayId} AND movement IN ('CHARGE', 'REFUND') AND subject = ANY(${lines.map(({ subject }) => subject)}::text[])) s
     GROUP BY movement, subject, provider_id`.execute(tx);
  const subjects = new Set(rows.map(({ movement, subject }) => `${movement} ${subject}`));
  const nets = new Map<string, number>();
  for (const { movement, provider_id, net } of rows) {
    const key = `${movement} ${provider_id}`;
    nets.set(key, (nets.get(key) ?? 0) + net);
  }
  return {
    has: (kind: MovementKind, subject: string, providerId: string): boolean =>
      subjects.has(`${kind} ${subject}`) || nets.has(`${kind} ${providerId}`),
    net: (kind: MovementKind, providerId: string): number => nets.get(`${kind} ${providerId}`) ?? 0,
  };
}
