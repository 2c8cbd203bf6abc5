import type { RawBuilder } from 'kysely';
import type { Channel, RecipientType, ReservationStatus } from '../../../db/schema.ts';
import type { MessageParams } from '../../notifications/enqueue.ts';
import type { Conditions } from '../delivery-conditions.ts';
import type { Facts, Scalar } from '../delivery-facts.ts';
import type { Verdict } from '../delivery-rows.ts';
import type { VariableName } from '../variables/index.ts';
import type { Expectation } from './outlook.ts';

/** One message: everything about an event that people are notified of. Its file is the only place that knows it. */

export interface WrittenText {
  /** Of a mail. */
  readonly subject: string;
  /** The body of a mail, or all of an SMS. */
  readonly message: string;
}

/**
 * A key, such as `payout-failed.owner@1`, is stored in `notification.template` and names its version: a wording that
 * changes gets a new key, and the old one stays until no row names it.
 */
export interface MessageText {
  readonly en: WrittenText;
  /** Every text for guests and owners has it. */
  readonly ar?: WrittenText;
  /** The text that goes by SMS instead: this one has room in a mail only. */
  readonly smsText?: string;
  /** Saved versions of that text count for this one as well, until this one has versions of its own. */
  readonly savedBefore?: string;
  /** The texts to send instead while the recipient has still to accept the task: at first, and when asked once more. */
  readonly asking?: { readonly first: string; readonly again: string };
}

export interface Recipient {
  readonly channels: readonly Channel[];
  /** The brief names it: it cannot be switched off. */
  readonly required?: true;
  /** Its e-mail is owed: the recipient cannot decline it. An SMS can always be declined. */
  readonly owed?: true;
}
export const MAIL: readonly Channel[] = ['EMAIL'];
export const MAIL_AND_SMS: readonly Channel[] = ['EMAIL', 'SMS'];

/** Read about a message when it is to be sent. */
export interface Known {
  readonly facts: Facts;
  readonly conditions: Conditions;
  readonly template: string;
  readonly recipientId: string;
}

export interface Message<Event extends string = string, Key extends string = string> {
  /** As it stands in `notification.event`. */
  readonly event: Event;
  /** The occasion on which it is sent: `when the guest is checked in`. */
  readonly cause: string;
  /** Who gets it over which channels: its rows of the matrix (domain.md 12). */
  readonly to: { readonly [Type in RecipientType]?: Recipient };
  readonly texts: Readonly<Record<Key, MessageText>>;
  /** Those that its texts may name. */
  readonly variables: readonly VariableName[];
  /** Values that its row is ordered with, for a preview without a stay. */
  readonly example?: MessageParams;
  /**
   * Expressions on the notification `n`, its reservation `r`, task `t` and property `p`, read with the facts of a whole
   * batch, for messages of this event only: `facts.own`.
   */
  readonly loads?: Readonly<Record<string, RawBuilder<Scalar>>>;
  /** False: the message is not true any more, and is skipped as STALE. Without this function it stays true. */
  readonly stillTrue?: (known: Known) => boolean | Verdict;
  /** Why nobody needs it although it is true: a reason in capitals; null: it is needed. */
  readonly notNeeded?: (known: Known) => string | null;
  /** It is sent in quiet hours too. */
  readonly atAnyHour?: true;
  /**
   * Somebody waits for it, is asked by it, or should know because of security: it takes nothing from what the recipient may get
   * a day, and has as much for itself.
   */
  readonly countsApart?: true;
  /** Whoever orders it sees to how many there are: no cap of the day counts it, so that nobody can use a person's day up. */
  readonly isBounded?: true;
  /** Its rows are made ahead by the plan of reminders, and move with it. */
  readonly isPlanned?: true;
  /** Its row keeps the start of the task that the recipient read. */
  readonly namesStart?: true;
  /** The text that says several at once, once a day, to staff who want that. */
  readonly digest?: string;
  /** The deliveries that a stay will cause if it goes on as planned. */
  readonly forecast?: Expectation;
}

/** The event and the keys of the texts become types of their own. */
export const defineMessage = <const Event extends string, const Key extends string>(
  message: Message<Event, Key>,
): Message<Event, Key> => message;

/** For `stillTrue`: as long as the stay has one of these states. */
export const whileStayIs =
  (...states: readonly ReservationStatus[]) =>
  ({ facts: { reservationStatus } }: Known): boolean =>
    reservationStatus !== null && states.includes(reservationStatus);
