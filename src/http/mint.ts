import { SignJWT } from 'jose';
import type { JwtConfig } from '../config.ts';
import type { Clock } from '../kernel/clock.ts';
import { InvariantError } from '../kernel/errors.ts';
import { newId } from '../kernel/ids.ts';
import { MAX_LIFETIME_SECONDS, type Role, SUBJECT_PATTERN } from './auth.ts';

export interface TokenRequest {
  readonly sub: string;
  /** A person's role, or a service client's scopes. */
  readonly grant: { readonly role: Role } | { readonly scope: string };
  readonly lifetimeSeconds: number;
}

/** Signs an access token with the first configured key, which is the one that new tokens get during a rotation. */
export async function mintToken(jwt: JwtConfig, clock: Clock, request: TokenRequest): Promise<string> {
  const [key] = jwt.keys;
  if (!key) throw new InvariantError('no signing key is configured');
  if (!SUBJECT_PATTERN.test(request.sub)) throw new RangeError('sub must be 1 to 128 letters, digits or _ . @ -');
  if (request.lifetimeSeconds < 1 || request.lifetimeSeconds > MAX_LIFETIME_SECONDS) {
    throw new RangeError('a token lives 1 second to 1 hour');
  }
  const issuedAt = Math.floor(clock.now().getTime() / 1000);
  return new SignJWT({ ...request.grant })
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: key.kid })
    .setIssuer(jwt.issuer)
    .setAudience(jwt.audience)
    .setSubject(request.sub)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + request.lifetimeSeconds)
    .setJti(newId('token'))
    .sign(key.secret);
}
