import { canonicalLocale as canonicalTag } from '../../kernel/locale.ts';
import { remembered } from '../../kernel/remembered.ts';

/** In which language somebody is written to. */

/** Languages of the built-in texts; the last one is the fallback for everybody. */
export const LANGUAGES = ['ar', 'en'] as const;
export type Language = (typeof LANGUAGES)[number];
export const DEFAULT_LANGUAGE: Language = 'en';

export type Direction = 'ltr' | 'rtl';

/** `AR-ae` is `ar-AE`; what is no tag stays as it is. */
export const canonicalLocale = (locale: string): string => canonicalTag(locale) ?? locale;

/** Each message asks, and `Intl` takes its time to say how a language is written. */
const MAX_LOCALES = 1_000;

/** Norwegian in general, and the form of it that nearly all Norwegian texts are in, are each other's (CLDR). */
const SAME: Readonly<Record<string, string>> = { no: 'nb', nb: 'no', nn: 'no' };

/** `ar-AE`: `ar-AE`, `ar`, `en`. Between come the script that the region writes in (`zh-TW`: `zh-Hant`), and what the language also goes by. */
export const localeChain = (locale: string | null): readonly string[] => chainOf(locale ?? '');

const chainOf = remembered(MAX_LOCALES, (locale): readonly string[] => {
  const parts = canonicalLocale(locale)
    .split('-')
    .filter((part) => part !== '');
  const chain = parts.map((_, index) => parts.slice(0, parts.length - index).join('-'));
  const language = chain.pop();
  if (language === undefined) return [DEFAULT_LANGUAGE];
  const script = scriptOf(chain[0] ?? language);
  const also = SAME[language];
  const ends = [script === null ? null : `${language}-${script}`, language, also, also && SAME[also], DEFAULT_LANGUAGE];
  return [...new Set([...chain, ...ends.filter((end) => typeof end === 'string')])];
});

/** The script of a language in a region, where it is not the one that the language is taken to be in: `Hant` of `zh-TW`. */
function scriptOf(tag: string): string | null {
  try {
    const { language, script } = new Intl.Locale(tag).maximize();
    return script === undefined || script === new Intl.Locale(language).maximize().script ? null : script;
  } catch {
    return null;
  }
}

/** The language of a BCP 47 tag in lower case: `pt` of `pt-BR`; empty for an empty tag. */
export const languageOf = (locale: string): string => locale.split('-')[0]?.toLowerCase() ?? '';
/** Whether who reads one reads the other. */
export const isSameLanguage = (one: string, other: string): boolean =>
  languageOf(one) === languageOf(other) || (languageOf(one) in SAME && languageOf(other) in SAME);
/** Scripts that are written from right to left (Unicode), as far as people use them today. */
const RIGHT_TO_LEFT: ReadonlySet<string> = new Set(['Adlm', 'Arab', 'Hebr', 'Nkoo', 'Rohg', 'Syrc', 'Thaa']);
/** The direction in which the script of a BCP 47 tag is written; `ltr` for what is no tag. */
export const directionOf = remembered(MAX_LOCALES, (locale): Direction => {
  try {
    return RIGHT_TO_LEFT.has(new Intl.Locale(locale).maximize().script ?? '') ? 'rtl' : 'ltr';
  } catch {
    return 'ltr';
  }
});

/** How dates and amounts look in a text of that locale, for somebody who asked for `wanted`. */
export function formatLocaleOf(textLocale: string, wanted: string | null): string {
  if (wanted !== null && languageOf(wanted) === languageOf(textLocale) && isSupported(wanted)) return wanted;
  return textLocale === DEFAULT_LANGUAGE ? 'en-GB' : textLocale;
}

/** An extension such as `-u-nu-thai` would make dates that nobody asked for. */
const isSupported = (locale: string): boolean => /^[A-Za-z]{2,3}(-[A-Za-z]{2})?$/.test(locale);
