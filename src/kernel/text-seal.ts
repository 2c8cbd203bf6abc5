import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { InvariantError } from './errors.ts';
import { newNonce } from './ids.ts';

/** A key of the configuration, whatever else it is for. */
interface Key {
  readonly kid: string;
  readonly secret: Uint8Array;
}

/**
 * Secrets that the database must hold and whoever reads it must not: the secret of an authenticator app, the link of a mail
 * that is still to be sent. Under keys that are derived from the configuration; the first seals, each of them opens.
 */
export interface TextSeal {
  /** `context` is what the text belongs to: sealed for one account, it opens for no other. */
  seal(context: string, text: string): string;
  /** Null for what was changed, or sealed for something else, or by a key that is not there any more. */
  open(context: string, sealed: string): string | null;
  /** Sealed by the first key: one that is taken out of the configuration soon should seal nothing any more. */
  isCurrent(sealed: string): boolean;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export function createTextSeal(keys: readonly Key[]): TextSeal {
  const derived = new Map(
    keys.map(({ kid, secret }) => [
      kid,
      Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), 'roomy text seal', 32)),
    ]),
  );
  return {
    seal(context, text) {
      const [first] = derived;
      if (first === undefined) throw new InvariantError('no key is configured to seal with');
      const [kid, key] = first;
      const nonce = newNonce(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
      const bytes = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final()]);
      return `${kid}.${Buffer.concat([bytes, cipher.getAuthTag()]).toString('base64url')}`;
    },
    isCurrent: (sealed) => sealed.startsWith(`${keys[0]?.kid}.`),
    open(context, sealed) {
      const [kid = '', encoded = ''] = sealed.split('.', 2);
      const key = derived.get(kid);
      const bytes = Buffer.from(encoded, 'base64url');
      if (key === undefined || bytes.length < NONCE_BYTES + TAG_BYTES) return null;
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES))
          .setAAD(Buffer.from(context))
          .setAuthTag(bytes.subarray(-TAG_BYTES));
        const plain = [decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()];
        return Buffer.concat(plain).toString('utf8');
      } catch {
        // A tag that does not fit is the answer, not a failure.
        return null;
      }
    },
  };
}
