import fc from 'fast-check';
import { sql } from 'kysely';
import addressparser from 'nodemailer/lib/addressparser/index.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { type Facts, valuesOf } from '../../src/domain/messages/delivery-facts.ts';
import { formatLocaleOf, localeChain } from '../../src/domain/messages/locales.ts';
import { formatMoney } from '../../src/domain/messages/print.ts';
import { dueDateOf } from '../../src/domain/tasks/recurrence.ts';
import { isOneAddress } from '../../src/gateways/smtp/messenger.ts';
import {
  CalendarDate,
  Currency,
  Email,
  Id,
  Instant,
  Locale,
  LocalTime,
  label,
  line,
  Phone,
  reference,
  TimeZone,
} from '../../src/http/schemas/common.ts';
import { GuestChange, NewGuest, NewOwner, OwnerChange } from '../../src/http/schemas/people.ts';
import { canonicalEmail } from '../../src/kernel/email.ts';
import { localInstant } from '../../src/kernel/local-time.ts';
import { exponentOf } from '../../src/kernel/money.ts';
import { canonicalPhone } from '../../src/kernel/phone.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';

/** A value that the edge accepts can be used by everything behind it: Temporal, Intl, Postgres, the mail and the SMS adapter. */

let database: TestDatabase;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 2, applicationName: 'values' }));
});
afterAll(async () => {
  await db.destroy();
  await database.drop();
});

const accepted = <T>(schema: z.ZodType<T>, candidates: readonly unknown[]): T[] =>
  candidates.flatMap((candidate) => {
    const result = schema.safeParse(candidate);
    return result.success ? [result.data] : [];
  });
const isRefused = (schema: z.ZodType, value: unknown): boolean => !schema.safeParse(value).success;

/** Old names, abbreviations, and what other systems export. */
const ODD_ZONES = (
  'IST ACT AET AGT ART AST BET BST CAT CNT CST CTT EAT ECT EST HST JST MIT MST NET NST PLT PNT PRT PST SST VST ' +
  'UTC GMT GMT0 Zulu UCT Etc/GMT+12 Etc/GMT-14 EST5EDT PST8PDT CET EET MET WET W-SU GB NZ ROK US/Pacific asia/dubai ' +
  'Asia/Calcutta Asia/Kolkata Europe/Kyiv Europe/Kiev America/Nuuk Factory localtime posixrules posix/Asia/Dubai ' +
  'SystemV/AST4 Etc/Unknown +04:00 UTC+4 GMT+4 Z Asia/Dubai\u0000 Mars/Base'
).split(' ');

describe('a time zone that the edge accepts', () => {
  it('is one for Temporal, Intl and Postgres alike, in its canonical spelling', async () => {
    const { rows } = await sql<{ name: string }>`SELECT name FROM pg_timezone_names`.execute(db);
    const candidates = [...Intl.supportedValuesOf('timeZone'), ...rows.map(({ name }) => name), ...ODD_ZONES];
    const zones = [...new Set(accepted(TimeZone, candidates))];
    expect(zones.length).toBeGreaterThan(400);
    const unknown: string[] = [];
    for (const zone of zones) {
      expect(Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone).timeZoneId).toBe(zone);
      new Intl.DateTimeFormat('en', { timeZone: zone }).format(0);
      await sql`SELECT now() AT TIME ZONE ${zone}`.execute(db).catch(() => unknown.push(zone));
    }
    expect(unknown).toEqual([]);
  });

  it.each(['IST', 'ACT', 'BST', 'Etc/Unknown', '+04:00', 'Mars/Base', ''])('is not %j', (zone) => {
    expect(isRefused(TimeZone, zone)).toBe(true);
  });

  it('is kept as Temporal spells it', () => {
    expect(TimeZone.parse('asia/dubai')).toBe('Asia/Dubai');
  });
});

describe('a locale that the edge accepts', () => {
  const tags =
    'en ar AR-ae ar-AE en-GB-oxendict en-x-private und qaa art-lojban cel-gaulish zh-Hant-TW sr-Latn fa he'.split(' ');
  const odd = [
    ...tags,
    'en-u-nu-thai',
    'ar-u-nu-arab-ca-islamic',
    'x-private',
    'i-klingon',
    'root',
    'en_GB',
    'abcdefgh',
    '',
  ];

  it('writes dates and amounts, in a text of its own or in another language', () => {
    for (const locale of accepted(Locale, odd)) {
      for (const text of [locale, 'en', 'ar']) {
        expect(localeChain(locale).length).toBeGreaterThan(0);
        expect(formatMoney({ amountMinor: 123_456, currency: 'AED' }, formatLocaleOf(text, locale))).not.toBe('');
        expect(() => valuesOf(factsIn(locale), text)).not.toThrow();
      }
    }
    expect(accepted(Locale, ['en_GB', 'en_us.UTF-8', 'zh_Hans_CN', 'pt-br', 'iw'])).toEqual([
      'en-GB',
      'en-US',
      'zh-Hans-CN',
      'pt-BR',
      'he',
    ]);
    for (const text of ['', 'C', 'en_', 'x', 'de_DE@euro', 'en US']) expect(isRefused(Locale, text)).toBe(true);
  });

  /** Everything that a message may be about, absent but for a date and an amount; when it was ordered is always known. */
  const factsIn = (locale: string): Facts =>
    new Proxy(
      {
        locale,
        timeZone: 'Asia/Dubai',
        checkInDate: '2027-02-01',
        orderedAt: new Date(0),
        params: { amountMinor: 1, currency: 'AED' },
      },
      {
        get: (target, name) => Reflect.get(target, name) ?? null,
      },
    ) as unknown as Facts;
});

describe('a currency that the edge accepts', () => {
  it('is written with its own decimals in both languages', () => {
    const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
    const all = letters.flatMap((a) => letters.flatMap((b) => letters.map((c) => a + b + c)));
    const currencies = accepted(Currency, [...all, ...Intl.supportedValuesOf('currency'), 'aed', 'XAU', 'ZZZ']);
    expect(new Set(currencies).size).toBeGreaterThan(150);
    for (const currency of new Set(currencies)) {
      const written = formatMoney({ amountMinor: 10 ** exponentOf(currency), currency }, 'en-GB');
      expect(written).toBe(
        exponentOf(currency) === 0 ? `${currency} 1` : `${currency} 1.${'0'.repeat(exponentOf(currency))}`,
      );
      new Intl.NumberFormat('en', { style: 'currency', currency }).format(1);
    }
  });
});

describe('a telephone number that the edge accepts', () => {
  const E164 = /^\+[1-9]\d{1,14}$/;
  it('is E.164, as the SMS provider takes it, however it was written', () => {
    const digits = fc.array(fc.constantFrom(...'0123456789 ().-+x'), { maxLength: 24 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(
        fc.oneof(
          digits,
          digits.map((text) => `+${text}`),
          digits.map((text) => `00${text}`),
        ),
        (text) => {
          for (const phone of accepted(Phone, [text])) expect(canonicalPhone(phone)).toMatch(E164);
        },
      ),
    );
    expect(canonicalPhone(Phone.parse('+971 (50) 000-0001'))).toBe('+971500000001');
    expect(canonicalPhone(Phone.parse('00971500000001'))).toBe('+971500000001');
  });
  it.each([
    ['(415) 555-2671', 'en_US', '+14155552671'],
    ['(415) 555-2671', undefined, '+14155552671'],
    ['415-555-2671', 'es-US', '+14155552671'],
    ['050 123 4567', undefined, '+971501234567'],
    ['0501234567', 'ar', '+971501234567'],
    ['020 7946 0958', 'en-GB', '+442079460958'],
    ['+44 (0)20 7946 0958', 'en-US', '+44 (0)20 7946 0958'],
    ['0044 20 7946 0958', undefined, '0044 20 7946 0958'],
    // As contacts, links and East Asian keyboards have them.
    ['\u202a+971501234567\u202c', undefined, '+971501234567'],
    ['\u200e+44 (0)20 7946\u200b 0958\u00a0', undefined, '+44 (0)20 7946 0958'],
    ['\u202a050 123 4567\u202c', undefined, '+971501234567'],
    ['tel:+1-415-555-2671', undefined, 'tel:+1-415-555-2671'],
    [
      '\uff0b\uff19\uff17\uff11\uff15\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17',
      undefined,
      '\uff0b\uff19\uff17\uff11\uff15\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17',
    ],
  ])('%j with the locale %s is kept as %j', (phone, locale, kept) => {
    const person = { name: 'Mei', email: 'mei@example.com', phone, ...(locale === undefined ? {} : { locale }) };
    for (const schema of [NewGuest, NewOwner, GuestChange, OwnerChange]) {
      const saved = schema.parse(person).phone ?? '';
      expect(saved).toBe(kept);
      expect(canonicalPhone(saved)).toMatch(E164);
    }
    if (locale === undefined) expect(Phone.parse(phone)).toBe(kept);
  });
  it('is called without the zero that stands for the way from within the country', () => {
    expect(canonicalPhone('+44 (0)20 7946 0958')).toBe('+442079460958');
  });
  it('is not another country’s without its code', () => {
    for (const schema of [NewGuest, NewOwner, GuestChange, OwnerChange]) {
      const result = schema.safeParse({ name: 'M', email: 'm@example.com', phone: '020 7946 0958', locale: 'en-US' });
      expect(result.error?.issues.map(({ path }) => path)).toEqual([['phone']]);
    }
  });
  it.each(['0701234567', '12345', '+0123456789', '+1234567890123456', 'call me'])('is not %j', (text) => {
    expect(isRefused(Phone, text)).toBe(true);
  });
});

describe('an instant without seconds', () => {
  it.each(['2027-02-01T00:00Z', '2027-02-01T04:00+04:00'])('is one: %s', async (text) => {
    expect(Instant.parse(text)).toBe(text);
    const { rows } = await sql<{ at: Date }>`SELECT ${text}::timestamptz AS at`.execute(db);
    expect([rows[0]?.at.getTime(), Date.parse(text), Temporal.Instant.from(text).epochMilliseconds]).toEqual(
      Array(3).fill(Date.UTC(2027, 1, 1)),
    );
  });
  it.each(['2027-02-30T00:00Z', '2027-02-01T24:00Z', '2027-02-01T00:60Z', '2027-02-01T00:00', '2027-02-01 00:00Z'])(
    'is not %j',
    (text) => {
      expect(Instant.safeParse(text).error?.issues.map(({ message }) => message)).toEqual([
        'must be an ISO 8601 instant with an offset',
      ]);
    },
  );
});

describe('a text that is compared with others', () => {
  it('is the same however it was pasted', () => {
    for (const schema of [label(64), reference(64)]) {
      for (const pasted of [
        'ref-1',
        ' ref-1',
        'ref-1 ',
        '\u00a0ref-1\u3000',
        '\ufeffref-1',
        'ref-1\u200b',
        '\u202aref-1\u202c',
      ]) {
        expect(schema.parse(pasted)).toBe('ref-1');
      }
      expect(schema.parse('cafe\u0301')).toBe('caf\u00e9');
      for (const none of ['', ' ', '\u200b', '\u00a0\ufeff', 'a\nb', 'a\n', 'x'.repeat(65)]) {
        expect(isRefused(schema, none)).toBe(true);
      }
    }
  });
  it('as a reference has no character that nobody sees; a word may have one', () => {
    expect(isRefused(reference(64), 'ref\u200b-1')).toBe(true);
    expect(label(64).parse('\u0645\u06cc\u200c\u0634\u0648\u062f')).toContain('\u200c');
  });
});

describe('a moment that the edge accepts', () => {
  const dates = [
    ...'0000-01-01 1999-12-31 2000-01-01 2024-02-29 2100-12-31 2101-01-01 9999-12-31 +275760-09-13 2023-02-29'.split(
      ' ',
    ),
    ...'2024-00-10 2024-13-01 -000001-01-01 2024-1-1'.split(' '),
  ];
  it('is a date for Temporal and Postgres', async () => {
    const found = accepted(CalendarDate, dates);
    expect(found).toEqual(['2000-01-01', '2024-02-29', '2100-12-31']);
    for (const date of found) {
      expect(Temporal.PlainDate.from(date).toString()).toBe(date);
      const { rows } = await sql<{ date: string }>`SELECT ${date}::date AS date`.execute(db);
      expect(rows[0]?.date).toBe(date);
    }
  });

  it('is an instant for Temporal and Postgres, whatever its offset and its decimals', async () => {
    const offsets = [
      'Z',
      '+14:00',
      '-14:00',
      '+14:01',
      '-15:59',
      '+16:00',
      '+23:59',
      '+05:45',
      '+5:00',
      '',
      '[Asia/Dubai]',
    ];
    const times = [
      'T00:00',
      'T23:59:59',
      'T23:59:60',
      'T24:00:00',
      `T00:00:00.${'1'.repeat(9)}`,
      `T00:00:00.${'1'.repeat(200)}`,
    ];
    const all = dates.flatMap((date) => times.flatMap((time) => offsets.map((offset) => `${date}${time}${offset}`)));
    const found = accepted(Instant, all);
    expect(found).toContain('2024-02-29T23:59:59+14:00');
    for (const instant of found) {
      const { epochMilliseconds } = Temporal.Instant.from(instant);
      const { rows } = await sql<{ ms: number }>`
        SELECT floor(extract(epoch FROM ${instant}::timestamptz) * 1000)::float8 AS ms`.execute(db);
      expect([instant, rows[0]?.ms]).toEqual([instant, epochMilliseconds]);
    }
  });

  it('is a time of day in every zone, also where clocks change, and a date for every rule', () => {
    for (const time of accepted(LocalTime, ['00:00', '23:59', '24:00', '02:30', '9:00', '12:60', ''])) {
      for (const zone of accepted(TimeZone, Intl.supportedValuesOf('timeZone'))) {
        expect(Number.isNaN(Date.parse(localInstant('2027-03-28', time, zone)))).toBe(false);
      }
    }
    for (const anchor of accepted(CalendarDate, dates)) {
      for (const every of ['MONTHLY', 'QUARTERLY', { days: 1 }, { days: 366 }] as const) {
        expect(dueDateOf(every, anchor, 24)).toMatch(/^\d{4}-\d{2}-\d{2}$/);
      }
    }
  });
});

describe('text that the edge accepts', () => {
  it('is kept by Postgres as it is, as text and in JSON', async () => {
    const texts = fc.sample(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' })), 200);
    for (const text of accepted(line(200), [...texts, 'a\u0000b', '\u0001', 'ok'])) {
      if (!text.isWellFormed()) continue;
      const { rows } = await sql<{ same: boolean; json: { t: string } }>`
        SELECT ${text}::text = ${text} AS same, ${JSON.stringify({ t: text })}::jsonb AS json`.execute(db);
      expect(rows[0]).toEqual({ same: true, json: { t: text } });
    }
    expect(isRefused(line(200), 'a\u0000b')).toBe(true);
    expect(isRefused(Id, 'a\u0000b')).toBe(true);
  });

  it('is one recipient for the mail adapter, where it is an address', () => {
    const odd = [
      'a@x.io,b@y.io',
      'A <a@x.io>',
      'a@x.io\nBcc: b@y.io',
      '"a b"@x.io',
      "o'hara@x.io",
      'a+b@x.io',
      'ü@x.io',
      'a@xn--bcher-kva.example',
      'a&b@bücher.example',
      'post@пример.рф',
      'a@xn--80ak6aa92e.xn--p1ai',
      'a@ex\u200bample.com',
    ];
    for (const address of accepted(Email, [...odd, ...fc.sample(fc.emailAddress(), 200)])) {
      expect(addressparser(address)).toEqual([{ address, name: '' }]);
      const sent = canonicalEmail(address) ?? '';
      expect(sent).toMatch(/^[!-~]+@[a-z0-9.-]+$/i);
      expect(addressparser(sent)).toEqual([{ address: sent, name: '' }]);
      expect(isOneAddress(sent)).toBe(true);
      // Kept as it was typed.
      expect(Email.parse(address)).toBe(address);
    }
    for (const address of odd.slice(4, 10)) expect(isRefused(Email, address)).toBe(address === 'ü@x.io');
    expect(isRefused(Email, 'a@ex\u200bample.com')).toBe(true);
    expect(canonicalEmail('post@пример.рф')).toBe('post@xn--e1afmkfd.xn--p1ai');
    expect(canonicalEmail('a&b@xn--80ak6aa92e.xn--p1ai')).toBe('a&b@xn--80ak6aa92e.xn--p1ai');
  });
});
