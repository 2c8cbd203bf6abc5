import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { isSameLanguage, localeChain } from './locales.ts';
import { parseTemplate, type TemplateText } from './render.ts';
import { templateOf } from './templates.ts';

/** The text that a recipient gets: a saved one comes before the built-in one, the nearest language before the others. */

export interface Text {
  readonly locale: string;
  /** 0: built in. */
  readonly version: number;
  readonly subject: TemplateText;
  readonly message: TemplateText;
}
/** Saved texts of some keys, the newest of each locale. */
export type SavedTexts = ReadonlyMap<string, Text>;

const keyOf = (key: string, locale: string): string => `${key} ${locale}`;

/** With those of the keys before them. */
export async function loadSavedTexts(db: Db | Tx, keys: readonly string[]): Promise<SavedTexts> {
  const all = new Set(keys.flatMap((key) => [key, ...keysBefore(key)]));
  const rows = await db
    .selectFrom('message_template')
    .distinctOn(['key', 'locale'])
    .select(['key', 'locale', 'version', 'subject', 'message'])
    .where('key', '=', sql<string>`ANY(${[...all]})`)
    .orderBy('key')
    .orderBy('locale')
    .orderBy('version', 'desc')
    .execute();
  return new Map(
    rows.map((row) => [
      keyOf(row.key, row.locale),
      { locale: row.locale, version: row.version, ...parsed(row.subject ?? '', row.message) },
    ]),
  );
}

/** A version never changes, so it is parsed once. */
const known = new Map<string, Pick<Text, 'subject' | 'message'>>();
function parsed(subject: string, message: string): Pick<Text, 'subject' | 'message'> {
  const source = `${subject}\u0000${message}`;
  const found = known.get(source) ?? { subject: parseTemplate(subject), message: parseTemplate(message) };
  if (known.size > 2_000) known.clear();
  known.set(source, found);
  return found;
}

/** Null when there is no such key. */
export function builtInText(key: string, locale: string): Text | null {
  const english = templateOf(key);
  if (!english) return null;
  if (locale === 'en') return { locale, version: 0, subject: english.subject, message: english.message };
  const arabic = english.source.ar;
  if (locale !== 'ar' || arabic === undefined) return null;
  return { locale, version: 0, ...parsed(arabic.subject, arabic.message) };
}

/** The text for somebody of that locale; null when there is no such key. */
export function textFor(key: string, locale: string | null, saved: SavedTexts): Text | null {
  for (const candidate of localeChain(locale)) {
    const text = saved.get(keyOf(key, candidate)) ?? builtInText(key, candidate);
    if (text) return text;
  }
  return null;
}

/** The texts that mails went by before there was another one for them, the latest first. */
function keysBefore(key: string): readonly string[] {
  const before = templateOf(key)?.source.savedBefore;
  return before === undefined ? [] : [before, ...keysBefore(before)];
}

/**
 * The text that is sent: that of the key, unless people have saved one for a key before and none for this, whose mails
 * stay as they wrote them. `saved` is of `loadSavedTexts`. Null when there is no such key.
 */
export function textToSend(key: string, locale: string | null, saved: SavedTexts): Text | null {
  const text = textFor(key, locale, saved);
  if (!text || text.version > 0) return text;
  const own = keysBefore(key)
    .map((before) => textFor(before, locale, saved))
    .find((before) => before !== null && before.version > 0);
  return own ?? text;
}

/** Whether somebody who reads `wanted` gets another language. */
export const isForeign = (text: Text, wanted: string | null): boolean =>
  wanted !== null && !isSameLanguage(text.locale, wanted);
