import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * The client's address of a request (security.md P1). A header is believed only in the part that was written by proxies
 * that the operators have named.
 */

/** The header to which the operators' proxies append the address of their own peer. */
export const FORWARDING_HEADERS = ['x-forwarded-for', 'forwarded'] as const;

export interface ProxyTrust {
  /** Addresses and CIDR ranges; none: no header is read. */
  readonly proxies: readonly string[];
  /** One only: a proxy lets through unchanged, as a caller wrote it, the header that it does not write itself. */
  readonly header: (typeof FORWARDING_HEADERS)[number];
}
export const NO_PROXY: ProxyTrust = { proxies: [], header: 'x-forwarded-for' };

/** The peer is the other end of the connection, if that is known. Answers with an address in its canonical form, or null. */
export type ClientAddressOf = (peer: string | undefined, headers: Headers) => string | null;

type Address = ReturnType<typeof ipaddr.parse>;
type Range = readonly [Address, number];

/** Throws for what `isProxyRange` does not accept. */
export function createClientAddress({ proxies, header }: ProxyTrust): ClientAddressOf {
  const ranges = proxies.map(parseRange);
  const isTrusted = (address: Address): boolean =>
    ranges.some(([range, bits]) => range.kind() === address.kind() && address.match(range, bits));

  return (peer, headers) => {
    let client = peer === undefined ? null : parseAddress(peer.replace(/%.*$/, ''));
    const value = client !== null && isTrusted(client) ? headers.get(header) : null;
    if (value === null) return client?.toString() ?? null;
    // Each trusted hop has appended whom it spoke to, so the last of them that is not one of ours is the client.
    for (const hop of (header === 'forwarded' ? forwardedHops(value) : value.split(',')).toReversed()) {
      const next = parseHop(hop.trim());
      // Written by a trusted hop and no address ("unknown", "_hidden"): that hop is all that is known.
      if (next === null) break;
      client = next;
      if (!isTrusted(client)) break;
    }
    return client?.toString() ?? null;
  };
}

/** Whether it is an address or a CIDR range that leaves somebody out: were everybody a proxy, anybody could be anybody. */
export function isProxyRange(text: string): boolean {
  try {
    return parseRange(text)[1] > 0;
  } catch {
    return false;
  }
}

function parseRange(text: string): Range {
  const [address = '', bits, ...rest] = text.split('/');
  const isMalformed = rest.length > 0 || isIP(address) === 0 || address.includes('%');
  if (isMalformed || (bits !== undefined && !/^\d{1,3}$/.test(bits))) throw new RangeError('not an address or a range');
  const [range, length] = ipaddr.parseCIDR(`${address}/${bits ?? (isIP(address) === 4 ? 32 : 128)}`);
  // Peers in IPv6 clothes are looked at as what they are, so ranges are too.
  if (range instanceof ipaddr.IPv6 && range.isIPv4MappedAddress() && length >= 96)
    return [range.toIPv4Address(), length - 96];
  return [range, length];
}

/** An IPv4 address in IPv6 clothes as what it is; null for anything but an address, zones of a machine's own included. */
const parseAddress = (text: string): Address | null =>
  isIP(text) === 0 || text.includes('%') ? null : ipaddr.process(text);

/** With or without a port, as proxies write them: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1], [2001:db8::1]:80. */
const parseHop = (text: string): Address | null =>
  parseAddress(/^(?:\[([^\]]*)\]|(\d[\d.]*))(?::\d{1,5})?$/.exec(text)?.slice(1).find(Boolean) ?? text);

/** One pair of RFC 7239, and what must follow it. */
const PAIR = /\s*(?:([!#$%&'*+.^_`|~\w-]+)=([!#$%&'*+.^_`|~\w:[\]-]+|"(?:[^"\\]|\\.)*"))?\s*([;,]|$)/y;

/**
 * The `for` of each element of a `Forwarded` header; nothing at all of one that is not well-formed, since a quote that a
 * caller opens may swallow what the proxy appended.
 */
function forwardedHops(value: string): string[] {
  const pattern = new RegExp(PAIR);
  const hops: string[] = [];
  let hop: string | null = null;
  for (let at = 0; at <= value.length; at = pattern.lastIndex) {
    pattern.lastIndex = at;
    const match = pattern.exec(value);
    if (!match) return [];
    const [, name, text = '', separator] = match;
    if (name?.toLowerCase() === 'for') {
      if (hop !== null) return [];
      hop = text.startsWith('"') ? text.slice(1, -1).replaceAll(/\\(.)/g, '$1') : text;
    }
    if (separator === ';') continue;
    hops.push(hop ?? 'unknown');
    hop = null;
    if (separator === '') break;
  }
  return hops;
}
