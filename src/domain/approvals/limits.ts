import { type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { ApprovalLimitTable, MinorByCurrency } from '../../db/schema.ts';
import { exponentOf } from '../../kernel/money.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, recordAudit } from '../audit/record.ts';
import { assertVersion, type ExpectedVersions } from '../versions.ts';

/**
 * How much one person may decide about money: a setting of the agency with versions that are added and never changed. Version 0,
 * which has no row, is the default.
 */

/** The roles that may decide an approval at all; the limits say how much each may. */
export const DECIDING_ROLES = ['FINANCE', 'ADMIN'] as const;
export type DecidingRole = (typeof DECIDING_ROLES)[number];

/** Amounts in minor units by currency; a currency that is not named has the limit 0. */
export interface LimitFields {
  /** A refund beyond the policy, or goodwill, of more than this needs a second person. */
  readonly overrideMinor: MinorByCurrency;
  /** A cost that is charged to an owner and is more than this needs a second person, whatever was estimated. */
  readonly chargeMinor: MinorByCurrency;
  /** The most that a role may approve; null: any amount. */
  readonly roles: Readonly<Record<DecidingRole, MinorByCurrency | null>>;
  /** A charge may be so much above its estimate, in percent of it, without being asked about. */
  readonly overEstimatePercent: number;
  /** A question that nobody has decided in this time is refused. */
  readonly expiresHours: number;
  /** Payouts to a changed account wait so long. */
  readonly accountWaitHours: number;
}
export type Limits = LimitFields & {
  readonly version: number;
  /** Null: nobody has set them yet. */
  readonly setBy: string | null;
  readonly setAt: Date | null;
};

/**
 * What 1 000 AED are, in round major units of the currencies that agencies of this region meet. Others have the limit 0 until the
 * agency sets one: everything in them needs a second person.
 */
const THOUSAND_AED: Readonly<Record<string, number>> = {
  AED: 1_000,
  SAR: 1_000,
  QAR: 1_000,
  OMR: 105,
  BHD: 100,
  KWD: 84,
  USD: 270,
  EUR: 250,
  GBP: 210,
  CHF: 240,
  CAD: 370,
  AUD: 410,
  SGD: 360,
  HKD: 2_100,
  CNY: 1_950,
  JPY: 41_000,
  INR: 23_000,
  PKR: 76_000,
  EGP: 13_000,
  JOD: 190,
  TRY: 9_000,
  ZAR: 4_900,
};
const thousands = (times: number): MinorByCurrency =>
  Object.fromEntries(
    Object.entries(THOUSAND_AED).map(([currency, units]) => [currency, units * times * 10 ** exponentOf(currency)]),
  );

export const DEFAULT_LIMITS: LimitFields = Object.freeze({
  overrideMinor: thousands(5),
  chargeMinor: thousands(5),
  roles: { FINANCE: thousands(50), ADMIN: null },
  overEstimatePercent: 10,
  expiresHours: 7 * 24,
  accountWaitHours: 72,
});

/** The limits that were in force at an instant, such as that of a request (domain.md T16). */
export async function limitsAt(db: Db | Tx, at: Date): Promise<Limits> {
  const row = await newest(db).where('set_at', '<=', at).executeTakeFirst();
  return limitsOf(row);
}

/** The limits in force now. */
export const currentLimits = async (db: Db | Tx): Promise<Limits> => limitsOf(await newest(db).executeTakeFirst());

const newest = (db: Db | Tx) => db.selectFrom('approval_limit').selectAll().orderBy('version', 'desc').limit(1);

/** Adds a version, with its audit row. Throws `PRECONDITION_FAILED` when the newest version is none of the expected ones. */
export async function setLimits(
  tx: Tx,
  limits: LimitFields,
  expected: ExpectedVersions,
  author: Author,
): Promise<Limits> {
  // There is no row to lock before it exists: a second change waits here, and then finds a newer version than it expects.
  await sql`SELECT pg_advisory_xact_lock(hashtext('approval_limit'))`.execute(tx);
  const rowBefore = (await newest(tx).executeTakeFirst()) ?? null;
  const before = limitsOf(rowBefore);
  assertVersion(before.version, expected);
  const row = await tx
    .insertInto('approval_limit')
    .values({
      override_minor: JSON.stringify(limits.overrideMinor),
      charge_minor: JSON.stringify(limits.chargeMinor),
      roles: JSON.stringify(limits.roles),
      over_estimate_percent: limits.overEstimatePercent,
      expires_hours: limits.expiresHours,
      account_wait_hours: limits.accountWaitHours,
      set_by: author.actor,
      set_at: sql<Date>`clock_timestamp()`,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  await recordAudit(tx, {
    streamId: 'approval-limits:current',
    event: 'APPROVAL_LIMITS_SET',
    ...author,
    // Limits are no secret of anybody, and who raised them by how much is what an auditor looks for.
    body: {
      outcome: 'success',
      details: {
        version: row.version,
        follows: before.version,
        ...limits,
        changes: changesOf('approval_limit', rowBefore, row),
      },
    },
  });
  return limitsOf(row);
}

function limitsOf(row: Selectable<ApprovalLimitTable> | undefined | null): Limits {
  if (!row) return { ...DEFAULT_LIMITS, version: 0, setBy: null, setAt: null };
  return {
    version: row.version,
    overrideMinor: row.override_minor,
    chargeMinor: row.charge_minor,
    roles: row.roles,
    overEstimatePercent: row.over_estimate_percent,
    expiresHours: row.expires_hours,
    accountWaitHours: row.account_wait_hours,
    setBy: row.set_by,
    setAt: row.set_at,
  };
}

/** Whether an amount in minor units is over a limit by currency. */
export const isOver = (limit: MinorByCurrency, amountMinor: number, currency: string): boolean =>
  amountMinor > (limit[currency] ?? 0);
