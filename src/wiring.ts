import type { Db } from './db/client.ts';
import type { Ports } from './domain/ports.ts';
import type { SagaDefinition } from './engine/definition.ts';
import { type Failpoint, noFailpoint } from './engine/failpoint.ts';
import { createOrchestrator } from './engine/orchestrator.ts';
import { createReconciliation } from './engine/reconcile.ts';
import { createExecutor, type ExecuteStep } from './engine/run.ts';
import { createStateLoader } from './engine/store/load.ts';
import type { SagaOrchestrator } from './engine/types.ts';
import { createAnswerNotifier, createAnswerWatcher } from './engine/waiter.ts';
import type { Logger } from './kernel/log.ts';
import { createOutages, type Outages } from './kernel/outages.ts';
import { connectQueues, type QueueConnection } from './queues/connection.ts';
import { createReconciler, type Reconciler } from './queues/reconciler.ts';
import { createRelay, type Relay } from './queues/relay.ts';
import { upsertSchedules } from './queues/schedules.ts';
import { JOBS } from './workers/jobs.ts';

/** How the parts that both the API and the workers need fit together. The programs and the test harness call this. */

export interface EngineOptions {
  readonly db: Db;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly queuePrefix: string;
  readonly log: Logger;
  /** Shared with the database pool. Default: its own. */
  readonly outages?: Outages;
  readonly processId: string;
  readonly definitionOf: (name: string, version?: number) => SagaDefinition | undefined;
  /** The other systems of `call` steps. */
  readonly ports: Ports;
  /** Only fault tests give one. */
  readonly failpoint?: Failpoint;
}

export interface Engine {
  readonly queues: QueueConnection;
  readonly relay: Relay;
  readonly orchestrator: SagaOrchestrator;
  readonly execute: ExecuteStep;
  readonly reconciler: Reconciler;
  readonly upsertSchedules: () => Promise<void>;
  /** Stops what runs in the background, then lets go of Redis; the database pool stays the caller's. */
  close(): Promise<void>;
}

export function createEngine(options: EngineOptions): Engine {
  const { db, log, definitionOf } = options;
  const failpoint = options.failpoint ?? noFailpoint;
  const queues = connectQueues(options.redisUrl, options.queuePrefix, options.outages ?? createOutages(log));
  const onAnswer = createAnswerNotifier(db, log);
  const watcher = createAnswerWatcher(db, options.databaseUrl, log);
  const relay = createRelay({
    db,
    queues,
    log,
    definitionOf,
    failpoint,
  });
  const { publish } = relay;
  const upsert = () => upsertSchedules(queues.queue, JOBS);
  const reconciler = createReconciler({
    db,
    queues,
    reconciliation: createReconciliation(db, createStateLoader(db), definitionOf, onAnswer),
    publish,
    upsertSchedules: upsert,
    log,
  });
  return {
    queues,
    relay,
    orchestrator: createOrchestrator({ db, watcher, publish, onAnswer, definitionOf }),
    execute: createExecutor({
      db,
      log,
      workerId: options.processId,
      definitionOf,
      publish,
      onAnswer,
      failpoint,
      ports: options.ports,
    }),
    reconciler,
    upsertSchedules: upsert,
    close: async () => {
      await Promise.all([relay.stop(), reconciler.stop()]);
      await watcher.close();
      await queues.close();
    },
  };
}
