import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { toMajor } from '../../kernel/money.ts';
import { allOf, assertVisible, journalConditions, type MoneyFilter, type MoneyScope } from './scope.ts';
import { LEDGER_TOTALS, PROPERTY_TOTALS } from './totals.ts';

/** Minor units; every sum is of ledger entries and of nothing else. */
interface Sums {
  readonly currency: string;
  readonly received: number;
  readonly refunded: number;
  readonly ownerShare: number;
  readonly ownerDue: number;
  readonly ownerPaid: number;
  readonly agencyFee: number;
  readonly referralAgents: number;
  readonly referralRetained: number;
  readonly gatewayFees: number;
  readonly ownerCosts: number;
  readonly guestCredit: number;
  readonly settled: number;
  readonly gatewayClearing: number;
  readonly disputed: number;
  readonly bank: number;
}

/** Major units of one currency; currencies are never added to each other. */
export type FinancialSummary = ReturnType<typeof summaryView>;
/** The part of a summary that an owner sees: nothing from which the agency's totals could be derived (security.md Z2). */
export type OwnerSummary = Pick<FinancialSummary, 'currency' | 'ownerShare' | 'ownerDue' | 'ownerPaid' | 'ownerCosts'>;

/**
 * The money that was received, shared, paid and is still held, by currency. A reversal counts against the reversed journal, so
 * `netReceived` = owner + agency + referral shares + guest credit, and clearing + disputed + bank = netReceived - gateway fees -
 * paid to owners - repairs charged to them. Throws `NOT_FOUND` for a property, owner or stay that is absent or foreign.
 */
export async function financialSummary(
  db: Db,
  scope: MoneyScope,
  filter: MoneyFilter,
): Promise<readonly (FinancialSummary | OwnerSummary)[]> {
  await assertVisible(db, scope, filter);
  const rows = await sumEntries(db, scope, filter);
  return scope.kind === 'OWNER' ? rows.map(ownerView) : rows.map(summaryView);
}

async function sumEntries(db: Db, scope: MoneyScope, filter: MoneyFilter): Promise<readonly Sums[]> {
  const { lines, hasEmpty } = linesOf(scope, filter);
  const { rows } = await sql<Sums>`
    WITH line AS (${lines})
    SELECT currency,
           coalesce(sum(amount) FILTER (WHERE account = 'GATEWAY_CLEARING' AND kind = 'GUEST_PAYMENT'), 0)::bigint AS received,
           coalesce(-sum(amount) FILTER (WHERE account IN ('GATEWAY_CLEARING', 'BANK', 'DISPUTED') AND kind = 'REFUND_PAID'), 0)::bigint AS refunded,
           coalesce(-sum(amount) FILTER (WHERE account = 'OWNER_PAYABLE' AND purpose = 'DISTRIBUTION'), 0)::bigint AS "ownerShare",
           coalesce(-sum(amount) FILTER (WHERE account = 'OWNER_PAYABLE'), 0)::bigint AS "ownerDue",
           coalesce(sum(amount) FILTER (WHERE account = 'OWNER_PAYABLE' AND purpose = 'PAYOUT'), 0)::bigint AS "ownerPaid",
           coalesce(-sum(amount) FILTER (WHERE account = 'AGENCY_FEE' AND purpose = 'DISTRIBUTION'), 0)::bigint AS "agencyFee",
           coalesce(-sum(amount) FILTER (WHERE account = 'AGENT_PAYABLE' AND purpose = 'DISTRIBUTION'), 0)::bigint AS "referralAgents",
           coalesce(-sum(amount) FILTER (WHERE account = 'REFERRAL_RETAINED' AND purpose = 'DISTRIBUTION'), 0)::bigint AS "referralRetained",
           coalesce(-sum(amount) FILTER (WHERE account = 'GATEWAY_CLEARING' AND purpose = 'FEE'), 0)::bigint AS "gatewayFees",
           coalesce(sum(amount) FILTER (WHERE account = 'OWNER_PAYABLE' AND purpose = 'COST'), 0)::bigint AS "ownerCosts",
           coalesce(-sum(amount) FILTER (WHERE account = 'GUEST_CREDIT'), 0)::bigint AS "guestCredit",
           coalesce(sum(amount) FILTER (WHERE account = 'BANK' AND purpose = 'SETTLEMENT'), 0)::bigint AS settled,
           coalesce(sum(amount) FILTER (WHERE account = 'GATEWAY_CLEARING'), 0)::bigint AS "gatewayClearing",
           coalesce(sum(amount) FILTER (WHERE account = 'DISPUTED'), 0)::bigint AS disputed,
           coalesce(sum(amount) FILTER (WHERE account = 'BANK'), 0)::bigint AS bank
      FROM (SELECT currency, account, purpose, kind, sum(amount) AS amount FROM line GROUP BY currency, account, purpose, kind) line
     GROUP BY currency HAVING ${hasEmpty ? sql`true` : sql`bool_or(amount <> 0)`} ORDER BY currency`.execute(db);
  return rows;
}

interface Lines {
  readonly lines: RawBuilder<unknown>;
  /** A currency in which everything was given back has a line, too. */
  readonly hasEmpty: boolean;
}

/**
 * The kept sums answer what is from the beginning on, less what was booked later. A time that begins somewhere is added up
 * from its journals, and so is a stay: both cost by their own rows, not by the rows of all years.
 */
function linesOf(scope: MoneyScope, filter: MoneyFilter): Lines {
  const { from, reservationId, propertyId, ownerId } = filter;
  const isSome = scope.kind === 'PORTFOLIO' || propertyId !== undefined || ownerId !== undefined;
  if (from !== undefined || reservationId !== undefined) return { lines: journals(scope, filter), hasEmpty: true };
  const { to, asOf, ...untimed } = filter;
  const kept = isSome ? propertyTotals(scope, untimed) : totals(scope, untimed);
  const since = bookedSince({ to, asOf });
  if (since === null) return { lines: kept, hasEmpty: isSome };
  const later = journals(scope, untimed, since);
  return {
    lines: sql`${kept} UNION ALL SELECT currency, -amount, account, purpose, kind FROM (${later}) later`,
    hasEmpty: false,
  };
}

const sumsOf = (all: RawBuilder<unknown>, conditions: readonly RawBuilder<unknown>[]): RawBuilder<unknown> =>
  sql`SELECT t.currency, t.amount, t.account_kind AS account, t.purpose, t.kind FROM ${all} t WHERE ${allOf(conditions)}`;

function ownSums(scope: MoneyScope, { currency }: MoneyFilter): readonly RawBuilder<unknown>[] {
  return [
    ...(scope.kind === 'OWNER' ? [sql`t.account_kind = 'OWNER_PAYABLE' AND t.party_id = ${scope.ownerId}`] : []),
    ...(currency === undefined ? [] : [sql`t.currency = ${currency}`]),
  ];
}

const totals = (scope: MoneyScope, filter: MoneyFilter): RawBuilder<unknown> =>
  sumsOf(LEDGER_TOTALS, ownSums(scope, filter));

/** By the property, and by the owner as `journalConditions` has it: that of the transaction, else that of the property. */
function propertyTotals(scope: MoneyScope, filter: MoneyFilter): RawBuilder<unknown> {
  const { propertyId, ownerId } = filter;
  const places = (those: RawBuilder<unknown>) => sql`t.property_id IN (SELECT h.id FROM property h WHERE ${those})`;
  return sumsOf(PROPERTY_TOTALS, [
    ...ownSums(scope, filter),
    ...(scope.kind === 'PORTFOLIO' ? [places(sql`${scope.agentId}::text = ANY(h.agent_ids)`)] : []),
    ...(propertyId === undefined ? [] : [sql`t.property_id = ${propertyId}`]),
    ...(ownerId === undefined
      ? []
      : [sql`(t.owner_id = ${ownerId} OR t.owner_id = '' AND ${places(sql`h.owner_id = ${ownerId}`)})`]),
  ]);
}

/** A lower bound for the time of a booking: at the moment or later, or only later. */
interface Since {
  readonly moment: string;
  readonly includesIt: boolean;
}

/** Of `to`, which is exclusive, and `asOf`, which is not, the one that comes first. Null: neither is given. */
function bookedSince({ to, asOf }: MoneyFilter): Since | null {
  const byTo = to !== undefined && (asOf === undefined || Date.parse(to) <= Date.parse(asOf));
  if (byTo) return { moment: to, includesIt: true };
  return asOf === undefined ? null : { moment: asOf, includesIt: false };
}

/** Both bounds: of one alone a generic plan expects a third of the table. */
const isSince = ({ moment, includesIt }: Since): RawBuilder<unknown> =>
  includesIt
    ? sql`j.created_at >= ${moment}::timestamptz AND j.created_at < 'infinity'`
    : sql`j.created_at > ${moment}::timestamptz AND j.created_at < 'infinity'`;

function journals(scope: MoneyScope, filter: MoneyFilter, since?: Since): RawBuilder<unknown> {
  // An owner's sums are over its own account alone: no other row is read.
  // Found by their journal: by the account they would be those of all years.
  const entries =
    scope.kind === 'OWNER'
      ? sql`LATERAL (SELECT * FROM ledger_entry l WHERE l.tx_id = x.id OFFSET 0)`
      : sql`ledger_entry`;
  const account = scope.kind === 'OWNER' ? sql`a.kind = 'OWNER_PAYABLE' AND a.party_id = ${scope.ownerId}` : sql`true`;
  // There are as many accounts as guests, of all years: only those that the journals name are looked up, each once.
  return sql`
    SELECT s.currency, s.amount, a.kind AS account, s.purpose, s.kind
      FROM (SELECT e.account_id, e.currency, x.purpose, coalesce((SELECT o.kind FROM ledger_tx o WHERE o.id = x.reverses), x.kind) AS kind,
                   sum(e.amount) AS amount
              FROM ${since ? foundSince(scope, filter, since) : found(scope, filter)} x JOIN ${entries} e ON e.tx_id = x.id
              LEFT JOIN transaction t ON t.id = x.transaction_id
              LEFT JOIN reservation r ON r.id = coalesce(x.reservation_id, t.reservation_id)
              LEFT JOIN property p ON p.id = r.property_id
             WHERE ${journalConditions(scope, filter)} GROUP BY 1, 2, 3, 4) s
      CROSS JOIN LATERAL (SELECT l.kind, l.party_id FROM ledger_account l WHERE l.id = s.account_id OFFSET 0) a
     WHERE ${account}`;
}

/** The journals that can be meant, by the indexes that find them: those of one stay, place, owner or portfolio, or of a time. */
function found(scope: MoneyScope, filter: MoneyFilter): RawBuilder<unknown> {
  const { reservationId, from, to } = filter;
  if (reservationId === undefined && from !== undefined)
    return sql`(SELECT * FROM ledger_tx j WHERE j.created_at >= ${from}::timestamptz AND j.created_at < ${to ?? 'infinity'}::timestamptz)`;
  return ofSome(scope, filter) ?? sql`ledger_tx`;
}

/** Of one place, its own journals are fewer than everybody's since a moment that is long ago. */
function foundSince(scope: MoneyScope, filter: MoneyFilter, since: Since): RawBuilder<unknown> {
  const everybodys = sql`SELECT * FROM ledger_tx j WHERE ${isSince(since)}`;
  const own = ofSome(scope, filter);
  if (own === null) return sql`(${everybodys})`;
  const isRecent = sql`${since.moment}::timestamptz > now() - interval '62 days'`;
  return sql`(${everybodys} AND ${isRecent} UNION ALL SELECT * FROM ${own} j WHERE ${isSince(since)} AND NOT ${isRecent})`;
}

/** The journals of one stay, place, owner or portfolio, whenever they were booked; null: everybody's. */
function ofSome(scope: MoneyScope, { reservationId, propertyId, ownerId }: MoneyFilter): RawBuilder<unknown> | null {
  const ofStays = (stays: RawBuilder<unknown>) =>
    sql`SELECT j.id FROM ledger_tx j WHERE j.reservation_id IN (${stays})
      UNION SELECT j.id FROM transaction y JOIN ledger_tx j ON j.transaction_id = y.id AND j.reservation_id IS NULL WHERE y.reservation_id IN (${stays})`;
  const ofPlaces = (places: RawBuilder<unknown>) =>
    ofStays(sql`SELECT s.id FROM reservation s WHERE s.property_id IN (SELECT h.id FROM property h WHERE ${places})`);
  // One by one, by their ids: a generic plan expects as many as an average place has, and may read all instead.
  const byId = (ids: RawBuilder<unknown>) =>
    sql`(SELECT one.* FROM (${ids}) few CROSS JOIN LATERAL (SELECT * FROM ledger_tx j WHERE j.id = few.id OFFSET 0) one)`;
  if (reservationId !== undefined) return byId(ofStays(sql`${reservationId}::text`));
  if (propertyId !== undefined) return byId(ofPlaces(sql`h.id = ${propertyId}`));
  if (ownerId !== undefined)
    return byId(sql`${ofPlaces(sql`h.owner_id = ${ownerId}`)}
      UNION SELECT j.id FROM transaction y JOIN ledger_tx j ON j.transaction_id = y.id WHERE y.owner_id = ${ownerId}`);
  return scope.kind === 'PORTFOLIO' ? byId(ofPlaces(sql`${scope.agentId}::text = ANY(h.agent_ids)`)) : null;
}

const inMajor =
  (currency: string) =>
  (amountMinor: number): number =>
    toMajor({ amountMinor, currency });

function summaryView(sums: Sums) {
  const major = inMajor(sums.currency);
  return {
    currency: sums.currency,
    received: major(sums.received),
    refunded: major(sums.refunded),
    netReceived: major(sums.received - sums.refunded),
    ownerShare: major(sums.ownerShare),
    ownerDue: major(sums.ownerDue),
    ownerPaid: major(sums.ownerPaid),
    agencyFee: major(sums.agencyFee),
    referral: { agents: major(sums.referralAgents), retained: major(sums.referralRetained) },
    gatewayFees: major(sums.gatewayFees),
    ownerCosts: major(sums.ownerCosts),
    guestCredit: major(sums.guestCredit),
    settled: major(sums.settled),
    gatewayClearing: major(sums.gatewayClearing),
    disputed: major(sums.disputed),
    bank: major(sums.bank),
  };
}

/** An allowlist: a field that is added to a summary later is not shown to owners by itself. */
function ownerView(sums: Sums): OwnerSummary {
  const major = inMajor(sums.currency);
  return {
    currency: sums.currency,
    ownerShare: major(sums.ownerShare),
    ownerDue: major(sums.ownerDue),
    ownerPaid: major(sums.ownerPaid),
    ownerCosts: major(sums.ownerCosts),
  };
}
