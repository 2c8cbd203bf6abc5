import type { JwtConfig } from '../config.ts';

/** The public halves of our key pairs, as a JWK set (RFC 7517): with them anybody can check our tokens, and nobody can make one. */
export const publicKeySet = (jwt: JwtConfig): { readonly keys: readonly object[] } => ({
  keys: (jwt.signing ?? []).map(({ kid, alg, publicKey }) => ({
    ...publicKey.export({ format: 'jwk' }),
    kid,
    alg,
    use: 'sig',
  })),
});
