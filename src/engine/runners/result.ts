import type { DueStep } from '../state.ts';
import type { Advanced } from '../store/fused.ts';

/** How the run of a step ended. */
export type RunResult =
  | { readonly kind: 'advanced'; readonly advanced: Advanced }
  | { readonly kind: 'not-due' }
  /** A wait has begun. */
  | { readonly kind: 'waits' }
  /** Another attempt holds the claim until then. */
  | { readonly kind: 'leased'; readonly until: Date }
  /** Every attempt of the call was cut short by the death of its worker. */
  | { readonly kind: 'cut-short' }
  /** `claim`: of a call that was claimed; null of a local step, and of a call that failed before its claim was committed. */
  | { readonly kind: 'failed'; readonly error: unknown; readonly claim: ClaimedCall | null };

/** The claim of a call: one attempt, which alone may record a result. */
export interface ClaimedCall {
  readonly attempt: number;
  readonly maxAttempts: number;
  /** An earlier attempt, or the step that is being undone, may have had an effect. */
  readonly inDoubt: boolean;
  /** The return value of the step's `prepare`. */
  readonly prepared: unknown;
}

/** Runs one step as its kind asks. Throws only `StepDeferred`. */
export type RunStep = (due: DueStep, signal: AbortSignal) => Promise<RunResult>;

/** A step that was run, and how that ended. */
export interface Ran {
  readonly due: DueStep;
  readonly result: RunResult;
}
/** Runs a step, and perhaps steps behind it: one result at least, and all but the last are "advanced". Throws as `RunStep`. */
export type RunSteps = (due: DueStep, signal: AbortSignal) => Promise<readonly Ran[]>;
