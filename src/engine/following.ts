import type { DueStep } from './state.ts';
import type { Advanced } from './store/fused.ts';

/** The step that the commit made due; undefined at the end, and behind a call. */
export function following(
  { state, definition, step, direction }: DueStep,
  { output, nextStep }: Advanced,
): DueStep | undefined {
  const next = nextStep === null ? undefined : definition.steps[nextStep - 1];
  if (!next || step.kind === 'call') return undefined;
  const done = direction === 'F' ? { ...state.done, [step.name]: output } : state.done;
  const status = direction === 'F' ? 'running' : 'compensating';
  return { state: { ...state, done, status, currentStep: next.no }, definition, step: next, direction };
}

/**
 * The step that will be due when this one has advanced, if it is a statement that needs no answer of the database: a guess,
 * since the guard of its statement finds out. The last step forward is none, as the saga's answer is read before it. Reading
 * the output of a step that is not known yet throws. `output`: what this step will have put out, if that is known.
 */
export function foreseen(
  { state, definition, step, direction }: DueStep,
  output?: { readonly of: unknown },
): DueStep | undefined {
  const { steps } = definition;
  if (direction === 'F') {
    const next = steps[step.no];
    if (next?.kind !== 'statement' || next.no === steps.length) return undefined;
    const done = output ? { ...state.done, [step.name]: output.of } : withUnknown(state.done, step.name);
    return { state: { ...state, done, status: 'running', currentStep: next.no }, definition, step: next, direction };
  }
  const next = steps.findLast((one) => one.no < step.no && one.class !== 'READ' && one.name in state.done);
  const undo = next?.compensation?.kind ?? 'statement';
  if (!next || undo !== 'statement') return undefined;
  return { state: { ...state, currentStep: next.no }, definition, step: next, direction };
}

/** The output of a step was read before the step had run. */
class NotKnownYet extends Error {
  override readonly name = 'NotKnownYet';
}

type Outputs = DueStep['state']['done'];

/** The outputs, of which that of one step is still to come. */
function withUnknown(done: Outputs, name: string): Outputs {
  const unlessUnknown = (key: string | symbol): void => {
    if (key === name) throw new NotKnownYet(name);
  };
  return new Proxy(done, {
    get: (known, key) => {
      unlessUnknown(key);
      return Reflect.get(known, key);
    },
    has: (known, key) => {
      unlessUnknown(key);
      return Reflect.has(known, key);
    },
    // To list them is to read them all.
    ownKeys: () => {
      throw new NotKnownYet(name);
    },
  });
}
