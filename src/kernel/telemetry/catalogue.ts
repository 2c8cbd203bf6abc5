/**
 * Every metric, by the name that Prometheus knows it by. Each label has one of these kinds of values, all of which are names of
 * this code or of its configuration: never an id, an address or a text of somebody else.
 */
export const LABELS = {
  saga: 'name of a saga',
  step: 'name of a step',
  direction: '`F` forward, `C` compensation',
  code: 'code of the catalogue of errors, or `OTHER`',
  outcome: 'how it ended, see the metric',
  status: 'status of a saga that is open, or of an answer (`2xx` to `5xx`)',
  queue: 'name of a queue',
  job: 'name of a job of the table of jobs',
  kind: 'kind of thing, see the metric',
  state: 'state, see the metric',
  channel: '`EMAIL` or `SMS`',
  currency: 'ISO 4217',
  limit: 'name of a limit of `RATE_LIMITS`',
  role: 'role of a worker (`ROLES`)',
  route: 'pattern of a route, or `none`',
  method: 'HTTP method, or `OTHER`',
  call: 'call of a port: `charge`, `refund`, `activate` ...',
  quantile: '`0.5`, `0.99` or `1`',
  dependency: '`postgres` or `redis`',
} as const;
export type Label = keyof typeof LABELS;

export interface Metric {
  /** Counters and histograms are counted by a process; gauges are read when they are asked for. */
  readonly type: 'counter' | 'histogram' | 'gauge';
  readonly labels: readonly Label[];
  readonly help: string;
  /** True: read in Postgres or Redis, and so the same whichever process answers. */
  readonly global?: true;
}

export const METRICS = {
  roomy_sagas_started_total: { type: 'counter', labels: ['saga'], help: 'Sagas that were accepted by this process.' },
  roomy_sagas_completed_total: { type: 'counter', labels: ['saga'], help: 'Sagas whose last step was done.' },
  roomy_sagas_compensated_total: {
    type: 'counter',
    labels: ['saga', 'code'],
    help: 'Sagas that were undone, by the error that turned them round.',
  },
  roomy_sagas_parked_total: {
    type: 'counter',
    labels: ['saga', 'code'],
    help: 'Times that a saga began to wait for a person, by the error at which it stopped.',
  },
  roomy_step_duration_seconds: {
    type: 'histogram',
    labels: ['saga', 'step', 'direction', 'outcome'],
    help: 'Time that a step took in its worker; outcome: advanced, refused, failed, waits, leased, cut-short or not-due.',
  },
  roomy_step_retries_total: {
    type: 'counter',
    labels: ['saga', 'step', 'code'],
    help: 'Attempts of steps that failed and will be repeated.',
  },
  roomy_jobs_total: {
    type: 'counter',
    labels: ['queue', 'job', 'outcome'],
    help: 'Jobs that ended; the job of every step is called step. Outcome: completed, failed, timed-out, refused or stalled.',
  },
  roomy_http_request_duration_seconds: {
    type: 'histogram',
    labels: ['method', 'route', 'status'],
    help: 'Time until the answer of a request was ready.',
  },
  roomy_rate_limited_total: { type: 'counter', labels: ['limit'], help: 'Requests that were one too many.' },
  roomy_messages_total: {
    type: 'counter',
    labels: ['channel', 'outcome'],
    help: 'What came of messages that were due; outcome: SENT, FAILED, BLOCKED, SKIPPED, RETRY or WAIT.',
  },
  roomy_webhook_calls_total: {
    type: 'counter',
    labels: ['outcome'],
    help: 'Calls of webhook endpoints; outcome: taken, refused (an answer that is not 2xx) or failed (no answer).',
  },
  roomy_gateway_call_duration_seconds: {
    type: 'histogram',
    labels: ['kind', 'call', 'outcome'],
    help: 'Calls of payment gateways and devices; kind: gateway or device; outcome: ok, refused, failed or open (not sent).',
  },
  roomy_audit_verifications_total: {
    type: 'counter',
    labels: ['outcome'],
    help: 'Verifications of the audit trail by this process; outcome: agrees, broken or incomplete (a part of it agrees).',
  },
  roomy_circuits: {
    type: 'gauge',
    labels: ['kind', 'state'],
    help: 'Circuits of this process; kind: gateway, device or channel; state: closed, open or half-open.',
  },
  roomy_relay_lag_seconds: {
    type: 'gauge',
    labels: [],
    help: 'Since when the relay of this process has not come through.',
  },
  roomy_database_connections: {
    type: 'gauge',
    labels: ['state'],
    help: 'Connections of the pool of this process; state: idle, busy, max (as many as it may have) or wanted (waited for).',
  },
  roomy_database_connect_seconds: {
    type: 'histogram',
    labels: [],
    help: 'How long a connection of the pool was waited for.',
  },
  roomy_event_loop_delay_seconds: {
    type: 'gauge',
    labels: ['quantile'],
    help: 'By how much the event loop of this process was late, since it was asked before.',
  },
  roomy_process_memory_bytes: {
    type: 'gauge',
    labels: ['kind'],
    help: 'Memory of this process; kind: rss, heap or external.',
  },
  roomy_dependency_up: {
    type: 'gauge',
    labels: ['dependency'],
    help: '1: its values could be read. Where it is 0, all that is read in it is absent.',
  },
  roomy_due_rows: {
    type: 'gauge',
    labels: ['kind'],
    help: 'Rows that are due and wait for a worker, by kind of row; 10000 means as many or more.',
    global: true,
  },
  roomy_due_oldest_seconds: {
    type: 'gauge',
    labels: ['kind'],
    help: 'Since when the oldest of them is due; 0 when none is.',
    global: true,
  },
  roomy_sagas_open: {
    type: 'gauge',
    labels: ['saga', 'status'],
    help: 'Sagas that have not ended; of 10000 of them at the most, the oldest.',
    global: true,
  },
  roomy_sagas_open_oldest_seconds: {
    type: 'gauge',
    labels: ['saga', 'status'],
    help: 'Since when the one that stands still the longest has not moved.',
    global: true,
  },
  roomy_sagas_retrying: {
    type: 'gauge',
    labels: ['saga'],
    help: 'Sagas whose step has failed at least once and is tried again.',
    global: true,
  },
  roomy_sagas_retrying_oldest_seconds: {
    type: 'gauge',
    labels: ['saga'],
    help: 'Since when the longest of them has been at that step.',
    global: true,
  },
  roomy_money_in_flight_minor: {
    type: 'gauge',
    labels: ['kind', 'currency'],
    help: 'Amounts that are owed and have not gone, in minor units; kind: refund or payout.',
    global: true,
  },
  roomy_money_in_flight_oldest_seconds: {
    type: 'gauge',
    labels: ['kind'],
    help: 'Since when the oldest of them is on its way.',
    global: true,
  },
  roomy_tasks_unplanned: {
    type: 'gauge',
    labels: [],
    help: 'Tasks that nobody has, though they were to begin already.',
    global: true,
  },
  roomy_plan_lateness_seconds: {
    type: 'gauge',
    labels: [],
    help: 'By how much the latest of them is late.',
    global: true,
  },
  roomy_rows_set_aside: {
    type: 'gauge',
    labels: [],
    help: 'Rows that a sweep could not work on, and tries again later.',
    global: true,
  },
  roomy_integrity_pass_age_seconds: {
    type: 'gauge',
    labels: [],
    help: 'Since when the books were last added up anew in full.',
    global: true,
  },
  roomy_integrity_differences: {
    type: 'gauge',
    labels: [],
    help: 'Differences that this found.',
    global: true,
  },
  roomy_worker_connections: {
    type: 'gauge',
    labels: ['role'],
    help: 'Connections to Postgres of workers that serve a role; 0: nobody does.',
    global: true,
  },
  roomy_queue_jobs: {
    type: 'gauge',
    labels: ['queue', 'state'],
    help: 'Jobs in Redis; state: wait, active, delayed, waiting-children or failed.',
    global: true,
  },
  roomy_queue_oldest_seconds: {
    type: 'gauge',
    labels: ['queue'],
    help: 'Age of the job that waits the longest; 0 when none does.',
    global: true,
  },
  roomy_queue_paused: { type: 'gauge', labels: ['queue'], help: '1: somebody has paused the queue.', global: true },
} as const satisfies Readonly<Record<string, Metric>>;

export type MetricName = keyof typeof METRICS;
/** Names of metrics of one type. */
export type NameOf<Type extends Metric['type']> = {
  [Name in MetricName]: (typeof METRICS)[Name]['type'] extends Type ? Name : never;
}[MetricName];
/** The labels of a metric, each with its value. */
export type LabelsOf<Name extends MetricName> = Readonly<Record<(typeof METRICS)[Name]['labels'][number], string>>;

/** Upper bounds of the buckets of every histogram, in seconds. */
export const BUCKETS_SECONDS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120,
];
