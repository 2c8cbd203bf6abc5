import type { Json } from '../db/schema.ts';
import type { AuditNote } from '../domain/audit/record.ts';
import { effectKey } from '../kernel/ids.ts';
import { canonicalJson } from '../kernel/json.ts';
import type { SagaState } from './state.ts';
import type { StepDefinition } from './step.ts';

export type AuditSubject = Pick<
  SagaState,
  'name' | 'subjectType' | 'subjectId' | 'requestedBy' | 'onBehalfOf' | 'requestId'
>;

interface NoteBody {
  readonly outcome: string;
  readonly effectKey?: string;
  readonly ip?: string;
  readonly credential?: string;
  readonly details: Readonly<Record<string, Json | undefined>>;
}

/** The fields of the brief's audit sample; its `timestamp` is the row's own `at`. `actor`: default, the saga's requester. */
export function auditNote(state: AuditSubject, event: string, body: NoteBody, actor?: string): AuditNote {
  const reservationId = state.subjectType === 'transaction' ? null : state.subjectId;
  return {
    event,
    actor: actor ?? state.requestedBy,
    reservation_id: reservationId,
    request_id: state.requestId,
    body: canonicalJson({
      saga: state.name,
      reservationId,
      userId: actor ?? state.requestedBy,
      onBehalfOf: state.onBehalfOf,
      ...body,
    }),
  };
}

/** Audit note of a step that has been undone. */
export function compensationNote(state: SagaState, step: StepDefinition): AuditNote {
  return auditNote(state, 'STEP_COMPENSATED', {
    outcome: 'compensated',
    effectKey: effectKey(state.id, step.no, 'C'),
    details: { step: step.name },
  });
}
