import { z } from '@hono/zod-openapi';
import { MAX_RESENT } from '../../domain/messages/resend-lost.ts';
import { SWEEP_NAMES } from '../../domain/sweeps/names.ts';
import { filtersBy, noReference } from '../references.ts';
import { Id, InstantOrDate, line, pageQuery, TimeZone } from './common.ts';
import { periodFields } from './period.ts';

const Sweep = z.enum(SWEEP_NAMES).openapi({ example: 'messages' });
/** Ids in one request, at the most. */
const MAX_IDS = 100;

export const SweepFailure = z
  .object({
    id: z.string().openapi({ description: '`<sweep>:<row>`', example: 'messages:notification-1' }),
    sweep: Sweep,
    kind: z.string().openapi({ description: 'What kind of row it is', example: 'notification' }),
    rowId: z.string().openapi({ example: 'notification-1' }),
    reason: z.string().openapi({ example: 'RangeError: Invalid time zone specified: IST' }),
    attempts: z.int(),
    firstAt: z.iso.datetime(),
    lastAt: z.iso.datetime(),
    nextTryAt: z.iso.datetime().openapi({ description: 'The sweep leaves the row alone until then' }),
  })
  .openapi('SweepFailure');
export const SweepFailureQuery = z.strictObject({
  sweep: Sweep.optional(),
  ...periodFields('Failed last'),
  ...pageQuery,
});

const FailureId = line(341).regex(
  /^[a-z-]{1,40}:./u,
  'must be the id of a sweep failure, such as messages:notification-1',
);
export const SweepRetry = z
  .strictObject({
    sweep: Sweep.optional(),
    ids: z
      .array(noReference(FailureId, 'of a row that a sweep has set aside; for operators, who see all of them'))
      .min(1)
      .max(MAX_IDS)
      .optional()
      .openapi({ example: ['messages:notification-1'] }),
    reason: line(500).optional().openapi({ description: 'Why now; kept in the audit trail' }),
  })
  .openapi('SweepRetry');
export const SweepRetried = z
  .object({
    released: z.int().openapi({ description: 'Rows that are tried again with the next look of their sweep' }),
    resent: z.int().openapi({ description: 'Of these: messages that had ended, and are sent once more' }),
    more: z.boolean().openapi({ description: 'There are more than one call takes; call again' }),
  })
  .openapi('SweepRetried');

export const LostResend = z
  .strictObject({
    status: z.enum(['FAILED', 'BLOCKED']).optional().openapi({ description: 'Both, when it is left out' }),
    reason: line(200).optional().openapi({ description: 'The `reason` of the messages', example: 'LEASE_EXPIRED' }),
    event: line(64).optional(),
    ids: z.array(filtersBy(Id, 'notification')).min(1).max(MAX_IDS).optional(),
    from: InstantOrDate.optional().openapi({
      description: 'Made at or after this; without it and without `ids`, the last 30 days',
    }),
    to: InstantOrDate.optional().openapi({ description: 'Made before this instant, or by the end of this date' }),
    zone: TimeZone.optional().openapi({ description: 'On whose clock bare dates are days; default: the agency’s' }),
  })
  .openapi('LostResend');
export const LostResent = z
  .object({
    resent: z.int().openapi({ description: `New messages, ${MAX_RESENT} at the most` }),
    more: z.boolean().openapi({ description: 'There are more than one call takes; call again' }),
    from: z.iso.datetime().nullable().openapi({ description: 'What the period that was asked for begins with' }),
    to: z.iso.datetime().nullable(),
  })
  .openapi('LostResent');
