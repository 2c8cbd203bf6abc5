import { errors, type JWTHeaderParameters, type JWTPayload, jwtVerify } from 'jose';
import type { JwtConfig } from '../config.ts';
import type { Clock } from '../kernel/clock.ts';
import { RoomyError } from '../kernel/errors.ts';

export const ROLES = ['ADMIN', 'AGENT', 'FINANCE', 'OPS', 'OWNER', 'CLEANER', 'MAINTENANCE_STAFF', 'GUEST'] as const;
export type Role = (typeof ROLES)[number];

/** Who calls. A service client has scopes and no role, and a name space of its own. */
export type Caller =
  | { readonly kind: 'person'; readonly principal: string; readonly role: Role | null }
  | { readonly kind: 'service'; readonly principal: string; readonly scopes: ReadonlySet<string> };

export const MAX_TOKEN_BYTES = 8 * 1024;
export const MAX_LIFETIME_SECONDS = 3600;
const TOLERANCE_SECONDS = 60;
export const SUBJECT_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.@-]{0,127}$/;
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
/** Header members that would let a token say how it is to be checked (RFC 8725). */
const HEADERS = new Set(['alg', 'typ', 'kid']);
const TYPES = new Set([undefined, 'JWT', 'at+jwt']);

/** A token whose signature was good once: it cannot change, so only its times are checked again. */
interface Remembered {
  readonly caller: Caller;
  readonly exp: number;
  readonly nbf: number;
}
const MAX_REMEMBERED = 1_000;

/** Says why in the log, never to the caller. */
export const unauthenticated = (reason: string): RoomyError => new RoomyError('UNAUTHENTICATED', { cause: reason });

/** Checks a bearer token. Throws `UNAUTHENTICATED`, whose cause is a short reason. */
export type TokenVerifier = (authorization: string | undefined) => Promise<Caller>;

export function createTokenVerifier(jwt: JwtConfig, clock: Clock): TokenVerifier {
  const keys = new Map(jwt.keys.map((key) => [key.kid, key.secret]));

  const keyOf = (header: JWTHeaderParameters): Uint8Array => {
    const strange = Object.keys(header).some((name) => !HEADERS.has(name));
    const key = typeof header.kid === 'string' ? keys.get(header.kid) : undefined;
    if (strange || !TYPES.has(header.typ) || key === undefined) throw unauthenticated('jwt_header');
    return key;
  };

  const remembered = new Map<string, Remembered>();

  return async (authorization) => {
    const token = bearerToken(authorization);
    const known = remembered.get(token);
    const now = Math.floor(clock.now().getTime() / 1000);
    if (known && known.exp > now - TOLERANCE_SECONDS && known.nbf <= now + TOLERANCE_SECONDS) return known.caller;
    try {
      const { payload } = await jwtVerify(token, keyOf, {
        algorithms: ['HS256'],
        issuer: jwt.issuer,
        audience: jwt.audience,
        clockTolerance: TOLERANCE_SECONDS,
        requiredClaims: ['iss', 'aud', 'sub', 'exp', 'iat', 'jti'],
        currentDate: clock.now(),
      });
      const caller = callerFrom(payload, now);
      if (remembered.size >= MAX_REMEMBERED) remembered.clear();
      remembered.set(token, { caller, exp: payload.exp ?? 0, nbf: payload.nbf ?? 0 });
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
  if (!COMPACT.test(token)) throw unauthenticated('jwt_malformed');
  // Spare bits of the last character would let one signature be written in several ways.
  const signature = token.slice(token.lastIndexOf('.') + 1);
  if (Buffer.from(signature, 'base64url').toString('base64url') !== signature) throw unauthenticated('jwt_malformed');
  return token;
}

function callerFrom(payload: JWTPayload, nowSeconds: number): Caller {
  const { sub, exp, iat, jti, scope } = payload;
  if (typeof sub !== 'string' || !SUBJECT_PATTERN.test(sub)) throw unauthenticated('jwt_sub');
  if (typeof jti !== 'string' || jti.length < 1 || jti.length > 128) throw unauthenticated('jwt_jti');
  if (!Number.isFinite(exp) || !Number.isFinite(iat) || exp === undefined || iat === undefined) {
    throw unauthenticated('jwt_times');
  }
  if (exp - iat > MAX_LIFETIME_SECONDS) throw unauthenticated('jwt_lifetime');
  if (iat > nowSeconds + TOLERANCE_SECONDS) throw unauthenticated('jwt_not_yet');
  if (payload.token_use !== undefined && payload.token_use !== 'access') throw unauthenticated('jwt_type');
  // A scope makes it a service client, whatever role it may claim besides.
  if (scope !== undefined) {
    const scopes = typeof scope === 'string' ? scope.split(' ').filter((name) => name !== '') : [];
    return { kind: 'service', principal: `service:${sub}`, scopes: new Set(scopes) };
  }
  const role = ROLES.find((known) => known === payload.role) ?? null;
  return { kind: 'person', principal: sub, role };
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'jwt_expired';
  if (error instanceof errors.JWTClaimValidationFailed) return `jwt_claim_${error.claim}`.slice(0, 40);
  return 'jwt_invalid';
}
