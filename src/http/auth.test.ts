import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { JwtConfig } from '../config.ts';
import type { ErrorCode } from '../kernel/errors.ts';
import { createTokenVerifier } from './auth.ts';
import { mintToken } from './mint.ts';

const NOW = Date.parse('2026-01-15T10:00:00Z');
const clock = { now: () => new Date(NOW) };
const SECRET = 'a-secret-of-more-than-thirty-two-characters';
const OLD_SECRET = 'another-secret-of-more-than-thirty-two-char';
const jwt: JwtConfig = {
  keys: [
    { kid: 'k2', secret: new TextEncoder().encode(SECRET) },
    { kid: 'k1', secret: new TextEncoder().encode(OLD_SECRET) },
  ],
  issuer: 'roomy',
  audience: 'roomy-api',
};
const verify = createTokenVerifier(jwt, clock);
const seconds = NOW / 1000;

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const GOOD = {
  iss: 'roomy',
  aud: 'roomy-api',
  sub: 'admin-1',
  role: 'ADMIN',
  iat: seconds,
  exp: seconds + 600,
  jti: 'j1',
};

/** A token that is rightly signed, however wrong it is. */
function forge(claims: object | string = {}, header: object = {}, secret = SECRET): string {
  const head = encode({ alg: 'HS256', kid: 'k2', ...header });
  const body = encode(typeof claims === 'string' ? claims : { ...GOOD, ...claims });
  const signature = createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url');
  return `${head}.${body}.${signature}`;
}
const refused = async (token: string): Promise<void> => {
  await expect(verify(`Bearer ${token}`)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' satisfies ErrorCode });
};
const without = (name: string): object => ({ [name]: undefined });

describe('a bearer token', () => {
  it('names the person and the role', async () => {
    expect(await verify(`Bearer ${forge()}`)).toEqual({ kind: 'person', principal: 'admin-1', role: 'ADMIN' });
  });

  it('is what mintToken makes', async () => {
    const token = await mintToken(jwt, clock, { sub: 'ops-1', grant: { role: 'OPS' }, lifetimeSeconds: 3600 });
    expect(await verify(`bearer ${token}`)).toEqual({ kind: 'person', principal: 'ops-1', role: 'OPS' });
  });

  it('of a service client has scopes, a name space of its own, and no role', async () => {
    const caller = await verify(`Bearer ${forge({ sub: 'admin-1', scope: 'sagas:read finance:read' })}`);
    expect(caller).toEqual({
      kind: 'service',
      principal: 'service:admin-1',
      scopes: new Set(['sagas:read', 'finance:read']),
    });
  });

  it('signed by a key that is being rotated out still counts, and no longer when it is gone', async () => {
    const old = forge({}, { kid: 'k1' }, OLD_SECRET);
    expect(await verify(`Bearer ${old}`)).toMatchObject({ principal: 'admin-1' });
    const [newest] = jwt.keys;
    const rotated = createTokenVerifier({ ...jwt, keys: newest ? [newest] : [] }, clock);
    await expect(rotated(`Bearer ${old}`)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('may name our audience among others', async () => {
    expect(await verify(`Bearer ${forge({ aud: ['other', 'roomy-api'] })}`)).toMatchObject({ role: 'ADMIN' });
  });

  it.each([
    ['exp 30 s ago', { exp: seconds - 30, iat: seconds - 600 }],
    ['iat 30 s ahead', { iat: seconds + 30 }],
    ['nbf 30 s ahead', { nbf: seconds + 30 }],
  ])('is within the tolerance: %s', async (_name, claims) => {
    expect(await verify(`Bearer ${forge(claims)}`)).toMatchObject({ role: 'ADMIN' });
  });

  it.each<[string, object | string]>([
    ['exp 61 s ago', { exp: seconds - 61, iat: seconds - 600 }],
    ['nbf 61 s ahead', { nbf: seconds + 61 }],
    ['iat 10 min ahead', { iat: seconds + 600, exp: seconds + 900 }],
    ['no exp', without('exp')],
    ['exp as text', { exp: '9999999999' }],
    ['exp null', { exp: null }],
    ['exp 0', { exp: 0 }],
    ['exp as array', { exp: [seconds + 600] }],
    ['exp in 2099', { exp: 4070908800 }],
    ['exp infinite', JSON.stringify(GOOD).replace(/"exp":\d+/, '"exp":1e309')],
    ['a life of more than an hour', { exp: seconds + 3601 }],
    ['no iat', without('iat')],
    ['no sub', without('sub')],
    ['sub with a colon, which would leave its name space', { sub: 'service:x' }],
    ['no jti', without('jti')],
    ['another audience', { aud: 'other' }],
    ['an empty audience', { aud: [] }],
    ['no audience', without('aud')],
    ['another issuer', { iss: 'other' }],
    ['an issuer with a slash', { iss: 'roomy/' }],
    ['a refresh token', { token_use: 'refresh' }],
    ['a payload that is no object', '[]'],
  ])('is refused for its claims: %s', async (_name, claims) => {
    await refused(forge(claims));
  });

  it.each<[string, object]>([
    ['alg none', { alg: 'none' }],
    ['alg None', { alg: 'None' }],
    ['alg RS256', { alg: 'RS256' }],
    ['alg HS512', { alg: 'HS512' }],
    ['an ID token', { typ: 'id+jwt' }],
    ['kid of a file', { kid: '../../dev/null' }],
    ['kid of SQL', { kid: "x' OR 1=1--" }],
    ['kid of the prototype', { kid: '__proto__' }],
    ['kid as array', { kid: ['k2'] }],
    ['no kid', without('kid')],
    ['jku', { jku: 'https://evil.example/keys' }],
    ['x5u', { x5u: 'https://evil.example/cert' }],
    ['jwk', { jwk: { kty: 'oct', k: 'AAAA' } }],
    ['x5c', { x5c: ['AAAA'] }],
    ['crit', { crit: ['exp'] }],
    ['b64', { b64: false }],
    ['zip', { zip: 'DEF' }],
  ])('is refused for its header: %s', async (_name, header) => {
    await refused(forge({}, header));
  });

  it('is refused when anything of it was changed', async () => {
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
    ]) {
      await refused(token);
    }
  });

  it('that was good once is refused when its time has come', async () => {
    let now = NOW;
    const patient = createTokenVerifier(jwt, { now: () => new Date(now) });
    const token = `Bearer ${forge()}`;
    expect(await patient(token)).toMatchObject({ role: 'ADMIN' });
    now = NOW + 659_000;
    expect(await patient(token)).toMatchObject({ role: 'ADMIN' });
    now = NOW + 660_000;
    await expect(patient(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', cause: 'jwt_expired' });
  });

  it('has one spelling only: spare bits of the signature are not ignored', async () => {
    const token = forge();
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(token.at(-1) ?? '');
    await refused(`${token.slice(0, -1)}${alphabet[last ^ 1]}`);
  });

  it('is refused unread when it is too long', async () => {
    await refused(`${forge()}${'A'.repeat(100_000)}`);
  });

  it('is refused when there are two, or none, or another scheme', async () => {
    const token = forge();
    for (const header of [undefined, '', 'Bearer', `Basic ${token}`, `Bearer ${token}, Bearer ${token}`, token]) {
      await expect(verify(header)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    }
  });

  it.each([['SUPERADMIN'], ['admin'], [['ADMIN']], [undefined]])('with the role %j has no role', async (role) => {
    expect(await verify(`Bearer ${forge({ role })}`)).toMatchObject({ kind: 'person', role: null });
  });

  it('that has expired says so to the log, not to the caller', async () => {
    await expect(verify(`Bearer ${forge({ exp: seconds - 61, iat: seconds - 600 })}`)).rejects.toMatchObject({
      message: 'A valid bearer token is required',
      cause: 'jwt_expired',
    });
  });

  it('is not minted for longer than an hour or for a strange subject', async () => {
    const grant = { role: 'ADMIN' } as const;
    await expect(mintToken(jwt, clock, { sub: 'a', grant, lifetimeSeconds: 3601 })).rejects.toThrow(RangeError);
    await expect(mintToken(jwt, clock, { sub: 'a b', grant, lifetimeSeconds: 60 })).rejects.toThrow(RangeError);
  });
});
