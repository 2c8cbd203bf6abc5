import { describe, expect, it } from 'vitest';
import { type Facts, valuesOf } from './delivery-facts.ts';
import { EXAMPLE_STAY } from './examples.ts';
import { LANGUAGES } from './locales.ts';
import { renderMessage, variablesOf } from './render.ts';
import { TEMPLATES } from './templates.ts';
import { builtInText } from './texts.ts';
import { DEPARTURE_VARIABLES } from './variables/stay.ts';

/** Every text that names an hour of arrival or departure, in every language. */
const HOURS: ReadonlySet<string> = new Set(['checkInTime', 'checkOutTime', 'arrivalTime', 'departureTime']);
const TIMED = Object.keys(TEMPLATES).flatMap((key) =>
  LANGUAGES.flatMap((language) => {
    const text = builtInText(key, language);
    const names = text ? variablesOf([...text.subject, ...text.message]) : [];
    return text && names.some((name) => HOURS.has(name)) ? [[`${key} in ${language}`, text, names] as const] : [];
  }),
);

describe('the times in a text are those that were agreed', () => {
  const agreed: Facts = { ...EXAMPLE_STAY, plannedArrival: '18:30', plannedDeparture: '10:15' };

  it('and there are such texts for guests and for owners', () => {
    expect(TIMED.map(([name]) => name)).toEqual(
      expect.arrayContaining([
        'reservation-confirmed-details.guest@2 in en',
        'new-reservation.owner@1 in en',
        'welcome.guest@1 in ar',
        'check-in-reminder.guest@1 in en',
        'check-out-reminder.guest@1 in en',
      ]),
    );
  });

  it.each(TIMED)('in %s', (name, text, names) => {
    const mail = renderMessage(text, 'EMAIL', valuesOf(agreed, name.endsWith('ar') ? 'ar' : 'en'));
    if ('missing' in mail) throw new Error(mail.missing.join());
    const said = `${mail.subject} ${mail.text}`;
    if (names.includes('checkInTime')) expect(said).toContain('18:30 (Asia/Dubai)');
    if (names.includes('checkOutTime')) expect(said).toContain('10:15 (Asia/Dubai)');
    if (names.includes('arrivalTime')) expect(said).toMatch(/18:30 \((Gulf Standard Time|توقيت الخليج)\)/);
    if (names.includes('departureTime')) expect(said).toMatch(/10:15 \((Gulf Standard Time|توقيت الخليج)\)/);
    expect(said).not.toMatch(/15:00 \(|11:00 \(/);
  });

  it.each([
    ['nothing agreed', {}, '15:00 (Asia/Dubai)', '11:00 (Asia/Dubai)'],
    [
      'a day of their own',
      { plannedArrival: '2027-06-02T01:15', plannedDeparture: '2027-06-03T20:00' },
      '2 June 2027, 01:15 (Asia/Dubai)',
      '3 June 2027, 20:00 (Asia/Dubai)',
    ],
    [
      'an hour that the clock leaves out',
      { timeZone: 'Europe/Paris', checkInDate: '2027-03-28', plannedArrival: '02:30' },
      '03:30 (Europe/Paris)',
      '11:00 (Europe/Paris)',
    ],
    ['no stay', { checkInDate: null, checkOutDate: null }, null, null],
  ] as const)('with %s', (_, facts, checkInTime, checkOutTime) => {
    expect(valuesOf({ ...EXAMPLE_STAY, ...facts })).toMatchObject({ checkInTime, checkOutTime });
  });

  it('of departure are in variables that wait for the door', () => {
    const early = valuesOf({ ...EXAMPLE_STAY, plannedDeparture: '10:15' });
    const late = Object.entries(valuesOf({ ...EXAMPLE_STAY, plannedDeparture: '2027-06-05T12:45' }));
    const moved = late.filter(([name, value]) => value !== Object.entries(early).find(([one]) => one === name)?.[1]);
    expect(new Set(moved.map(([name]) => name))).toEqual(DEPARTURE_VARIABLES);
  });
});
