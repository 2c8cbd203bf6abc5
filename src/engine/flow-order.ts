import type { Direction } from '../db/schema.ts';
import type { ErrorCode } from '../kernel/errors.ts';

/** A flow that is to be added to the queues: the steps of a saga that remain, in the order in which they run. */
export interface FlowOrder {
  readonly outboxId: number;
  readonly sagaId: string;
  readonly name: string;
  readonly version: number;
  readonly direction: Direction;
  readonly generation: number;
  readonly steps: readonly number[];
  /** An earlier flow in this direction may have been left half way in the queues. */
  readonly again?: boolean;
}

/** Called right after the commit that wrote the outbox row, so that an idle system publishes within milliseconds. Never throws. */
export type Publish = (order: FlowOrder) => void;

/** The payload of an `ALERT` row of the outbox; the relay makes a System Alert of it. */
export interface AlertPayload {
  readonly saga: string;
  readonly step: string;
  readonly code: ErrorCode | 'STUCK';
  readonly what: 'parked' | 'rolled-back' | 'stuck';
  /** The step has told it already, in a text of its own. */
  readonly isTold?: true;
}
