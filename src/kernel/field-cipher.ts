import { createCipheriv, createDecipheriv } from 'node:crypto';
import { InvariantError } from './errors.ts';
import { newNonce } from './ids.ts';

/**
 * AES-256-GCM for single values. What is sealed for one context opens in no other, so a value that somebody copies to another
 * row or column does not open there.
 */

/** 256 bits, and the name that a sealed text has of it. */
export interface CipherKey {
  readonly id: string;
  readonly bytes: Buffer;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Nonce, ciphertext and tag in one: 28 bytes more than `plain`. */
export function sealBytes(key: Buffer, context: string, plain: Buffer): Buffer {
  const nonce = newNonce(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Throws `InvariantError` for what was changed, or sealed for another context or by another key. */
export function openBytes(key: Buffer, context: string, sealed: Buffer): Buffer {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES))
      .setAAD(Buffer.from(context))
      .setAuthTag(sealed.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw new InvariantError('a sealed value does not open: it was changed, or belongs elsewhere');
  }
}

/** Version, id of the key, and nonce, ciphertext and tag as base64url. */
const SEALED = /^enc1\.([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]{38,})$/;
/** The same for Postgres. */
export const SEALED_PATTERN = SEALED.source;

export const sealText = (key: CipherKey, context: string, text: string): string =>
  `enc1.${key.id}.${sealBytes(key.bytes, context, Buffer.from(text)).toString('base64url')}`;

/** The key that opens a text; null for one that stands in clear. */
export const keyIdOf = (text: string): string | null => (text.startsWith('enc1.') && SEALED.exec(text)?.[1]) || null;

/** Throws `InvariantError` like `openBytes`. */
export const openText = (key: CipherKey, context: string, sealed: string): string =>
  openBytes(key.bytes, context, Buffer.from(sealed.slice(sealed.lastIndexOf('.') + 1), 'base64url')).toString();
