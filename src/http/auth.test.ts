import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { encode, forge as forgeBy, jwtWith, pairOf, type Signer, signerOf } from '../../test/setup/forge.ts';
import type { JwtConfig } from '../config.ts';
import type { ErrorCode } from '../kernel/errors.ts';
import { createTokenVerifier } from './auth.ts';
import { mintToken } from './mint.ts';
import { publicKeySet } from './public-keys.ts';

const NOW = Date.parse('2026-01-15T10:00:00Z');
const clock = { now: () => new Date(NOW) };
const SECRET = 'a-secret-of-more-than-thirty-two-characters';
const OLD_SECRET = 'another-secret-of-more-than-thirty-two-char';
const edwards = pairOf('e1', 'EdDSA');
const curve = pairOf('p1', 'ES256');
const jwt: JwtConfig = jwtWith({
  keys: [
    { kid: 'k2', secret: new TextEncoder().encode(SECRET) },
    { kid: 'k1', secret: new TextEncoder().encode(OLD_SECRET) },
  ],
  signing: [edwards, curve],
});
const verify = createTokenVerifier(jwt, clock);
const seconds = NOW / 1000;
const SIGNERS: readonly Signer[] = [signerOf(edwards), signerOf(curve), { alg: 'HS256', kid: 'k2', key: SECRET }];

const GOOD = {
  iss: 'roomy',
  aud: 'roomy-api',
  sub: 'admin-1',
  role: 'ADMIN',
  iat: seconds,
  exp: seconds + 600,
  jti: 'j1',
};
const without = (name: string): object => ({ [name]: undefined });
const refusal = { code: 'UNAUTHENTICATED' satisfies ErrorCode };

describe.each(SIGNERS)('a bearer token by $alg', (signer) => {
  const forge = (claims: object | string = {}, header: object = {}): string =>
    forgeBy(signer, typeof claims === 'string' ? claims : { ...GOOD, ...claims }, header);
  const refused = async (token: string): Promise<void> => {
    await expect(verify(`Bearer ${token}`), token).rejects.toMatchObject(refusal);
  };

  it('names the person and the role', async () => {
    expect(await verify(`Bearer ${forge()}`)).toEqual({
      kind: 'person',
      principal: 'admin-1',
      role: 'ADMIN',
      tokenId: GOOD.jti,
      validUntil: new Date((GOOD.exp + 60) * 1000),
    });
  });

  it('names its session, if it was made in one', async () => {
    expect(await verify(`Bearer ${forge({ sid: 'session-1' })}`)).toMatchObject({
      session: { id: 'session-1', mfaAt: null },
    });
    await refused(forge({ sid: ['session-1'] }));
    await refused(forge({ sid: "x' OR 1=1" }));
  });

  it('J12: of a service client has scopes, a name space of its own, and no role', async () => {
    const caller = await verify(`Bearer ${forge({ sub: 'admin-1', role: 'ADMIN', scope: 'sagas:read finance:read' })}`);
    expect(caller).toEqual({
      kind: 'service',
      principal: 'service:admin-1',
      scopes: new Set(['sagas:read', 'finance:read']),
      tokenId: GOOD.jti,
      validUntil: expect.any(Date),
    });
    expect(await verify(`Bearer ${forge({ role: 'ADMIN', scope: '' })}`)).toMatchObject({ kind: 'service' });
  });

  it('J5: may name our audience among others', async () => {
    expect(await verify(`Bearer ${forge({ aud: ['other', 'roomy-api'] })}`)).toMatchObject({ role: 'ADMIN' });
  });

  it.each([
    ['exp 30 s ago', { exp: seconds - 30, iat: seconds - 600 }],
    ['iat 30 s ahead', { iat: seconds + 30 }],
    ['nbf 30 s ahead', { nbf: seconds + 30 }],
  ])('J3: is within the tolerance: %s', async (_name, claims) => {
    expect(await verify(`Bearer ${forge(claims)}`)).toMatchObject({ role: 'ADMIN' });
  });

  it.each<[string, object]>([
    ['exp 61 s ago', { exp: seconds - 61, iat: seconds - 600 }],
    ['nbf 61 s ahead', { nbf: seconds + 61 }],
    ['iat 10 min ahead', { iat: seconds + 600, exp: seconds + 900 }],
  ])('J3: is refused beyond the tolerance: %s', (_name, claims) => refused(forge(claims)));

  it.each<[string, object | string]>([
    ['no exp', without('exp')],
    ['exp as text', { exp: '9999999999' }],
    ['exp null', { exp: null }],
    ['exp 0', { exp: 0 }],
    ['exp as array', { exp: [seconds + 600] }],
    ['exp in 2099', { exp: 4070908800 }],
    ['exp infinite', JSON.stringify(GOOD).replace(/"exp":\d+/, '"exp":1e309')],
    ['a life of more than an hour', { exp: seconds + 3601 }],
    ['no iat', without('iat')],
  ])('J4: is refused without an end that is near: %s', (_name, claims) => refused(forge(claims)));

  it.each<[string, object]>([
    ['another audience', { aud: 'other' }],
    ['an empty audience', { aud: [] }],
    ['no audience', without('aud')],
    ['another issuer', { iss: 'other' }],
    ['an issuer with a slash', { iss: 'roomy/' }],
    ['two issuers', { iss: ['roomy'] }],
    ['no issuer', without('iss')],
  ])('J5: is refused for another place: %s', (_name, claims) => refused(forge(claims)));

  it.each<[string, object, object]>([
    ['a refresh token', { token_use: 'refresh' }, {}],
    ['an ID token by its use', { token_use: 'id' }, {}],
    ['an ID token by its claim', { typ: 'ID' }, {}],
    ['an ID token by its header', {}, { typ: 'id+jwt' }],
    ['a token for logging out', {}, { typ: 'logout+jwt' }],
  ])('J6: is refused for another use: %s', (_name, claims, header) => refused(forge(claims, header)));

  it.each<[string, object | string]>([
    ['no sub', without('sub')],
    ['sub with a colon, which would leave its name space', { sub: 'service:x' }],
    ['no jti', without('jti')],
    ['a payload that is no object', '[]'],
  ])('is refused for its claims: %s', (_name, claims) => refused(forge(claims)));

  it.each([['none'], ['None'], ['nOnE'], ['RS256'], ['HS512'], ['HS256 '], ['']])(
    'J1: is refused when it says alg %j',
    async (alg) => {
      await refused(forge({}, { alg }));
      await refused(forge({}, { alg }).replace(/\.[^.]+$/, '.'));
    },
  );

  it('J1: is refused with an empty signature', () => refused(forge().replace(/\.[^.]+$/, '.')));

  it.each<[string, object]>([
    ['a file', { kid: '../../dev/null' }],
    ['SQL', { kid: "x' OR 1=1--" }],
    ['the prototype', { kid: '__proto__' }],
    ['an array', { kid: [signer.kid] }],
    ['10 kB', { kid: 'k'.repeat(10_000) }],
    ['5 kB', { kid: 'k'.repeat(5_000) }],
    ['nothing', { kid: '' }],
    ['none at all', without('kid')],
  ])('J7: is refused for a kid that is none of ours: %s', (_name, header) => refused(forge({}, header)));

  it('J9: is refused when anything of it was changed', async () => {
    const [head = '', body = '', signature = ''] = forge().split('.');
    const admin = encode({ ...GOOD, sub: 'someone-else' });
    for (const token of [
      `${head}.${admin}.${signature}`,
      `${head}.${body}.`,
      `${head}.${body}`,
      `${head}.${body}.${signature}.${signature}`,
      `${head}.${body}.${signature}.a.b`,
      `${head}.${body}.${signature.slice(0, -2)}`,
      `${head}.${body}.${signature}=`,
      `${head}.${body}.${signature} `,
      `${head}.${body}.${signature.slice(0, -1)}${signature.endsWith('A') ? 'B' : 'A'}`,
      `${head}.${body}.${createHmac('sha256', 'x').update('y').digest('base64url')}`,
      `${head}.!!!.${signature}`,
      `${encode({ alg: 'none' })}.${body}.`,
      `${encode('{"alg":"none","alg":"HS256","kid":"k2"}')}.${body}.${signature}`,
    ]) {
      await refused(token);
    }
  });

  it('J9: has one spelling only: spare bits of the signature are not ignored', async () => {
    const token = forge();
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(token.at(-1) ?? '');
    await refused(`${token.slice(0, -1)}${alphabet[last ^ 1]}`);
  });

  it('J9: is refused when there are two, or none, or another scheme', async () => {
    const token = forge();
    for (const header of [undefined, '', 'Bearer', `Basic ${token}`, `Bearer ${token}, Bearer ${token}`, token]) {
      await expect(verify(header)).rejects.toMatchObject(refusal);
    }
  });

  it.each([['SUPERADMIN'], ['admin'], [['ADMIN']], [undefined], ['ADMIN OPS'], [{ ADMIN: true }]])(
    'J11: with the role %j has no role',
    async (role) => {
      expect(await verify(`Bearer ${forge({ role })}`)).toMatchObject({ kind: 'person', role: null });
    },
  );

  it.each([[['sagas:read']], [7], [null], [{ 'sagas:read': true }]])(
    'J11: with the scope %j has no scope',
    async (scope) => {
      expect(await verify(`Bearer ${forge({ scope })}`)).toMatchObject({ kind: 'service', scopes: new Set() });
    },
  );

  it('that was good once is refused when its time has come', async () => {
    let now = NOW;
    const patient = createTokenVerifier(jwt, { now: () => new Date(now) });
    const token = `Bearer ${forge()}`;
    expect(await patient(token)).toMatchObject({ role: 'ADMIN' });
    now = NOW + 659_000;
    expect(await patient(token)).toMatchObject({ role: 'ADMIN' });
    now = NOW + 660_000;
    await expect(patient(token)).rejects.toMatchObject({ ...refusal, cause: 'jwt_expired' });
  });

  it('J15: of 100 kB is refused unread, in less than 5 ms', async () => {
    const long = `Bearer ${forge()}${'A'.repeat(100_000)}`;
    const startedUs = process.cpuUsage();
    for (let n = 0; n < 20; n += 1) await expect(verify(long)).rejects.toMatchObject({ cause: 'jwt_too_long' });
    const { user, system } = process.cpuUsage(startedUs);
    expect((user + system) / 1_000 / 20).toBeLessThan(5);
  });

  it('J16: that has expired says so to the log, not to the caller', async () => {
    await expect(verify(`Bearer ${forge({ exp: seconds - 61, iat: seconds - 600 })}`)).rejects.toMatchObject({
      message: 'A valid bearer token is required',
      cause: 'jwt_expired',
    });
  });
});

describe('headers that name a key', () => {
  const connect = vi.spyOn(globalThis, 'fetch');
  afterEach(() => connect.mockClear());

  it.each<[string, (signer: Signer) => object]>([
    ['jku', () => ({ jku: 'https://evil.example/keys' })],
    ['x5u', () => ({ x5u: 'https://evil.example/cert' })],
    [
      'jwk',
      ({ key }) => ({ jwk: typeof key === 'string' ? { kty: 'oct', k: encode(key) } : key.export({ format: 'jwk' }) }),
    ],
    ['x5c', () => ({ x5c: ['AAAA'] })],
    ['crit', () => ({ crit: ['exp'] })],
    ['b64', () => ({ b64: false, crit: ['b64'] })],
    ['zip', () => ({ zip: 'DEF' })],
  ])('J8: %s is refused, and nobody is asked, though the signature is right', async (_name, headerOf) => {
    const stranger = signerOf(pairOf('e1', 'EdDSA'));
    for (const signer of [...SIGNERS, stranger]) {
      const token = forgeBy(signer, GOOD, headerOf(signer));
      await expect(verify(`Bearer ${token}`)).rejects.toMatchObject({ ...refusal, cause: 'jwt_header' });
    }
    expect(connect).not.toHaveBeenCalled();
  });
});

describe('the algorithm of a key', () => {
  it.each([edwards, curve])('J2: $alg: its public key is not the secret of a MAC', async ({ kid, publicKey }) => {
    const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
    const jwk = publicKey.export({ format: 'jwk' });
    const der = publicKey.export({ format: 'der', type: 'spki' }).toString('latin1');
    for (const secret of [pem, pem.trim(), JSON.stringify(jwk), String(jwk['x']), der]) {
      const token = forgeBy({ alg: 'HS256', kid, key: secret }, GOOD);
      await expect(verify(`Bearer ${token}`)).rejects.toMatchObject(refusal);
    }
  });

  it('J2: is one: a token by one key does not pass under the kid of another', async () => {
    for (const signer of SIGNERS) {
      for (const other of SIGNERS.filter(({ kid }) => kid !== signer.kid)) {
        for (const alg of [signer.alg, other.alg]) {
          const token = forgeBy({ ...signer, alg, kid: other.kid }, GOOD);
          await expect(verify(`Bearer ${token}`), `${alg} ${other.kid}`).rejects.toMatchObject(refusal);
        }
      }
    }
  });
});

describe('a rotation', () => {
  it('J14: a key counts until it is taken out, and no longer', async () => {
    const newer = pairOf('e2', 'EdDSA');
    const old = forgeBy(signerOf(edwards), GOOD);
    const both = jwtWith({ signing: [newer, edwards] });
    const during = createTokenVerifier(both, clock);
    expect(await during(`Bearer ${old}`)).toMatchObject({ principal: 'admin-1' });
    const minted = await mintToken(both, clock, { sub: 'ops-1', grant: { role: 'OPS' }, lifetimeSeconds: 60 });
    expect(await during(`Bearer ${minted}`)).toMatchObject({ principal: 'ops-1' });
    const later = createTokenVerifier(jwtWith({ signing: [newer] }), clock);
    expect(await later(`Bearer ${minted}`)).toMatchObject({ principal: 'ops-1' });
    await expect(later(`Bearer ${old}`)).rejects.toMatchObject(refusal);
  });

  it('J14: from secrets to key pairs leaves tokens of both valid, and new ones are by the key pair', async () => {
    const old = forgeBy({ alg: 'HS256', kid: 'k1', key: OLD_SECRET }, GOOD);
    expect(await verify(`Bearer ${old}`)).toMatchObject({ principal: 'admin-1' });
    const minted = await mintToken(jwt, clock, { sub: 'ops-1', grant: { role: 'OPS' }, lifetimeSeconds: 60 });
    expect(JSON.parse(Buffer.from(minted.split('.')[0] ?? '', 'base64url').toString())).toMatchObject({
      alg: 'EdDSA',
      kid: 'e1',
    });
    const later = createTokenVerifier({ ...jwt, keys: [] }, clock);
    await expect(later(`Bearer ${old}`)).rejects.toMatchObject(refusal);
    expect(await later(`Bearer ${minted}`)).toMatchObject({ principal: 'ops-1' });
  });
});

describe('the published keys', () => {
  it('check our tokens, and make none', async () => {
    const { keys } = publicKeySet(jwt);
    expect(keys).toMatchObject([
      { kid: 'e1', alg: 'EdDSA', use: 'sig', kty: 'OKP', crv: 'Ed25519' },
      { kid: 'p1', alg: 'ES256', use: 'sig', kty: 'EC', crv: 'P-256' },
    ]);
    const text = JSON.stringify(keys);
    expect(text).not.toMatch(/"d":|"k":/);
    for (const { privateKey } of [edwards, curve])
      expect(text).not.toContain(String(privateKey.export({ format: 'jwk' })['d']));
    expect(publicKeySet(jwtWith({}))).toEqual({ keys: [] });
  });
});

describe('mintToken', () => {
  it('makes what is verified, by whichever key comes first', async () => {
    for (const keys of [jwt, { ...jwt, signing: [curve] }, { ...jwt, signing: [] }]) {
      const token = await mintToken(keys, clock, { sub: 'ops-1', grant: { role: 'OPS' }, lifetimeSeconds: 3600 });
      expect(await verify(`bearer ${token}`)).toMatchObject({ kind: 'person', principal: 'ops-1', role: 'OPS' });
    }
    const sid = 'session-1';
    const ofSession = await mintToken(jwt, clock, { sub: 'a', grant: { role: 'OPS' }, lifetimeSeconds: 900, sid });
    expect(await verify(`Bearer ${ofSession}`)).toMatchObject({ session: { id: sid } });
  });

  it('makes none for longer than an hour, for a strange subject, or without a key', async () => {
    const grant = { role: 'ADMIN' } as const;
    await expect(mintToken(jwt, clock, { sub: 'a', grant, lifetimeSeconds: 3601 })).rejects.toThrow(RangeError);
    await expect(mintToken(jwt, clock, { sub: 'a b', grant, lifetimeSeconds: 60 })).rejects.toThrow(RangeError);
    await expect(mintToken(jwtWith({}), clock, { sub: 'a', grant, lifetimeSeconds: 60 })).rejects.toThrow();
  });
});
