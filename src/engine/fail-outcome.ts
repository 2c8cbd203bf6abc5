import type { FlowOrder } from './flow-order.ts';

/** The state of the saga after a final failure. */
export type FailOutcome =
  | { readonly kind: 'compensating'; readonly flow: FlowOrder }
  | { readonly kind: 'compensated' }
  | { readonly kind: 'parked' }
  | { readonly kind: 'stale' };
