import { RoomyError } from '../../kernel/errors.ts';
import { lastChoice } from '../assignment/window.ts';
import type { PlannedTask, StayOccurrence } from '../reservations/stay-plan.ts';

/**
 * Starts that a person has chosen for a stay's tasks: not before their own time, nor later than a refusal would suggest
 * (`alternatives.ts`). Throws `VALIDATION_FAILED`; answers a warning for what ends too late for what it is for.
 */
export function checkChosenTimes(
  plan: Readonly<Record<string, Pick<PlannedTask, 'occurrence' | 'scheduledAt' | 'endsAt' | 'mustFinishBy'>>>,
  chosen: Readonly<Partial<Record<StayOccurrence, string>>>,
  now: Date,
): readonly string[] {
  let outside = false;
  for (const { occurrence, scheduledAt, endsAt, mustFinishBy } of Object.values(plan)) {
    const start = chosen[occurrence];
    if (start === undefined) continue;
    const own = Date.parse(scheduledAt);
    const last = lastChoice(own, now.getTime());
    if (Date.parse(start) < own || Date.parse(start) > last) {
      const message = `must be from ${scheduledAt} to ${new Date(last).toISOString()}`;
      const issues = [{ path: `taskTimes.${occurrence}`, message }];
      throw new RoomyError('VALIDATION_FAILED', { details: { issues } });
    }
    const end = Date.parse(start) + Date.parse(endsAt) - own;
    outside ||= mustFinishBy !== null && own >= now.getTime() && end > Date.parse(mustFinishBy);
  }
  return outside ? ['TASK_OUTSIDE_WINDOW'] : [];
}
