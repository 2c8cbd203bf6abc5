import { sql } from 'kysely';
import type { Db, Tx } from '../db/client.ts';
import type { Direction } from '../db/schema.ts';
import { type ErrorCode, required } from '../kernel/errors.ts';
import type { SagaState } from './state.ts';

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

/** Told right after the commit that wrote the outbox row, so that an idle system publishes within milliseconds. */
export type Publish = (order: FlowOrder) => void;

/**
 * How long the relay leaves a new row to the process that wrote it. Longer than that process takes to publish and to
 * mark, so that the relay acts only when it has died.
 */
export const RELAY_GRACE_SECONDS = 5;

export const flowDedupeKey = (sagaId: string, direction: Direction, generation: number): string =>
  `${sagaId}-${direction}-${generation}`;

/** Orders the flow of the saga's new generation, in the caller's transaction. */
export async function orderFlow(
  tx: Tx | Db,
  saga: Pick<SagaState, 'id' | 'name' | 'definitionVersion'>,
  next: Pick<FlowOrder, 'direction' | 'generation' | 'steps' | 'again'>,
): Promise<FlowOrder> {
  const row = await tx
    .insertInto('outbox')
    .values({
      kind: next.direction === 'F' ? 'FLOW_F' : 'FLOW_C',
      dedupe_key: flowDedupeKey(saga.id, next.direction, next.generation),
      saga_id: saga.id,
      payload: '{}',
      available_at: sql`now() + ${RELAY_GRACE_SECONDS}::int * interval '1 second'`,
    })
    .returning('id')
    .executeTakeFirst();
  return {
    outboxId: required(row, 'outbox row').id,
    sagaId: saga.id,
    name: saga.name,
    version: saga.definitionVersion,
    ...next,
  };
}

/** Raises an alert in the caller's transaction, once an occasion; the relay turns it into a System Alert. */
export async function orderAlert(
  tx: Tx | Db,
  sagaId: string,
  occasion: number | 'stuck',
  alert: AlertPayload,
): Promise<void> {
  await tx
    .insertInto('outbox')
    .values({ kind: 'ALERT', dedupe_key: `${sagaId}-A-${occasion}`, saga_id: sagaId, payload: JSON.stringify(alert) })
    .onConflict((conflict) => conflict.column('dedupe_key').doNothing())
    .execute();
}

export interface AlertPayload {
  readonly saga: string;
  readonly step: string;
  readonly code: ErrorCode | 'STUCK';
  readonly what: 'parked' | 'rolled-back' | 'stuck';
}
