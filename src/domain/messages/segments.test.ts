import { describe, expect, it } from 'vitest';
import { formatLocaleOf } from './locales.ts';
import { channelsOf } from './matrix-table.ts';
import { formatMoney } from './print.ts';
import { parseTemplate, renderMessage } from './render.ts';
import { asGsm, segmentsOf } from './segments.ts';
import { TEMPLATES } from './templates.ts';
import { builtInText } from './texts.ts';
import { EXAMPLES } from './variables/index.ts';

describe('the segments of an SMS', () => {
  it.each([
    ['x'.repeat(160), 'GSM-7', 160, 1],
    ['x'.repeat(161), 'GSM-7', 161, 2],
    ['x'.repeat(306), 'GSM-7', 306, 2],
    ['x'.repeat(307), 'GSM-7', 307, 3],
    ['€'.repeat(80), 'GSM-7', 160, 1],
    ['{}'.repeat(41), 'GSM-7', 164, 2],
    ['م'.repeat(70), 'UCS-2', 70, 1],
    ['م'.repeat(71), 'UCS-2', 71, 2],
    ['م'.repeat(202), 'UCS-2', 202, 4],
    ['😀'.repeat(35), 'UCS-2', 70, 1],
    ['', 'GSM-7', 0, 1],
    // 153 septets hold 76 pairs, 67 units 33.
    ['€'.repeat(228), 'GSM-7', 456, 3],
    ['€'.repeat(229), 'GSM-7', 458, 4],
    ['😀'.repeat(99), 'UCS-2', 198, 3],
    ['😀'.repeat(100), 'UCS-2', 200, 4],
  ])('of %j', (text, encoding, units, segments) => {
    expect(segmentsOf(text)).toEqual({ encoding, units, segments });
  });

  it.each([
    ['AED 1\u00a0000,50 \u2013 \u201cpaid\u201d', 'AED 1 000,50 - "paid"'],
    ['It\u2019s O\u2018Hara\u2026 10\u202f000 \u2212 5', "It's O'Hara... 10 000 - 5"],
    ['\u200eRoom 12\u200b\u00ad, 3\u00d74 \u2022 caf\u0065\u0301', 'Room 12, 3x4 * café'],
    ['`a` \u00abb\u00bb\ttab', '\'a\' "b" tab'],
  ])('%j is sent as %j', (text, sent) => {
    expect(segmentsOf(text).encoding).toBe('UCS-2');
    expect(asGsm(text)).toBe(sent);
    expect(segmentsOf(sent).encoding).toBe('GSM-7');
    const template = { locale: 'en', subject: [], message: parseTemplate('{text}') };
    expect(renderMessage(template, 'EMAIL', { text })).not.toMatchObject({ text: sent });
    const fresh = renderMessage({ ...template, subject: parseTemplate('s') }, 'SMS', { text });
    expect(fresh).toMatchObject({ text: sent.replaceAll('\t', ' ') });
  });

  it.each(['Dear Łukasz – welcome', 'عزيزي “جون”…', '1\u00a0000 €, 東京', 'ç’est'])('%j stays as it is', (text) => {
    expect(asGsm(text)).toBe(text);
  });

  it('are of GSM-7 for every built-in English SMS, however the reader’s country writes numbers', () => {
    const regions = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].flatMap((a) =>
      [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].map((b) => a + b),
    );
    const withBlanks = new Set<string>();
    for (const region of regions) {
      const amount = formatMoney({ amountMinor: 123_456_789, currency: 'AED' }, formatLocaleOf('en', `en-${region}`));
      if (segmentsOf(amount).encoding === 'UCS-2') withBlanks.add(amount);
    }
    // South Africa's, Finland's, Poland's.
    expect(withBlanks.size).toBeGreaterThan(0);
    for (const [key, template] of Object.entries(TEMPLATES)) {
      const text = channelsOf(template).includes('SMS') ? builtInText(key, 'en') : null;
      for (const amount of text ? withBlanks : []) {
        const sms =
          text && renderMessage(text, 'SMS', { ...EXAMPLES, amount, outstanding: amount, ownerShare: amount });
        expect(sms && 'text' in sms && segmentsOf(sms.text).encoding, `${key} ${amount}`).toBe('GSM-7');
      }
    }
  });
});
