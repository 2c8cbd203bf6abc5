import { z } from '@hono/zod-openapi';
import { CONVERSION_GROUPS } from '../../domain/analytics/conversion.ts';
import { WORK_GROUPS } from '../../domain/analytics/on-time-work.ts';
import { PAYMENT_GROUPS } from '../../domain/analytics/payments.ts';
import { PAYOUT_GROUPS } from '../../domain/analytics/payout-times.ts';
import { SATISFACTION_GROUPS } from '../../domain/analytics/satisfaction.ts';
import { filtersBy, noReference } from '../references.ts';
import { Id } from './common.ts';
import { periodFields } from './period.ts';

/** Reports over a period: the figures of the whole, and of each group. */

const query = <const Groups extends readonly [string, ...string[]]>(what: string, groups: Groups) =>
  z.strictObject({
    ...periodFields(what),
    propertyId: filtersBy(Id, 'property').optional(),
    groupBy: noReference(z.enum(groups), 'a word that names a column').optional().openapi({
      description: 'What the groups are; without it there are none',
    }),
    format: z
      .enum(['json', 'csv'])
      .default('json')
      .openapi({ description: '`csv`: a line for each group, the whole first' }),
  });

const count = z.int();
const rate = (description: string) =>
  z
    .number()
    .nullable()
    .openapi({ description: `${description}; null: of nothing` });
const hours = (description: string) =>
  z
    .number()
    .nullable()
    .openapi({ description: `${description}, in hours` });

const report = <Figures extends z.ZodRawShape>(name: string, figures: Figures) =>
  z
    .object({
      from: z.iso.datetime(),
      to: z.iso.datetime(),
      groupBy: z.string().nullable(),
      total: z.object(figures),
      groups: z
        .array(
          z.object({
            key: z.string().nullable().openapi({ description: 'A day, a month, an id or a code; null: it has none' }),
            ...figures,
          }),
        )
        .openapi({ description: 'In the order of their keys, the first thousand' }),
    })
    .openapi(name);

export const ConversionQuery = query('Entered', CONVERSION_GROUPS);
export const ConversionReport = report('ConversionReport', {
  created: count.openapi({ description: 'Without those that still wait and are younger than 24 hours' }),
  confirmed: count,
  rate: rate('confirmed / created'),
});
export const PaymentsQuery = query('Tried', PAYMENT_GROUPS);
export const PaymentsReport = report('PaymentsReport', {
  attempts: count.openapi({ description: 'Charges that were taken or refused' }),
  completed: count,
  failed: count,
  rate: rate('completed / attempts'),
  firstAttempts: count.openapi({ description: 'Those that were the first of their stay' }),
  firstCompleted: count,
  firstRate: rate('firstCompleted / firstAttempts'),
});
export const OnTimeQuery = query('Had to be done', WORK_GROUPS);
export const OnTimeReport = report('OnTimeReport', {
  due: count.openapi({ description: 'Done, or past the deadline by now' }),
  onTime: count,
  late: count.openapi({ description: 'Done after the deadline' }),
  open: count.openapi({ description: 'Not done, and past the deadline' }),
  rate: rate('onTime / due'),
});
export const SatisfactionQuery = query('Left', SATISFACTION_GROUPS);
export const SatisfactionReport = report('SatisfactionReport', {
  stays: count.openapi({ description: 'Of guests who have left' }),
  ratings: count,
  mean: z.number().nullable().openapi({ description: 'From 1 to 5; null: nobody has rated' }),
  responseRate: rate('ratings / stays'),
});
export const PayoutTimesQuery = query('Reached the owner', PAYOUT_GROUPS);
export const PayoutTimesReport = report('PayoutTimesReport', {
  payouts: count,
  medianHours: hours('From the guest’s payment to the payout'),
  p95Hours: hours('From the guest’s payment to the payout'),
  medianLatenessHours: hours('From when it was promised; below zero: before'),
  p95LatenessHours: hours('From when it was promised'),
});
