import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
} from 'jose';
import { ConfigError, type TrustedIssuer } from '../config.ts';
import { boundedFetch } from '../kernel/bounded-fetch.ts';
import type { Clock } from '../kernel/clock.ts';
import { RoomyError } from '../kernel/errors.ts';
import type { Role } from '../kernel/roles.ts';
import { SCOPES } from './policy.ts';

/** Providers besides us whose tokens count (`JWT_ISSUERS`): the keys that they publish, and what their claims mean here. */

const TIMEOUT_MS = 3_000;
const MAX_SET_BYTES = 256 * 1024;
/** A key that a provider has withdrawn no longer counts after this. */
const SET_MAX_AGE_MS = 600_000;
/** However many tokens with made-up `kid`s come. */
const UNKNOWN_KID_EVERY_MS = 300_000;
/** A provider that is away is not waited for by each request. */
const RETRY_EVERY_MS = 10_000;

export interface Issuer extends TrustedIssuer {
  readonly keyOf: JWTVerifyGetKey;
}

/** By the exact `iss` of their tokens. Throws `ConfigError` for a scope that there is not. */
export function createIssuers(trusted: readonly TrustedIssuer[], clock: Clock): ReadonlyMap<string, Issuer> {
  for (const { name, claims } of trusted) {
    const unknown = Object.values(claims.scopes?.values ?? {}).filter((scope) => !SCOPES.includes(scope));
    if (unknown.length > 0)
      throw new ConfigError(`JWT_ISSUERS: ${name} maps to a scope that is none of ${SCOPES.join(', ')}`);
  }
  return new Map(trusted.map((one) => [one.issuer, { ...one, keyOf: keysOf(one, clock) }]));
}

/** The only address that is ever asked is the configured one, and a redirect is not followed. */
function keysOf({ jwksUrl }: TrustedIssuer, clock: Clock): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(new URL(jwksUrl), {
    timeoutDuration: TIMEOUT_MS,
    cooldownDuration: UNKNOWN_KID_EVERY_MS,
    cacheMaxAge: SET_MAX_AGE_MS,
    [customFetch]: boundedFetch(MAX_SET_BYTES),
  });
  let failedAtMs = Number.NEGATIVE_INFINITY;
  return async (header, token) => {
    const sinceFailureMs = clock.now().getTime() - failedAtMs;
    if (sinceFailureMs < (remote.fresh ? UNKNOWN_KID_EVERY_MS : RETRY_EVERY_MS)) {
      const known = remote.fresh ? remote.jwks() : undefined;
      if (known === undefined) throw away();
      return createLocalJWKSet(known)(header, token);
    }
    try {
      return await remote(header, token);
    } catch (error) {
      if (isAboutToken(error)) throw error;
      failedAtMs = clock.now().getTime();
      // What is known of the provider still counts; this key is not in it, and nothing more can be learnt now.
      throw remote.fresh ? new errors.JWKSNoMatchingKey() : away(error);
    }
  };
}

const away = (cause: unknown = 'issuer_away'): RoomyError => new RoomyError('SERVICE_UNAVAILABLE', { cause });

const isAboutToken = (error: unknown): boolean =>
  error instanceof errors.JWKSNoMatchingKey ||
  error instanceof errors.JWKSMultipleMatchingKeys ||
  error instanceof errors.JOSENotSupported;

/** What the claims of a token give: scopes when any of them is one of ours, else a role, or none. */
export function grantOf(
  { claims }: Pick<TrustedIssuer, 'claims'>,
  payload: JWTPayload,
): { readonly scopes: ReadonlySet<string> } | { readonly role: Role | null } {
  const scopes = mapped(payload, claims.scopes);
  if (scopes.length > 0) return { scopes: new Set(scopes) };
  const roles = new Set(mapped(payload, claims.role));
  // A person has one role: of two, nobody can say which is meant.
  const [role = null] = roles.size === 1 ? roles : [];
  return { role };
}

/**
 * When a second factor was given, by the word of the provider: `auth_time` counts only together with a way of signing in that
 * is configured as two factors. Null: it does not say, or says a time after that of the token.
 */
export function secondFactorAt(
  { secondFactors }: Pick<TrustedIssuer, 'secondFactors'>,
  payload: JWTPayload,
): Date | null {
  const [at, amr, acr] = ['auth_time', 'amr', 'acr'].map((name) => claimOf(payload, name));
  const ways: readonly unknown[] = [...(Array.isArray(amr) ? amr : []), acr];
  if (!ways.some((way) => typeof way === 'string' && secondFactors.includes(way))) return null;
  const isBefore = typeof at === 'number' && Number.isSafeInteger(at) && at > 0 && at <= (payload.iat ?? 0);
  return isBefore ? new Date(at * 1000) : null;
}

/** Our values of what a claim holds: a text of words, or an array. */
function mapped<Value extends string>(
  payload: JWTPayload,
  map: { readonly claim: string; readonly values: Readonly<Record<string, Value>> } | undefined,
): readonly Value[] {
  if (map === undefined) return [];
  const value = claimOf(payload, map.claim);
  const words = typeof value === 'string' ? [value, ...value.split(' ')] : Array.isArray(value) ? value : [];
  return words.flatMap((word: unknown) => {
    const known = typeof word === 'string' && Object.hasOwn(map.values, word) ? map.values[word] : undefined;
    return known === undefined ? [] : [known];
  });
}

export const claimOf = (payload: JWTPayload, name: string): unknown =>
  Object.hasOwn(payload, name) ? payload[name] : undefined;
