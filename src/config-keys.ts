import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { isProduction } from './config-safety.ts';
import { isThisMachine } from './db/transport.ts';
import { ROLES } from './kernel/roles.ts';

/**
 * The part of the configuration that is about keys: what signs our tokens, whose tokens count besides, and what seals. Messages
 * say what a value must be, and never what it is.
 */

/** A secret that makes and checks MACs. */
export interface SigningKey {
  readonly kid: string;
  readonly secret: Uint8Array;
}
/** A key pair of ours. Its algorithm follows from the key, and no token can choose another. */
export interface KeyPair {
  readonly kid: string;
  readonly alg: 'EdDSA' | 'ES256';
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}
export interface JwtConfig {
  /** HS256: accepted, and sign only where there is no key pair. */
  readonly keys: readonly SigningKey[];
  /** The first signs, each verifies. */
  readonly signing?: readonly KeyPair[];
  readonly issuers?: readonly TrustedIssuer[];
  readonly issuer: string;
  readonly audience: string;
}

const KID = /^[A-Za-z0-9_-]{1,32}$/;
const WEAK_SECRETS = new Set(['changeme', 'secret', 'password']);
const SECRET_ENTRY = /^([A-Za-z0-9_-]{1,32}):(.{32,512})$/s;

/** `kid:secret[,kid:secret]`. */
export const secretKeys = z.string().transform((text, context): readonly SigningKey[] => {
  const keys: SigningKey[] = [];
  for (const entry of text.split(',')) {
    const match = SECRET_ENTRY.exec(entry.trim());
    const secret = match?.[2] ?? '';
    const weak = WEAK_SECRETS.has(secret.toLowerCase()) || new Set(secret).size < 8;
    if (!match || weak || keys.some((key) => key.kid === match[1])) {
      context.addIssue({
        code: 'custom',
        message: 'must be kid:secret[,kid:secret], each kid once, each secret 32 random characters or more',
      });
      return z.NEVER;
    }
    keys.push({ kid: match[1] ?? '', secret: new TextEncoder().encode(secret) });
  }
  return keys;
});

/** Keys by which something is sealed: `SEAL_KEYS` what leaves the programs, `FIELD_KEYS` what stands in the database. */
export const SEAL_VARIABLES = { SEAL_KEYS: secretKeys.optional(), FIELD_KEYS: secretKeys.optional() };
export interface FieldSettings {
  /** The first wraps the data keys of fields, each unwraps; none: fields stand in clear. */
  readonly fieldKeys: readonly SigningKey[];
}

/** A private key in PEM, whose line ends may be written `\n`, or what stands between the first and the last line of one. */
const KEY_ENTRY = /^([A-Za-z0-9_-]{1,32}):([\s\S]{40,4000})$/;
const Jwk = z.looseObject({ kid: z.string().regex(KID), kty: z.enum(['OKP', 'EC']), d: z.string().min(1) });
const JwkSet = z.looseObject({ keys: z.unknown() });

/** `kid:key[,kid:key]`, or the same as JWK in JSON. */
export const keyPairs = z.string().transform((text, context): readonly KeyPair[] => {
  const pairs = readPairs(text.trim());
  if (pairs !== null && new Set(pairs.map(({ kid }) => kid)).size === pairs.length) return pairs;
  context.addIssue({
    code: 'custom',
    message:
      'must be kid:key[,kid:key] or a JWK set, each kid once, each key a private Ed25519 or P-256 key (PKCS #8: PEM, or its base64 in one line)',
  });
  return z.NEVER;
});

function readPairs(text: string): readonly KeyPair[] | null {
  try {
    const pairs = /^[[{]/.test(text) ? pairsOfJwks(JSON.parse(text)) : text.split(',').map(pairOfEntry);
    return pairs.every((pair) => pair !== null) ? pairs : null;
  } catch {
    // What crypto says of a key that it cannot read may quote it.
    return null;
  }
}

function pairsOfJwks(value: unknown): readonly (KeyPair | null)[] {
  const set = JwkSet.safeParse(value);
  const listed = set.success && set.data.keys !== undefined ? set.data.keys : value;
  return z
    .array(Jwk)
    .min(1)
    .parse(Array.isArray(listed) ? listed : [listed])
    .map((jwk) => pairOf(jwk.kid, createPrivateKey({ key: jwk, format: 'jwk' })));
}

function pairOfEntry(entry: string): KeyPair | null {
  const [, kid = '', written = ''] = KEY_ENTRY.exec(entry.trim()) ?? [];
  const text = written.replaceAll('\\n', '\n').trim();
  if (text.startsWith('-----BEGIN')) return pairOf(kid, createPrivateKey(text));
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return null;
  return pairOf(kid, createPrivateKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'pkcs8' }));
}

function pairOf(kid: string, privateKey: KeyObject): KeyPair | null {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = privateKey;
  const alg = type === 'ed25519' ? 'EdDSA' : type === 'ec' && details?.namedCurve === 'prime256v1' ? 'ES256' : null;
  return alg && { kid, alg, privateKey, publicKey: createPublicKey(privateKey) };
}

/** No MAC is among them: a public key must never do as a secret (RFC 8725). */
const ALGORITHMS = [
  ...['EdDSA', 'ES256', 'ES384', 'ES512'],
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
] as const;
const claim = z.string().min(1).max(200);
const Issuer = z.strictObject({
  /** Ours for it: first part of the principals of its service clients. */
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/),
  issuer: z.string().min(1).max(500),
  audience: z.string().min(1).max(500),
  jwksUrl: z.url({ protocol: /^https?$/ }),
  algorithms: z.array(z.enum(ALGORITHMS)).min(1),
  maxLifetimeSeconds: z.int().min(60).max(86_400).default(3_600),
  /** What is not named here counts for nothing, so a provider gives no right that we did not give it. */
  claims: z
    .strictObject({
      subject: claim.default('sub'),
      role: z.strictObject({ claim, values: z.record(claim, z.enum(ROLES)) }).optional(),
      scopes: z.strictObject({ claim, values: z.record(claim, claim) }).optional(),
    })
    .refine(({ role, scopes }) => role !== undefined || scopes !== undefined),
  /** Values of `amr` or `acr` that mean two factors; with `auth_time` they are what step-up asks for. */
  secondFactors: z.array(claim).max(20).default(['mfa', 'hwk', 'otp']),
});
/** Somebody else whose tokens count, by the keys that it publishes. */
export type TrustedIssuer = z.infer<typeof Issuer>;

/** A JSON array. */
export const trustedIssuers = z.string().transform((text, context): readonly TrustedIssuer[] => {
  const parsed = z.array(Issuer).safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? '' : ` (wrong: ${issue.path.map(String).join('.')})`;
  context.addIssue({
    code: 'custom',
    message: `must be a JSON array of {name, issuer, audience, jwksUrl, algorithms, maxLifetimeSeconds?, claims}, see docs/deploy.md${where}`,
  });
  return z.NEVER;
});

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export interface KeySettings {
  readonly NODE_ENV: string;
  readonly JWT_KEYS?: readonly SigningKey[] | undefined;
  readonly JWT_SIGNING_KEYS?: readonly KeyPair[] | undefined;
  readonly JWT_ISSUERS: readonly TrustedIssuer[];
  readonly JWT_ISSUER: string;
  readonly JWT_AUDIENCE: string;
  readonly SEAL_KEYS?: readonly SigningKey[] | undefined;
}

/** What is wrong with settings that are well-formed each for itself, a line for each problem. */
export function keyProblems(env: KeySettings): string[] {
  return [...tokenProblems(env), ...sealProblems(env), ...issuerProblems(env)];
}

export function tokenProblems({
  JWT_KEYS = [],
  JWT_SIGNING_KEYS = [],
}: Pick<KeySettings, 'JWT_KEYS' | 'JWT_SIGNING_KEYS'>): string[] {
  const kids = [...JWT_KEYS, ...JWT_SIGNING_KEYS].map(({ kid }) => kid);
  if (kids.length === 0) return ['JWT_SIGNING_KEYS: is required, or JWT_KEYS as long as only those are in use'];
  return new Set(kids).size === kids.length ? [] : ['JWT_SIGNING_KEYS: has a kid that JWT_KEYS has too'];
}

function sealProblems({ NODE_ENV, SEAL_KEYS, JWT_KEYS }: KeySettings): string[] {
  if (SEAL_KEYS !== undefined || (JWT_KEYS !== undefined && !isProduction(NODE_ENV))) return [];
  return ['SEAL_KEYS: is required: a secret of its own for cursors, links and kept answers'];
}

function issuerProblems({ NODE_ENV, JWT_ISSUERS, JWT_ISSUER }: KeySettings): string[] {
  const mayBePlain = (url: URL): boolean => !isProduction(NODE_ENV) && isThisMachine(url.hostname);
  const repeated = (names: readonly string[]): boolean => new Set(names).size < names.length;
  return [
    ...JWT_ISSUERS.flatMap(({ name, jwksUrl }) => {
      const url = new URL(jwksUrl);
      return url.protocol === 'https:' || mayBePlain(url) ? [] : [`JWT_ISSUERS: the jwksUrl of ${name} must be https`];
    }),
    ...(repeated([JWT_ISSUER, ...JWT_ISSUERS.map(({ issuer }) => issuer)])
      ? ['JWT_ISSUERS: each issuer must stand there once, and none may be JWT_ISSUER']
      : []),
    ...(repeated(JWT_ISSUERS.map(({ name }) => name)) ? ['JWT_ISSUERS: each name must stand there once'] : []),
  ];
}

/** Of settings without problems. */
export const jwtOf = (env: Omit<KeySettings, 'NODE_ENV'>): JwtConfig => ({
  keys: env.JWT_KEYS ?? [],
  signing: env.JWT_SIGNING_KEYS ?? [],
  issuers: env.JWT_ISSUERS,
  issuer: env.JWT_ISSUER,
  audience: env.JWT_AUDIENCE,
});
