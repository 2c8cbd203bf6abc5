import { type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { IncomeDistributionTable, RefundBase, RefundTier } from '../../db/schema.ts';
import { RoomyError, required } from '../../kernel/errors.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordAudit } from '../audit/record.ts';
import { cutPage, exactInstant, type Page, type PageRequest } from '../paging.ts';
import { assertVersion, type ExpectedVersions } from '../versions.ts';
import type { ShareTerms } from './shares.ts';

/** One insert-only version of the terms under which money is shared, paid out and refunded. */
export type Terms = ShareTerms & {
  readonly version: number;
  readonly payoutPolicy: string;
  readonly refundBase: RefundBase;
  readonly refundTiers: readonly RefundTier[];
  readonly effectiveFrom: Date;
  readonly setBy: string;
  readonly setAt: Date;
};

/** The terms of a version; undefined when there is no such version. */
export async function findTerms(db: Db | Tx, version: number): Promise<Terms | undefined> {
  const row = await rows(db, version).executeTakeFirst();
  return row && termsOf(row);
}

const rows = (db: Db | Tx, version: number) =>
  db.selectFrom('income_distribution').selectAll().where('version', '=', version);

/** The terms that a stay has pinned. */
export async function readTerms(db: Db | Tx, version: number): Promise<Terms> {
  return required(await findTerms(db, version), 'the terms of a stay');
}

/**
 * The version that took effect last before an instant, the newer one of two; the first one is always in force. A version
 * that is set for a later day takes effect on that day, also when other versions were set meanwhile.
 */
export async function termsInForce(db: Db | Tx, at: Date): Promise<Terms> {
  const row = await db
    .selectFrom('income_distribution')
    .selectAll()
    .where((eb) => eb.or([eb('effective_from', '<=', at), eb('version', '=', 1)]))
    .orderBy('effective_from', 'desc')
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst();
  return termsOf(required(row, 'terms in force'));
}

async function nextTerms(db: Db | Tx, after: Date): Promise<Terms | null> {
  const row = await db
    .selectFrom('income_distribution')
    .selectAll()
    .where('effective_from', '>', after)
    .where('version', '>', 1)
    .orderBy('effective_from')
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row ? termsOf(row) : null;
}

async function newestVersion(db: Db | Tx): Promise<number> {
  const { version } = await db
    .selectFrom('income_distribution')
    .select((eb) => eb.fn.max('version').as('version'))
    .executeTakeFirstOrThrow();
  return version;
}

export interface CurrentTerms {
  readonly inForce: Terms;
  /** The next to take effect. */
  readonly upcoming: Terms | null;
  /** Of all versions. A change must name it, so that it cannot overwrite a version that its author has not seen. */
  readonly newestVersion: number;
}

/** The terms in force now, by the database's clock, which also decides from when on a version is in force. */
export async function currentTerms(db: Db): Promise<CurrentTerms> {
  // Read first: a version that is set while the rest is read then makes the reader's change fail, and is not overwritten.
  const newest = await newestVersion(db);
  const at = await databaseTime(db);
  return { inForce: await termsInForce(db, at), upcoming: await nextTerms(db, at), newestVersion: newest };
}

/** Every version, newest first. */
export async function listTerms(db: Db, page: PageRequest): Promise<Page<Terms>> {
  let query = db.selectFrom('income_distribution').selectAll().select(exactInstant('set_at').as('position_at'));
  if (page.after) query = query.where('version', '<', Number(page.after.id));
  const rows = await query
    .orderBy('version', 'desc')
    .limit(page.limit + 1)
    .execute();
  const withIds = rows.map((row) => ({ ...row, id: String(row.version) }));
  return cutPage(withIds, page.limit, termsOf);
}

/** A field that is left out keeps its value of when the new version takes effect. */
export interface TermsChange {
  readonly ownerBp: number;
  readonly agencyBp: number;
  readonly referrerBp: number;
  readonly unassignedReferral?: Terms['unassignedReferral'] | undefined;
  readonly gatewayFeeBearer?: Terms['gatewayFeeBearer'] | undefined;
  readonly agencyFeeRefundable?: boolean | undefined;
  readonly payoutPolicy?: string | undefined;
  readonly refundBase?: RefundBase | undefined;
  readonly refundTiers?: readonly RefundTier[] | undefined;
  /** Default: now. */
  readonly effectiveFrom?: Date | undefined;
}

/** A caller's clock may be so much behind ours, and a request so long on its way. */
const NOT_BEFORE_MS = 60_000;

/**
 * Adds a version; stays that have pinned another keep it (domain.md 6 and T16). Throws `PRECONDITION_FAILED` when the
 * newest version is none of the expected ones, `VALIDATION_FAILED` when it were to have taken effect already.
 */
export async function setTerms(
  tx: Tx,
  change: TermsChange,
  expected: ExpectedVersions,
  author: Author,
): Promise<Terms> {
  // There is no row to lock before it exists: a second change waits here, and then finds a newer version than it expects.
  await sql`SELECT pg_advisory_xact_lock(hashtext('income_distribution'))`.execute(tx);
  const newest = await newestVersion(tx);
  assertVersion(newest, expected);
  const effectiveFrom = await takesEffect(tx, change.effectiveFrom);
  const before = await termsInForce(tx, effectiveFrom);
  const row = await tx
    .insertInto('income_distribution')
    .values({
      owner_bp: change.ownerBp,
      agency_bp: change.agencyBp,
      referrer_bp: change.referrerBp,
      unassigned_referral: change.unassignedReferral ?? before.unassignedReferral,
      gateway_fee_bearer: change.gatewayFeeBearer ?? before.gatewayFeeBearer,
      agency_fee_refundable: change.agencyFeeRefundable ?? before.agencyFeeRefundable,
      payout_policy: change.payoutPolicy ?? before.payoutPolicy,
      refund_base: change.refundBase ?? before.refundBase,
      refund_tiers: JSON.stringify(change.refundTiers ?? before.refundTiers),
      effective_from: effectiveFrom,
      set_by: author.actor,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  const terms = termsOf(row);
  const follows = await rows(tx, before.version).executeTakeFirstOrThrow();
  await recordTerms(tx, author, change, [follows, row]);
  return terms;
}

async function databaseTime(db: Db | Tx): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`SELECT clock_timestamp() AS now`.execute(db);
  return required(rows[0], 'the time').now;
}

/**
 * By the database's clock, read under the lock, so that a later version never takes effect before an earlier one that
 * is in force already.
 */
async function takesEffect(tx: Tx, wanted: Date | undefined): Promise<Date> {
  const now = await databaseTime(tx);
  if (wanted === undefined) return now;
  if (wanted.getTime() < now.getTime() - NOT_BEFORE_MS) {
    throw new RoomyError('VALIDATION_FAILED', {
      details: { issues: [{ path: 'effectiveFrom', message: 'must not be in the past' }] },
    });
  }
  return wanted > now ? wanted : now;
}

type Row = Selectable<IncomeDistributionTable>;
async function recordTerms(
  tx: Tx,
  author: Author,
  change: TermsChange,
  [before, row]: readonly [Row, Row],
): Promise<void> {
  const { version, ownerBp, agencyBp, referrerBp, effectiveFrom } = termsOf(row);
  await recordAudit(tx, {
    streamId: 'income-distribution:current',
    event: 'INCOME_DISTRIBUTION_SET',
    ...author,
    body: {
      outcome: 'success',
      details: {
        version,
        follows: before.version,
        fields: fieldsOf(change).toSorted(),
        ownerBp,
        agencyBp,
        referrerBp,
        effectiveFrom: effectiveFrom.toISOString(),
        changes: changesOf('income_distribution', before, row),
      },
    },
  });
}

/** A row of terms as the calculations take it; shares in basis points. */
export const termsOf = (row: Selectable<IncomeDistributionTable>): Terms => ({
  version: row.version,
  ownerBp: row.owner_bp,
  agencyBp: row.agency_bp,
  referrerBp: row.referrer_bp,
  unassignedReferral: row.unassigned_referral,
  gatewayFeeBearer: row.gateway_fee_bearer,
  agencyFeeRefundable: row.agency_fee_refundable,
  payoutPolicy: row.payout_policy,
  refundBase: row.refund_base,
  refundTiers: row.refund_tiers,
  effectiveFrom: row.effective_from,
  setBy: row.set_by,
  setAt: row.set_at,
});
