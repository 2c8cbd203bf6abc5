import { describe, expect, it } from 'vitest';
import { valuesOf } from './delivery-facts.ts';
import { EXAMPLE_STAY, examplesOf } from './examples.ts';
import { LANGUAGES } from './locales.ts';
import { type RenderedMessage, renderMessage, renderText } from './render.ts';
import { templateOf } from './templates.ts';
import { builtInText, textFor, textToSend } from './texts.ts';
import { isOptional } from './variables/index.ts';

/** The mail that confirms a reservation: the brief's sentence first, then all that a guest looks up later. */

const KEY = 'reservation-confirmed-details.guest@2';
type Facts = typeof EXAMPLE_STAY;

function mailOf(facts: Partial<Facts> = {}, language = 'en', values: Readonly<Record<string, string | null>> = {}) {
  const text = builtInText(KEY, language);
  if (!text) throw new Error('no text');
  const mail = renderMessage(text, 'EMAIL', {
    ...valuesOf({ ...EXAMPLE_STAY, ...facts }, language, 'https://roomy.example'),
    ...values,
  });
  if ('missing' in mail) throw new Error(mail.missing.join());
  return mail as RenderedMessage & { readonly html: string };
}
const termsOf = (facts: Partial<Facts>) => valuesOf({ ...EXAMPLE_STAY, ...facts, locale: 'en-GB' }).refundTerms;

describe('the mail of a confirmation', () => {
  it('says all that a guest looks up later', () => {
    expect(mailOf().text).toBe(`Dear John Doe, your reservation for Marina View 1204 is confirmed for 1 June 2027.

Arrival: 1 June 2027, from 15:00 (Gulf Standard Time)
Departure: 4 June 2027, until 11:00 (Gulf Standard Time)
Address: Marina Walk 12, apartment 1204, Dubai

Price: AED 1,000.00
Paid: AED 400.00
Still to pay: AED 600.00

If you cancel: 100% of what you paid is refunded until 25 May 2027, 23:59 (Gulf Standard Time); 50% of what you paid until 29 May 2027, 23:59; nothing after that

Questions: Sara Malik, +971 50 000 0020, sara@staff.example
Reservation: reservation-1

Your stay online: https://roomy.example/stay/example`);
  });

  it("begins with the brief's sentence, in every language", () => {
    const { subject, message } = templateOf('reservation-confirmed.guest@1') ?? expect.fail('no text');
    const values = valuesOf(EXAMPLE_STAY);
    expect(renderText(subject, values)).toEqual({ ok: true, text: mailOf().subject });
    expect(renderText(message, values)).toEqual({ ok: true, text: mailOf().text.split('\n')[0] });
    for (const language of LANGUAGES) {
      const [short, long] = ['reservation-confirmed.guest@1', KEY].map((key) => builtInText(key, language));
      expect(long?.subject).toEqual(short?.subject);
      const rendered = short && renderMessage(short, 'EMAIL', valuesOf(EXAMPLE_STAY, language));
      expect(mailOf({}, language).text.split('\n')[0]).toBe(rendered && 'text' in rendered ? rendered.text : null);
    }
  });

  it('has no empty line and no label without a value, whatever is not known', () => {
    const names = Object.keys(examplesOf('RESERVATION_CONFIRMED', 'en')).filter(
      (name) => isOptional(name) && name !== 'contact' && !name.startsWith('alert'),
    );
    expect(names.toSorted()).toEqual(['address', 'refundTerms', 'stayUrl']);
    for (const language of LANGUAGES) {
      const full = mailOf({}, language)
        .text.split('\n')
        .filter((line) => line !== '').length;
      for (let some = 0; some < 2 ** names.length; some += 1) {
        const missing = names.filter((_, index) => (some & (1 << index)) > 0);
        const { text, html } = mailOf({}, language, Object.fromEntries(missing.map((name) => [name, null])));
        expect(text, `${missing}`).not.toMatch(/\n{3,}|: *\n|[{}]|null|undefined/);
        expect(text).toBe(text.trim());
        expect(text.split('\n').filter((line) => line !== '')).toHaveLength(full - missing.length);
        expect(html).not.toMatch(/<p>\s*<\/p>|<td>\s*<\/td>/);
      }
    }
  });

  it('of a free stay tells of no refund, and whom to ask where nobody looks after the property', () => {
    const { text } = mailOf({ totalMinor: 0, own: { outstandingMinor: 0 }, paidMinor: 0, contact: null });
    expect(text).toContain(`
Price: AED 0.00
Paid: AED 0.00
Still to pay: AED 0.00

Questions: just answer this message
`);
    expect(text).not.toContain('If you cancel');
  });

  it('names an hour by the clock of its own day', () => {
    const paris = { timeZone: 'Europe/Paris', checkInDate: '2027-03-27', checkOutDate: '2027-03-29' };
    const { text } = mailOf(paris);
    expect(text).toContain('from 15:00 (Central European Standard Time)');
    expect(text).toContain('until 11:00 (Central European Summer Time)');
    expect(mailOf({ plannedArrival: '18:30', plannedDeparture: '2027-06-03T20:00' }).text).toContain(
      `from 18:30 (Gulf Standard Time)
Departure: 4 June 2027, until 3 June 2027, 20:00 (Gulf Standard Time)`,
    );
  });

  it('is in Arabic from right to left, with its own words for times, amounts and terms', () => {
    const { text, html } = mailOf({ locale: 'ar-AE' }, 'ar');
    expect(html).toContain('dir="rtl"');
    expect(html).toContain('<th scope="row">الوصول</th>');
    expect(text).toContain('توقيت الخليج');
    expect(text).toContain('يُسترد');
    expect(text).not.toMatch(/Gulf|refunded|Paid/);
  });
});

describe('what a guest who cancels gets back', () => {
  const BRIEF = [
    { days: 7, percent: 100 },
    { days: 3, percent: 50 },
    { days: 1, percent: 25 },
  ];
  const at = (dueAt: string) => ({ refundTiers: BRIEF, dueAt: new Date(dueAt) });
  const zone = '(Gulf Standard Time)';
  it.each([
    [
      'all tiers',
      at('2027-05-01T00:00:00Z'),
      `100% of what you paid is refunded until 25 May 2027, 23:59 ${zone}; 50% of what you paid until 29 May 2027, 23:59; 25% of what you paid until 31 May 2027, 23:59; nothing after that`,
    ],
    [
      'the last minute of a tier',
      at('2027-05-25T19:59:00Z'),
      `100% of what you paid is refunded until 25 May 2027, 23:59 ${zone}; 50% of what you paid until 29 May 2027, 23:59; 25% of what you paid until 31 May 2027, 23:59; nothing after that`,
    ],
    [
      'the minute after it',
      at('2027-05-25T20:00:00Z'),
      `50% of what you paid is refunded until 29 May 2027, 23:59 ${zone}; 25% of what you paid until 31 May 2027, 23:59; nothing after that`,
    ],
    ['the day of the arrival', at('2027-06-01T06:00:00Z'), 'nothing is refunded'],
    ['terms without a refund', { refundTiers: [] }, 'nothing is refunded'],
    ['a tier of nothing', { refundTiers: [{ days: 7, percent: 0 }] }, 'nothing is refunded'],
    [
      'terms that keep a part of the price',
      { refundTiers: BRIEF.slice(0, 2), refundBase: 'TOTAL' as const },
      `all that you paid is refunded until 25 May 2027, 23:59 ${zone}; what you paid less 50% of the price until 29 May 2027, 23:59; nothing after that`,
    ],
    ['a stay of no price', { totalMinor: 0 }, null],
    ['a stay that is bound to no terms yet', { refundTiers: null, refundBase: null }, null],
  ])('with %s', (_, facts, said) => {
    expect(termsOf(facts)).toBe(said);
  });
});

describe('who has changed the text before there was a longer one', () => {
  const [short = null] = [builtInText('reservation-confirmed.guest@1', 'en')];
  if (!short) throw new Error('no text');
  const saved = (...keys: readonly string[]) =>
    new Map(keys.map((key) => [`${key} en`, { ...short, version: 3, locale: 'en' }]));

  it('keeps it for mails too, until the longer one has a text of their own', () => {
    expect(textToSend(KEY, 'en-GB', saved('reservation-confirmed.guest@1'))).toEqual({ ...short, version: 3 });
    expect(textToSend(KEY, 'en-GB', saved())).toEqual(builtInText(KEY, 'en'));
    const both = saved('reservation-confirmed.guest@1', KEY);
    expect(textToSend(KEY, 'en-GB', both)).toBe(textFor(KEY, 'en', both));
    // Somebody who reads Arabic gets the Arabic one that there is.
    expect(textToSend(KEY, 'ar-AE', saved('reservation-confirmed.guest@1'))).toEqual(builtInText(KEY, 'ar'));
    expect(textToSend('nothing.guest@1', 'en', saved())).toBeNull();
  });
});
