import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { openField } from '../../db/sealed-fields.ts';
import { required } from '../../kernel/errors.ts';
import type { Outages } from '../../kernel/outages.ts';
import { count } from '../../kernel/telemetry/measure.ts';
import { eventView, matching, numberEvents } from '../events/feed.ts';
import { raiseAlert } from '../notifications/alerts.ts';
import type { WebhookOutcome, WebhookSender } from '../ports.ts';
import { attemptEach, sweepBatch } from '../sweeps/isolate.ts';
import { retryDelayMs } from './retries.ts';
import {
  advanceEndpoint,
  claimEndpoints,
  dueEndpoints,
  type Endpoint,
  insertAttempt,
  moveEndpoint,
  releaseEndpoint,
} from './store.ts';
import { tracedCall } from './traced-call.ts';

/**
 * Sends the feed to webhook endpoints: to each in order, one event at a time, each until it is taken. An
 * endpoint is held under a lease, and what came of an event counts only for the fence that holds it; after a crash
 * between a request and its record the event is sent again under the same id.
 */
export interface WebhookDeps {
  readonly db: Db;
  readonly sender: WebhookSender;
  readonly random: () => number;
  /** Of the process: an endpoint that takes nothing is one line, and one more when it takes again. */
  readonly outages: Outages;
}

const ENDPOINTS_AT_ONCE = 20;
const EVENTS_AT_ONCE = 50;
const LEASE_SECONDS = 60;
/** No new request is begun so late in a lease that it could outlast it. */
const WORK_MS = 40_000;

/** Serves the endpoints that are due and answers how many there were. Safe in any number of workers at once. */
export async function deliverWebhooks(deps: WebhookDeps): Promise<number> {
  const { db } = deps;
  if (!(await hasActive(db))) return 0;
  const newest = await numberEvents(db);
  const endpoints: Endpoint[] = [];
  // Each is claimed and served by itself where one of them cannot be.
  await sweepBatch({
    db,
    sweep: 'webhooks',
    limit: ENDPOINTS_AT_ONCE,
    run: async (scope) => {
      const claimed = await claimEndpoints(db, newest, scope, LEASE_SECONDS);
      endpoints.push(...claimed);
      return [];
    },
    due: async (limit) => (await dueEndpoints(db, newest, { limit, ids: null }).execute()).map(({ id }) => id),
  });
  await attemptEach(db, 'webhooks', endpoints, {
    id: ({ id }) => id,
    work: (endpoint) => serve(deps, endpoint, newest),
    lanes: ENDPOINTS_AT_ONCE,
  });
  return endpoints.length;
}

async function hasActive(db: Db): Promise<boolean> {
  const some = await db
    .selectFrom('webhook_endpoint')
    .select('id')
    .where('status', '=', literal('ACTIVE'))
    .limit(1)
    .execute();
  return some.length > 0;
}

async function serve(deps: WebhookDeps, claimed: Endpoint, newest: number): Promise<void> {
  const { db, sender } = deps;
  const deadline = performance.now() + WORK_MS;
  let endpoint: Endpoint | null = claimed;
  while (endpoint !== null && endpoint.next_seq <= newest) {
    const span = { from: endpoint.next_seq, until: newest, limit: EVENTS_AT_ONCE };
    const events = await matching(db, { types: endpoint.types }, span);
    for (const row of events) {
      if (endpoint === null || performance.now() > deadline) break;
      const { seq, id, type, at, ...event } = eventView(row);
      const body = JSON.stringify({ type, timestamp: at, data: { seq, id, ...event } });
      const request = { url: endpoint.url, id, body, secrets: await secretsOf(db, endpoint) };
      const outcome = await tracedCall(db, row, () => sender.send(request));
      const came = outcome.taken ? 'taken' : outcome.statusCode === null ? 'failed' : 'refused';
      count('roomy_webhook_calls_total', { outcome: came });
      endpoint = await record(deps, endpoint, { seq, type }, outcome);
      if (!outcome.taken) return;
    }
    if (endpoint === null || performance.now() > deadline) break;
    if (events.length < EVENTS_AT_ONCE) endpoint = await advanceEndpoint(db, endpoint, newest + 1);
  }
  if (endpoint !== null) await releaseEndpoint(db, endpoint);
}

/** During a change of the secret both sign. */
export async function secretsOf(
  db: Db,
  { id, secret, previous_secret, previous_until }: Endpoint,
): Promise<readonly string[]> {
  const open = async (sealed: string): Promise<string> =>
    required(await openField(db, 'webhook_endpoint.secret', id, sealed), 'the key of an endpoint’s secret');
  const overlaps = previous_secret !== null && previous_until !== null && previous_until > new Date();
  return overlaps ? [await open(secret), await open(previous_secret)] : [await open(secret)];
}

/** Each attempt is on record by itself; its address stays out of the log, for it may hold a secret. */
function tellOutage(outages: Outages, { id }: Endpoint, { taken, statusCode, reason }: WebhookOutcome): void {
  const dependency = `webhook endpoint ${id}`;
  if (taken) outages.recovered(dependency);
  else outages.failed(dependency, new Error(reason ?? `HTTP ${statusCode}`));
}

/** The endpoint as it is now; null when it is somebody else's, or disabled. */
async function record(
  deps: WebhookDeps,
  endpoint: Endpoint,
  event: { readonly seq: number; readonly type: string },
  outcome: WebhookOutcome,
): Promise<Endpoint | null> {
  const attempt = endpoint.attempt + 1;
  const delayMs = outcome.taken ? 0 : retryDelayMs(attempt, deps.random());
  const gone = !outcome.taken && (outcome.statusCode === 410 || delayMs === null);
  const reason = outcome.statusCode === 410 ? 'GONE' : 'EVENT_NOT_TAKEN';
  const row = await deps.db.transaction().execute(async (tx) => {
    const held = await moveEndpoint(
      tx,
      endpoint,
      outcome.taken
        ? { nextSeq: event.seq + 1 }
        : { attempt, delayMs: delayMs ?? 0, disabledReason: gone ? reason : null },
    );
    if (!held) return null;
    await insertAttempt(tx, {
      endpoint_id: endpoint.id,
      seq: event.seq,
      type: event.type,
      attempt,
      status_code: outcome.statusCode,
      reason: outcome.reason,
      ms: outcome.ms,
    });
    if (gone) {
      await raiseAlert(tx, {
        about: 'webhook',
        id: endpoint.id,
        source: 'webhooks',
        step: event.type,
        code: `WEBHOOK_DISABLED_${reason}`,
        group: `webhook-${endpoint.id}`,
      });
    }
    return held;
  });
  tellOutage(deps.outages, endpoint, outcome);
  return row;
}
