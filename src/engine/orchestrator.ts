import type { Db } from '../db/client.ts';
import { InvariantError } from '../kernel/errors.ts';
import { acceptSaga } from './accept.ts';
import { amendWithin } from './amend.ts';
import { cancelWithin } from './cancel.ts';
import type { SagaDefinition } from './definition.ts';
import type { Publish } from './flow-order.ts';
import { measureEnd, measureFailure } from './measured.ts';
import { resolveSaga, resolveWithin } from './resolve.ts';
import { resumeSaga, resumeWithin } from './resume.ts';
import { retryNowWithin } from './retry-now.ts';
import { signalSaga } from './signal.ts';
import { skipWithin } from './skip.ts';
import { createInsertSaga } from './store/accept.ts';
import type { SagaOrchestrator } from './types.ts';
import type { AnswerWatcher } from './waiter.ts';

export interface OrchestratorParts {
  readonly db: Db;
  readonly watcher: AnswerWatcher;
  /** Hands a committed order to the relay; must not throw. */
  readonly publish: Publish;
  readonly onAnswer: (sagaId: string) => void;
  readonly definitionOf: (name: string, version: number) => SagaDefinition | undefined;
}

const MAX_FRESH = 10_000;

/** The brief's SagaOrchestrator: accepts sagas, waits for their answer, and lets people intervene. Workers execute them. */
export function createOrchestrator({
  db,
  watcher,
  publish,
  onAnswer,
  definitionOf,
}: OrchestratorParts): SagaOrchestrator {
  /** Accepted here and not waited for yet: a notification of their answer is still to come, so the first wait need not look for it. */
  const fresh = new Set<string>();
  const insert = createInsertSaga(db);
  return {
    async accept(startable, request) {
      const definition = definitionOf(startable.name, startable.version);
      if (!definition) throw new InvariantError(`saga ${startable.name} is not registered`);
      const { flow, ...accepted } = await acceptSaga(db, insert, { ...definition, input: startable.input }, request);
      if (!flow) return accepted;
      fresh.add(accepted.sagaId);
      if (fresh.size > MAX_FRESH) fresh.delete(fresh.values().next().value ?? '');
      publish(flow);
      return accepted;
    },
    waitForAnswer: (sagaId, waitMs, signal) => watcher.wait(sagaId, waitMs, !fresh.delete(sagaId), signal),
    async retry(intervention) {
      const { outcome, flow } = await resumeSaga(db, definitionOf, intervention);
      if (flow) publish(flow);
      return outcome;
    },
    async retryWithin(tx, intervention) {
      const { outcome, flow } = await resumeWithin(tx, definitionOf, intervention);
      return { outcome, announce: () => void (flow && publish(flow)) };
    },
    async signal(signal) {
      const { outcome, flow } = await signalSaga(db, definitionOf, signal);
      if (flow) publish(flow);
      return outcome;
    },
    async resolveWithin(tx, intervention) {
      await resolveWithin(tx, definitionOf, intervention);
      return () => onAnswer(intervention.sagaId);
    },
    async retryNowWithin(tx, intervention) {
      const flow = await retryNowWithin(tx, definitionOf, intervention);
      return () => publish(flow);
    },
    async cancelWithin(tx, intervention) {
      const { due, outcome } = await cancelWithin(tx, definitionOf, intervention);
      return () => {
        measureFailure(due, outcome, 'SAGA_CANCELLED');
        if (outcome.kind === 'compensating') publish(outcome.flow);
        else onAnswer(intervention.sagaId);
      };
    },
    async amendWithin(tx, act) {
      const { flow } = await amendWithin(tx, definitionOf, act);
      return () => void (flow && publish(flow));
    },
    async skipWithin(tx, act) {
      const { due, flow } = await skipWithin(tx, definitionOf, act);
      return () => {
        if (flow) return publish(flow);
        measureEnd(due);
        onAnswer(act.sagaId);
      };
    },
    async resolve(intervention) {
      const answer = await resolveSaga(db, definitionOf, intervention);
      onAnswer(intervention.sagaId);
      return answer;
    },
  };
}
