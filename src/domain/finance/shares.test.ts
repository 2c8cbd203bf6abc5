import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cases } from '../../../test/setup/cases.ts';
import { basisPointsOf, percentOf, type Shares, type ShareTerms, splitGatewayFee, targetShares } from './shares.ts';

const RUNS = { numRuns: cases(10_000) };
const BRIEF: ShareTerms = {
  ownerBp: 7_000,
  agencyBp: 2_500,
  referrerBp: 500,
  unassignedReferral: 'RETAIN',
  gatewayFeeBearer: 'AGENCY',
  agencyFeeRefundable: true,
};
const MAX_MINOR = 100_000_000_000;
const amount = fc.oneof(fc.integer({ min: 0, max: MAX_MINOR }), fc.integer({ min: 0, max: 500 }));

const terms: fc.Arbitrary<ShareTerms> = fc
  .record({
    cuts: fc.tuple(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 0, max: 10_000 })),
    unassignedReferral: fc.constantFrom('RETAIN', 'TO_AGENCY', 'TO_OWNER', 'PRO_RATA'),
    gatewayFeeBearer: fc.constantFrom('AGENCY', 'OWNER', 'PRO_RATA'),
    agencyFeeRefundable: fc.boolean(),
  })
  .map(({ cuts, ...policy }) => {
    const [low = 0, high = 0] = cuts.toSorted((a, b) => a - b);
    return { ownerBp: low, agencyBp: high - low, referrerBp: 10_000 - high, ...policy };
  });

const parts = ({ ownerMinor, agencyMinor, referralMinor }: Shares): number[] => [
  ownerMinor,
  agencyMinor,
  referralMinor,
];
const sum = (shares: Shares): number => parts(shares).reduce((total, part) => total + part, 0);
const paid = (capturedMinor: number, hasAgent = true, refundedMinor = 0) => ({
  capturedMinor,
  refundedMinor,
  hasAgent,
  borneByAgencyMinor: 0,
  borneByOwnerMinor: 0,
});

/** By hand, as in domain.md 6: the weights of owner, agency and referral. */
function exactWeights({ ownerBp, agencyBp, referrerBp, unassignedReferral }: ShareTerms, hasAgent: boolean): number[] {
  if (!hasAgent && unassignedReferral === 'TO_AGENCY') return [ownerBp, agencyBp + referrerBp, 0];
  if (!hasAgent && unassignedReferral === 'TO_OWNER') return [ownerBp + referrerBp, agencyBp, 0];
  if (!hasAgent && unassignedReferral === 'PRO_RATA') {
    return ownerBp + agencyBp === 0 ? [0, 1, 0] : [ownerBp, agencyBp, 0];
  }
  return [ownerBp, agencyBp, referrerBp];
}
function isWithinOne(part: number, of: number, weight: number, whole: number): boolean {
  const off = BigInt(part) * BigInt(whole) - BigInt(of) * BigInt(weight);
  return off > -BigInt(whole) && off < BigInt(whole);
}

describe('the shares of a stay', () => {
  it.each([
    [100_000, 70_000, 25_000, 5_000],
    [99_999, 69_999, 25_000, 5_000],
    [10_001, 7_001, 2_500, 500],
    [3_335, 2_334, 834, 167],
    [33, 23, 8, 2],
    [10, 7, 3, 0],
    [3, 2, 1, 0],
    [2, 1, 1, 0],
    [1, 1, 0, 0],
    [0, 0, 0, 0],
  ])('of %i minor units are %i, %i and %i', (received, ownerMinor, agencyMinor, referralMinor) => {
    for (const hasAgent of [true, false]) {
      expect(targetShares(BRIEF, paid(received, hasAgent))).toEqual({ ownerMinor, agencyMinor, referralMinor });
    }
  });

  it.each([
    ['RETAIN', [70_000, 25_000, 5_000]],
    ['TO_AGENCY', [70_000, 30_000, 0]],
    ['TO_OWNER', [75_000, 25_000, 0]],
    ['PRO_RATA', [73_684, 26_316, 0]],
  ] as const)('of a stay that nobody referred go by %s', (unassignedReferral, expected) => {
    const policy = { ...BRIEF, unassignedReferral };
    expect(parts(targetShares(policy, paid(100_000, false)))).toEqual(expected);
    expect(parts(targetShares(policy, paid(100_000, true)))).toEqual([70_000, 25_000, 5_000]);
  });

  it('leave the agency its fee when the policy says so, and the others bear the refund', () => {
    const policy = { ...BRIEF, agencyFeeRefundable: false };
    expect(parts(targetShares(policy, paid(100_000, true, 50_000)))).toEqual([23_333, 25_000, 1_667]);
    expect(parts(targetShares(policy, paid(100_000, true, 100_000)))).toEqual([-23_333, 25_000, -1_667]);
    expect(parts(targetShares(policy, paid(100_000, true, 75_000)))).toEqual([0, 25_000, 0]);
    expect(parts(targetShares(policy, paid(100_000)))).toEqual([70_000, 25_000, 5_000]);
    expect(parts(targetShares(BRIEF, paid(100_000, true, 50_000)))).toEqual([35_000, 12_500, 2_500]);
  });

  it('leave the others what they had when one party alone bears a refund', () => {
    const borne = (agencyMinor: number, ownerMinor: number) => ({
      ...paid(100_000, true, 10_000),
      borneByAgencyMinor: agencyMinor,
      borneByOwnerMinor: ownerMinor,
    });
    expect(parts(targetShares(BRIEF, borne(10_000, 0)))).toEqual([70_000, 15_000, 5_000]);
    expect(parts(targetShares(BRIEF, borne(0, 10_000)))).toEqual([60_000, 25_000, 5_000]);
    expect(parts(targetShares(BRIEF, borne(4_000, 4_000)))).toEqual([64_600, 20_500, 4_900]);
  });

  it('give a fee back that nobody else could bear', () => {
    const alone = { ...BRIEF, ownerBp: 0, agencyBp: 10_000, referrerBp: 0, agencyFeeRefundable: false };
    expect(parts(targetShares(alone, paid(1_000, true, 400)))).toEqual([0, 600, 0]);
  });

  it('sum exactly and stay within one minor unit, for any amount, split and policy', () => {
    fc.assert(
      fc.property(terms, amount, fc.boolean(), (policy, received, hasAgent) => {
        const shares = targetShares(policy, paid(received, hasAgent));
        expect(sum(shares)).toBe(received);
        const weights = exactWeights(policy, hasAgent);
        const whole = weights.reduce((total, weight) => total + weight, 0);
        for (const [index, part] of parts(shares).entries()) {
          expect(part).toBeGreaterThanOrEqual(0);
          expect(isWithinOne(part, received, weights[index] ?? 0, whole)).toBe(true);
        }
      }),
      RUNS,
    );
  });

  it('sum exactly after any refund; a fee that stays is what it was', () => {
    fc.assert(
      fc.property(terms, amount, amount, fc.boolean(), (policy, one, other, hasAgent) => {
        const [refunded, captured] = [Math.min(one, other), Math.max(one, other)];
        const shares = targetShares(policy, paid(captured, hasAgent, refunded));
        expect(sum(shares)).toBe(captured - refunded);
        expect(parts(shares).some((part) => Object.is(part, -0))).toBe(false);
        const [owner = 0, , referrer = 0] = exactWeights(policy, hasAgent);
        if (policy.agencyFeeRefundable || owner + referrer === 0) return;
        expect(shares.agencyMinor).toBe(targetShares(policy, paid(captured, hasAgent)).agencyMinor);
      }),
      RUNS,
    );
  });

  it('end the same whatever the order of payments and refunds', () => {
    const events = fc.array(fc.record({ of: fc.integer({ min: 1, max: 5_000 }), isRefund: fc.boolean() }), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(terms, events, fc.boolean(), (policy, sequence, hasAgent) => {
        const posted = [0, 0, 0];
        let captured = 0;
        let refunded = 0;
        for (const { of, isRefund } of sequence) {
          if (isRefund) refunded += Math.min(of, captured - refunded);
          else captured += of;
          const target = parts(targetShares(policy, paid(captured, hasAgent, refunded)));
          const deltas = target.map((part, index) => part - (posted[index] ?? 0));
          for (const [index, delta] of deltas.entries()) posted[index] = (posted[index] ?? 0) + delta;
          expect(posted.reduce((total, part) => total + part, 0)).toBe(captured - refunded);
        }
        expect(posted).toEqual(parts(targetShares(policy, paid(captured, hasAgent, refunded))));
      }),
      RUNS,
    );
  });

  it('of a hundred payments of 0.10 are those of one of 10.00, though single ones would round otherwise', () => {
    const posted = [0, 0, 0];
    for (let received = 10; received <= 1_000; received += 10) {
      const target = parts(targetShares(BRIEF, paid(received)));
      for (const [index, part] of target.entries()) posted[index] = part;
    }
    expect(posted).toEqual([700, 250, 50]);
    expect(parts(targetShares(BRIEF, paid(10))).map((part) => part * 100)).toEqual([700, 300, 0]);
  });

  it('may take back a minor unit from the referral when one more arrives at 9', () => {
    expect(targetShares(BRIEF, paid(9)).referralMinor).toBe(1);
    expect(targetShares(BRIEF, paid(10)).referralMinor).toBe(0);
  });
});

describe('a gateway’s fee', () => {
  it.each([
    ['AGENCY', [0, 29, 0]],
    ['OWNER', [29, 0, 0]],
    ['PRO_RATA', [20, 7, 2]],
  ] as const)('is borne by %s', (gatewayFeeBearer, expected) => {
    expect(parts(splitGatewayFee({ ...BRIEF, gatewayFeeBearer }, 29, true))).toEqual(expected);
  });

  it('is borne whole, by nobody below zero', () => {
    fc.assert(
      fc.property(terms, amount, fc.boolean(), (policy, fee, hasAgent) => {
        const shares = splitGatewayFee(policy, fee, hasAgent);
        expect(sum(shares)).toBe(fee);
        expect(Math.min(...parts(shares))).toBeGreaterThanOrEqual(0);
      }),
      RUNS,
    );
  });
});

describe('a percentage', () => {
  it('of two decimals is whole basis points and back', () => {
    for (let basisPoints = 0; basisPoints <= 10_000; basisPoints += 1) {
      expect(basisPointsOf(percentOf(basisPoints))).toBe(basisPoints);
    }
  });
});
