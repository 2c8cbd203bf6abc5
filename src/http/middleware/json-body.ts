import type { MiddlewareHandler } from 'hono';
import { RoomyError } from '../../kernel/errors.ts';
import type { AnyContext, AppEnv } from '../context.ts';

const MAX_BYTES = 64 * 1024;
const MAX_DEPTH = 20;
const JSON_TYPE = /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/**
 * Reads a JSON body within bounds, before anything parses it, and refuses what JSON permits but Postgres or a careless
 * reader would trip over. The route's schema comes after.
 */
export function jsonBody(options: { readonly required: boolean }): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const bytes = await readBounded(c);
    const type = c.req.header('content-type');
    if (bytes.length > 0 || type !== undefined) assertJsonType(type);
    if (bytes.length === 0 && options.required) throw malformed('The body is empty');
    const text = bytes.length === 0 ? '{}' : decode(bytes);
    assertPlain(parse(text));
    // The validators behind read the request again: give them what was checked.
    const { method, headers, signal } = c.req.raw;
    c.req.raw = new Request(c.req.url, { method, headers: asJson(headers), body: text, signal });
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

/** Counts what arrives, because a chunked body announces no length. */
async function readBounded(c: AnyContext): Promise<Buffer> {
  if (Number(c.req.header('content-length') ?? 0) > MAX_BYTES) throw new RoomyError('PAYLOAD_TOO_LARGE');
  const reader = c.req.raw.body?.getReader();
  if (!reader) return Buffer.alloc(0);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read().catch((cause: unknown) => {
      throw new RoomyError('MALFORMED_REQUEST', { text: 'The body did not arrive whole', cause });
    });
    if (done) return Buffer.concat(chunks);
    size += value.byteLength;
    if (size > MAX_BYTES) {
      void reader.cancel().catch(() => undefined);
      throw new RoomyError('PAYLOAD_TOO_LARGE');
    }
    chunks.push(value);
  }
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed('The body is not UTF-8');
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed('The body is not JSON');
  }
}

/** Level by level instead of by recursion, so that depth costs no stack. */
function assertPlain(root: unknown): void {
  let level: unknown[] = [root];
  for (let depth = 1; level.length > 0; depth += 1) {
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value === 'string') assertText(value);
      if (typeof value !== 'object' || value === null) continue;
      if (depth > MAX_DEPTH) throw malformed(`The body is nested deeper than ${MAX_DEPTH} levels`);
      for (const [key, member] of Object.entries(value)) {
        assertKey(key);
        next.push(member);
      }
    }
    level = next;
  }
}

function assertKey(key: string): void {
  assertText(key);
  if (key === '__proto__') throw invalid('Unrecognized key: "__proto__"');
}

/** Postgres stores neither NUL nor half a character. */
function assertText(text: string): void {
  if (text.includes('\u0000') || !text.isWellFormed()) throw invalid('Text must be well-formed Unicode without NUL');
}

const invalid = (message: string): RoomyError =>
  new RoomyError('VALIDATION_FAILED', { details: { issues: [{ path: '', message }] } });
