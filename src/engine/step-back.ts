import type { Tx } from '../db/client.ts';
import type { SagaDefinition } from './definition.ts';
import { notNow } from './operator.ts';
import type { SagaState } from './state.ts';
import type { StepDefinition } from './step.ts';
import { readAgain } from './store/steps.ts';

/**
 * The number of the step from which a parked saga goes on: the one at which it stopped, or an earlier read. All from there up to
 * the one at which it stopped are read again, so each must be a read whose definition allows it (`readsAgain`): what has changed something
 * stays done, and is not done twice. Throws `INVALID_STATE_TRANSITION` with the step that does not allow it, and why.
 */
export async function stepBack(
  tx: Tx,
  { steps }: Pick<SagaDefinition, 'steps'>,
  state: Pick<SagaState, 'id' | 'currentStep'>,
  { from, attempts }: { readonly from: string; readonly attempts: number },
): Promise<number> {
  const first = steps.find(({ name }) => name === from);
  if (!first || first.no > state.currentStep) throw notNow('It has not come to this step', { step: from });
  const again = steps.slice(first.no - 1, state.currentStep - 1);
  const done = again.find((step) => step.readsAgain !== true);
  if (done) throw notNow(whyNot(done), { step: done.name });
  const numbers = again.map(({ no }) => no);
  if (numbers.length > 0) await readAgain(tx, state.id, numbers, attempts);
  return first.no;
}

function whyNot({ kind, name }: StepDefinition): string {
  if (kind === 'call')
    return `${name} has been answered by the other system, and is not asked twice: retry without a step`;
  if (kind === 'wait') return `${name} has been answered, and is not asked twice: retry without a step`;
  if (kind === 'read')
    return `What ${name} has found is what the steps behind it act upon, and stays: retry without a step`;
  return `${name} is done, and is not done twice: retry without a step`;
}
