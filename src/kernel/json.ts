import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { required } from './errors.ts';

export type JsonObject = { [key: string]: unknown };

/** Canonical JSON (RFC 8785): equal values give equal bytes, whatever the order of their keys. */
export const canonicalJson = (value: unknown): string => required(canonicalize(value), 'canonical JSON of a value');

export const sha256OfBytes = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** Of several texts, each with its length, so that no two lists give one digest. */
export const sha256 = (...parts: readonly string[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part}`);
  return hash.digest();
};
