import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { JwtConfig, KeyPair } from '../../src/config.ts';

/** Tokens made by hand: rightly signed, however wrong they are otherwise. */

export const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** What signs: the secret of a MAC, or a private key. */
export interface Signer {
  readonly alg: string;
  readonly kid: string;
  readonly key: KeyObject | string;
}

function signatureOf(signed: string, key: KeyObject | string): string {
  if (typeof key === 'string') return createHmac('sha256', key).update(signed).digest('base64url');
  const data = Buffer.from(signed);
  if (key.asymmetricKeyType === 'ed25519') return sign(null, data, key).toString('base64url');
  return sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
}

/** Claims of `undefined` are left out. */
export function forge(signer: Signer, claims: object | string, header: object = {}): string {
  const head = encode({ alg: signer.alg, kid: signer.kid, ...header });
  const body = encode(claims);
  return `${head}.${body}.${signatureOf(`${head}.${body}`, signer.key)}`;
}

export function pairOf(kid: string, alg: KeyPair['alg']): KeyPair {
  const { privateKey, publicKey } =
    alg === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { kid, alg, privateKey, publicKey };
}

export const signerOf = ({ kid, alg, privateKey }: KeyPair): Signer => ({ kid, alg, key: privateKey });

/** A key in one line, as it stands in the environment. */
export const inOneLine = (key: KeyObject): string => key.export({ format: 'der', type: 'pkcs8' }).toString('base64');

export const jwtWith = (more: Partial<JwtConfig>): JwtConfig => ({
  keys: [],
  issuer: 'roomy',
  audience: 'roomy-api',
  ...more,
});
