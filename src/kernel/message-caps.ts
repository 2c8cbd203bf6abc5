import { readNamedNumbers } from './named-numbers.ts';

/** How many messages one recipient gets within 24 hours over one channel, by kind of recipient (security.md Q6). */

const DEFAULTS = {
  'guest-email': 10,
  'guest-sms': 10,
  // Of many properties, perhaps.
  'owner-email': 200,
  'owner-sms': 10,
  'staff-email': 200,
  'staff-sms': 50,
} as const;
type CapName = keyof typeof DEFAULTS;
export type MessageCaps = Readonly<Record<CapName, number>>;
export const DEFAULT_MESSAGE_CAPS: MessageCaps = DEFAULTS;

const isCapName = (text: string): text is CapName => Object.hasOwn(DEFAULTS, text);
const MOST = 999_999_999;

/** `guest-sms=20,staff-email=1000`; what is not named keeps its default. Null: it is not well-formed. */
export const readMessageCaps = (text: string): MessageCaps | null => readNamedNumbers(text, DEFAULT_MESSAGE_CAPS, MOST);

/** Null: there is none, as for operations, whose alerts have a bound of their own. */
export function messageCapOf(caps: MessageCaps, recipientType: string, channel: string): number | null {
  const name = `${recipientType}-${channel}`.toLowerCase();
  return isCapName(name) ? caps[name] : null;
}
