import type { Db } from '../db/client.ts';
import {
  API_KEY_PREFIX,
  apiKeyDigest,
  findApiKey,
  type KnownApiKey,
  noteApiKeyUse,
} from '../domain/people/api-keys.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/log.ts';
import { logFailure } from '../kernel/outages.ts';
import { type ApiKeyVerifier, unauthenticated } from './auth.ts';

/** So long a process believes what it has read: a key that was revoked is out everywhere within it. */
const BELIEVED_MS = 30_000;
const USE_NOTED_EVERY_MS = 60_000;
const MAX_BELIEVED = 1_000;

interface Believed {
  readonly atMs: number;
  /** Requests that come at once wait for one statement. */
  readonly key: Promise<KnownApiKey | null>;
}

interface Deps {
  readonly db: Db;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Keys of machines, `Authorization: Bearer rk_...`: a service client with the scopes of its key. */
export function createApiKeyVerifier({ db, clock, log }: Deps): ApiKeyVerifier {
  const believed = new Map<string, Believed>();
  const notedAtMs = new Map<string, number>();

  async function look(keyDigest: string): Promise<KnownApiKey | null> {
    const nowMs = clock.now().getTime();
    const known = believed.get(keyDigest);
    // A clock that was set back makes nothing last longer.
    if (known !== undefined && known.atMs <= nowMs && nowMs - known.atMs < BELIEVED_MS) return known.key;
    if (believed.size >= MAX_BELIEVED) believed.clear();
    const key = findApiKey(db, Buffer.from(keyDigest, 'base64url'));
    believed.set(keyDigest, { atMs: nowMs, key });
    try {
      const found = await key;
      // Guesses would fill the memory.
      if (found === null) believed.delete(keyDigest);
      return found;
    } catch (error) {
      believed.delete(keyDigest);
      throw error;
    }
  }

  /** By its digest, so that a key which another has replaced is unknown. */
  async function counting(keyDigest: string): Promise<KnownApiKey> {
    const key = await look(keyDigest);
    if (key === null) throw unauthenticated('api_key_unknown');
    if (key.isRevoked) throw unauthenticated('api_key_revoked');
    if (key.expiresAt <= clock.now()) throw unauthenticated('api_key_expired');
    return key;
  }

  /** Nobody waits for it, and a request is answered without it. */
  function noteUse(id: string): void {
    const nowMs = clock.now().getTime();
    if (nowMs - (notedAtMs.get(id) ?? Number.NEGATIVE_INFINITY) < USE_NOTED_EVERY_MS) return;
    if (notedAtMs.size >= MAX_BELIEVED) notedAtMs.clear();
    notedAtMs.set(id, nowMs);
    noteApiKeyUse(db, id).catch((error: unknown) =>
      logFailure(log, error, 'the use of an API key was not noted', { id }),
    );
  }

  return {
    isOne: (token) => token.startsWith(API_KEY_PREFIX),
    async verify(token) {
      const digest = apiKeyDigest(token);
      if (digest === null) throw unauthenticated('api_key_malformed');
      const keyDigest = digest.toString('base64url');
      const key = await counting(keyDigest);
      noteUse(key.id);
      return { kind: 'service', principal: `service:${key.id}`, scopes: new Set(key.scopes), keyDigest };
    },
    async assertInForce(caller) {
      // The service client of a token has an end of its own.
      if (caller.kind === 'service' && caller.keyDigest !== undefined) await counting(caller.keyDigest);
    },
  };
}
