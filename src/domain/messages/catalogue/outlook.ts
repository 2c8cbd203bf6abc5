import type { Channel, RecipientType, ReservationStatus } from '../../../db/schema.ts';
import type { PlannedReminder } from '../reminder-plan.ts';
import type { StayParties } from './deliveries.ts';

/** A stay as the forecast sees it: what there is, and what follows if it goes on as planned. */
export interface StayOutlook extends StayParties {
  readonly status: ReservationStatus;
  /** The guest has still to pay, and will. */
  readonly willBePaid: boolean;
  /** A payout to the owner is not made yet. */
  readonly isPayoutOpen: boolean;
  /** The property has a door that opens by a code. */
  readonly hasDevice: boolean;
  readonly agentIds: readonly string[];
  readonly isInspected: boolean;
  readonly tasks: readonly OutlookTask[];
  /** Those that have no message yet. */
  readonly reminders: readonly PlannedReminder[];
}
export interface OutlookTask {
  /** Null: it is not made yet. */
  readonly taskId: string | null;
  readonly occurrence: string;
  readonly status: string;
}
/** Whether the task is still to be done, one that is not made yet included. */
export const isUnfinished = ({ status }: OutlookTask): boolean =>
  ['EXPECTED', 'UNASSIGNED', 'ASSIGNED', 'IN_PROGRESS'].includes(status);

/** In the order in which a forecast lists them; `TIME`: its hour comes. */
export const OCCASIONS = [
  'CONFIRM',
  'ASSIGN',
  'PAYMENT',
  'PAYOUT',
  'CHECK_IN',
  'CHECK_OUT',
  'TIME',
  'TASK_COMPLETION',
] as const;
export type Occasion = (typeof OCCASIONS)[number];

export interface ExpectedDelivery {
  readonly channel: Channel;
  readonly recipientType: RecipientType;
  /** Null: not known yet. */
  readonly recipientId: string | null;
  readonly task?: OutlookTask;
  /** Of those that are planned for an hour. */
  readonly reminder?: PlannedReminder;
}
export interface Expectation {
  readonly on: Occasion;
  readonly deliveries: (stay: StayOutlook) => readonly ExpectedDelivery[];
}

/** For reminders: those of the plan. */
export const planned = (event: string): Expectation => ({
  on: 'TIME',
  deliveries: ({ guestId, reminders }) =>
    reminders
      .filter((reminder) => reminder.event === event)
      .map((reminder) => ({ channel: reminder.channel, recipientType: 'GUEST', recipientId: guestId, reminder })),
});
