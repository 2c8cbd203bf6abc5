import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import type { SigningKey } from '../config.ts';
import { InvariantError } from '../kernel/errors.ts';
import { newNonce } from '../kernel/ids.ts';

/**
 * Answers that hold a secret (the secret of a webhook endpoint, the address of a calendar) are kept for a repeat with the
 * same Idempotency-Key, and not in clear: AES-256-GCM under a key that HKDF derives from the signing keys, as the cursors'
 * seal uses them. After a rotation an answer opens as long as its key is still configured; afterwards it is lost, and a
 * repeat is refused (`IDEMPOTENT_ANSWER_LOST`) instead of being carried out a second time.
 */
export interface AnswerSeal {
  /** `context` names whose answer it is; it must be the same when the answer is opened. */
  seal(context: string, plain: Uint8Array): { readonly sealedBy: string; readonly bytes: Buffer };
  /** Null when the key is not configured any more. Throws for bytes that were changed. */
  open(context: string, sealedBy: string, bytes: Buffer): Buffer | null;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

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
