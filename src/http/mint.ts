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
  /** The session that it is got for, and ends with. */
  readonly sid?: string;
}

/**
 * Signs an access token with the first configured key pair, which is the one that new tokens get during a rotation; where
 * there is none yet, with the first secret.
 */
export async function mintToken(jwt: JwtConfig, clock: Clock, request: TokenRequest): Promise<string> {
  const [signer] = [
    ...(jwt.signing ?? []).map(({ kid, alg, privateKey }) => ({ kid, alg, key: privateKey })),
    ...jwt.keys.map(({ kid, secret }) => ({ kid, alg: 'HS256', key: secret })),
  ];
  if (!signer) throw new InvariantError('no signing key is configured');
  if (!SUBJECT_PATTERN.test(request.sub)) throw new RangeError('sub must be 1 to 128 letters, digits or _ . @ -');
  if (request.lifetimeSeconds < 1 || request.lifetimeSeconds > MAX_LIFETIME_SECONDS) {
    throw new RangeError('a token lives 1 second to 1 hour');
  }
  const issuedAt = Math.floor(clock.now().getTime() / 1000);
  return new SignJWT({ ...request.grant, ...(request.sid === undefined ? {} : { sid: request.sid }) })
    .setProtectedHeader({ alg: signer.alg, typ: 'at+jwt', kid: signer.kid })
    .setIssuer(jwt.issuer)
    .setAudience(jwt.audience)
    .setSubject(request.sub)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + request.lifetimeSeconds)
    .setJti(newId('token'))
    .sign(signer.key);
}
