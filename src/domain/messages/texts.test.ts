import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { directionOf, formatLocaleOf, isSameLanguage, LANGUAGES, localeChain } from './locales.ts';
import { channelsOf } from './matrix-table.ts';
import { renderMessage, variablesOf } from './render.ts';
import { MAX_SEGMENTS, segmentsOf } from './segments.ts';
import { TEMPLATES, VARIABLES } from './templates.ts';
import { builtInText, isForeign, textFor } from './texts.ts';
import { EXAMPLES } from './variables/index.ts';

const forStrangers = Object.entries(TEMPLATES).filter(([, { recipientType }]) =>
  ['GUEST', 'OWNER'].includes(recipientType),
);

describe('the language of a message', () => {
  it.each([
    ['ar-AE', ['ar-AE', 'ar', 'en']],
    ['en-GB', ['en-GB', 'en']],
    ['zh-Hant-TW', ['zh-Hant-TW', 'zh-Hant', 'zh', 'en']],
    ['zh-TW', ['zh-TW', 'zh-Hant', 'zh', 'en']],
    ['zh-HK', ['zh-HK', 'zh-Hant', 'zh', 'en']],
    ['zh-CN', ['zh-CN', 'zh', 'en']],
    ['sr-ME', ['sr-ME', 'sr-Latn', 'sr', 'en']],
    ['no', ['no', 'nb', 'en']],
    ['nb-NO', ['nb-NO', 'nb', 'no', 'en']],
    ['nn', ['nn', 'no', 'nb', 'en']],
    [null, ['en']],
  ])('of %s is looked for along its chain', (locale, chain) => {
    expect(localeChain(locale)).toEqual(chain);
  });

  it('runs as its script does', () => {
    for (const tag of ['ar', 'fa', 'he', 'ur', 'ps', 'ckb', 'sd', 'ug', 'yi', 'dv', 'pa-PK', 'az-Arab']) {
      expect([tag, directionOf(tag)]).toEqual([tag, 'rtl']);
    }
    for (const tag of ['en', 'zh-TW', 'az', 'pa', 'ks-Deva', 'en-AE', 'und', '']) expect(directionOf(tag)).toBe('ltr');
  });

  it('is the reader’s own also by its other name', () => {
    expect([isSameLanguage('nb', 'no-NO'), isSameLanguage('nn', 'nb'), isSameLanguage('ar', 'ar-AE')]).toEqual([
      true,
      true,
      true,
    ]);
    expect([isSameLanguage('nb', 'da'), isSameLanguage('en', 'no')]).toEqual([false, false]);
  });

  it('is the nearest there is, and a saved text comes before a built-in one', () => {
    const key = 'thank-you.guest@1';
    const saved = builtInText(key, 'en');
    if (!saved) throw new Error('no such text');
    const texts = new Map([[`${key} ar-AE`, { ...saved, locale: 'ar-AE', version: 3 }]]);
    const found = (locale: string | null) => textFor(key, locale, texts);
    expect([found('ar-AE')?.version, found('ar-EG')?.locale, found('fr')?.locale, found(null)?.locale]).toEqual([
      3,
      'ar',
      'en',
      'en',
    ]);
    expect(found('fr') && isForeign(found('fr') as never, 'fr')).toBe(true);
    expect(found('ar-EG') && isForeign(found('ar-EG') as never, 'ar-EG')).toBe(false);
    expect(textFor('nothing.guest@1', 'en', texts)).toBeNull();
  });

  it('formats dates as its reader is used to, in its own language', () => {
    expect(formatLocaleOf('en', 'en-US')).toBe('en-US');
    expect(formatLocaleOf('en', 'fr')).toBe('en-GB');
    expect(formatLocaleOf('ar', 'ar-AE')).toBe('ar-AE');
    expect(formatLocaleOf('ar', 'ar-AE-u-nu-thai')).toBe('ar');
  });
});

describe('every text', () => {
  it.each(forStrangers)('%s is there in Arabic, and says what the English one says', (key) => {
    const [arabic, english] = LANGUAGES.map((language) => builtInText(key, language));
    expect(arabic && english).toBeTruthy();
    for (const part of ['subject', 'message'] as const) {
      expect(variablesOf(arabic?.[part] ?? []).toSorted()).toEqual(variablesOf(english?.[part] ?? []).toSorted());
    }
  });

  it.each(Object.keys(TEMPLATES))('%s renders with all its values, in every language, without a blank', (key) => {
    for (const language of LANGUAGES) {
      const text = builtInText(key, language);
      if (!text) continue;
      const mail = renderMessage(text, 'EMAIL', EXAMPLES);
      if ('missing' in mail) throw new Error(mail.missing.join());
      expect(`${mail.subject}${mail.text}`).not.toMatch(/[{}]|undefined|null/);
      expect(mail.html).toContain(`dir="${language === 'ar' ? 'rtl' : 'ltr'}"`);
      expect(mail.html).toContain(`lang="${language}"`);
    }
  });

  it.each(
    Object.entries(VARIABLES).filter(([event]) =>
      ['RESERVATION_CONFIRMED', 'WELCOME', 'CHECK_IN_REMINDER', 'RESERVATION_CANCELLED', 'PAYMENT_CONFIRMED'].includes(
        event,
      ),
    ),
  )('of %s fits into three SMS', (event) => {
    for (const [key, template] of Object.entries(TEMPLATES)) {
      if (template.event !== event || !channelsOf(template).includes('SMS')) continue;
      for (const language of LANGUAGES) {
        const text = builtInText(key, language);
        const sms = text && renderMessage(text, 'SMS', EXAMPLES);
        if (sms && 'text' in sms) expect(segmentsOf(sms.text).segments).toBeLessThanOrEqual(MAX_SEGMENTS);
      }
    }
  });
});

describe('a value', () => {
  const hostile = fc.oneof(
    fc.string({ maxLength: 200 }),
    fc.constantFrom(
      '{ownerEmail}',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it must not be a template
      '${x}',
      '<img src=x onerror=alert(1)>',
      '<%= 1 %>',
      '$&',
      "$'",
      '{__proto__}',
      'a\r\nBcc: x@y',
      'x\u2028y',
      '@lang',
      '<!--foot-->',
      'x'.repeat(10_000),
    ),
  );
  it('X1, X3, X4: is printed as it is, whatever it looks like: one line, inert, and not looked at again', () => {
    for (const language of LANGUAGES) {
      const text = builtInText('reservation-confirmed.guest@1', language);
      if (!text) throw new Error('no text');
      const plain = renderMessage(text, 'EMAIL', { ...EXAMPLES, guestName: 'NAME' });
      const shape = 'missing' in plain ? '' : (plain.html ?? '').replaceAll('NAME', '');
      fc.assert(
        fc.property(hostile, (guestName) => {
          const mail = renderMessage(text, 'EMAIL', { ...EXAMPLES, guestName, ownerEmail: 'secret@example.com' });
          if ('missing' in mail) return;
          expect(mail.subject).not.toMatch(/[\r\n\u2028\u2029]/);
          expect(mail.text.split('\n')).toHaveLength(1);
          expect(mail.html).not.toContain('secret@example.com');
          expect(mail.html).not.toMatch(/<img|onerror=alert\(1\)>/);
          // Nothing but text has come in: the tags are those of the layout.
          const tags = (html: string | null): readonly string[] => html?.match(/<[^>]*>/g) ?? [];
          expect(tags(mail.html).length).toBe(tags(shape).length);
        }),
        { numRuns: 150 },
      );
    }
  });
});
