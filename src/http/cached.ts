import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { accepts } from 'hono/accepts';
import { sha256OfBytes } from '../kernel/json.ts';
import type { AnyContext } from './context.ts';

/** A text that never changes while the process runs: packed once, with a strong tag of the bytes that are sent. */
export interface CachedText {
  answer(c: AnyContext): Promise<Response>;
}

type Encoding = 'br' | 'gzip' | 'identity';
const ENCODINGS: readonly Encoding[] = ['br', 'gzip', 'identity'];
/** For five minutes nobody asks again; what is newer is seen after them at the latest. */
const FIVE_MINUTES = 'public, max-age=300';
/** Kept, and asked for before each use: for files that must be of one version. */
export const ASK_FIRST = 'no-cache';

const pack: Readonly<Record<Encoding, (bytes: Buffer) => Promise<Buffer>>> = {
  br: (bytes) => promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
  gzip: (bytes) => promisify(gzip)(bytes),
  identity: async (bytes) => bytes,
};

export function cachedText(
  contentType: string,
  make: () => string | Promise<string>,
  cacheControl = FIVE_MINUTES,
): CachedText {
  let text: Promise<Buffer> | undefined;
  const packed = new Map<Encoding, Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly tag: string }>>();
  const bytesIn = (encoding: Encoding) => {
    const known = packed.get(encoding);
    if (known) return known;
    text ??= Promise.resolve(make()).then((made) => Buffer.from(made));
    const made = text.then(pack[encoding]).then((bytes) => ({
      bytes: new Uint8Array(bytes),
      tag: `"${sha256OfBytes(bytes).toString('hex').slice(0, 32)}"`,
    }));
    packed.set(encoding, made);
    return made;
  };
  return {
    async answer(c) {
      const encoding = wantedBy(c);
      const { bytes, tag } = await bytesIn(encoding);
      c.header('ETag', tag);
      c.header('Vary', 'Accept-Encoding');
      c.header('Cache-Control', cacheControl);
      if (knows(c.req.header('if-none-match'), tag)) return c.body(null, 304);
      c.header('Content-Type', contentType);
      if (encoding !== 'identity') c.header('Content-Encoding', encoding);
      return c.body(bytes);
    },
  };
}

/** By the weights of RFC 9110 12.5.3; where they are equal, the smallest. */
function wantedBy(c: AnyContext): Encoding {
  const chosen = accepts(c, {
    header: 'Accept-Encoding',
    supports: [...ENCODINGS],
    default: 'identity',
    match: (asked, { default: otherwise }) => {
      const weightOf = (name: string): number =>
        (asked.find(({ type }) => type === name) ?? asked.find(({ type }) => type === '*'))?.q ?? 0;
      const packed = ENCODINGS.filter((name) => name !== 'identity' && weightOf(name) > 0);
      return packed.toSorted((a, b) => weightOf(b) - weightOf(a)).at(0) ?? otherwise;
    },
  });
  return ENCODINGS.find((encoding) => encoding === chosen) ?? 'identity';
}

/** `If-None-Match` compares weakly (RFC 9110 13.1.2). */
const knows = (header: string | undefined, tag: string): boolean =>
  (header ?? '').split(',').some((known) => ['*', tag].includes(known.trim().replace(/^W\//, '')));
