import type { GatewayFeeBearer, UnassignedReferral } from '../../db/schema.ts';
import { allocateByWeight, parseMajor } from '../../kernel/money.ts';

/** How income is shared: basis points that sum to 10 000, and the special cases (domain.md 6 and 9). */
export interface ShareTerms {
  readonly ownerBp: number;
  readonly agencyBp: number;
  readonly referrerBp: number;
  /** The receiver of the referral share of a stay without a referring agent. */
  readonly unassignedReferral: UnassignedReferral;
  readonly gatewayFeeBearer: GatewayFeeBearer;
  /** False: the agency keeps its fee when a guest is refunded, and the others bear it. */
  readonly agencyFeeRefundable: boolean;
}

/** Minor units; the sum is exactly the shared amount. */
export interface Shares {
  readonly ownerMinor: number;
  readonly agencyMinor: number;
  readonly referralMinor: number;
}

export interface Received {
  readonly capturedMinor: number;
  readonly refundedMinor: number;
  readonly hasAgent: boolean;
  /** The parts of the refunds that one party bears alone; the rest is shared. Minor units. */
  readonly borneByAgencyMinor: number;
  readonly borneByOwnerMinor: number;
}

/**
 * Each party's share of a stay's net receipts, by largest remainder over the whole, so that the order and the number of payments
 * cannot change it (domain.md 6). Pure.
 */
export function targetShares(terms: ShareTerms, received: Received): Shares {
  const { borneByAgencyMinor, borneByOwnerMinor } = received;
  // For the other parties it is as if this part had not been refunded.
  const refundedMinor = received.refundedMinor - borneByAgencyMinor - borneByOwnerMinor;
  const shares = sharesOf(terms, { ...received, refundedMinor });
  return {
    ownerMinor: shares.ownerMinor - borneByOwnerMinor,
    agencyMinor: shares.agencyMinor - borneByAgencyMinor,
    referralMinor: shares.referralMinor,
  };
}

function sharesOf(
  terms: ShareTerms,
  { capturedMinor, refundedMinor, hasAgent }: Pick<Received, 'capturedMinor' | 'refundedMinor' | 'hasAgent'>,
): Shares {
  const weights = weightsOf(terms, hasAgent);
  const others = withoutAgency(weights);
  const netMinor = capturedMinor - refundedMinor;
  // Where nobody else has a share, there is nobody to bear a fee that the agency keeps.
  if (terms.agencyFeeRefundable || refundedMinor === 0 || others === null) return split(netMinor, weights);
  const { agencyMinor } = split(capturedMinor, weights);
  // The fee stays; the rest, or the lack, is shared by the others.
  const rest = split(Math.abs(netMinor - agencyMinor), others);
  const sign = netMinor < agencyMinor ? -1 : 1;
  return {
    ownerMinor: signed(sign, rest.ownerMinor),
    agencyMinor,
    referralMinor: signed(sign, rest.referralMinor),
  };
}

/** Each party's part of a gateway's fee: all of it the agency's or the owner's, or by shares (domain.md 9.4). Pure. */
export function splitGatewayFee(terms: ShareTerms, feeMinor: number, hasAgent: boolean): Shares {
  if (terms.gatewayFeeBearer === 'AGENCY') return { ownerMinor: 0, agencyMinor: feeMinor, referralMinor: 0 };
  if (terms.gatewayFeeBearer === 'OWNER') return { ownerMinor: feeMinor, agencyMinor: 0, referralMinor: 0 };
  return split(feeMinor, weightsOf(terms, hasAgent));
}

type Weights = readonly [owner: number, agency: number, referrer: number];

function weightsOf({ ownerBp, agencyBp, referrerBp, unassignedReferral }: ShareTerms, hasAgent: boolean): Weights {
  if (hasAgent || unassignedReferral === 'RETAIN') return [ownerBp, agencyBp, referrerBp];
  if (unassignedReferral === 'TO_AGENCY') return [ownerBp, agencyBp + referrerBp, 0];
  if (unassignedReferral === 'TO_OWNER') return [ownerBp + referrerBp, agencyBp, 0];
  // Pro rata of nothing: there is nobody but the agency to have it.
  return ownerBp + agencyBp === 0 ? [0, 1, 0] : [ownerBp, agencyBp, 0];
}

const withoutAgency = ([owner, , referrer]: Weights): Weights | null =>
  owner + referrer === 0 ? null : [owner, 0, referrer];

function split(amountMinor: number, weights: Weights): Shares {
  const [ownerMinor = 0, agencyMinor = 0, referralMinor = 0] = allocateByWeight(amountMinor, weights);
  return { ownerMinor, agencyMinor, referralMinor };
}

/** Never minus zero, which no comparison of rows would take for zero. */
const signed = (sign: 1 | -1, amountMinor: number): number => (amountMinor === 0 ? 0 : sign * amountMinor);

/** Percent with two decimals at the most, through its decimal text: hundredths of a percent are basis points. */
export const basisPointsOf = (percent: number): number => parseMajor(percent, 'AED').amountMinor;

/** Basis points as percent. */
export const percentOf = (basisPoints: number): number => basisPoints / 100;
