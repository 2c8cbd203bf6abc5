/** How references and accounts misbehave: domain.md 18. By prefix, so that a test can make up many. */

export interface DeclineRule {
  readonly gatewayError: string;
  readonly retryAfterMs: number | null;
  readonly advice: string;
}
const DAY_MS = 24 * 60 * 60 * 1000;
const DECLINES: readonly (readonly [prefix: string, rule: DeclineRule])[] = [
  [
    'ref-insufficient-funds',
    { gatewayError: 'INSUFFICIENT_FUNDS', retryAfterMs: DAY_MS, advice: 'Try again later, or use another card' },
  ],
  ['ref-declined', { gatewayError: 'CARD_DECLINED', retryAfterMs: null, advice: 'Use another card' }],
  ['ref-expired-card', { gatewayError: 'EXPIRED_CARD', retryAfterMs: null, advice: 'Use another card' }],
];

const CHARGE_FAULTS = ['down', 'flaky', 'timeout-before', 'timeout-after', 'late', 'wrong-amount'] as const;
export type ChargeFault = (typeof CHARGE_FAULTS)[number];
const REFUND_FAULTS = ['refund-refused', 'refund-down'] as const;
export type RefundFault = (typeof REFUND_FAULTS)[number];
const PAYOUT_FAULTS = ['refused', 'down', 'timeout-after'] as const;
export type PayoutFault = (typeof PAYOUT_FAULTS)[number];
const DEVICE_FAULTS = ['down', 'refused', 'timeout-after'] as const;
export type DeviceFault = (typeof DEVICE_FAULTS)[number];

const startingWith = <T extends string>(faults: readonly T[], prefix: string, text: string): T | null =>
  faults.find((fault) => text.startsWith(`${prefix}${fault}`)) ?? null;

export const declineOf = (reference: string): DeclineRule | null =>
  DECLINES.find(([prefix]) => reference.startsWith(prefix))?.[1] ?? null;
export const chargeFaultOf = (reference: string): ChargeFault | null => startingWith(CHARGE_FAULTS, 'ref-', reference);
export const refundFaultOf = (reference: string): RefundFault | null => startingWith(REFUND_FAULTS, 'ref-', reference);
export const payoutFaultOf = (account: string): PayoutFault | null => startingWith(PAYOUT_FAULTS, 'acct-', account);
export const deviceFaultOf = (device: string): DeviceFault | null => startingWith(DEVICE_FAULTS, 'device-', device);

/**
 * The fingerprint of the card behind a reference: `card-42` of `ref-declined-7-card-42`; without such an end the
 * reference stands for a card of its own.
 */
export const cardOf = (reference: string): string => /-(card-[A-Za-z0-9]+)$/.exec(reference)?.[1] ?? reference;

/** Whether it stands for a provider of its own: one that is shown to be down must not stop all others. */
export const isProviderOfItsOwn = (reference: string): boolean =>
  /^(?:ref-(?:down|flaky|late|timeout-|refund-down)|acct-)/.test(reference);
