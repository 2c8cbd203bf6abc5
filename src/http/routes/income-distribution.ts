import { createRoute, type z } from '@hono/zod-openapi';
import { basisPointsOf, percentOf } from '../../domain/finance/shares.ts';
import {
  currentTerms,
  findTerms,
  listTerms,
  setTerms,
  type Terms,
  type TermsChange,
} from '../../domain/finance/terms.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { expectedVersions, found, page } from '../answers.ts';
import { type AnyContext, authorOf, type Services } from '../context.ts';
import type { Register } from '../route.ts';
import { answer, bodyRefusals, ChangeHeaders, jsonOf, many, one, refusals } from '../schemas/envelope.ts';
import {
  DISTRIBUTION_EXAMPLE,
  DistributionQuery,
  IncomeDistribution,
  IncomeDistributionVersion,
  NewIncomeDistribution,
  VersionsQuery,
} from '../schemas/finance-terms.ts';

const PATH = '/api/production/financial/income-distribution';
const tags = ['Finance'];

const read = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'How income is shared, paid out and refunded now; the ETag is what a change must send as If-Match',
  request: { query: DistributionQuery },
  responses: { 200: answer('The terms', one(IncomeDistribution)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});
const list = createRoute({
  method: 'get',
  path: `${PATH}/versions`,
  tags,
  summary: 'List every version of the terms, newest first',
  request: { query: VersionsQuery },
  responses: {
    200: answer('A page of versions', many(IncomeDistributionVersion)),
    ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR'),
  },
});
const set = createRoute({
  method: 'put',
  path: PATH,
  tags,
  summary: 'Set new terms for stays confirmed from then on; needs If-Match',
  request: { headers: ChangeHeaders, body: jsonOf(NewIncomeDistribution, DISTRIBUTION_EXAMPLE) },
  responses: {
    200: answer('The new version', one(IncomeDistributionVersion)),
    ...bodyRefusals('DISTRIBUTION_SUM_INVALID', 'CARD_DATA_FORBIDDEN', 'PRECONDITION_FAILED', 'PRECONDITION_REQUIRED'),
  },
});

export function registerIncomeDistribution(register: Register, services: Services): void {
  const { db } = services;
  register(read, async (c) => {
    const { version } = c.req.valid('query');
    if (version !== undefined) {
      const terms = await findTerms(db, version);
      if (!terms) throw new RoomyError('NOT_FOUND', { text: 'There is no such version of the income distribution' });
      return versioned(c, version, termsView(terms));
    }
    const { inForce, upcoming, newestVersion } = await currentTerms(db);
    return versioned(c, newestVersion, { ...termsView(inForce), upcoming: upcoming && termsView(upcoming) });
  });
  register(list, (c) =>
    page(c, services, 'income-distribution', c.req.valid('query'), async (_filter, at) => {
      const { items, next } = await listTerms(db, at);
      return { items: items.map(termsView), next };
    }),
  );
  register.mutation(set, (c, once) => {
    const change = changeOf(c.req.valid('json'));
    if (c.req.header('if-match') === undefined) {
      throw new RoomyError('PRECONDITION_REQUIRED', {
        text: `If-Match is required: send the ETag of GET ${PATH}`,
      });
    }
    return once.change(async (tx) => {
      const terms = await setTerms(tx, change, expectedVersions(c), authorOf(c));
      return versioned(c, terms.version, termsView(terms));
    });
  });
}

function versioned(c: AnyContext, version: number, data: object): Response {
  c.header('ETag', `"${version}"`);
  return found(c, data);
}

function changeOf(body: z.output<typeof NewIncomeDistribution>): TermsChange {
  const { ownerIncome, roomyAgencyFee, referringAgent, effectiveFrom, ...settings } = body;
  return {
    ...settings,
    ownerBp: basisPointsOf(ownerIncome),
    agencyBp: basisPointsOf(roomyAgencyFee),
    referrerBp: basisPointsOf(referringAgent),
    effectiveFrom: effectiveFrom === undefined ? undefined : new Date(effectiveFrom),
  };
}

const termsView = (terms: Terms) => ({
  version: terms.version,
  ownerIncome: percentOf(terms.ownerBp),
  roomyAgencyFee: percentOf(terms.agencyBp),
  referringAgent: percentOf(terms.referrerBp),
  unassignedReferral: terms.unassignedReferral,
  gatewayFeeBearer: terms.gatewayFeeBearer,
  agencyFeeRefundable: terms.agencyFeeRefundable,
  payoutPolicy: terms.payoutPolicy,
  refundBase: terms.refundBase,
  refundTiers: terms.refundTiers,
  effectiveFrom: terms.effectiveFrom.toISOString(),
  setBy: terms.setBy,
  setAt: terms.setAt.toISOString(),
});
