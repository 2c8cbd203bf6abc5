import type { TaskType } from '../../db/schema.ts';
import { afterMinutesAwake, type QuietSpan } from '../notifications/quiet-hours.ts';

/** Until when somebody who is asked whether they take a task may answer (features PMS-10). */

export interface Question {
  readonly askedMs: number;
  readonly type: TaskType;
  /** When the task is to begin. */
  readonly startMs: number;
  /** IANA zone of the property. */
  readonly timeZone: string;
  /** Of the property, and of an emergency; null: nobody is asked. */
  readonly acceptMinutes: number | null;
  readonly emergencyAcceptMinutes: number;
  readonly quiet: QuietSpan;
}

/**
 * Minutes at night do not count, so that nobody loses a task in their sleep; but they put the answer off no further than
 * to the start of the task, for which somebody else would have to be found, and those of an emergency count always.
 * An ISO instant; null: nobody is asked.
 */
export function answerDeadline(question: Question): string | null {
  const { askedMs, type, startMs, timeZone, quiet } = question;
  const isEmergency = type === 'EMERGENCY';
  const minutes = isEmergency ? question.emergencyAcceptMinutes : question.acceptMinutes;
  if (minutes === null) return null;
  const soonestMs = askedMs + minutes * 60_000;
  if (isEmergency) return new Date(soonestMs).toISOString();
  const awakeMs = afterMinutesAwake(new Date(askedMs), minutes, quiet, timeZone).getTime();
  return new Date(Math.max(soonestMs, Math.min(awakeMs, startMs))).toISOString();
}
