import fc from 'fast-check';
import type { Random } from './random.ts';

/** Values that programs stumble over, as they stand in JSON, in an address, or in a header. */

const TEXTS: readonly string[] = [
  '',
  ' ',
  '\t\n',
  '\u0000',
  'a\u0000b',
  '\ud800',
  'x\udc00',
  '\uffff',
  '\u202e\u2028\u200b',
  '👩🏽‍💻',
  'x'.repeat(201),
  'é'.repeat(5_000),
  'x'.repeat(20_000),
  '__proto__',
  'constructor',
  'toString',
  "' OR 1=1 --",
  '"; DROP TABLE guest; --',
  '{{guest.name}} #{7*7} %s %n',
  '<img src=x onerror=alert(1)>',
  '../../etc/passwd',
  '=cmd|calc!A0',
  'a\r\nBcc: x@example.com',
  'new@example.com, other@example.com',
  'https://user:pass@93.184.216.34/',
  'https://[::1]/',
  'javascript:alert(1)',
  '+971500000000000000000',
  'AED',
  'aed',
  'XXX',
  'IST',
  'Europe/Nowhere',
];
const DATES: readonly string[] = [
  '2024-02-30',
  '2024-02-29',
  '2023-02-29',
  '1999-12-31',
  '2100-12-31',
  '2101-01-01',
  '0000-00-00',
  '2024-02-01T25:61:00Z',
  '2024-02-01T10:00:00',
  '2030-03-31T02:30:00+02:00',
  '2030-01-01T00:00:60Z',
  '+999999-01-01T00:00:00Z',
  '2030-01-01T00:00:00.123456789Z',
  '24:00',
  'P1Y',
];
/** As JSON: most are no JavaScript numbers. */
const NUMBERS: readonly string[] = [
  ...['0', '-0', '-1', '1', '0.5', '1.005', '4.35', '100', '101', '1000000000', '999999999.99', '1000000000.01'],
  ...['2147483647', '2147483648', '9007199254740991', '9007199254740992', '90071992547409.91', '92233720368547758.07'],
  ...['9223372036854775807', '9223372036854775808', '1e308', '1e400', '1e-400', '-9223372036854775808'],
];
const OTHERS: readonly string[] = ['null', 'true', 'false', '[]', '{}', '[[[]]]', '[null]', '{"a":{}}', '[{},{}]'];
const PROTOTYPES: readonly string[] = [
  '{"__proto__":{"role":"ADMIN"}}',
  '{"constructor":{"prototype":{"role":"ADMIN"}}}',
  '{"hasOwnProperty":1,"toString":null}',
];
const nested = (open: string, close: string, depth: number): string => open.repeat(depth) + close.repeat(depth);

/** Values for one round, some of them made by the seed alone. */
export interface OddValues {
  /** One as JSON text. */
  json(random: Random): string;
  text(random: Random): string;
}

export function oddValues(seed: number): OddValues {
  const made = { seed, numRuns: 400 };
  const texts = [...TEXTS, ...DATES, ...fc.sample(fc.string({ unit: 'binary', maxLength: 60 }), made)];
  const json = [
    ...fc.sample(fc.jsonValue({ maxDepth: 3 }), made).map((value) => JSON.stringify(value)),
    ...fc.sample(fc.double({ noNaN: true, noDefaultInfinity: true }), made).map(String),
    ...fc.sample(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), made).map(String),
  ];
  const deep = [nested('[', ']', 40), nested('[', ']', 5_000), `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`];
  return {
    text: (random) => random.pick(texts),
    json: (random) => {
      const kind = random.int(10);
      if (kind < 4) return JSON.stringify(random.pick(texts));
      if (kind < 6) return random.chance(0.5) ? random.pick(NUMBERS) : JSON.stringify(random.pick(NUMBERS));
      if (kind < 7) return random.pick(OTHERS);
      if (kind < 8) return random.pick(random.chance(0.5) ? PROTOTYPES : deep);
      return random.pick(json);
    },
  };
}

/** Header fields of requests, each with values that Node's own client can send. */
export const HEADERS: Readonly<Record<string, readonly string[]>> = {
  accept: ['', '*/*', 'text/html', 'application/problem+json', 'application/json;q=0', ';;q=,', 'text/event-stream'],
  'accept-language': ['de', '*', 'xx-'.repeat(300), 'en;q=2'],
  authorization: [
    ...['', 'Bearer', 'Bearer ', 'Bearer a.b.c', 'Basic YTpi', 'bearer x', `Bearer ${'x'.repeat(4_000)}`],
    ...[
      'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbi0xIiwicm9sZSI6IkFETUlOIn0.',
      'Bearer rk_live_nothing',
      'Bearer \xff',
    ],
  ],
  'content-encoding': ['gzip', 'br', 'identity', 'deflate, gzip', 'x'],
  'content-type': [
    ...[
      '',
      'text/plain',
      'application/json; charset=utf-16',
      'application/json; charset=utf-8',
      'image/jpeg',
      'text/csv',
    ],
    ...[
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/vnd.roomy.plan+json',
      '/',
      ';',
    ],
  ],
  cookie: ['=', 'a', '__Host-roomy=x', `roomy=${'y'.repeat(3_000)}`, 'a=b; a=c; =; ;', 'roomy="\xff"'],
  host: ['roomy.example', 'evil.example', 'x:99999', '[::1]', 'roomy.example:'],
  'idempotency-key': ['', 'a', 'k'.repeat(255), 'k'.repeat(5_000), 'a b', '"quoted"', '\xe9', '__proto__'],
  'if-match': ['*', '"1"', 'W/"1"', '1', '"9223372036854775808"', '"x", "y"', ''],
  'if-none-match': ['*', '"x"', '', 'W/"1"'],
  'last-event-id': ['0', '-1', 'x', '9223372036854775808', '00'],
  origin: ['null', 'https://evil.example', 'https://roomy.example', ''],
  prefer: ['respond-async', 'wait=0', 'wait=-1', 'wait=99999999999', 'dry-run'],
  range: ['bytes=0-', 'bytes=5-1', 'bytes=0-1,2-3', 'x'],
  'sec-fetch-site': ['same-origin', 'cross-site', 'none', 'x'],
  traceparent: ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', '00-x', 'ff-0-0-0'],
  'x-forwarded-for': ['1.2.3.4', '::1', 'x', '1.2.3.4, 5.6.7.8', ','],
  'x-http-method-override': ['DELETE', 'GET', 'TRACE'],
  'x-request-id': ['a', 'x'.repeat(129), 'a b', '../x', ''],
};

/** Parts of an address as bytes: NUL, half a surrogate pair, overlong, no UTF-8, no escape, dots, and names of prototypes. */
export const PATH_PARTS: readonly string[] = [
  ...['%00', 'a%00b', '%ED%A0%80', '%C0%80', '%FF', '%EF%BF%BF', '%', '%u0000', '%2e%2e', '..', '.', '%2F', '%5C', ''],
  ...[
    '__proto__',
    'constructor',
    'x'.repeat(64),
    'x'.repeat(65),
    'x'.repeat(3_000),
    '-',
    '_',
    'a.b',
    'a:b',
    '%E2%80%AE',
  ],
  ...['0', '-1', 'null', 'undefined', '*', '%27%20OR%201%3D1--', '%24%7B7*7%7D', 'nothing-at-all'],
];
