import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { effectKeyOf } from '../../db/effect-key.ts';
import type { EntryName } from './timeline-places.ts';
import { STATE_STEP, STAY_STATES } from './timeline-sources.ts';

/**
 * What an entry may have been caused by, the nearest first: the list has the first of these that it shows. Effects of a step have its
 * key in theirs.
 */

const STEP_OF_KEY = /^-(\d+)-([FC])(?:-|$)/;

/** A saga, and what asked for it. */
export const causesOfSagaParts = (sagaId: string): readonly EntryName[] => [
  { kind: 'saga', id: sagaId },
  { kind: 'request', id: sagaId },
];

/** Of an effect with the key of a step of this saga. Null: it is no saga's. */
export function causesOfStep(sagaId: string | null, effectKey: string | null): readonly EntryName[] {
  if (sagaId === null) return [];
  const rest = effectKey?.startsWith(sagaId) === true ? effectKey.slice(sagaId.length) : '';
  const [, no, direction] = STEP_OF_KEY.exec(rest) ?? [];
  const step: readonly EntryName[] =
    no === undefined ? [] : [{ kind: 'step', id: `${sagaId}-${no}-${direction ?? ''}` }];
  return [...step, ...causesOfSagaParts(sagaId)];
}

interface Caused {
  readonly saga_id: string | null;
  readonly effect_key: string;
  readonly reservation_id: string | null;
  readonly task_id: string | null;
  readonly resend_of: string | null;
  readonly fallback_of: string | null;
  readonly event: string;
}

/** A message follows from another one, from a step, from its task, or from the state of its stay, as a reminder does. */
export function causesOfMessage(row: Caused): readonly EntryName[] {
  const { saga_id, effect_key, reservation_id, task_id } = row;
  const other = row.resend_of ?? row.fallback_of;
  const state = AFTER_DEPARTURE.has(row.event) ? 'CHECKED_OUT' : 'CONFIRMED';
  return [
    ...(other === null ? [] : [{ kind: 'message', id: other } as const]),
    ...causesOfStep(saga_id, effect_key),
    ...(task_id === null ? [] : [{ kind: 'task', id: task_id } as const]),
    ...(reservation_id === null ? [] : [{ kind: 'state', id: `${reservation_id}:${state}` } as const]),
    ...(reservation_id === null ? [] : [{ kind: 'reservation', id: reservation_id } as const]),
  ];
}
const AFTER_DEPARTURE: ReadonlySet<string> = new Set(['REVIEW_REQUEST']);

export interface StepOfSaga {
  readonly saga: string;
  readonly saga_id: string;
  readonly effect_key: string;
  readonly name: string;
  /** A person has skipped it, and has seen to it. */
  readonly isByHand: boolean;
}

/** The steps of a stay's sagas that have changed its state, or its access; the last of each name first. */
export async function readChangingSteps(db: Db, reservationId: string): Promise<readonly StepOfSaga[]> {
  const { rows } = await sql<StepOfSaga>`
    SELECT s.name AS saga, st.saga_id, ${effectKeyOf('st')} AS effect_key, st.name, st.status = 'skipped' AS "isByHand" FROM saga s JOIN saga_step st ON st.saga_id = s.id
     WHERE st.saga_id = ANY(ARRAY(SELECT o.id FROM saga o WHERE o.subject_id = ${reservationId} AND o.subject_type <> 'transaction'))
       AND st.status IN ('done', 'skipped') AND st.name = ANY(${[STATE_STEP, ...ENDING_ACCESS]}::text[])
     ORDER BY st.finished_at DESC`.execute(db);
  return rows;
}
/** A check-out, or the undoing of a check-in, takes the access away. */
const ENDING_ACCESS = ['deactivatePropertyAmenities', 'activatePropertyAmenities'];

/** Of a state of a stay: the last step that has brought it about. */
export function causesOfState(status: string, steps: readonly StepOfSaga[]): readonly EntryName[] {
  const saga = STAY_STATES.find((state) => state.status === status)?.saga;
  const step = steps.find((one) => one.saga === saga && one.name === STATE_STEP && one.effect_key.endsWith('-F'));
  return step ? causesOfStep(step.saga_id, step.effect_key) : [];
}

/** Of the end of the access to a property. */
export function causesOfRevocation(steps: readonly StepOfSaga[]): readonly EntryName[] {
  const step = stepOfRevocation(steps);
  return step ? causesOfStep(step.saga_id, step.effect_key) : [];
}

/** The step that has ended the access to a property, the last one first. */
export function stepOfRevocation(steps: readonly StepOfSaga[]): StepOfSaga | undefined {
  const [ending, undoing] = ENDING_ACCESS;
  return steps.find(
    ({ name, effect_key }) =>
      (name === ending && effect_key.endsWith('-F')) || (name === undoing && effect_key.endsWith('-C')),
  );
}

/** Of each of these sagas the transaction of this stay that it is about: a payout may be for several stays. */
export async function transactionsBehind(
  db: Db,
  reservationId: string,
  sagaIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (sagaIds.length === 0) return new Map();
  const ids = [...sagaIds];
  const { rows } = await sql<{ saga_id: string; id: string }>`
    SELECT s.id AS saga_id, x.id FROM saga s JOIN transaction x ON x.id = s.subject_id
     WHERE s.id = ANY(${ids}::text[]) AND s.subject_type = 'transaction' AND x.reservation_id = ${reservationId}
    UNION ALL SELECT x.payout_saga, min(x.id) FROM transaction x
     WHERE x.payout_saga = ANY(${ids}::text[]) AND x.reservation_id = ${reservationId} GROUP BY x.payout_saga`.execute(
    db,
  );
  return new Map(rows.map(({ saga_id, id }) => [saga_id, id]));
}

/** Of an event of the feed: what it tells of. */
export function causesOfEvent(row: {
  readonly type: string;
  readonly resource: string;
  readonly resource_id: string;
}): readonly EntryName[] {
  const { type, resource, resource_id: id } = row;
  const event = type.slice(type.indexOf('.') + 1);
  switch (resource) {
    case 'saga':
      return ENDS_OF_SAGAS.has(event) ? [{ kind: 'outcome', id }, ...causesOfSagaParts(id)] : causesOfSagaParts(id);
    case 'reservation':
      return [
        { kind: 'state', id: `${id}:${event.toUpperCase()}` },
        { kind: 'reservation', id },
      ];
    case 'task':
    case 'transaction':
    case 'payment':
      return [{ kind: resource, id }];
    case 'dispute':
      return [{ kind: 'transaction', id }];
    case 'notification':
      return [{ kind: 'message', id }];
    default:
      return [];
  }
}
const ENDS_OF_SAGAS: ReadonlySet<string> = new Set(['completed', 'compensated', 'resolved']);
