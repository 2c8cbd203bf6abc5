import type { Direction } from '../db/schema.ts';
import type { Resolution, StepSummary } from './types.ts';

/** Where a parked saga stands, as far as it decides what a resolve does. */
export interface ParkedAt {
  /** Number of the step. */
  readonly step: number;
  readonly direction: Direction;
  /** Why the step, or its undo, failed last. */
  readonly code: string | null;
  /** So many undos are still to be done, this one included. */
  readonly toUndo: number;
}

/** The undo of a record that somebody has changed since: no retry does it any more. */
export const superseded = (code: string | null): boolean => code === 'SUPERSEDED';

/** Of an undo that is superseded, whatever its step is: what follows when a person skips it. */
export const SUPERSEDED_UNDO =
  'Somebody has changed the record since, and it stays as it is now: see to it that it is right. The undoing goes on.';

/**
 * What a resolve does where a saga is parked: never less than what the state needs. It is refused where something would stay half done that
 * another hand finishes.
 */
export function resolutionOf(steps: readonly StepSummary[], at: ParkedAt): Resolution {
  const step = steps[at.step - 1];
  if (!step) return refusal('This version does not know the step at which it is parked');
  if (at.direction === 'C') return ofUndoing(step, at);
  if (step.parksUnlocked) return settled(step, 'Nothing was done yet, and nothing will be. Its question is withdrawn.');
  if (step.ifResolved) return settled(step, step.ifResolved.follows);
  if (!step.skippable) return refusal('What this step does is still needed, and nobody can do it by hand: retry it');
  const rest = steps.slice(at.step - 1);
  // Only what is done here, in the same transaction.
  const needed = rest.find(({ skippable, kind }) => skippable === undefined && kind !== 'tx');
  if (needed) return refusal(`${needed.name} is still to be done behind it: skip this step, or retry it`);
  return {
    refused: null,
    byHand: rest.flatMap(({ name, skippable }) => (skippable ? [{ step: name, follows: skippable.follows }] : [])),
    runs: rest.filter(({ skippable }) => skippable === undefined).map(({ name }) => name),
  };
}

function ofUndoing(step: StepSummary, { code, toUndo }: ParkedAt): Resolution {
  if (superseded(code) && toUndo === 1)
    return settled(
      step,
      'Somebody has changed the record since, and it stays as it is now: see to it that it is right.',
    );
  return superseded(code) || step.skippableUndo
    ? refusal('Something is still to be undone: skip this undo, and the undoing goes on')
    : refusal('What it has done here is still to be undone: retry it');
}

const refusal = (refused: string): Resolution => ({ refused, byHand: [], runs: [] });
const settled = ({ name }: StepSummary, follows: string): Resolution => ({
  refused: null,
  byHand: [{ step: name, follows }],
  runs: [],
});
