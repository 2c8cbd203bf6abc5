import { canonicalLocale as canonicalTag } from '../../kernel/locale.ts';

/** In which language somebody is written to (features PMS-12). */

/** What the built-in texts are in; the last one is what everybody falls back to. */
export const LANGUAGES = ['ar', 'en'] as const;
export type Language = (typeof LANGUAGES)[number];
export const DEFAULT_LANGUAGE: Language = 'en';

export type Direction = 'ltr' | 'rtl';
const RIGHT_TO_LEFT: ReadonlySet<string> = new Set(['ar', 'fa', 'he', 'ur']);

/** `AR-ae` is `ar-AE`; what is no tag stays as it is. */
export const canonicalLocale = (locale: string): string => canonicalTag(locale) ?? locale;

/** `ar-AE`: `ar-AE`, `ar`, `en`. */
export function localeChain(locale: string | null): readonly string[] {
  const chain: string[] = [];
  const parts = canonicalLocale(locale ?? '')
    .split('-')
    .filter((part) => part !== '');
  for (let length = parts.length; length > 0; length -= 1) chain.push(parts.slice(0, length).join('-'));
  return [...new Set([...chain, DEFAULT_LANGUAGE])];
}

export const languageOf = (locale: string): string => locale.split('-')[0]?.toLowerCase() ?? '';
export const directionOf = (locale: string): Direction => (RIGHT_TO_LEFT.has(languageOf(locale)) ? 'rtl' : 'ltr');

/** How dates and amounts look in a text of that locale, for somebody who asked for `wanted`. */
export function formatLocaleOf(textLocale: string, wanted: string | null): string {
  if (wanted !== null && languageOf(wanted) === languageOf(textLocale) && isSupported(wanted)) return wanted;
  return textLocale === DEFAULT_LANGUAGE ? 'en-GB' : textLocale;
}

/** An extension such as `-u-nu-thai` would make dates that nobody asked for. */
const isSupported = (locale: string): boolean => /^[A-Za-z]{2,3}(-[A-Za-z]{2})?$/.test(locale);
