import { deflateRawSync, inflateRawSync } from 'node:zlib';

/**
 * Text as it is kept where it is written once and seldom read: deflated (RFC 1951) behind a byte that begins no text of ours, or
 * plain where that is no longer.
 */

const PACKED = 0;

/** The bytes that are kept of a text. */
export function packed(text: string): Buffer {
  const plain = Buffer.from(text);
  const deflated = deflateRawSync(plain);
  return deflated.length + 1 < plain.length ? Buffer.concat([Buffer.of(PACKED), deflated]) : plain;
}

/** The bytes of the text that was kept so; what was kept plain, as it is. */
export const unpacked = (kept: Buffer): Buffer => (kept[0] === PACKED ? inflateRawSync(kept.subarray(1)) : kept);
