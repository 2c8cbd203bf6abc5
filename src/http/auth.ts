import type { KeyObject } from 'node:crypto';
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
  type ProtectedHeaderParameters,
} from 'jose';
import type { JwtConfig } from '../config.ts';
import type { Clock } from '../kernel/clock.ts';
import { RoomyError } from '../kernel/errors.ts';
import { ID_PATTERN } from '../kernel/ids.ts';
import { ROLES, type Role } from '../kernel/roles.ts';
import type { Caller } from './caller.ts';
import { claimOf, createIssuers, grantOf, type Issuer, secondFactorAt } from './issuers.ts';

export { type Caller, ROLES, type Role };

export const MAX_TOKEN_BYTES = 8 * 1024;
export const MAX_LIFETIME_SECONDS = 3600;
const TOLERANCE_SECONDS = 60;
export const SUBJECT_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.@-]{0,127}$/;
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
/** Header members that would let a token say how it is to be checked (RFC 8725). */
const HEADERS = new Set(['alg', 'typ', 'kid']);
const TYPES = new Set([undefined, 'JWT', 'at+jwt']);
const MAX_KID_CHARS = 256;
const TOKEN_ID_CHARS = 128;

/** A token whose signature was good once: it cannot change, so only its times are checked again. */
interface Remembered {
  readonly caller: Caller;
  readonly exp: number;
  readonly nbf: number;
}
const MAX_REMEMBERED = 1_000;
/** Of others, who may withdraw a key at any time; ours are changed by a restart. */
const REMEMBERED_OF_OTHERS_SECONDS = 60;

/** Says why in the log, never to the caller. */
export const unauthenticated = (reason: string): RoomyError => new RoomyError('UNAUTHENTICATED', { cause: reason });

/** Checks a bearer token. Throws `UNAUTHENTICATED`, whose cause is a short reason. */
export type TokenVerifier = (authorization: string | undefined) => Promise<Caller>;

/** Checks an API key (`api-key-auth.ts`). */
export interface ApiKeyVerifier {
  /** Whether it is meant to be one. */
  isOne(token: string): boolean;
  verify(token: string): Promise<Caller>;
  /** For what outlives a request. Throws `UNAUTHENTICATED` when the key by which this caller came does not count any more. */
  assertInForce(caller: Caller): Promise<void>;
}

interface Verified {
  readonly payload: JWTPayload;
  readonly caller: Caller;
  /** In seconds of the epoch; the tolerance comes on top. */
  readonly rememberedUntil: number;
}

/** `apiKeys`: absent where none counts, as at the operators' port. Throws `ConfigError` for issuers that cannot be meant. */
export function createTokenVerifier(
  jwt: JwtConfig,
  clock: Clock,
  apiKeys?: Pick<ApiKeyVerifier, 'isOne' | 'verify'>,
): TokenVerifier {
  const verifyOwn = createOwnVerifier(jwt);
  const issuers = createIssuers(jwt.issuers ?? [], clock);
  const remembered = new Map<string, Remembered>();

  return async (authorization) => {
    const token = bearerToken(authorization);
    if (apiKeys?.isOne(token)) return apiKeys.verify(token);
    assertCompact(token);
    const known = remembered.get(token);
    const now = Math.floor(clock.now().getTime() / 1000);
    if (known && known.exp > now - TOLERANCE_SECONDS && known.nbf <= now + TOLERANCE_SECONDS) return known.caller;
    try {
      const { header, issuer } = unverified(token);
      const other = issuers.get(issuer);
      const { payload, caller, rememberedUntil } = await (other === undefined
        ? verifyOwn(token, header, clock.now())
        : verifyOfOther(other, token, clock.now()));
      if (remembered.size >= MAX_REMEMBERED) remembered.clear();
      remembered.set(token, { caller, exp: rememberedUntil, nbf: payload.nbf ?? 0 });
      return caller;
    } catch (error) {
      if (error instanceof RoomyError) throw error;
      throw unauthenticated(reasonOf(error));
    }
  };
}

function bearerToken(authorization: string | undefined): string {
  if (authorization === undefined) throw unauthenticated('no_token');
  const [scheme = '', token = '', ...rest] = authorization.split(' ', 3);
  if (scheme.toLowerCase() !== 'bearer' || rest.length > 0) throw unauthenticated('no_token');
  if (token.length > MAX_TOKEN_BYTES) throw unauthenticated('jwt_too_long');
  return token;
}

function assertCompact(token: string): void {
  if (!COMPACT.test(token)) throw unauthenticated('jwt_malformed');
  // Spare bits of the last character would let one signature be written in several ways.
  const signature = token.slice(token.lastIndexOf('.') + 1);
  if (Buffer.from(signature, 'base64url').toString('base64url') !== signature) throw unauthenticated('jwt_malformed');
}

/** What decides by which key the token is checked; nothing of it is believed before. */
function unverified(token: string): { readonly header: ProtectedHeaderParameters; readonly issuer: string } {
  const header = decodeProtectedHeader(token);
  const strange = Object.keys(header).some((name) => !HEADERS.has(name));
  const { kid } = header;
  const isNamed = typeof kid === 'string' && kid !== '' && kid.length <= MAX_KID_CHARS;
  if (strange || !isNamed || !TYPES.has(header.typ)) throw unauthenticated('jwt_header');
  const { iss } = decodeJwt(token);
  return { header, issuer: typeof iss === 'string' ? iss : '' };
}

type VerifyOwn = (token: string, header: ProtectedHeaderParameters, now: Date) => Promise<Verified>;

function createOwnVerifier(jwt: JwtConfig): VerifyOwn {
  // Each key has one algorithm: a public key is never taken for the secret of a MAC (security.md J2).
  const keys = new Map<string, { readonly alg: string; readonly key: Uint8Array | KeyObject }>([
    ...jwt.keys.map(({ kid, secret }) => [kid, { alg: 'HS256', key: secret }] as const),
    ...(jwt.signing ?? []).map(({ kid, alg, publicKey }) => [kid, { alg, key: publicKey }] as const),
  ]);
  return async (token, header, now) => {
    const known = keys.get(header.kid ?? '');
    if (known === undefined) throw unauthenticated('jwt_header');
    const { payload } = await jwtVerify(token, known.key, {
      ...rulesOf(jwt, [known.alg], now),
      requiredClaims: ['iss', 'aud', 'sub', 'exp', 'iat', 'jti'],
    });
    assertTimes(payload, MAX_LIFETIME_SECONDS, now);
    return { payload, caller: ending(callerFrom(payload), payload), rememberedUntil: payload.exp ?? 0 };
  };
}

async function verifyOfOther(issuer: Issuer, token: string, now: Date): Promise<Verified> {
  const { payload } = await jwtVerify(token, issuer.keyOf, {
    ...rulesOf(issuer, issuer.algorithms, now),
    requiredClaims: ['iss', 'aud', 'exp', 'iat'],
  });
  assertTimes(payload, issuer.maxLifetimeSeconds, now);
  const seconds = Math.floor(now.getTime() / 1000);
  const rememberedUntil = Math.min(payload.exp ?? 0, seconds + REMEMBERED_OF_OTHERS_SECONDS - TOLERANCE_SECONDS);
  return { payload, caller: ending(callerOfOther(issuer, payload), payload), rememberedUntil };
}

const ending = (caller: Caller, { exp = 0 }: JWTPayload): Caller => ({
  ...caller,
  validUntil: new Date((exp + TOLERANCE_SECONDS) * 1000),
});

const rulesOf = (
  { issuer, audience }: Pick<JwtConfig, 'issuer' | 'audience'>,
  algorithms: readonly string[],
  now: Date,
): JWTVerifyOptions => ({
  algorithms: [...algorithms],
  issuer,
  audience,
  clockTolerance: TOLERANCE_SECONDS,
  currentDate: now,
});

function assertTimes(payload: JWTPayload, maxLifetimeSeconds: number, now: Date): void {
  const { exp, iat } = payload;
  if (!Number.isFinite(exp) || !Number.isFinite(iat) || exp === undefined || iat === undefined) {
    throw unauthenticated('jwt_times');
  }
  if (exp - iat > maxLifetimeSeconds) throw unauthenticated('jwt_lifetime');
  if (iat > Math.floor(now.getTime() / 1000) + TOLERANCE_SECONDS) throw unauthenticated('jwt_not_yet');
  // Providers say in one of these that a token is for signing in, or for getting another.
  if (payload.token_use !== undefined && payload.token_use !== 'access') throw unauthenticated('jwt_type');
  if (payload.typ !== undefined && payload.typ !== 'Bearer') throw unauthenticated('jwt_type');
}

function callerFrom(payload: JWTPayload): Caller {
  const { jti, scope, sid } = payload;
  const subject = subjectOf(payload.sub);
  if (typeof jti !== 'string' || jti.length < 1 || jti.length > TOKEN_ID_CHARS) throw unauthenticated('jwt_jti');
  // A scope makes it a service client, whatever role it may claim besides.
  if (scope !== undefined) {
    const scopes = typeof scope === 'string' ? scope.split(' ').filter((name) => name !== '') : [];
    return { kind: 'service', principal: `service:${subject}`, scopes: new Set(scopes), tokenId: jti };
  }
  const role = ROLES.find((known) => known === payload.role) ?? null;
  if (sid === undefined) return { kind: 'person', principal: subject, role, tokenId: jti };
  if (typeof sid !== 'string' || !ID_PATTERN.test(sid)) throw unauthenticated('jwt_sid');
  return { kind: 'person', principal: subject, role, session: { id: sid, mfaAt: null } };
}

/** Service clients of others have the issuer's name before theirs, so that none can be one of ours. */
function callerOfOther(issuer: Issuer, payload: JWTPayload): Caller {
  const subject = subjectOf(claimOf(payload, issuer.claims.subject));
  const grant = grantOf(issuer, payload);
  const named = typeof payload.jti === 'string' ? { tokenId: payload.jti.slice(0, TOKEN_ID_CHARS) } : {};
  if ('role' in grant) {
    const provider = { mfaAt: secondFactorAt(issuer, payload) };
    return { kind: 'person', principal: subject, role: grant.role, provider, ...named };
  }
  return { kind: 'service', principal: `service:${issuer.name}:${subject}`, scopes: grant.scopes, ...named };
}

function subjectOf(value: unknown): string {
  if (typeof value !== 'string' || !SUBJECT_PATTERN.test(value)) throw unauthenticated('jwt_sub');
  return value;
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'jwt_expired';
  if (error instanceof errors.JWTClaimValidationFailed) return `jwt_claim_${error.claim}`.slice(0, 40);
  return 'jwt_invalid';
}
