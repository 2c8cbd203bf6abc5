import { z } from '@hono/zod-openapi';
import { SETTLEMENT_COLUMNS } from '../../domain/finance/settlement-file.ts';
import { filtersBy } from '../references.ts';
import { Currency, Flag, GatewayId, Id, line, pageQuery } from './common.ts';
import { DifferenceKind, DifferenceStatus, Differs } from './differences.ts';
import { asOfField, periodFields, requiredPeriod } from './period.ts';

/** Reports about the money as a whole, and its comparison with the gateways' records. */

const major = (description: string) => z.number().openapi({ description: `${description}; major units` });
const period = periodFields('Booked');

export const SummaryQuery = z.strictObject({
  ...period,
  asOf: asOfField,
  propertyId: filtersBy(Id, 'property').optional(),
  ownerId: filtersBy(Id, 'owner').optional(),
  reservationId: filtersBy(Id, 'reservation').optional(),
  currency: Currency.optional(),
});
const ownMoney = {
  currency: z.string(),
  ownerShare: major('What owners were given of what guests paid'),
  ownerDue: major('What owners are owed; below zero, what they owe. In a period: by how much that changed'),
  ownerPaid: major('What was paid out to owners'),
  ownerCosts: major('Repairs that were charged to owners'),
};
const OwnerSummary = z.strictObject(ownMoney).openapi('OwnerSummary');
const CurrencySummary = z
  .strictObject({
    ...ownMoney,
    received: major('Captured from guests'),
    refunded: major('Sent back to guests'),
    netReceived: major('received less refunded: owner, agency and referral shares and guest credit'),
    agencyFee: major('The agency’s share'),
    referral: z.object({ agents: major('To agents'), retained: major('Kept by the agency, without an agent') }),
    gatewayFees: major('Kept by gateways, whoever bears it'),
    guestCredit: major('Owed to guests: refunds on their way and overpayments'),
    settled: major('Handed over by gateways into the bank, less fees and refunds'),
    gatewayClearing: major('Held by gateways'),
    disputed: major('Taken by gateways for disputes that are not decided yet'),
    bank: major('Settled into the bank less what was paid out of it'),
  })
  .openapi('CurrencySummary');
export const FinancialSummary = z
  .object({ currencies: z.array(z.union([CurrencySummary, OwnerSummary])) })
  .openapi('FinancialSummary');
export const SUMMARY_EXAMPLE = {
  success: true,
  data: {
    currencies: [
      {
        currency: 'AED',
        received: 1000,
        refunded: 0,
        netReceived: 1000,
        ownerShare: 700,
        ownerDue: 700,
        ownerPaid: 0,
        agencyFee: 250,
        referral: { agents: 50, retained: 0 },
        gatewayFees: 29,
        ownerCosts: 0,
        guestCredit: 0,
        settled: 0,
        gatewayClearing: 971,
        disputed: 0,
        bank: 0,
      },
    ],
  },
};

export const IntegrityQuery = z.strictObject({
  full: Flag.optional().openapi({ description: 'Look at all of the money, and not only at what has changed' }),
});
export const IntegrityReport = z
  .object({
    ok: z.boolean(),
    at: z.iso.datetime(),
    full: z.boolean().openapi({ description: 'Whether all of the money was looked at now' }),
    lastFullAt: z.iso.datetime().openapi({ description: 'When all of it was looked at last' }),
    lookedAt: z
      .array(z.string())
      .nullable()
      .openapi({ description: 'The stays that were looked at now, 1000 at the most; null: all of them' }),
    waiting: z.int().openapi({ description: 'Changes left for the next minute, should there be more than 10 000' }),
    checked: z.object({ journals: z.int(), payments: z.int(), transactions: z.int(), stays: z.int() }),
    inFlight: z.int().openapi({ description: 'Stays with an open saga: some checks leave them for another time' }),
    differenceCount: z.int().openapi({ description: 'Exact; at most 1000 are named' }),
    counts: z.record(z.string(), z.int()),
    differences: z.array(
      z.object({
        check: z.string(),
        ref: z.string().openapi({ description: 'Id of what differs' }),
        expected: z.string().openapi({ description: 'Amounts in minor units' }),
        actual: z.string(),
      }),
    ),
  })
  .openapi('IntegrityReport');

export const OwnerBalance = z
  .object({
    ownerId: z.string(),
    currencies: z.array(
      z.object({
        currency: z.string(),
        balance: major('Owed to the owner; below zero, owed by the owner'),
        carriedForward: major('What is below zero, and taken off the next payouts'),
        shares: z.number(),
        fees: major('Gateway fees that the owner bears'),
        costs: major('Repairs that were paid for the owner'),
        paid: z.number(),
        openPayouts: major('Payouts that wait, are under way or have failed'),
        heldPayouts: major('Of them, what waits until a dispute about its stay is decided'),
        owedByOwner: major('What is kept back of the open payouts'),
      }),
    ),
  })
  .openapi('OwnerBalance');
export const StatementQuery = z.strictObject({ ...period, currency: Currency.optional(), ...pageQuery });
export const StatementLine = z
  .object({
    id: z.string(),
    at: z.iso.datetime(),
    kind: z.string(),
    reverses: z.string().nullable().openapi({ description: 'The kind of journal that is reversed' }),
    transactionId: z.string().nullable(),
    reservationId: z.string().nullable(),
    currency: z.string(),
    amount: major('In the owner’s favour'),
    balance: major('What stands after this line'),
    netted: z.number().nullable().openapi({ description: 'Of a payout: kept back for what the owner owed' }),
  })
  .openapi('StatementLine');
export const StatementTotals = z.array(
  z.object({ currency: z.string(), opening: z.number(), closing: z.number(), carriedForward: z.number() }),
);

export const ReconciliationBody = z
  .strictObject({ gatewayId: GatewayId, ...requiredPeriod })
  .openapi('ReconciliationBody');
export const SettlementCsv = z.string().openapi({
  description: `UTF-8 CSV of 5 MiB and 50 000 lines at the most, with a header of ${SETTLEMENT_COLUMNS.join(', ')} in any order.
type is charge, refund or payout; amount and fee are major units (an empty fee is taken as booked); date is an instant or a date, a day in the zone of the query;
settled is yes or no: what has reached the bank is booked once.`,
  example: `${SETTLEMENT_COLUMNS.join(',')}\r\ncharge,ref-1,ch-1,1000.00,AED,29.00,2024-02-01,yes\r\n`,
});
/** Only with a file, whose own first and last dates are the default. */
export const ReconcileQuery = z.strictObject({
  gatewayId: GatewayId.optional(),
  ...periodFields('Lines'),
});
export const ReconciliationQuery = z.strictObject({ gatewayId: GatewayId.optional(), ...pageQuery });
const LineStatus = z.enum(['MATCHED', ...DifferenceKind.options]);
export const ReconciliationLineQuery = z.strictObject({
  status: LineStatus.optional(),
  format: z.enum(['json', 'csv']).default('json').openapi({ description: 'csv: every line, safe for spreadsheets' }),
  ...pageQuery,
});
export const Reconciliation = z
  .object({
    id: z.string(),
    gatewayId: z.string(),
    source: z.enum(['GATEWAY', 'CSV']),
    from: z.iso.datetime().nullable(),
    to: z.iso.datetime().nullable(),
    matched: z.int(),
    amountMismatch: z.int(),
    missingInLedger: z.int(),
    missingAtGateway: z.int(),
    feeMismatch: z.int(),
    currencyMismatch: z.int(),
    statusMismatch: z.int().openapi({ description: 'Done on one side, and not or not any more on the other' }),
    dateMismatch: z.int().openapi({ description: 'Dated more than three days apart' }),
    open: z.int().openapi({ description: 'Differences that nobody has explained and that are still there' }),
    explained: z.int(),
    resolved: z.int().openapi({ description: 'Differences about which both sides agree by now' }),
    ok: z.boolean().openapi({ description: 'No difference is open' }),
    settled: z
      .array(z.object({ currency: z.string(), amount: z.number() }))
      .openapi({ description: 'What it booked from clearing into the bank, less fees; major units' }),
    startedBy: z.string(),
    createdAt: z.iso.datetime(),
  })
  .openapi('Reconciliation');
export const Reconciled = Reconciliation.extend({
  replayed: z.boolean().openapi({ description: 'Done before on the same occasion: this is what came of it then' }),
  settlementsPosted: z.int(),
}).openapi('Reconciled');
export const ReconciliationWithLines = Reconciliation.extend({
  lines: z.array(
    z.object({
      line: z.int(),
      kind: z.enum(['CHARGE', 'REFUND', 'PAYOUT']),
      reference: line(400),
      currency: z.string(),
      ledgerAmount: z.number().nullable(),
      gatewayAmount: z.number().nullable(),
      status: LineStatus,
      transactionId: z.string().nullable(),
      providerId: z.string().nullable(),
      ledgerFee: z.number().nullable().openapi({ description: 'The fee that we have booked' }),
      gatewayFee: z.number().nullable().openapi({ description: 'The fee that the gateway kept; null: not said' }),
      differs: Differs.openapi({ description: 'Every field that differs, with both values; empty when both agree' }),
      differenceId: z.string().nullable().openapi({ description: 'The difference, to be explained or booked' }),
      differenceStatus: DifferenceStatus.nullable(),
      reason: line(500).nullable().openapi({ description: 'Why it is right as it is' }),
    }),
  ),
  nextCursor: z.string().nullable(),
}).openapi('ReconciliationWithLines');
