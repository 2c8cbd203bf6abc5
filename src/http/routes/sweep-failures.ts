import { createRoute } from '@hono/zod-openapi';
import { resendLost } from '../../domain/messages/resend-lost.ts';
import { listSweepFailures, retrySweepFailures } from '../../domain/sweeps/resource.ts';
import { found, page } from '../answers.ts';
import { authorOf, type Services } from '../context.ts';
import { withPeriod } from '../period.ts';
import { agentOf } from '../portfolio.ts';
import type { Register } from '../route.ts';
import { answer, bodyRefusals, jsonOf, many, one, refusals } from '../schemas/envelope.ts';
import {
  LostResend,
  LostResent,
  SweepFailure,
  SweepFailureQuery,
  SweepRetried,
  SweepRetry,
} from '../schemas/sweep-failures.ts';

/** Rows that were set aside or lost because of one bad value: to find them, and to retry them once the value is mended. */

const API = '/api/production';

const list = createRoute({
  method: 'get',
  path: `${API}/sweep-failures`,
  tags: ['Operations'],
  summary: 'List rows that sweeps could not work on, with the reason, newest first',
  request: { query: SweepFailureQuery },
  responses: {
    200: answer('A page of rows', many(SweepFailure)),
    ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR'),
  },
});
const retry = createRoute({
  method: 'post',
  path: `${API}/sweep-failures/retry`,
  tags: ['Operations'],
  summary: 'Try rows again that were set aside',
  request: { body: jsonOf(SweepRetry, { sweep: 'messages', reason: 'The time zone is mended' }) },
  responses: { 200: answer('What is tried again', one(SweepRetried)), ...bodyRefusals() },
});
const resend = createRoute({
  method: 'post',
  path: `${API}/notifications/resend`,
  tags: ['Notifications'],
  summary: 'Send messages once more that were not sent',
  request: { body: jsonOf(LostResend, { status: 'FAILED', reason: 'LEASE_EXPIRED', from: '2024-02-01' }) },
  responses: { 200: answer('How many are sent once more', one(LostResent)), ...bodyRefusals() },
});

export function registerSweepFailures(register: Register, services: Services): void {
  const { db } = services;
  register(list, async (c) =>
    page(c, services, 'sweep-failures', await withPeriod(c, services, c.req.valid('query')), (filter, at) =>
      listSweepFailures(db, filter, at),
    ),
  );
  register.mutation(retry, (c, once) => {
    const { reason, ...filter } = c.req.valid('json');
    return once.change(async (tx) => {
      const { released, messageIds, more } = await retrySweepFailures(tx, filter, reason, authorOf(c));
      const { resent } =
        messageIds.length === 0 ? { resent: 0 } : await resendLost(tx, { ids: messageIds }, null, authorOf(c));
      return found(c, { released, resent, more });
    });
  });
  register.mutation(resend, (c, once) => {
    const asked = c.req.valid('json');
    return once.change(async (tx) => {
      const { from, to, ...filter } = await withPeriod(c, services, asked);
      const done = await resendLost(tx, { ...filter, from, to }, agentOf(c), authorOf(c));
      return found(c, { ...done, from: canonical(from), to: canonical(to) });
    });
  });
}

const canonical = (instant: string | undefined): string | null =>
  instant === undefined ? null : new Date(instant).toISOString();
