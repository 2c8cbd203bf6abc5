import type { Db, Tx } from '../../db/client.ts';
import type { ApprovalKind, Json } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { limitsAt } from './limits.ts';
import { approvedOf, ask, questionsAbout } from './store.ts';

/**
 * How a saga asks a second person. Its first step, which changes nothing, refuses with `APPROVAL_REQUIRED` and parks; the question
 * is written in the same commit. The answer lets the step run again, by the engine's own retry, and the step finds it here.
 */

/** What a saga asks about, for the kind of its question. */
export interface SagaQuestion {
  readonly kind: ApprovalKind;
  readonly asked: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly propertyId: string;
}

/** Why somebody is asked: the signals of the fraud rules, or another rule. */
export interface Review {
  readonly score: number;
  readonly signals: readonly { readonly rule: string; readonly points: number }[];
}

/** A question of another saga about the money of the same stay, which nobody has answered yet. */
export interface OpenQuestion {
  readonly sagaId: string | null;
  readonly approvalId: string;
}

/**
 * The first thing that such a step does: a no is final, whatever else has changed since. Answers the open question of another saga
 * about the stay, for `assertNoQuestion`. Throws `APPROVAL_DECLINED`.
 */
export async function assertNotDeclined(db: Db, reservationId: string, sagaId: string): Promise<OpenQuestion | null> {
  const rows = await questionsAbout(db, reservationId, sagaId);
  const refused = rows.find((row) => row.saga_id === sagaId);
  if (refused) {
    const { id: approvalId, status, reason } = refused;
    throw new RoomyError('APPROVAL_DECLINED', { details: { approvalId, status, reason } });
  }
  const [open] = rows;
  return open ? { sagaId: open.saga_id, approvalId: open.id } : null;
}

/**
 * Nobody else moves the money of a stay about which a question is open: what is asked would not be what is decided. Throws
 * `SAGA_IN_PROGRESS`.
 */
export function assertNoQuestion(open: OpenQuestion | null): void {
  if (!open) return;
  const { sagaId: sagaExecutionId, approvalId } = open;
  throw new RoomyError('SAGA_IN_PROGRESS', { details: { sagaExecutionId, approvalId } });
}

/**
 * Goes on only if a second person has approved this amount or more. Throws `APPROVAL_REQUIRED`, with the question for
 * `askSecondPerson`.
 */
export async function assertApproved(db: Db, sagaId: string, question: SagaQuestion, review: Review): Promise<void> {
  const { kind, amountMinor, currency } = question;
  const given = await approvedOf(db, sagaId, kind);
  if (given.some((one) => one.currency === currency && (one.amount_minor ?? 0) >= amountMinor)) return;
  throw new RoomyError('APPROVAL_REQUIRED', {
    details: { ...review, approvalId: newId('approval'), kind, ask: { ...question } },
  });
}

/** As the engine hands it to `whenParked`. */
interface ParkedStep {
  readonly tx: Tx;
  readonly code: string;
  readonly details: Json | undefined;
  readonly sagaId: string;
  readonly subjectId: string;
  readonly requestedBy: string;
  readonly requestedAt: Date;
}

/** For `whenParked`: writes the question in the commit in which the saga comes to wait for its answer. */
export async function askSecondPerson({ tx, code, details, ...step }: ParkedStep): Promise<void> {
  if (code !== 'APPROVAL_REQUIRED' || !isAsking(details)) return;
  const { kind, asked, amountMinor, currency, propertyId } = details.ask;
  const { expiresHours } = await limitsAt(tx, step.requestedAt);
  const question = {
    id: details.approvalId,
    kind,
    subject: { type: 'saga', id: step.sagaId },
    reservationId: step.subjectId,
    propertyId,
    ownerId: null,
    asked,
    money: { amountMinor, currency },
    barred: [],
    expiresHours,
  } as const;
  await ask(tx, question, { actor: step.requestedBy, requestId: null });
}

interface Asking {
  readonly approvalId: string;
  readonly ask: SagaQuestion;
}
const isAsking = (details: unknown): details is Asking =>
  typeof details === 'object' &&
  details !== null &&
  'approvalId' in details &&
  typeof details.approvalId === 'string' &&
  'ask' in details &&
  typeof details.ask === 'object' &&
  details.ask !== null;
