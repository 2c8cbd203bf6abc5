import { readNamedNumbers } from './named-numbers.ts';

/** Kinds of records that are deleted by their age, each a name of `RETENTION_DAYS` or `LEGAL_HOLD`. */

/** With how long they are kept, in days, unless `RETENTION_DAYS` says otherwise. */
const DEFAULTS = { photos: 730, messages: 730, mailbox: 90, 'webhook-attempts': 90, notices: 400 } as const;
/** By rules of their own. */
const OTHERS = ['events', 'keys', 'failures', 'sessions', 'links'] as const;

type ByDays = keyof typeof DEFAULTS;
export type KeptDays = Readonly<Record<ByDays, number>>;
export type KeptKind = ByDays | (typeof OTHERS)[number];
export const DEFAULT_RETENTION: KeptDays = DEFAULTS;

const isByDays = (text: string): text is ByDays => Object.hasOwn(DEFAULTS, text);
export const isKeptKind = (text: string): text is KeptKind => isByDays(text) || OTHERS.some((kind) => kind === text);
const MOST_DAYS = 99_999;

/** `photos=365,mailbox=30`; what is not named keeps its default. Null: it is not well-formed. */
export const readKeptDays = (text: string): KeptDays | null => readNamedNumbers(text, DEFAULT_RETENTION, MOST_DAYS);
