import { z } from '@hono/zod-openapi';
import { filtersBy } from '../references.ts';
import { GatewayId, Id, line, pageQuery } from './common.ts';

/** Differences between a gateway's record and the ledger. */

export const DifferenceKind = z.enum([
  'AMOUNT_MISMATCH',
  'FEE_MISMATCH',
  'CURRENCY_MISMATCH',
  'STATUS_MISMATCH',
  'DATE_MISMATCH',
  'MISSING_IN_LEDGER',
  'MISSING_AT_GATEWAY',
]);
export const DifferenceStatus = z.enum(['OPEN', 'EXPLAINED', 'RESOLVED']).openapi({
  description: '`EXPLAINED` by a person, until its values change; `RESOLVED`: both sides agree, or it was booked',
});
const value = z.union([z.number(), z.string()]).nullable();
export const Differs = z.array(
  z.object({
    what: z.enum(['AMOUNT', 'CURRENCY', 'FEE', 'STATUS', 'DATE']),
    ledger: value.openapi({ description: 'What we have booked; amounts in major units; null: nothing', example: 29 }),
    gateway: value.openapi({ description: 'What the gateway says; null: nothing', example: 31.5 }),
  }),
);

export const Difference = z
  .object({
    id: z.string(),
    gatewayId: z.string(),
    movement: z.enum(['CHARGE', 'REFUND', 'PAYOUT']),
    kind: DifferenceKind.openapi({ description: 'The gravest of what differs' }),
    status: DifferenceStatus,
    reference: line(400),
    providerId: z.string().nullable(),
    currency: z.string(),
    ledgerAmount: z.number().nullable(),
    gatewayAmount: z.number().nullable(),
    differs: Differs.openapi({ description: 'Every field that differs, with both values' }),
    bookable: z
      .boolean()
      .openapi({ description: 'Whether `correction` can book it: a fee, and nothing else, differs' }),
    explanation: z
      .object({ reason: line(500), by: z.string(), at: z.iso.datetime() })
      .nullable()
      .openapi({ description: 'Why it is right as it is, by whom and since when; null: nobody has said' }),
    correctionId: z.string().nullable().openapi({ description: 'The transaction that was booked for it' }),
    transactionId: z.string().nullable(),
    reservationId: z.string().nullable(),
    foundIn: z.string().openapi({ description: 'The reconciliation that first found these values' }),
    seenIn: z.string().openapi({ description: 'The last one that found them' }),
    openedAt: z.iso.datetime(),
    resolvedAt: z.iso.datetime().nullable(),
    version: z.int(),
    createdAt: z.iso.datetime(),
  })
  .openapi('Difference');
export const DifferenceQuery = z.strictObject({
  gatewayId: GatewayId.optional(),
  status: DifferenceStatus.optional(),
  kind: DifferenceKind.optional(),
  reservationId: filtersBy(Id, 'reservation').optional(),
  ...pageQuery,
});
export const Explanation = z
  .strictObject({
    reason: line(500).openapi({ description: 'Why it is right as it is; kept with it and in the audit log' }),
  })
  .openapi('Explanation');
export const EXPLANATION_EXAMPLE = { reason: 'Fee of an American card, agreed with the gateway' };
