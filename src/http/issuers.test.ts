import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { encode, forge as forgeBy, jwtWith, pairOf, type Signer, signerOf } from '../../test/setup/forge.ts';
import type { TrustedIssuer } from '../config.ts';
import { systemClock } from '../kernel/clock.ts';
import { createTokenVerifier, type TokenVerifier } from './auth.ts';

/** A provider of tokens that is not us: a server of its own, which publishes what a test has set and counts who asks. */

const NOW = Date.parse('2026-01-15T10:00:00Z');
const MINUTE = 60_000;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const curve = pairOf('theirs-2', 'ES256');
const ours = pairOf('ours-1', 'EdDSA');
const jwkOf = (key: KeyObject, kid: string, alg: string) => ({
  ...key.export({ format: 'jwk' }),
  kid,
  alg,
  use: 'sig',
});
const RSA = jwkOf(rsa.publicKey, 'theirs-1', 'RS256');

let keys: unknown[] = [];
let answer: ((response: http.ServerResponse) => void) | null = null;
const asked: string[] = [];
const server = http.createServer((request, response) => {
  asked.push(request.url ?? '');
  if (answer) return answer(response);
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ keys }));
});
let issuer: TrustedIssuer;
let verify: TokenVerifier;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  issuer = {
    name: 'okta',
    issuer: 'https://login.example/',
    audience: 'roomy',
    jwksUrl: `http://127.0.0.1:${port}/keys`,
    algorithms: ['RS256', 'ES256'],
    maxLifetimeSeconds: 1_800,
    claims: {
      subject: 'roomy_id',
      role: { claim: 'groups', values: { 'roomy-admins': 'ADMIN', 'roomy-agents': 'AGENT' } },
      scopes: { claim: 'scp', values: { 'stays.read': 'reservations:read', 'stays.write': 'reservations:write' } },
    },
    secondFactors: ['mfa', 'urn:example:strong'],
  };
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: NOW });
  keys = [RSA, jwkOf(curve.publicKey, 'theirs-2', 'ES256')];
  answer = null;
  asked.length = 0;
  verify = createTokenVerifier(jwtWith({ signing: [ours], issuers: [issuer] }), systemClock);
});
afterEach(() => {
  vi.useRealTimers();
});

function endless(response: http.ServerResponse): void {
  const more = (): void => {
    while (!response.destroyed && response.write('x'.repeat(65_536)));
  };
  response.on('drain', more);
  more();
}

const good = (): object => {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: 'https://login.example/',
    aud: 'roomy',
    roomy_id: 'agent-1',
    groups: ['roomy-agents'],
    iat: now,
    exp: now + 600,
  };
};
/** By their RSA key. */
function forge(claims: object = {}, header: object = {}): string {
  const head = encode({ alg: 'RS256', kid: 'theirs-1', ...header });
  const body = encode({ ...good(), ...claims });
  return `${head}.${body}.${sign('sha256', Buffer.from(`${head}.${body}`), rsa.privateKey).toString('base64url')}`;
}
const of = (token: string) => verify(`Bearer ${token}`);
const refused = (token: string) => expect(of(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
const away = (token: string) => expect(of(token)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
const own = (): string => {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: 'roomy', aud: 'roomy-api', sub: 'admin-1', role: 'ADMIN', iat: now, exp: now + 600, jti: 'j' };
  return forgeBy(signerOf(ours), claims);
};

describe('a token of a trusted issuer', () => {
  it('names a person by the claims that we have named', async () => {
    const validUntil = expect.any(Date);
    const provider = { mfaAt: null };
    expect(await of(forge())).toEqual({ kind: 'person', principal: 'agent-1', role: 'AGENT', provider, validUntil });
    expect(await of(forgeBy(signerOf(curve), { ...good(), groups: 'roomy-admins' }))).toMatchObject({ role: 'ADMIN' });
    expect(asked).toEqual(['/keys']);
  });

  it('S3: has a second factor of the time that it says, if it says one of the ways that we have named', async () => {
    const now = Math.floor(NOW / 1000);
    const given = async (claims: object) => {
      const caller = await of(forge(claims));
      return caller.kind === 'person' ? (caller.provider?.mfaAt?.getTime() ?? null) : undefined;
    };
    const at = now - 300;
    expect(await given({ auth_time: at, amr: ['pwd', 'mfa'] })).toBe(at * 1000);
    expect(await given({ auth_time: at, acr: 'urn:example:strong' })).toBe(at * 1000);
    for (const claims of [
      { amr: ['mfa'] },
      { auth_time: at },
      { auth_time: at, amr: ['pwd', 'otp'] },
      { auth_time: at, amr: 'mfa' },
      { auth_time: at, amr: [['mfa']], acr: ['mfa'] },
      { auth_time: String(at), amr: ['mfa'] },
      { auth_time: now + 1, amr: ['mfa'] },
      { auth_time: -1, amr: ['mfa'] },
      { auth_time: null, amr: ['mfa'] },
    ]) {
      expect(await given(claims), JSON.stringify(claims)).toBeNull();
    }
  });

  it('J12: names a service client in a name space of its own, by the scopes that we have named', async () => {
    const scp = 'openid stays.read payments:write';
    expect(await of(forge({ roomy_id: 'channel', scp }))).toEqual({
      kind: 'service',
      principal: 'service:okta:channel',
      scopes: new Set(['reservations:read']),
      validUntil: expect.any(Date),
    });
    expect(await of(forge({ scp: ['stays.read', 'stays.write'] }))).toMatchObject({ kind: 'service' });
  });

  it.each([
    [[]],
    [undefined],
    ['ADMIN'],
    [['roomy-admins', 'roomy-agents']],
    [['constructor', '__proto__']],
    [{ 'roomy-admins': true }],
    [[['roomy-admins']]],
  ])('J11: with the groups %j has no role', async (groups) => {
    expect(await of(forge({ groups }))).toMatchObject({ kind: 'person', role: null });
  });

  it('J11: has no right by our own claims', async () => {
    const ours = { sub: 'admin-1', role: 'ADMIN', scope: 'reservations:read', sid: 'session-1' };
    const validUntil = expect.any(Date);
    const nobody = { kind: 'person', principal: 'agent-1', role: null, provider: { mfaAt: null }, validUntil };
    expect(await of(forge({ ...ours, groups: [] }))).toEqual(nobody);
    await refused(forge({ sub: 'admin-1', roomy_id: undefined }));
  });

  it.each<[string, () => object]>([
    ['another audience', () => ({ aud: 'other' })],
    ['our own audience', () => ({ aud: 'roomy-api' })],
    ['the issuer without its slash', () => ({ iss: 'https://login.example' })],
    ['our own issuer', () => ({ iss: 'roomy' })],
  ])('J5: is refused for %s', (_name, claims) => refused(forge(claims())));

  it('J4: lives as long as we allow it, and no longer', async () => {
    const now = NOW / 1000;
    expect(await of(forge({ exp: now + 1_800 }))).toMatchObject({ role: 'AGENT' });
    for (const times of [
      { exp: now + 1_801 },
      { exp: undefined },
      { iat: undefined },
      { exp: now - 61, iat: now - 99 },
    ])
      await refused(forge(times));
  });

  it.each([{ token_use: 'id' }, { typ: 'ID' }, { typ: 'Refresh' }])('J6: is refused for its use: %j', (claims) =>
    refused(forge(claims)),
  );

  it('J2: by an algorithm that is not pinned is refused, before anybody is asked for a key', async () => {
    const pem = rsa.publicKey.export({ format: 'pem', type: 'spki' }).toString();
    for (const key of [pem, pem.trim()]) await refused(forgeBy({ alg: 'HS256', kid: 'theirs-1', key }, good()));
    await refused(forge({}, { alg: 'PS256' }));
    await refused(forge({}, { alg: 'none' }));
    expect(asked).toEqual([]);
  });

  it('J2: is not one of ours: neither key signs for the other', async () => {
    await refused(forgeBy(signerOf(ours), good()));
    const theirs: Signer = { ...signerOf(curve), kid: 'ours-1' };
    await refused(forgeBy(theirs, { ...good(), iss: 'roomy', aud: 'roomy-api', sub: 'admin-1', jti: 'j' }));
  });

  it('J8: is refused for a header that names a key, and only the configured address is ever asked', async () => {
    const headers = [
      { jku: issuer.jwksUrl.replace('/keys', '/evil') },
      { x5u: issuer.jwksUrl.replace('/keys', '/evil') },
      { jwk: RSA },
      { x5c: ['AAAA'] },
      { crit: ['exp'] },
      { b64: false, crit: ['b64'] },
      { zip: 'DEF' },
    ];
    for (const header of headers) await refused(forge({}, header));
    for (const claims of [{ iss: issuer.jwksUrl }, { iss: 'https://evil.example/' }]) await refused(forge(claims));
    expect(asked).toEqual([]);
    expect(await of(forge())).toMatchObject({ role: 'AGENT' });
    expect(asked).toEqual(['/keys']);
  });
});

describe('the keys of a trusted issuer', () => {
  it('J7: are read again for an unknown kid once in five minutes, however many come', async () => {
    await of(forge());
    const flood = (from: number) =>
      Promise.all(Array.from({ length: 40 }, (_, n) => refused(forge({}, { kid: `made-up-${from + n}` }))));
    await flood(0);
    expect(asked).toHaveLength(1);
    vi.setSystemTime(NOW + 5 * MINUTE + 1);
    await flood(100);
    await flood(200);
    expect(asked).toHaveLength(2);
    for (const kid of ['../../dev/null', "x' OR 1=1--", '__proto__', ['theirs-1'], '', undefined])
      await refused(forge({}, { kid }));
    expect(asked).toHaveLength(2);
  });

  it('J14: are taken over when they are new, and forgotten when they are withdrawn', async () => {
    await of(forge());
    const next = pairOf('theirs-3', 'ES256');
    keys = [jwkOf(next.publicKey, 'theirs-3', 'ES256')];
    vi.setSystemTime(NOW + 5 * MINUTE + 1);
    expect(await of(forgeBy(signerOf(next), good()))).toMatchObject({ role: 'AGENT' });
    await refused(forge());
  });

  it('J14: that were withdrawn no longer count after eleven minutes, also for a token that was good before', async () => {
    const token = forge({ exp: NOW / 1000 + 1_800 });
    await of(token);
    keys = [];
    vi.setSystemTime(NOW + 11 * MINUTE);
    await refused(token);
  });

  it('are not needed by tokens of ours, and cost others nothing when the issuer hangs', async () => {
    const held: http.ServerResponse[] = [];
    answer = (response) => void held.push(response);
    const startedMs = performance.now();
    const waiting = Promise.all([away(forge()), away(forge({ roomy_id: 'agent-2' }))]);
    expect(await of(own())).toMatchObject({ principal: 'admin-1' });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    await waiting;
    expect(performance.now() - startedMs).toBeLessThan(4_500);
    expect(asked).toHaveLength(1);
    for (const response of held) response.destroy();
  });

  it.each<[string, (response: http.ServerResponse) => void]>([
    ['closes the connection', (response) => response.destroy()],
    ['answers 500', (response) => response.writeHead(500).end()],
    ['answers no JSON', (response) => response.end('<html>')],
    ['answers no set', (response) => response.end('{"keys":7}')],
    ['answers without end', (response) => endless(response)],
    ['sends elsewhere', (response) => response.writeHead(302, { location: '/evil' }).end()],
  ])('are waited for by nobody for ten seconds when the issuer %s', async (_name, fail) => {
    answer = fail;
    await away(forge());
    await away(forge());
    expect(asked).toEqual(['/keys']);
    answer = null;
    vi.setSystemTime(NOW + 10_001);
    expect(await of(forge())).toMatchObject({ role: 'AGENT' });
    expect(asked).toEqual(['/keys', '/keys']);
  });

  it('that are known count while the issuer is away, and an unknown one does not take them away', async () => {
    await of(forge());
    answer = (response) => response.destroy();
    vi.setSystemTime(NOW + 5 * MINUTE + 1);
    await refused(forge({}, { kid: 'made-up' }));
    await refused(forge({}, { kid: 'made-up-too' }));
    expect(await of(forge())).toMatchObject({ role: 'AGENT' });
    expect(asked).toHaveLength(2);
    vi.setSystemTime(NOW + 11 * MINUTE);
    await away(forge());
  });
});

describe('the configuration of issuers', () => {
  it('may give no scope that there is not', () => {
    const claims = { ...issuer.claims, scopes: { claim: 'scp', values: { x: 'everything' } } };
    expect(() => createTokenVerifier(jwtWith({ issuers: [{ ...issuer, claims }] }), systemClock)).toThrow(
      'JWT_ISSUERS: okta maps to a scope that is none of',
    );
  });
});
