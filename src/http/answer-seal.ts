import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import type { SigningKey } from '../config.ts';
import type { AnswerSeal } from '../domain/idempotency/store.ts';
import { InvariantError } from '../kernel/errors.ts';
import { newNonce } from '../kernel/ids.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Answers that hold a secret (the secret of a webhook endpoint, the address of a calendar) are kept for a repeat with the
 * same Idempotency-Key, and not in clear: under keys that are derived from those of seals. The first key seals, each of
 * them opens.
 */
export function createAnswerSeal(keys: readonly SigningKey[]): AnswerSeal {
  const derived = new Map(
    keys.map(({ kid, secret }) => [
      kid,
      Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), 'roomy idempotent answer', 32)),
    ]),
  );
  return {
    seal(context, plain) {
      const [first] = derived;
      if (first === undefined) throw new InvariantError('no signing key is configured');
      const [sealedBy, key] = first;
      const nonce = newNonce(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
      const bytes = Buffer.concat([nonce, cipher.update(plain), cipher.final()]);
      return { sealedBy, bytes: Buffer.concat([bytes, cipher.getAuthTag()]) };
    },
    open(context, sealedBy, bytes) {
      const key = derived.get(sealedBy);
      if (key === undefined) return null;
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES))
        .setAAD(Buffer.from(context))
        .setAuthTag(bytes.subarray(-TAG_BYTES));
      return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
    },
  };
}
