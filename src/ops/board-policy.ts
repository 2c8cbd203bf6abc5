import type { BaseAdapter } from '@bull-board/api/baseAdapter';
import type { BeforeHook, BeforeHookResult, HookContext, QueueJob } from '@bull-board/api/typings/app';
import type { Origin } from '../domain/audit/record.ts';
import type { RetryOutcome, SagaOrchestrator } from '../engine/types.ts';
import { RoomyError } from '../kernel/errors.ts';
import { ID_PATTERN } from '../kernel/ids.ts';
import { ADDRESS_HEADER, opsAudit, type RecordOpsAudit } from './audit.ts';
import { type Operator, type OperatorSource, operatorOf } from './session.ts';

export interface BoardPolicyDeps extends OperatorSource {
  readonly audit: RecordOpsAudit;
  readonly orchestrator: Pick<SagaOrchestrator, 'retry'>;
  /** Which of these sagas wait for a person. */
  readonly parkedOf: (sagaIds: readonly string[]) => Promise<ReadonlySet<string>>;
}

/**
 * The actions that an operator may take on the board. Any other is refused, so a button that a later version adds
 * is refused until someone has thought about it. A saga's truth is in Postgres: the buttons that delete, add or edit
 * jobs could not harm it, but would hide what happened, and none of them helps.
 */
const RETRY = '/api/queues/:queueName/:jobId/retry';
const RETRY_ALL = '/api/queues/:queueName/retry/:queueStatus';
const PAUSING: ReadonlySet<string> = new Set([
  '/api/queues/pause',
  '/api/queues/resume',
  '/api/queues/:queueName/pause',
  '/api/queues/:queueName/resume',
]);
const READS: ReadonlySet<string> = new Set([
  '/api/redis/stats',
  '/api/queues',
  '/api/job-schedulers',
  '/api/queues/:queueName/metrics',
  '/api/queues/:queueName/default-job-options',
  '/api/queues/:queueName/workers',
  '/api/queues/:queueName/rate-limit',
  '/api/queues/:queueName/job-data-schema',
  '/api/queues/:queueName/:jobId/logs',
  '/api/queues/:queueName/:jobId/flow',
  '/api/queues/:queueName/:jobId',
]);

const REFUSAL =
  'Refused. This board allows reading, retrying and pausing; what a saga does next is decided in the database, and its jobs come from there.';

const NEEDS_APPROVAL =
  'This saga waits for an approval, which no retry is: a second person decides with POST /api/production/approvals/<id>.';
const IN_PROGRESS = 'Another saga is at work on the same record. Retry this one when that has ended.';

const NEEDS_FACTOR =
  'Trying sagas again needs a second factor of the last minutes: give one at /account/second-factor, sign in here again, and come back.';

interface Decision {
  readonly result: Exclude<BeforeHookResult, void>;
  readonly sagaId: string | null;
  /** For the audit row. */
  readonly sagas: Readonly<Record<string, number>> | null;
}
const allow = (sagaId: string | null = null, sagas: Decision['sagas'] = null): Decision => ({
  result: { allow: true },
  sagaId,
  sagas,
});
const deny = (status: 403 | 404 | 409, message: string, sagaId: string | null = null): Decision => ({
  result: { allow: false, status, message },
  sagaId,
  sagas: null,
});

/** Runs before each of the board's API handlers. A throw here is answered 500 and the handler does not run. */
export function createBoardPolicy(deps: BoardPolicyDeps): BeforeHook {
  return async (context) => {
    const { method, route, request } = context;
    if (method === 'get') return READS.has(route) ? undefined : deny(403, REFUSAL).result;
    // The gate let this request through; who it is comes from the same cookie, so nothing has to be carried along.
    const operator = await operatorOf(deps, request.headers.cookie);
    if (!operator?.allowed) return deny(403, 'Log in first.').result;
    const origin = {
      requestId: request.headers['x-request-id'] ?? null,
      ip: request.headers[ADDRESS_HEADER] || null,
    };

    const decision = await decide(deps, context, operator, origin);
    const { result, sagaId } = decision;
    const details = {
      method: method.toUpperCase(),
      route,
      queue: text(request.params.queueName),
      jobId: text(request.params.jobId),
      ...(result.message !== undefined && { reason: result.message }),
      ...(decision.sagas && { sagas: decision.sagas }),
    };
    await deps.audit(opsAudit({ event: 'OPS_CALL', operator, ...origin, allowed: result.allow, sagaId, details }));
    return result;
  };
}

async function decide(
  deps: BoardPolicyDeps,
  { method, route, request }: HookContext,
  operator: Operator,
  origin: Origin,
): Promise<Decision> {
  if (method !== 'put') return deny(403, REFUSAL);
  if (PAUSING.has(route)) return allow();
  const queue = request.queues.get(String(request.params.queueName));
  if (!queue) return deny(404, 'There is no such queue.');
  if (route === RETRY) {
    const job = await queue.getJob(String(request.params.jobId));
    const sagaId = job ? sagaOf(job) : null;
    // A wake-up of another queue: running it again is what it is for.
    if (sagaId === null) return allow();
    if (!operator.isSteppedUp) return deny(403, NEEDS_FACTOR, sagaId);
    const outcome = await retrySaga(deps, sagaId, operator, origin);
    if (outcome === 'unknown') return deny(404, 'This job names a saga that does not exist.', sagaId);
    if (outcome === 'needs-approval') return deny(409, NEEDS_APPROVAL, sagaId);
    if (outcome === 'in-progress') return deny(409, IN_PROGRESS, sagaId);
    return allow(sagaId, { [outcome]: 1 });
  }
  if (route === RETRY_ALL) {
    // Completed jobs may be a whole day's: running them all again would be load and nothing else.
    if (request.params.queueStatus !== 'failed') return deny(403, 'Only failed jobs can be retried all at once.');
    if (!operator.isSteppedUp) return deny(403, NEEDS_FACTOR);
    return retryAll(deps, queue, operator, origin);
  }
  return deny(403, REFUSAL);
}

const MAX_RETRY_ALL = 1_000;
const RETRIES_AT_ONCE = 8;
/** As many failed jobs as the queue keeps, and some. */
const MAX_PAGES = 60;

/**
 * Resumes each saga that waits for a person and that a failed job of this queue belongs to; then its jobs, and those that belong to no
 * saga, are retried, which the old generation makes harmless. All other jobs stay as they are: their sagas have ended, or go on by
 * themselves, and a green job would say that something was done. Of a longer list only the first part is taken, and the person is asked to go on.
 */
async function retryAll(
  deps: BoardPolicyDeps,
  queue: BaseAdapter,
  operator: Operator,
  origin: Origin,
): Promise<Decision> {
  const failed = (await queue.getJobCounts()).failed ?? 0;
  const { helped, left, isAll } = await whatRetryHelps(deps, queue);
  const sagaIds = [...new Set(helped.flatMap((job) => sagaOf(job) ?? []))];
  const sagas: Partial<Record<Retried, number>> = {};
  for (let start = 0; start < sagaIds.length; start += RETRIES_AT_ONCE) {
    const part = sagaIds.slice(start, start + RETRIES_AT_ONCE);
    const outcomes = await Promise.all(part.map((sagaId) => retrySaga(deps, sagaId, operator, origin)));
    for (const outcome of outcomes) sagas[outcome] = (sagas[outcome] ?? 0) + 1;
  }
  if (isAll && left === 0) return allow(null, sagas);
  for (const job of helped) await job.retry('failed');
  const rest = isAll ? '' : ' Retry all again to go on.';
  const others = left === 0 ? '' : ` ${left} were left as they are: their sagas have ended, or go on by themselves.`;
  const message = `${helped.length} of ${failed} jobs were retried.${others}${rest}`;
  return { ...deny(409, message), sagas };
}

/** The first thousand failed jobs that a retry can help, and how many were met that it cannot. */
async function whatRetryHelps(
  deps: BoardPolicyDeps,
  queue: BaseAdapter,
): Promise<{ readonly helped: readonly QueueJob[]; readonly left: number; readonly isAll: boolean }> {
  const helped: QueueJob[] = [];
  let left = 0;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const jobs = await queue.getJobs(['failed'], page * MAX_RETRY_ALL, (page + 1) * MAX_RETRY_ALL - 1);
    const sagaIds = [...new Set(jobs.flatMap((job) => sagaOf(job) ?? []))];
    const parked = sagaIds.length === 0 ? new Set<string>() : await deps.parkedOf(sagaIds);
    for (const job of jobs) {
      const sagaId = sagaOf(job);
      if (sagaId !== null && !parked.has(sagaId)) left += 1;
      else if (helped.length === MAX_RETRY_ALL) return { helped, left, isAll: false };
      else helped.push(job);
    }
    if (jobs.length < MAX_RETRY_ALL) break;
  }
  return { helped, left, isAll: true };
}

type Retried = RetryOutcome | 'unknown' | 'in-progress';

async function retrySaga(deps: BoardPolicyDeps, sagaId: string, operator: Operator, origin: Origin): Promise<Retried> {
  try {
    return await deps.orchestrator.retry({ sagaId, by: operator.sub, ...origin, via: 'bull-board' });
  } catch (error) {
    // A forged or edited job; anything else is our failure, and then the job must not be retried either.
    if (error instanceof RoomyError && error.code === 'SAGA_NOT_FOUND') return 'unknown';
    if (error instanceof RoomyError && error.code === 'SAGA_IN_PROGRESS') return 'in-progress';
    throw error;
  }
}

/** A job's data is an untrusted pointer: only something that could be an id is looked up. */
function sagaOf(job: QueueJob): string | null {
  const data: unknown = job.toJSON().data;
  if (typeof data !== 'object' || data === null || !('sagaId' in data)) return null;
  return typeof data.sagaId === 'string' && ID_PATTERN.test(data.sagaId) ? data.sagaId : null;
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value.slice(0, 200) : null);
