import { remembered } from './remembered.ts';

/** Far more than people who write to one house have languages. */
const MAX_TAGS = 1_000;

/** POSIX writes `en_US.UTF-8` for `en-US`. */
const POSIX = /^([A-Za-z]{2,3}(?:_[A-Za-z0-9]{2,8})*)(?:\.[A-Za-z0-9-]+)?$/;

/** The canonical form of a BCP 47 language tag, which `Intl` takes: `en_us` is `en-US`. Null for what is none. */
export const canonicalLocale = remembered(MAX_TAGS, (tag): string | null => {
  try {
    return Intl.getCanonicalLocales((POSIX.exec(tag)?.[1] ?? tag).replaceAll('_', '-'))[0] ?? null;
  } catch {
    return null;
  }
});

/** Whether `Intl`, which writes dates and amounts out in it, takes the language tag as it stands. */
export function isLocale(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}
