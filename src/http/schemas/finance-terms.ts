import { z } from '@hono/zod-openapi';
import { parsePayment } from '../../domain/finance/payment-amount.ts';
import { PAYOUT_POLICY } from '../../domain/finance/payout-schedule.ts';
import { basisPointsOf } from '../../domain/finance/shares.ts';
import { REFUND_BASES, REFUND_RULES } from '../../domain/reservations/refund-rules.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { parseAnswerable } from '../../kernel/money.ts';
import { Amount, Currency, Instant, pageQuery } from './common.ts';

/** An amount as it was written: it is refused with the codes of money, by rules of its currency. */
export const unparsedAmount = (description: string, example: number) =>
  z.unknown().openapi({
    type: ['number', 'string'],
    exclusiveMinimum: 0,
    pattern: '^(?:0|[1-9]\\d*)(?:\\.\\d+)?$',
    maxLength: 60,
    description,
    example,
  });

/**
 * A strict body with the money of a payment in it. Wrong money is refused with a code of its own, which `validation.ts` takes
 * from the issue, whatever else is wrong.
 */
export const paymentMoney = <Shape extends z.core.$ZodLooseShape>(shape: Shape) =>
  z
    .strictObject({
      amount: unparsedAmount('Major units, more than zero, no more decimals than the currency has', 1000),
      currency: z.unknown().openapi({
        type: 'string',
        pattern: '^[A-Z]{3}$',
        description: 'The reservation’s',
        example: 'AED',
      }),
      ...shape,
    })
    .superRefine(
      (body, context) => {
        try {
          const { amount, currency } = body as { readonly amount: unknown; readonly currency: unknown };
          parsePayment(amount, currency);
        } catch (error) {
          if (!(error instanceof RoomyError)) throw error;
          const path = [error.code === 'CURRENCY_INVALID' ? 'currency' : 'amount'];
          context.addIssue({ code: 'custom', path, message: error.message, params: { code: error.code } });
        }
      },
      { when: ({ value }) => isObject(value) },
    );

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A share as the brief writes it; its text decides, because 33.33 * 100 is no whole number. */
const Share = z
  .number()
  .min(0)
  .max(100)
  .refine((percent) => /^\d+(?:\.\d{1,2})?$/.test(String(percent)), 'must have at most two decimals')
  .openapi({ description: 'Percent' });
const PayoutPolicy = z
  .string()
  .max(20)
  .regex(PAYOUT_POLICY, 'must be ON_PAYMENT, AFTER_CHECK_IN, AFTER_CHECK_OUT or MONTHLY:1 to MONTHLY:28')
  .openapi({ description: '`AFTER_…` is 24 hours later; `MONTHLY:day` at 09:00 local', example: 'AFTER_CHECK_IN' });
const RefundTier = z.strictObject({
  days: z.int().min(0).max(365).openapi({ description: 'Calendar days before check-in, at least' }),
  percent: z.int().min(0).max(100),
});
/** Descending, because the first tier that fits is the one that counts; waiting never gives more back. */
const RefundTiers = z
  .array(RefundTier)
  .max(20)
  .refine((tiers) => tiers.every(({ days }, at) => days < (tiers[at - 1]?.days ?? Infinity)), 'must descend by days')
  .refine(
    (tiers) => tiers.every(({ percent }, at) => percent <= (tiers[at - 1]?.percent ?? 100)),
    'must not rise in percent',
  );
const refundRules = REFUND_BASES.map((base) => `\`${base}\`: ${REFUND_RULES[base].meaning}`).join('; ');
const settings = {
  unassignedReferral: z
    .enum(['RETAIN', 'TO_AGENCY', 'TO_OWNER', 'PRO_RATA'])
    .openapi({ description: 'Who has the referral share of a stay that nobody referred' }),
  gatewayFeeBearer: z.enum(['AGENCY', 'OWNER', 'PRO_RATA']),
  agencyFeeRefundable: z.boolean().openapi({ description: 'False: a refund leaves the agency its fee' }),
  payoutPolicy: PayoutPolicy,
  refundBase: z.enum(REFUND_BASES).openapi({ description: `The kind of refund rule. ${refundRules}` }),
  refundTiers: RefundTiers,
};
const shares = { ownerIncome: Share, roomyAgencyFee: Share, referringAgent: Share };

export const NewIncomeDistribution = z
  .strictObject({
    ...shares,
    unassignedReferral: settings.unassignedReferral.optional(),
    gatewayFeeBearer: settings.gatewayFeeBearer.optional(),
    agencyFeeRefundable: settings.agencyFeeRefundable.optional(),
    payoutPolicy: settings.payoutPolicy.optional(),
    refundBase: settings.refundBase.optional(),
    refundTiers: settings.refundTiers.optional(),
    effectiveFrom: Instant.optional().openapi({ description: 'Default: now; stays confirmed before keep their terms' }),
  })
  .superRefine(
    ({ ownerIncome, roomyAgencyFee, referringAgent }, context) => {
      const sum = [ownerIncome, roomyAgencyFee, referringAgent].map(basisPointsOf).reduce((a, b) => a + b, 0);
      if (sum === 10_000) return;
      const params = { code: 'DISTRIBUTION_SUM_INVALID' };
      context.addIssue({ code: 'custom', path: [], message: `must sum to exactly 100, not ${sum / 100}`, params });
    },
    // Only valid shares can be added.
    { when: ({ issues }) => issues.length === 0 },
  )
  .openapi('NewIncomeDistribution');
export const DISTRIBUTION_EXAMPLE = { ownerIncome: 60, roomyAgencyFee: 30, referringAgent: 10 };

const version = {
  version: z.int(),
  ...shares,
  ...settings,
  // Of an answer it is an open set, so that a further kind breaks no client.
  refundBase: z.string().openapi({
    description: `The kind of refund rule; there may be more with time. ${refundRules}`,
    example: 'PAID',
  }),
  effectiveFrom: z.iso.datetime(),
  setBy: z.string(),
  setAt: z.iso.datetime(),
};
export const IncomeDistributionVersion = z.object(version).openapi('IncomeDistributionVersion');
export const IncomeDistribution = z
  .object({
    ...version,
    upcoming: z
      .object(version)
      .nullable()
      .optional()
      .openapi({ description: 'The next version to take effect; not with `version`' }),
  })
  .openapi('IncomeDistribution');
export const DistributionQuery = z.strictObject({
  version: z
    .string()
    .regex(/^[1-9]\d{0,8}$/, 'must be a version number')
    .transform(Number)
    .optional()
    .openapi({ type: 'integer', description: 'That version instead of the one in force' }),
});
export const VersionsQuery = z.strictObject(pageQuery);

/** A currency stands once, and no amount has more decimals than it. */
const amounts = z
  .array(z.strictObject({ currency: Currency, amount: Amount }))
  .max(20)
  .superRefine((list, context) => {
    const seen = new Set<string>();
    for (const [at, { currency, amount }] of list.entries()) {
      if (seen.has(currency)) context.addIssue({ code: 'custom', path: [at, 'currency'], message: 'must stand once' });
      seen.add(currency);
      try {
        parseAnswerable(amount, currency);
      } catch (error) {
        if (!(error instanceof RoomyError)) throw error;
        const params = { code: error.code };
        context.addIssue({ code: 'custom', path: [at, 'amount'], message: error.message, params });
      }
    }
  });
/** How an owner is paid out, where it differs from everybody. */
export const OwnerPayoutTerms = z
  .strictObject({
    policy: PayoutPolicy.optional(),
    hold: z.boolean().optional().openapi({ description: 'True: nothing is paid out' }),
    minimums: amounts.optional().openapi({ description: 'Less than this waits for more' }),
    workingCapital: amounts.optional().openapi({ description: 'What stays with us for the owner’s expenses' }),
  })
  .openapi('OwnerPayoutTerms');
const shownAmounts = z.array(z.object({ currency: z.string(), amount: z.number() }));
export const ShownPayoutTerms = z.object({
  policy: z.string().optional(),
  hold: z.boolean().optional(),
  minimums: shownAmounts.optional(),
  workingCapital: shownAmounts.optional(),
});
