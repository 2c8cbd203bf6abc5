import { InvariantError, required } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import type { SandboxStore } from './store.ts';

/** The provider's own pages, where a person acts past this system. Amounts in minor units. */
export interface SandboxDashboard {
  /** Answers with the provider's id of the refund. Throws for more than is left of the charge. */
  refund(charge: { readonly gatewayId: string; readonly reference: string; readonly amountMinor: number }): string;
  /** The card of the guest takes no refund: its money comes back. `reason`: an upper-snake code. */
  failRefund(providerId: string, reason: string): void;
}

export const createDashboard = (store: SandboxStore): SandboxDashboard => ({
  refund: ({ gatewayId, reference, amountMinor }) =>
    store.alone((record) => {
      const charge = required(record.chargeOf(gatewayId, reference), 'a charge of that reference');
      if (amountMinor > record.leftOf(charge).amountMinor) throw new InvariantError('more than is left of the charge');
      return record.act({
        key: newId('dashboard'),
        kind: 'REFUND',
        gatewayId,
        reference,
        providerId: newId('refund'),
        chargeId: charge.providerId,
        amountMinor: -amountMinor,
        feeMinor: 0,
        currency: charge.currency,
      }).providerId;
    }),
  failRefund: (providerId, reason) => store.alone((record) => record.bringBack(providerId, reason)),
});
