import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createClientAddress, isProxyRange, NO_PROXY } from './client-address.ts';

const PROXIES = ['10.0.0.0/8', '192.0.2.7', '2001:db8:aa::/48', '::ffff:172.16.0.0/108'];
const addressBy = (header: 'x-forwarded-for' | 'forwarded', proxies: readonly string[] = PROXIES) => {
  const addressOf = createClientAddress({ proxies, header });
  return (peer: string | undefined, value?: string) =>
    addressOf(peer, new Headers(value === undefined ? {} : { [header]: value }));
};

describe('P1: the address of a client', () => {
  it('is the peer, whatever a header says, unless the peer is a trusted proxy', () => {
    const addressOf = createClientAddress(NO_PROXY);
    const claims = new Headers({ 'x-forwarded-for': '203.0.113.1', forwarded: 'for=203.0.113.1' });
    expect(addressOf('10.0.0.1', claims)).toBe('10.0.0.1');
    expect(addressOf('::1', claims)).toBe('::1');
    expect(addressOf(undefined, claims)).toBeNull();
    for (const peer of ['198.51.100.9', '192.0.2.8', '11.0.0.1', '2001:db8:ab::1', '::ffff:198.51.100.9'])
      expect(addressBy('x-forwarded-for')(peer, '203.0.113.1'), peer).toBe(peer.replace('::ffff:', ''));
  });

  it.each([
    ['203.0.113.1', '203.0.113.1'],
    ['6.6.6.6, 203.0.113.1', '203.0.113.1'],
    ['6.6.6.6, 203.0.113.1, 10.9.9.9, 192.0.2.7', '203.0.113.1'],
    ['10.1.1.1, 10.2.2.2', '10.1.1.1'],
    ['203.0.113.1:4711', '203.0.113.1'],
    ['2001:DB8:0:0::0001', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['::ffff:203.0.113.1', '203.0.113.1'],
    ['203.0.113.1, ::ffff:10.1.2.3', '203.0.113.1'],
    ['203.0.113.1, 172.16.3.4', '203.0.113.1'],
    ['203.0.113.1, 2001:db8:aa::9', '203.0.113.1'],
    // What is no address: nobody but the hop that said so is known.
    ['', '10.0.0.1'],
    ['unknown', '10.0.0.1'],
    ['203.0.113.1, unknown', '10.0.0.1'],
    ['203.0.113.1, unknown, 192.0.2.7', '192.0.2.7'],
    ['203.0.113.1,', '10.0.0.1'],
    ['010.0.0.1', '10.0.0.1'],
    ['0x7f.1', '10.0.0.1'],
    ['2130706433', '10.0.0.1'],
    ['127.1', '10.0.0.1'],
    ['fe80::1%eth0', '10.0.0.1'],
    ['[2001:db8::1', '10.0.0.1'],
    ['203.0.113.1.evil.example', '10.0.0.1'],
    ['<script>', '10.0.0.1'],
  ])('behind a trusted proxy that says "%s" is %s', (value, address) => {
    expect(addressBy('x-forwarded-for')('10.0.0.1', value)).toBe(address);
    expect(addressBy('x-forwarded-for')('::ffff:10.0.0.1', value)).toBe(address);
  });

  it.each([
    ['for=203.0.113.1', '203.0.113.1'],
    ['For=203.0.113.1;proto=https;by=10.0.0.1', '203.0.113.1'],
    ['proto=https; for="203.0.113.1:4711"', '203.0.113.1'],
    ['for="[2001:db8::1]:443"', '2001:db8::1'],
    ['for=6.6.6.6, for=203.0.113.1, for=10.2.2.2', '203.0.113.1'],
    ['for="6.6.6.6, for=7.7.7.7", for=203.0.113.1', '203.0.113.1'],
    ['for=203.0.113.1, for=_hidden', '10.0.0.1'],
    ['for=203.0.113.1, proto=https', '10.0.0.1'],
    ['for=unknown', '10.0.0.1'],
    // A quote that a caller left open swallows what the proxy appends; neither is believed.
    ['for="6.6.6.6, for=203.0.113.1', '10.0.0.1'],
    ['for="6.6.6.6, for="[2001:db8::1]"', '10.0.0.1'],
    ['for=6.6.6.6;for=203.0.113.1', '10.0.0.1'],
    ['for = 203.0.113.1', '10.0.0.1'],
    ['203.0.113.1', '10.0.0.1'],
  ])('by Forwarded: %s is %s', (value, address) => {
    expect(addressBy('forwarded')('10.0.0.1', value)).toBe(address);
  });

  it('is read from the one header that the proxies write', () => {
    const both = new Headers({ 'x-forwarded-for': '203.0.113.1', forwarded: 'for=203.0.113.2' });
    expect(createClientAddress({ proxies: PROXIES, header: 'x-forwarded-for' })('10.0.0.1', both)).toBe('203.0.113.1');
    expect(createClientAddress({ proxies: PROXIES, header: 'forwarded' })('10.0.0.1', both)).toBe('203.0.113.2');
  });

  it('is never one that only a caller has written, and always an address', () => {
    const claimed = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ unit: fc.constantFrom(...'for=";,. []:10%\\') }));
    fc.assert(
      fc.property(fc.array(claimed, { maxLength: 5 }), (claims) => {
        const appended = [...claims, '203.0.113.1'].join(', ');
        expect(addressBy('x-forwarded-for')('10.0.0.1', appended)).toBe('203.0.113.1');
        const elements = [...claims.map((claim) => `for=${claim}`), 'for=203.0.113.1'].join(', ');
        expect(['203.0.113.1', '10.0.0.1']).toContain(addressBy('forwarded')('10.0.0.1', elements));
      }),
    );
  });

  it('takes addresses and ranges that leave somebody out for proxies', () => {
    for (const good of [...PROXIES, '::1', '127.0.0.1/32', 'fc00::/7']) expect(isProxyRange(good), good).toBe(true);
    const bad = ['', 'proxy', '10.0.0.0/33', '10.0.0/8', '10.0.0.0/', '10.0.0.0/8/8', '1/8', '0.0.0.0/0', '::/0'];
    for (const range of [...bad, '::ffff:0.0.0.0/96', 'fe80::1%eth0', '10.0.0.0/-1', '10.0.0.0/ 8'])
      expect(isProxyRange(range), range).toBe(false);
  });
});
