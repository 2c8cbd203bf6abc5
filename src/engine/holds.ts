import type { HoldScope } from '../db/schema.ts';
import type { Hold } from './state.ts';
import type { Known, StepSummary } from './types.ts';

/** A step of a saga that is due, as far as a hold asks about it. */
export interface HeldPlace {
  readonly state: Known & { readonly id: string; readonly name: string };
  /** Undefined: this build does not know it. */
  readonly step: Pick<StepSummary, 'name' | 'speaksTo'> | undefined;
}

/** The hold that keeps the step from starting. A saga that is being undone is held as well: its undoing waits. Pure. */
export const holdOf = <H extends Hold>(holds: readonly H[], place: HeldPlace): H | undefined =>
  holds.find(({ scope, subject }) => KEEPS[scope](subject, place));

const KEEPS: Readonly<Record<HoldScope, (subject: string, place: HeldPlace) => boolean>> = {
  ALL: () => true,
  NAME: (subject, { state }) => subject === state.name,
  STEP: (subject, { state, step }) => step !== undefined && subject === `${state.name}.${step.name}`,
  SAGA: (subject, { state }) => subject === state.id,
  GATEWAY: (subject, { state, step }) => step?.speaksTo?.(state) === subject,
};
