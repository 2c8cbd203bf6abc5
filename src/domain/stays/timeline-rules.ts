import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { Json, TransactionType } from '../../db/schema.ts';

/** By which rule an amount is what it is: the terms that the stay had pinned, or the rule of its cancellation. */

export interface TransactionRule {
  /** `OWNER_SHARE`, `AGENCY_SHARE`, `REFERRAL_SHARE`, `GATEWAY_FEE`, or the rule of the refund, such as `DAYS_7_PLUS`. */
  readonly name: string;
  /** The version of the terms that the stay has; null: none. */
  readonly version: number | null;
  /** Of a share: of the payment, before fees and what its party bears are taken off. Of a refund: of what the policy counts from. Null: it is no part of an amount. */
  readonly percent: number | null;
  /** Of a payout: when it falls due; null: it is none. */
  readonly payoutPolicy: string | null;
  /** Of a fee: who bears it; null: it is none. */
  readonly bornBy: string | null;
}

interface SharesRow {
  readonly version: number;
  readonly owner_bp: number;
  readonly agency_bp: number;
  readonly referrer_bp: number;
  readonly payout_policy: string;
  readonly gateway_fee_bearer: string;
}
export type TermsByVersion = ReadonlyMap<number, SharesRow>;

/** The terms of these versions. */
export async function termsByVersion(db: Db, versions: readonly (number | null)[]): Promise<TermsByVersion> {
  const wanted = [...new Set(versions.filter((version) => version !== null))];
  if (wanted.length === 0) return new Map();
  const rows = await db
    .selectFrom('income_distribution')
    .select(['version', 'owner_bp', 'agency_bp', 'referrer_bp', 'payout_policy', 'gateway_fee_bearer'])
    .where('version', '=', sql<number>`ANY(${wanted}::int[])`)
    .execute();
  return new Map(rows.map((row) => [row.version, row]));
}

interface Ruled {
  readonly type: TransactionType;
  readonly distribution_version: number | null;
  readonly details: Json;
}

/** The rule of a transaction; null: it follows none, as the price of a stay, or a person has decided. */
export function ruleOf(
  { type, distribution_version: version, details }: Ruled,
  all: TermsByVersion,
): TransactionRule | null {
  const none = { version, percent: null, payoutPolicy: null, bornBy: null };
  if (type === 'REFUND') {
    const rule = fieldOf(details, 'rule');
    const percent = fieldOf(details, 'percent');
    if (typeof rule !== 'string') return null;
    return { ...none, name: rule, percent: typeof percent === 'number' ? percent : null };
  }
  const terms = version === null ? undefined : all.get(version);
  if (!terms) return null;
  const share = (name: string, basisPoints: number) => ({ ...none, name, percent: basisPoints / 100 });
  switch (type) {
    case 'OWNER_PAYOUT':
      return { ...share('OWNER_SHARE', terms.owner_bp), payoutPolicy: terms.payout_policy };
    case 'AGENCY_FEE':
      return share('AGENCY_SHARE', terms.agency_bp);
    case 'REFERRAL_FEE':
      return share('REFERRAL_SHARE', terms.referrer_bp);
    case 'GATEWAY_FEE':
      return { ...none, name: 'GATEWAY_FEE', bornBy: terms.gateway_fee_bearer };
    default:
      return null;
  }
}

const fieldOf = (details: Json, name: string): Json | undefined =>
  typeof details === 'object' && details !== null && !Array.isArray(details)
    ? (details as Readonly<Record<string, Json | undefined>>)[name]
    : undefined;
