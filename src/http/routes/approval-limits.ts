import { createRoute, z } from '@hono/zod-openapi';
import type { MinorByCurrency } from '../../db/schema.ts';
import { currentLimits, type LimitFields, type Limits, setLimits } from '../../domain/approvals/limits.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { parseAnswerable, toMajor } from '../../kernel/money.ts';
import { expectedVersions, found } from '../answers.ts';
import { type AnyContext, authorOf, type Services } from '../context.ts';
import type { Register } from '../route.ts';
import { Amount, Currency } from '../schemas/common.ts';
import { answer, bodyRefusals, ChangeHeaders, jsonOf, MONEY_REFUSALS, one, refusals } from '../schemas/envelope.ts';

const PATH = '/api/production/settings/approval-limits';
const tags = ['Approvals'];

/** A currency stands once, and no amount has more decimals than it. */
const LimitsIn = z
  .array(z.strictObject({ currency: Currency, amount: Amount }))
  .max(200)
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
const OVERRIDES = 'A refund beyond the policy, or goodwill, of more than this needs a second person';
const CHARGES = 'A cost of more than this is charged to an owner only after a second person has approved it';
const NAMED = 'A currency that is not named has the limit 0';
const percent = z.int().min(0).max(100).openapi({
  description: 'A charge may be so much above its estimate without being asked about',
  example: 10,
});
const expires = z
  .int()
  .min(1)
  .max(720)
  .openapi({ description: 'What nobody decides in this time is refused', example: 168 });
const wait = z.int().min(1).max(720).openapi({ description: 'Payouts to a changed account wait so long', example: 72 });

const NewApprovalLimits = z
  .strictObject({
    overrides: LimitsIn.openapi({ description: `${OVERRIDES}. ${NAMED}` }),
    charges: LimitsIn.openapi({ description: `${CHARGES}. ${NAMED}` }),
    roles: z.strictObject({
      FINANCE: LimitsIn.nullable().openapi({ description: `The most that it may approve; null: any amount. ${NAMED}` }),
      ADMIN: LimitsIn.nullable().openapi({ description: `The most that it may approve; null: any amount. ${NAMED}` }),
    }),
    overEstimatePercent: percent,
    expiresHours: expires,
    accountWaitHours: wait,
  })
  .openapi('NewApprovalLimits');
const shown = z.array(z.object({ currency: z.string(), amount: z.number() }));
const ApprovalLimits = z
  .object({
    version: z.int().openapi({ description: '0: the defaults, which nobody has changed' }),
    overrides: shown.openapi({ description: OVERRIDES }),
    charges: shown.openapi({ description: CHARGES }),
    roles: z.object({ FINANCE: shown.nullable(), ADMIN: shown.nullable() }),
    overEstimatePercent: percent,
    expiresHours: expires,
    accountWaitHours: wait,
    setBy: z.string().nullable(),
    setAt: z.iso.datetime().nullable(),
  })
  .openapi('ApprovalLimits');
const EXAMPLE = {
  overrides: [{ currency: 'AED', amount: 5000 }],
  charges: [{ currency: 'AED', amount: 5000 }],
  roles: { FINANCE: [{ currency: 'AED', amount: 50_000 }], ADMIN: null },
  overEstimatePercent: 10,
  expiresHours: 168,
  accountWaitHours: 72,
};

const read = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'How much one person may decide about money; the ETag is what a change must send as If-Match',
  responses: { 200: answer('The limits', one(ApprovalLimits)), ...refusals() },
});
const set = createRoute({
  method: 'put',
  path: PATH,
  tags,
  summary: 'Set new limits, for what is asked from then on; needs If-Match',
  request: { headers: ChangeHeaders, body: jsonOf(NewApprovalLimits, EXAMPLE) },
  responses: {
    200: answer('The new version', one(ApprovalLimits)),
    ...bodyRefusals('PRECONDITION_FAILED', 'PRECONDITION_REQUIRED', 'CARD_DATA_FORBIDDEN', ...MONEY_REFUSALS),
  },
});

export function registerApprovalLimits(register: Register, { db }: Services): void {
  register(read, async (c) => versioned(c, await currentLimits(db)));
  register.mutation(set, (c, once) => {
    const limits = fieldsOf(c.req.valid('json'));
    if (c.req.header('if-match') === undefined) {
      throw new RoomyError('PRECONDITION_REQUIRED', { text: `If-Match is required: send the ETag of GET ${PATH}` });
    }
    return once.change(async (tx) => versioned(c, await setLimits(tx, limits, expectedVersions(c), authorOf(c))));
  });
}

function versioned(c: AnyContext, limits: Limits): Response {
  c.header('ETag', `"${limits.version}"`);
  return found(c, {
    version: limits.version,
    overrides: major(limits.overrideMinor),
    charges: major(limits.chargeMinor),
    roles: { FINANCE: majorOrNull(limits.roles.FINANCE), ADMIN: majorOrNull(limits.roles.ADMIN) },
    overEstimatePercent: limits.overEstimatePercent,
    expiresHours: limits.expiresHours,
    accountWaitHours: limits.accountWaitHours,
    setBy: limits.setBy,
    setAt: limits.setAt?.toISOString() ?? null,
  });
}

const major = (byCurrency: MinorByCurrency) =>
  Object.entries(byCurrency)
    .map(([currency, amountMinor]) => ({ currency, amount: toMajor({ amountMinor, currency }) }))
    .toSorted((a, b) => (a.currency < b.currency ? -1 : 1));
const majorOrNull = (byCurrency: MinorByCurrency | null) => byCurrency && major(byCurrency);

const minor = (amounts: z.output<typeof LimitsIn>): MinorByCurrency =>
  Object.fromEntries(amounts.map(({ currency, amount }) => [currency, parseAnswerable(amount, currency).amountMinor]));
const minorOrNull = (amounts: z.output<typeof LimitsIn> | null) => amounts && minor(amounts);

const fieldsOf = ({ overrides, charges, roles, ...rest }: z.output<typeof NewApprovalLimits>): LimitFields => ({
  ...rest,
  overrideMinor: minor(overrides),
  chargeMinor: minor(charges),
  roles: { FINANCE: minorOrNull(roles.FINANCE), ADMIN: minorOrNull(roles.ADMIN) },
});
