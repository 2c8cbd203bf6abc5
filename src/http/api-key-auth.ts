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

  async function look(name: string, by: Parameters<typeof findApiKey>[1]): Promise<KnownApiKey | null> {
    const nowMs = clock.now().getTime();
    const known = believed.get(name);
    // A clock that was set back makes nothing last longer.
    if (known !== undefined && known.atMs <= nowMs && nowMs - known.atMs < BELIEVED_MS) return known.key;
    if (believed.size >= MAX_BELIEVED) believed.clear();
    const key = findApiKey(db, by);
    believed.set(name, { atMs: nowMs, key });
    try {
      const found = await key;
      // Guesses would fill the memory.
      if (found === null) believed.delete(name);
      return found;
    } catch (error) {
      believed.delete(name);
      throw error;
    }
  }

  function assertCounts({ isRevoked, expiresAt }: KnownApiKey): void {
    if (isRevoked) throw unauthenticated('api_key_revoked');
    if (expiresAt <= clock.now()) throw unauthenticated('api_key_expired');
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
      const key = await look(digest.toString('base64url'), { digest });
      if (key === null) throw unauthenticated('api_key_unknown');
      assertCounts(key);
      noteUse(key.id);
      return { kind: 'service', principal: `${SERVICE}${key.id}`, scopes: new Set(key.scopes) };
    },
    async assertInForce(caller) {
      if (caller.kind !== 'service') return;
      const id = caller.principal.slice(SERVICE.length);
      const key = await look(`id ${id}`, { id });
      // The service client of a token, which has an end of its own.
      if (key !== null) assertCounts(key);
    },
  };
}

const SERVICE = 'service:';
