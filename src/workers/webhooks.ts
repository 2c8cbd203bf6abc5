import { forgetEvents } from '../domain/events/feed.ts';
import { pruneKeys } from '../domain/idempotency/prune.ts';
import { pruneFailures } from '../domain/sweeps/prune.ts';
import { deliverWebhooks, type WebhookDeps } from '../domain/webhooks/deliver.ts';
import type { JobsOf } from './jobs.ts';
import { untilNothing } from './rounds.ts';

/** One wake-up serves so many rounds at the most; the next tick goes on. */
const MAX_ROUNDS = 20;

/** Jobs are only wake-ups: which endpoint is to be called, and with what, stands in Postgres. */
export const webhookJobs = (deps: WebhookDeps, retentionDays: number): JobsOf<'webhooks'> => ({
  sweep: {
    kind: 'sweep',
    // An endpoint may be slow: a round ends within its lease, and they run one after the other.
    limitMs: 15 * 60_000,
    run: async (run) => ({ served: await untilNothing(MAX_ROUNDS, run, () => deliverWebhooks(deps)) }),
  },
  retention: {
    kind: 'sweep',
    limitMs: 10 * 60_000,
    run: async () => ({
      forgotten: await forgetEvents(deps.db, retentionDays),
      keys: await pruneKeys(deps.db),
      failures: await pruneFailures(deps.db),
    }),
  },
});
