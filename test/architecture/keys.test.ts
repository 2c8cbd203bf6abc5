import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readConfig, readJwtConfig } from '../../src/config.ts';
import { readFieldKeys } from '../../src/config-fields.ts';
import { inOneLine, pairOf } from '../setup/forge.ts';

/** The part of the configuration that is about keys: what does not do is refused at the start, by name and never with a value. */

const SECRET = '0123456789abcdef0123456789abcdef';
const edwards = pairOf('e1', 'EdDSA').privateKey;
const curve = pairOf('p1', 'ES256').privateKey;
type Settings = Readonly<Record<string, string>>;
const BASE: Settings = {
  NODE_ENV: 'test',
  DATABASE_URL: 'postgres://localhost/roomy',
  REDIS_URL: 'redis://localhost',
  PAYMENT_GATEWAYS: 'sandbox',
};
const read = (settings: Settings) => readConfig({ ...BASE, SEAL_KEYS: `s1:${SECRET}`, ...settings });
const problemsOf = (settings: Settings): string[] => {
  try {
    readConfig({ ...BASE, ...settings });
    return [];
  } catch (error) {
    const lines = error instanceof Error ? error.message.split('\n').slice(1) : ['?'];
    return lines.map((line) => line.trim());
  }
};
const WEAK = [
  'k1:changeme',
  'k1:secret',
  'k1:short',
  `k1:${SECRET.slice(1)}`,
  `k1:${'a'.repeat(40)}`,
  'nokid',
  `:${SECRET}`,
  `k1:${SECRET},k1:${SECRET}X`,
];

describe('keys of MACs', () => {
  it.each(['JWT_KEYS', 'SEAL_KEYS', 'FIELD_KEYS'])('J13, K2: %s that are weak or ambiguous are refused', (name) => {
    for (const weak of WEAK) {
      const problems = problemsOf({ JWT_KEYS: `k1:${SECRET}`, SEAL_KEYS: `s1:${SECRET}`, [name]: weak });
      expect(problems).toEqual([expect.stringMatching(`^${name}: must be kid:secret`)]);
      if (!weak.endsWith(':secret')) expect(problems.join()).not.toContain(weak.replace(/^[^:]*:/, ''));
    }
  });

  it('J13: there must be some', () => {
    expect(problemsOf({ SEAL_KEYS: `s1:${SECRET}` })).toEqual([
      'JWT_SIGNING_KEYS: is required, or JWT_KEYS as long as only those are in use',
    ]);
    expect(() => readJwtConfig({})).toThrow(/JWT_SIGNING_KEYS: is required/);
    expect(() => readJwtConfig({ JWT_KEYS: 'k1:changeme' })).toThrow(/^JWT_KEYS: must be/);
  });
});

describe('key pairs', () => {
  const pem = (key = edwards): string => key.export({ format: 'pem', type: 'pkcs8' }).toString();
  const jwk = (kid: string, key = edwards): object => ({ ...key.export({ format: 'jwk' }), kid });

  it.each<[string, string]>([
    ['in one line', `e1:${inOneLine(edwards)},p1:${inOneLine(curve)}`],
    ['in PEM', `e1:${pem()},p1:${pem(curve)}`],
    ['in PEM with escaped line ends', `e1:${pem()},p1:${pem(curve)}`.replaceAll('\n', '\\n')],
    ['as a JWK set', JSON.stringify({ keys: [jwk('e1'), jwk('p1', curve)] })],
    ['as an array of JWKs', JSON.stringify([jwk('e1'), jwk('p1', curve)])],
  ])('are read %s', (_name, text) => {
    const { signing = [] } = read({ JWT_SIGNING_KEYS: text }).jwt;
    expect(signing.map(({ kid, alg }) => `${kid} ${alg}`)).toEqual(['e1 EdDSA', 'p1 ES256']);
    expect(signing[0]?.privateKey.equals(edwards)).toBe(true);
  });

  it('may be one JWK, and stand beside secrets that still count', () => {
    const { jwt } = read({ JWT_SIGNING_KEYS: JSON.stringify(jwk('e1')), JWT_KEYS: `k1:${SECRET}` });
    expect([jwt.signing?.length, jwt.keys.length]).toEqual([1, 1]);
  });

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const large = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
  const x = generateKeyPairSync('x25519').privateKey;
  it.each<[string, string]>([
    ['of RSA', `r1:${inOneLine(rsa.privateKey)}`],
    ['of another curve', `p1:${inOneLine(large)}`],
    ['that cannot sign', `x1:${inOneLine(x)}`],
    ['that are public', `e1:${pairOf('e1', 'EdDSA').publicKey.export({ format: 'pem', type: 'spki' }).toString()}`],
    ['without a kid', inOneLine(edwards)],
    ['twice under one kid', `e1:${inOneLine(edwards)},e1:${inOneLine(curve)}`],
    ['that are cut short', `e1:${inOneLine(edwards).slice(0, -8)}`],
    ['that are a secret', `e1:${SECRET}${SECRET}`],
    ['in JSON without d', JSON.stringify({ kty: 'OKP', crv: 'Ed25519', x: 'AAAA', kid: 'e1' })],
    ['in JSON that is a MAC’s', JSON.stringify({ kty: 'oct', k: 'AAAA', d: 'AAAA', kid: 'e1' })],
    ['in broken JSON', '{"kty":'],
    ['in JSON without any', '{"keys":[]}'],
  ])('J13, K2: are refused %s, and their text is told to nobody', (_name, text) => {
    const problems = problemsOf({ SEAL_KEYS: `s1:${SECRET}`, JWT_SIGNING_KEYS: text });
    expect(problems).toEqual([expect.stringMatching(/^JWT_SIGNING_KEYS: must be kid:key/)]);
    expect(problems.join()).not.toContain(text.replace(/^\w+:/, '').slice(0, 40));
  });

  it('J2: share no kid with a secret', () => {
    const settings = { JWT_SIGNING_KEYS: `k1:${inOneLine(edwards)}`, JWT_KEYS: `k1:${SECRET}` };
    expect(problemsOf(settings)).toEqual(['JWT_SIGNING_KEYS: has a kid that JWT_KEYS has too']);
  });
});

describe('SEAL_KEYS', () => {
  const tokens = { JWT_KEYS: `k1:${SECRET}` };

  it('are required in production, and apart from the keys of tokens', () => {
    for (const NODE_ENV of ['production', 'staging', '']) {
      expect(problemsOf({ ...tokens, NODE_ENV })).toEqual([expect.stringMatching(/^SEAL_KEYS: is required/)]);
      expect(problemsOf({ ...tokens, NODE_ENV, SEAL_KEYS: `s1:${SECRET}` })).toEqual([]);
    }
  });

  it('may be left out in development, where the secrets of tokens do, if there are any', () => {
    const config = readConfig({ ...BASE, ...tokens });
    expect([config.sealKeys, config.sealsWithTokenKeys]).toEqual([config.jwt.keys, true]);
    const named = read(tokens);
    expect([named.sealKeys.map(({ kid }) => kid), named.sealsWithTokenKeys]).toEqual([['s1'], false]);
    expect(problemsOf({ JWT_SIGNING_KEYS: `e1:${inOneLine(edwards)}` })).toEqual([
      expect.stringMatching(/^SEAL_KEYS: is required/),
    ]);
  });
});

describe('FIELD_KEYS', () => {
  it('may be left out, and are the same for the programs that need nothing else', () => {
    const field = `f1:${SECRET}`;
    expect(read({ JWT_KEYS: `k1:${SECRET}` }).fieldKeys).toEqual([]);
    const { fieldKeys } = read({ JWT_KEYS: `k1:${SECRET}`, FIELD_KEYS: field });
    expect(fieldKeys.map(({ kid }) => kid)).toEqual(['f1']);
    expect(readFieldKeys({ FIELD_KEYS: field })).toEqual(fieldKeys);
    expect([readFieldKeys({}), readFieldKeys({ FIELD_KEYS: '' })]).toEqual([[], []]);
    for (const weak of WEAK)
      expect(() => readFieldKeys({ FIELD_KEYS: weak })).toThrow(/^FIELD_KEYS: must be kid:secret/);
  });
});

describe('AUDIT_SEAL_KEYS', () => {
  const keys = { JWT_KEYS: `k1:${SECRET}`, SEAL_KEYS: `s1:${SECRET}` };
  const pair = `a1:${inOneLine(edwards)}`;

  it('seal below the data directory, or where AUDIT_SEALS_DIR says', () => {
    expect(read(keys).auditSeals).toBeNull();
    expect(read({ ...keys, ROOMY_DATA_DIR: '/data', AUDIT_SEAL_KEYS: pair }).auditSeals).toMatchObject({
      keys: [{ kid: 'a1' }],
      directory: '/data/audit-seals',
    });
    expect(read({ ...keys, AUDIT_SEALS_DIR: '/worm', AUDIT_SEAL_KEYS: pair }).auditSeals?.directory).toBe('/worm');
  });

  it('are Ed25519 keys, and there where a directory is', () => {
    const refused = problemsOf({ ...keys, AUDIT_SEAL_KEYS: `a1:${inOneLine(curve)}` });
    expect(refused).toEqual(['AUDIT_SEAL_KEYS: must be Ed25519 keys']);
    expect(problemsOf({ ...keys, AUDIT_SEALS_DIR: '/worm' })).toEqual([
      'AUDIT_SEAL_KEYS: is required with AUDIT_SEALS_DIR',
    ]);
  });
});

describe('JWT_ISSUERS', () => {
  const issuer = {
    name: 'okta',
    issuer: 'https://login.example/',
    audience: 'roomy',
    jwksUrl: 'https://login.example/keys',
    algorithms: ['RS256'],
    claims: { role: { claim: 'groups', values: { admins: 'ADMIN' } } },
  };
  const keys = { JWT_KEYS: `k1:${SECRET}`, SEAL_KEYS: `s1:${SECRET}` };
  const refusedWith = (change: object, settings: Settings = {}, more: readonly object[] = []): string[] =>
    problemsOf({ ...keys, ...settings, JWT_ISSUERS: JSON.stringify([{ ...issuer, ...change }, ...more]) });

  it('are read with their defaults', () => {
    expect(read({ ...keys, JWT_ISSUERS: JSON.stringify([issuer]) }).jwt.issuers).toEqual([
      {
        ...issuer,
        maxLifetimeSeconds: 3_600,
        claims: { ...issuer.claims, subject: 'sub' },
        secondFactors: ['mfa', 'hwk', 'otp'],
      },
    ]);
    expect(read(keys).jwt.issuers).toEqual([]);
  });

  it.each<[string, object]>([
    ['a MAC', { algorithms: ['RS256', 'HS256'] }],
    ['no algorithm', { algorithms: [] }],
    ['none', { algorithms: ['none'] }],
    ['a role that there is not', { claims: { role: { claim: 'groups', values: { admins: 'SUPERADMIN' } } } }],
    ['no right at all', { claims: { subject: 'sub' } }],
    ['tokens of more than a day', { maxLifetimeSeconds: 86_401 }],
    ['no audience', { audience: '' }],
    ['a file', { jwksUrl: 'file:///etc/passwd' }],
    ['a field that we do not know', { jku: 'https://login.example/keys' }],
  ])('J2: are refused with %s', (_name, change) => {
    expect(refusedWith(change)).toEqual([expect.stringMatching(/^JWT_ISSUERS: must be a JSON array/)]);
  });

  it('are asked by https alone, but for a machine of one’s own in development', () => {
    const jwksUrl = 'http://login.example/keys';
    expect(refusedWith({ jwksUrl })).toEqual(['JWT_ISSUERS: the jwksUrl of okta must be https']);
    for (const loopback of ['http://127.0.0.1:9/keys', 'http://localhost:9/keys', 'http://[::1]:9/keys']) {
      expect(refusedWith({ jwksUrl: loopback })).toEqual([]);
      const production = refusedWith({ jwksUrl: loopback }, { NODE_ENV: 'production' });
      expect(production).toEqual(['JWT_ISSUERS: the jwksUrl of okta must be https']);
    }
  });

  it('J5: are each somebody else, and nobody twice', () => {
    const once = ['JWT_ISSUERS: each issuer must stand there once, and none may be JWT_ISSUER'];
    expect(refusedWith({ issuer: 'roomy' })).toEqual(once);
    expect(refusedWith({}, {}, [{ ...issuer, name: 'other' }])).toEqual(once);
    expect(refusedWith({}, {}, [{ ...issuer, issuer: 'https://other.example' }])).toEqual([
      'JWT_ISSUERS: each name must stand there once',
    ]);
  });
});
