import net from 'node:net';
import { isObject } from '../openapi/contract.ts';
import { LEAKS } from './answers.ts';
import type { Random } from './random.ts';
import type { Field } from './subjects.ts';
import type { OddValues } from './values.ts';

/** Bytes that are no request, or one that HTTP libraries would not send: sent over a socket of their own. */

export interface Bytes {
  readonly kind: string;
  readonly parts: readonly Buffer[];
  /** The client goes without waiting for an answer. */
  readonly leaves: boolean;
  /** How many answers there may be at the most: one more is a request that was smuggled in. */
  readonly maxAnswers: number;
}
type Make = (random: Random, making: Making) => Omit<Bytes, 'kind'>;
interface Making {
  readonly field: Field;
  readonly values: OddValues;
}

const CRLF = '\r\n';
const whole = (text: string | Buffer, maxAnswers = 1): Omit<Bytes, 'kind'> => ({
  parts: [Buffer.from(text as string)],
  leaves: false,
  maxAnswers,
});
const head = (line: string, ...fields: readonly string[]): string =>
  [line, 'Host: 127.0.0.1', ...fields, 'Connection: close', '', ''].join(CRLF);

/** A request line of a route, for a caller of it. */
function lineOf(random: Random, { field }: Making): readonly [string, ...string[]] {
  const { method, path, permitted } = random.pick(field.subjects);
  const caller = random.pick(permitted);
  const fields = Object.entries(caller.headers).map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${path} HTTP/1.1`, ...fields];
}
const junk = (random: Random, length: number): Buffer => Buffer.from(Array.from({ length }, () => random.int(256)));

const KINDS: Readonly<Record<string, Make>> = {
  'bytes at random': (random) => whole(junk(random, 1 + random.int(300))),
  'a request line that is none': (random, { values }) =>
    whole(
      head(
        random.pick([
          ...['NONSENSE', 'GET', 'GET /', 'GET  / HTTP/1.1', 'get / HTTP/1.1', 'GET / HTTP/9.9', 'GET / http/1.1'],
          ...['GET \\x HTTP/1.1', 'GET http://evil.example/x HTTP/1.1', 'CONNECT x:80 HTTP/1.1', 'GET * HTTP/1.1'],
          ...['PRI * HTTP/2.0', 'FOO / HTTP/1.1', `GET /${values.text(random)} HTTP/1.1`, '\u0000GET / HTTP/1.1'],
        ]),
      ),
      // A text may hold ends of lines, and so does the preface of HTTP/2.
      3,
    ),
  'a header that is none': (random, making) =>
    whole(
      head(
        ...lineOf(random, making),
        random.pick([
          ...[
            ': x',
            'X',
            'X Y: 1',
            'X-A: a\rX-Evil: 1',
            'X-A: a\nX-Evil: 1',
            ' folded',
            'X-\u0000: 1',
            'X: \u0000',
            'Host: y',
          ],
          ...[
            `X-Large: ${'x'.repeat(17_000)}`,
            'Content-Length: -1',
            'Content-Length: 1e3',
            'Content-Length: x',
            'Expect: x',
          ],
          ...[
            'Content-Length: 99999999999999999999',
            'Upgrade: websocket',
            'Upgrade: h2c',
            'Authorization: a\r\nAuthorization: b',
          ],
        ]),
      ),
      2,
    ),
  'chunks that are none': (random, making) =>
    whole(
      head(...lineOf(random, making), 'Content-Type: application/json', 'Transfer-Encoding: chunked') +
        random.pick([
          ...[
            'x\r\n',
            '-1\r\n',
            'ffffffffffffffffff\r\n{}',
            '2\r\n{}0\r\n\r\n',
            '2;a=b\r\n{}\r\n0\r\n\r\n',
            '0\r\nX: 1\r\n\r\n',
          ],
          ...['2\n{}\n0\n\n', '0x2\r\n{}\r\n0\r\n\r\n', '2\r\n{}\r\n0\r\nbroken\r\n\r\n', '2\r\n{}\r\n0\r\n\r\n'],
        ]),
    ),
  'two lengths': (random, making) => {
    const lengths = random.pick([
      ['Content-Length: 4', 'Transfer-Encoding: chunked'],
      ['Transfer-Encoding: chunked', 'Content-Length: 4'],
      ['Content-Length: 4', 'Content-Length: 5'],
      ['Content-Length: 4, 5'],
      ['Transfer-Encoding: chunked, identity', 'Content-Length: 4'],
      ['Transfer-Encoding: xchunked', 'Content-Length: 4'],
      ['Transfer-Encoding : chunked', 'Content-Length: 4'],
    ]);
    const inside = 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n';
    return whole(`${head(...lineOf(random, making), ...lengths)}0\r\n\r\n${inside}`);
  },
  'a body that never ends': (random, making) => ({
    parts: [
      Buffer.from(head(...lineOf(random, making), 'Content-Type: application/json', 'Content-Length: 100')),
      Buffer.from('{"a":'),
    ],
    leaves: false,
    maxAnswers: 1,
  }),
  'headers that never end': (random, making) => ({
    parts: [
      Buffer.from(`${lineOf(random, making)[0]}${CRLF}Host: x${CRLF}X-Slow: `),
      Buffer.from('a'),
      Buffer.from('b'),
    ],
    leaves: false,
    maxAnswers: 1,
  }),
  'an early close': (random, making) => {
    const line = lineOf(random, making);
    const text = `${head(...line, 'Content-Type: application/json', 'Content-Length: 40')}{"name":`;
    return { parts: [Buffer.from(text.slice(0, 1 + random.int(text.length)))], leaves: true, maxAnswers: 1 };
  },
  'one after the other': (random, making) => {
    const [line, ...fields] = lineOf(random, making);
    const kept = [line.replace(/^\w+/, 'GET'), 'Host: x', ...fields, '', ''].join(CRLF);
    return whole(`${kept}${kept}${head(line.replace(/^\w+/, 'GET'))}`, 3);
  },
  'bytes of a request that were changed': (random, making) => {
    const bytes = Buffer.from(`${head(...lineOf(random, making), 'Content-Length: 2')}{}`);
    for (let n = 1 + random.int(4); n > 0; n -= 1) bytes[random.int(bytes.length)] = random.int(256);
    return whole(bytes, 3);
  },
};
const NAMES = Object.keys(KINDS);

export function makeBytes(random: Random, making: Making): Bytes {
  const kind = random.pick(NAMES);
  const make = KINDS[kind];
  if (make === undefined) throw new Error(kind);
  return { kind, ...make(random, making) };
}

/** All that the server answers until it, or we, close. Rejects when it keeps the connection for ever. */
export const exchange = (port: number, { parts, leaves }: Bytes, withinMs = 30_000): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    let text = '';
    const late = setTimeout(() => {
      socket.destroy();
      reject(new Error(`open after ${withinMs} ms: ${text.slice(0, 200)}`));
    }, withinMs);
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part;
    });
    socket.once('close', () => {
      clearTimeout(late);
      resolve(text);
    });
    // A cut is an answer, too.
    socket.on('error', () => undefined);
    for (const part of parts) socket.write(part);
    if (leaves)
      socket.once('drain', () => socket.destroy()).once('connect', () => setImmediate(() => socket.destroy()));
  });

export interface RawFaults {
  readonly statuses: readonly number[];
  readonly faults: readonly string[];
}
export function faultsOfBytes(field: Field, bytes: Bytes, text: string): RawFaults {
  const statuses = [...text.matchAll(/(?:^|\n|\}|>)HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  const faults: string[] = [];
  if (text !== '' && statuses.length === 0) faults.push(`is no answer: ${JSON.stringify(text.slice(0, 80))}`);
  for (const status of statuses) if (status >= 500) faults.push(`answers ${status}`);
  if (statuses.length > bytes.maxAnswers) faults.push(`answers ${statuses.length} times`);
  if (LEAKS.test(text) && statuses.every((status) => status >= 400)) faults.push('says how it is made');
  if (field.secrets.some((secret) => text.includes(secret))) faults.push('holds a secret');
  const last = statuses.at(-1) ?? 0;
  const type = /content-type: ([\w/+-]+)/i.exec(text.slice(text.lastIndexOf('HTTP/1.1 ')))?.[1];
  if (last >= 400 && type === 'application/json' && !isEnvelope(text)) faults.push('refuses without an envelope');
  return { statuses, faults };
}
/** Of the last answer; chunks are left in, so that it is looked for and not parsed by length. */
function isEnvelope(text: string): boolean {
  const body = text.slice(text.lastIndexOf('HTTP/1.1 ')).split('\r\n\r\n').slice(1).join('\r\n\r\n');
  // HEAD has none.
  if (body === '') return true;
  const json = body.slice(body.indexOf('{'), body.lastIndexOf('}') + 1);
  try {
    const parsed: unknown = JSON.parse(Buffer.from(json, 'latin1').toString());
    return isObject(parsed) && parsed['success'] === false && typeof parsed['code'] === 'string';
  } catch {
    return false;
  }
}
