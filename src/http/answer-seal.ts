import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto';
import type { SigningKey } from '../config.ts';
import type { AnswerSeal } from '../domain/idempotency/store.ts';
import { InvariantError } from '../kernel/errors.ts';
import { newNonce } from '../kernel/ids.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Answers that hold a secret (the secret of a webhook endpoint, the address of a calendar) are kept for a repeat with the
 * same Idempotency-Key, and not in clear: under keys that are derived from those of seals. The first key seals, each of
 * them opens. What one of them has sealed and cannot open was tampered with, which throws.
 */
export function createAnswerSeal(keys: readonly SigningKey[]): AnswerSeal {
  const derived = keys.map(({ kid, secret }) => {
    const key = Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), 'roomy idempotent answer', 32));
    // Another key may have had the same name.
    return { kid, key, name: `${kid}/${createHash('sha256').update(key).digest('hex').slice(0, 12)}` };
  });
  return {
    seal(context, plain) {
      const [first] = derived;
      if (first === undefined) throw new InvariantError('no signing key is configured');
      const nonce = newNonce(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', first.key, nonce).setAAD(Buffer.from(context));
      const bytes = Buffer.concat([nonce, cipher.update(plain), cipher.final()]);
      return { sealedBy: first.name, bytes: Buffer.concat([bytes, cipher.getAuthTag()]) };
    },
    open(context, sealedBy, bytes) {
      const exact = derived.find(({ name }) => name === sealedBy);
      if (exact) return opened(exact.key, context, bytes);
      // An earlier version has kept the key's name alone.
      const namesake = derived.find(({ kid }) => kid === sealedBy);
      try {
        return namesake ? opened(namesake.key, context, bytes) : null;
      } catch {
        return null;
      }
    },
  };
}

function opened(key: Buffer, context: string, bytes: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES))
    .setAAD(Buffer.from(context))
    .setAuthTag(bytes.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
}
