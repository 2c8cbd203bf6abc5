import type { ResumeSaga } from '../domain/stays/decide-approval.ts';
import type { SagaOrchestrator } from '../engine/types.ts';

/**
 * A saga goes on after the answer to its question, by the engine's own retry and in the transaction of the answer. `announced` is
 * given what is to be called once that is committed.
 */
export const resumeAfter =
  (orchestrator: Pick<SagaOrchestrator, 'retryWithin'>, announced: (announce: () => void) => void): ResumeSaga =>
  async (tx, sagaId, approved, { actor, ...origin }) => {
    const asked = { sagaId, by: actor, ...origin, via: 'approval', refused: !approved } as const;
    const { outcome, announce } = await orchestrator.retryWithin(tx, asked);
    announced(announce);
    return outcome;
  };
