import type { TaskType } from '../../db/schema.ts';
import { afterMinutesAwake, type QuietSpan } from '../messages/quiet-hours.ts';

/** Until when somebody who is asked whether they take a task may answer. */

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

/** The shortest time for an answer, also about a task that is about to begin or has begun. */
const AT_LEAST_MINUTES = 30;

/**
 * Minutes at night do not count, so that nobody loses a task in their sleep; but nobody may answer after the start of the
 * task, for which somebody else would have to be found, and minutes of an emergency count always. An ISO instant; null:
 * nobody is asked.
 */
export function answerDeadline(question: Question): string | null {
  const { askedMs, type, startMs, timeZone, quiet } = question;
  const isEmergency = type === 'EMERGENCY';
  const minutes = isEmergency ? question.emergencyAcceptMinutes : question.acceptMinutes;
  if (minutes === null) return null;
  if (isEmergency) return new Date(askedMs + minutes * 60_000).toISOString();
  const awakeMs = afterMinutesAwake(new Date(askedMs), minutes, quiet, timeZone).getTime();
  const soonestMs = askedMs + Math.min(minutes, AT_LEAST_MINUTES) * 60_000;
  return new Date(Math.min(awakeMs, Math.max(startMs, soonestMs))).toISOString();
}
