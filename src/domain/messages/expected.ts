import type { Channel, RecipientType } from '../../db/schema.ts';
import { MESSAGES, type NotificationEvent } from './catalogue/index.ts';
import { OCCASIONS, type Occasion, type StayOutlook } from './catalogue/outlook.ts';

/** The messages that a stay will cause, as the files of the events say. Pure: `stays/forecast.ts` reads the stay. */

export interface ForecastMessage {
  readonly event: string;
  readonly channel: Channel;
  readonly recipientType: RecipientType;
  /** Null: not known yet. */
  readonly recipientId: string | null;
  readonly on: Occasion | null;
  /** ISO instant; null: as soon as it is caused. */
  readonly at: string | null;
  readonly why: string;
  /** `EXPECTED`, or the state of the message that there is. */
  readonly status: string;
  readonly reason: string | null;
  readonly notificationId: string | null;
  readonly taskId: string | null;
}
export interface Expected extends ForecastMessage {
  readonly event: NotificationEvent;
}

/** In the order of their occasions, then of the stay's tasks, then of the catalogue. */
export function expectedOf(stay: StayOutlook): readonly Expected[] {
  const all = MESSAGES.flatMap(({ event, cause, forecast }) => {
    if (forecast === undefined) return [];
    const { on, deliveries } = forecast;
    return deliveries(stay).map(({ channel, recipientType, recipientId, task, reminder }) => {
      const message: Expected = {
        event,
        channel,
        recipientType,
        recipientId,
        on,
        at: reminder?.dueAt.toISOString() ?? null,
        why: reminder?.rule ?? cause,
        status: (reminder?.skipped ?? null) === null ? 'EXPECTED' : 'SKIPPED',
        reason: reminder?.skipped ?? null,
        notificationId: null,
        taskId: task?.taskId ?? null,
      };
      return { message, occasion: OCCASIONS.indexOf(on), task: task === undefined ? 0 : stay.tasks.indexOf(task) };
    });
  });
  return all
    .toSorted((one, other) => one.occasion - other.occasion || one.task - other.task)
    .map(({ message }) => message);
}
