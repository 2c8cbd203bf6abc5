import type { Direction } from '../db/schema.ts';

/** Moments at which a fault test may strike; each stands after one await of the orchestrator's shell. */
export type FailpointName =
  | 'before-step'
  | 'before-commit'
  | 'after-commit'
  | 'after-claim'
  | 'after-call'
  | 'before-fail'
  | 'after-fail'
  | 'before-publish'
  | 'after-publish';
export interface FailpointPlace {
  readonly sagaId: string;
  readonly step: string;
  readonly direction: Direction;
}
/** May throw, wait, or never return. */
export type Failpoint = (name: FailpointName, place: FailpointPlace) => Promise<void>;

/** The failpoint of every program. Only test harnesses build an orchestrator with another one. */
export const noFailpoint: Failpoint = () => Promise.resolve();
