import type { MiddlewareHandler } from 'hono';
import { AMOUNT_KEYS, containsCardData } from '../../kernel/card-data.ts';
import { RoomyError } from '../../kernel/errors.ts';
import type { AppEnv } from '../context.ts';
import { readBody } from './body.ts';

const MAX_BYTES = 64 * 1024;
const MAX_DEPTH = 20;
/** Of the values in a body, those of members and elements together: what follows costs time for each (security.md Q7). */
const MAX_VALUES = 6_000;
const JSON_TYPE = /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/**
 * Reads a JSON body within bounds, before anything parses it, and refuses what JSON permits but Postgres or a careless
 * reader would trip over. The route's schema comes after.
 */
export function jsonBody(options: { readonly required: boolean }): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const bytes = await readBody(c, MAX_BYTES);
    const type = c.req.header('content-type');
    if (bytes.length > 0 || type !== undefined) assertJsonType(type);
    if (bytes.length === 0 && options.required) throw malformed('The body is empty');
    const text = bytes.length === 0 ? '{}' : decode(bytes);
    const value = parse(text);
    if (containsCardData(value)) throw new RoomyError('CARD_DATA_FORBIDDEN');
    // The validators behind read the request again: give them what was checked.
    const { method, headers, signal } = c.req.raw;
    c.req.raw = new Request(c.req.url, { method, headers: asJson(headers), body: JSON.stringify(value), signal });
    await next();
  };
}

const malformed = (text: string): RoomyError => new RoomyError('MALFORMED_REQUEST', { text });

function assertJsonType(type: string | undefined): void {
  if (type === undefined || !JSON_TYPE.test(type)) throw new RoomyError('UNSUPPORTED_MEDIA_TYPE');
}

function asJson(headers: Headers): Headers {
  const copy = new Headers(headers);
  copy.set('content-type', 'application/json');
  copy.delete('content-length');
  return copy;
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed('The body is not UTF-8');
  }
}

/** Shares are numbers and nothing else, so only those stay text that a double would round. */
const SHARE_KEYS = new Set(['ownerIncome', 'roomyAgencyFee', 'referringAgent']);
const MAX_SHARE_TEXT = 20;

/** With the source of a number at hand (ECMAScript's JSON.parse source text access). */
const parseWithSource = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown;

function parse(text: string): unknown {
  const value = parsed(() => JSON.parse(text));
  // With a reviver it takes a hundred times as long: only for bodies in which a number could lose something.
  if (!assertPlain(value)) return value;
  return parsed(() =>
    parseWithSource(text, (key, member, { source }) =>
      typeof member === 'number' && source !== undefined && !isFaithful(key, member, source) ? source : member,
    ),
  );
}

function parsed(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    throw malformed('The body is not JSON');
  }
}

/** Whether a number may go on as one; else its text does, which every schema of a number refuses. */
function isFaithful(key: string, value: number, source: string): boolean {
  // Written again, infinity would be null and a long number another one.
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER) return false;
  // Numbers that are money stay as they were written (`1.50`, `1e3`, `-0`): what they mean is for their own rules to say.
  if (AMOUNT_KEYS.has(key)) return source === String(value);
  if (!SHARE_KEYS.has(key)) return true;
  return source.length <= MAX_SHARE_TEXT && source.replace(/(?:\.0*|(\.\d*?)0+)$/, '$1') === String(value);
}

/**
 * Level by level instead of by recursion, so that depth costs no stack. Answers whether there is a number that must be read by
 * its source.
 */
function assertPlain(root: unknown): boolean {
  let level: (readonly [key: string, value: unknown])[] = [['', root]];
  let values = 0;
  let bySource = false;
  for (let depth = 1; level.length > 0; depth += 1) {
    const next: typeof level = [];
    for (const [key, value] of level) {
      if (typeof value === 'string') assertText(value);
      else if (typeof value === 'number') bySource ||= needsSource(key, value);
      if (typeof value !== 'object' || value === null) continue;
      if (depth > MAX_DEPTH) throw malformed(`The body is nested deeper than ${MAX_DEPTH} levels`);
      const members = Object.entries(value);
      values += members.length;
      if (values > MAX_VALUES) throw malformed(`The body has more than ${MAX_VALUES} values`);
      for (const member of members) {
        if (!Array.isArray(value)) assertKey(member[0]);
        next.push(Array.isArray(value) ? [key, member[1]] : member);
      }
    }
    level = next;
  }
  return bySource;
}

/** Only then `isFaithful` may say no. */
const needsSource = (key: string, value: number): boolean =>
  Math.abs(value) > Number.MAX_SAFE_INTEGER || AMOUNT_KEYS.has(key) || SHARE_KEYS.has(key);

function assertKey(key: string): void {
  assertText(key);
  if (key === '__proto__') throw invalid('is not a known field', '__proto__');
}

/** Postgres stores neither NUL nor half a character. */
function assertText(text: string): void {
  if (text.includes('\u0000') || !text.isWellFormed()) throw invalid('Text must be well-formed Unicode without NUL');
}

const invalid = (message: string, path = ''): RoomyError =>
  new RoomyError('VALIDATION_FAILED', { details: { issues: [{ path, message }] } });

/** Headers whose values a caller chooses and this system stores or logs, as it does path and query. */
const CHOSEN_HEADERS = ['idempotency-key', 'x-request-id', 'prefer'];

export function refuseCardDataAround(): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const chosen = [
      c.req.param(),
      c.req.queries(),
      Object.fromEntries(CHOSEN_HEADERS.map((name) => [name, c.req.header(name) ?? ''])),
    ];
    if (containsCardData(chosen)) throw new RoomyError('CARD_DATA_FORBIDDEN');
    await next();
  };
}
