import { isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** How often somebody may do something, and how much at once (security.md Q): the names, the numbers, and who counts. */

/** Of a caller that is known, over a minute; `streams` and `open-sagas` at once. */
export const CALLER_LIMITS = ['reads', 'writes', 'payments', 'streams', 'open-sagas'] as const;
export type CallerLimit = (typeof CALLER_LIMITS)[number];
/** Of an address, over a minute, where no caller is known. */
export const ADDRESS_LIMITS = ['failures', 'sign-in', 'links', 'webhooks', 'pages'] as const;
export type AddressLimit = (typeof ADDRESS_LIMITS)[number];
export type LimitName = CallerLimit | `service-${CallerLimit}` | AddressLimit;

/** People click; programs import. */
const DEFAULTS: Readonly<Record<LimitName, number>> = {
  reads: 300,
  writes: 60,
  payments: 10,
  streams: 5,
  'open-sagas': 50,
  'service-reads': 3_000,
  'service-writes': 1_200,
  'service-payments': 300,
  'service-streams': 20,
  'service-open-sagas': 1_000,
  failures: 30,
  'sign-in': 30,
  links: 60,
  webhooks: 1_200,
  pages: 600,
};

export interface LimitNumbers {
  readonly general: Readonly<Record<LimitName, number>>;
  /** By principal, what differs for it alone. */
  readonly own: ReadonlyMap<string, Readonly<Partial<Record<CallerLimit, number>>>>;
}
export const DEFAULT_LIMITS: LimitNumbers = { general: DEFAULTS, own: new Map() };

const isLimitName = (text: string): text is LimitName => Object.hasOwn(DEFAULTS, text);
const isCallerLimit = (text: string): text is CallerLimit => CALLER_LIMITS.some((name) => name === text);

const ENTRY = /^(?:([A-Za-z0-9][\w.@:-]{0,140})\/)?([a-z-]+)=([1-9]\d{0,8})$/;

/** `writes=120,service:importer/writes=20000`; what is not named keeps its default. Null: it is not well-formed. */
export function readLimitNumbers(text: string): LimitNumbers | null {
  const general = { ...DEFAULTS };
  const own = new Map<string, Partial<Record<CallerLimit, number>>>();
  for (const entry of text.split(',')) {
    const [, principal, name = '', number = ''] = ENTRY.exec(entry.trim()) ?? [];
    if (principal === undefined) {
      if (!isLimitName(name)) return null;
      general[name] = Number(number);
    } else {
      if (!isCallerLimit(name)) return null;
      own.set(principal, { ...own.get(principal), [name]: Number(number) });
    }
  }
  return { general, own };
}

export const limitOfCaller = (
  { general, own }: LimitNumbers,
  caller: { readonly kind: 'person' | 'service'; readonly principal: string },
  name: CallerLimit,
): number =>
  own.get(caller.principal)?.[name] ?? general[caller.kind === 'service' ? (`service-${name}` as const) : name];

/** So many times within a window that begins with the first. */
export interface Quota {
  /** Letters and dashes: it is named in header fields and in Redis. */
  readonly name: string;
  readonly times: number;
  readonly windowSeconds: number;
}
export interface Taken {
  readonly isAllowed: boolean;
  /** What counts now: less than the quota's while each process counts for itself. */
  readonly times: number;
  readonly remaining: number;
  /** Until the window ends. */
  readonly resetMs: number;
}
export interface RateLimiter {
  /** Counts once. Never rejects, and never takes long: while there is nobody to ask, the process counts for itself. */
  take(quota: Quota, who: string): Promise<Taken>;
  close(): Promise<void>;
}

/** Whom an address counts as: with IPv6 a customer has a network of 2^64 addresses. */
export function networkOf(address: string | null): string {
  if (address === null) return 'unknown';
  if (!isIPv6(address)) return address;
  const first = ipaddr.IPv6.parse(address).toByteArray().slice(0, 8);
  return `${ipaddr.fromByteArray([...first, ...Array<number>(8).fill(0)])}/64`;
}
