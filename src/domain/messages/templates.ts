import type { Channel, RecipientType } from '../../db/schema.ts';
import type { Message, MessageText } from './catalogue/define.ts';
import { MESSAGES, type NotificationEvent } from './catalogue/index.ts';
import { parseTemplate, type TemplateText } from './render.ts';
import type { VariableName } from './variables/index.ts';

/** The texts of all messages by their key, which is what a row of `notification` names. */

export interface Template {
  readonly event: NotificationEvent;
  readonly recipientType: RecipientType;
  /** Only for e-mail. */
  readonly subject: TemplateText;
  /** The body of a mail, or all of an SMS. */
  readonly message: TemplateText;
  /** Too long for an SMS, whatever its event goes by. */
  readonly mailOnly: boolean;
  readonly source: MessageText;
}

const RECIPIENTS = { guest: 'GUEST', owner: 'OWNER', staff: 'STAFF', ops: 'OPS' } as const;

/** Throws a `TypeError` for a key that does not say for whom its text is. */
function recipientOf(key: string): RecipientType {
  const [, name] = /\.(\w+)@[1-9]\d*$/.exec(key) ?? [];
  for (const [ending, type] of Object.entries(RECIPIENTS)) if (ending === name) return type;
  throw new TypeError(`${key} must end like payout-failed.owner@1`);
}

const textsOf = (message: Message<NotificationEvent>): readonly (readonly [string, Template])[] =>
  Object.entries(message.texts).map(([key, source]) => [
    key,
    {
      event: message.event,
      recipientType: recipientOf(key),
      subject: parseTemplate(source.en.subject),
      message: parseTemplate(source.en.message),
      mailOnly: source.smsText !== undefined,
      source,
    },
  ]);

const BY_KEY: ReadonlyMap<string, Template> = new Map(MESSAGES.flatMap(textsOf));
export const TEMPLATES: Readonly<Record<string, Template>> = Object.fromEntries(BY_KEY);

/** Null for a key of a newer build. */
export const templateOf = (key: string): Template | null => BY_KEY.get(key) ?? null;

/** The variables that the texts of an event may name. */
export const VARIABLES: Readonly<Record<string, readonly VariableName[]>> = Object.fromEntries(
  MESSAGES.map(({ event, variables }) => [event, variables]),
);

/** The text that goes by SMS in the place of one that only a mail has room for. */
export const SHORT: Readonly<Record<string, string>> = Object.fromEntries(
  [...BY_KEY].flatMap(([key, { source }]) => (source.smsText === undefined ? [] : [[key, source.smsText]])),
);
/** The key of the text for a channel; that itself where it has no shorter one. */
export const keyFor = (key: string, channel: Channel): string =>
  channel === 'SMS' ? (templateOf(key)?.source.smsText ?? key) : key;
