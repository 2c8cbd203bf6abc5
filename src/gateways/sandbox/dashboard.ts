import type { Clock } from '../../kernel/clock.ts';
import { type AtCharge, decideDispute, openDispute, refundAtProvider, withdrawDispute } from './provider-acts.ts';
import type { SandboxStore } from './store.ts';

/** The provider's own pages, where a person acts past this system. Amounts in minor units. */
export interface SandboxDashboard {
  /** The amount of a charge that can still be refunded. */
  leftOf(gatewayId: string, reference: string): number;
  /** Answers with the provider's id of the refund. Throws for more than is left of the charge. */
  refund(charge: AtCharge): string;
  /** The card of the guest takes no refund: its money comes back. `reason`: an upper-snake code. */
  failRefund(providerId: string, reason: string): void;
  /**
   * The guest's bank demands money back; answers with the provider's id of the dispute. An inquiry takes nothing yet. More
   * than is left of the charge may be demanded, as banks do.
   */
  dispute(demand: AtCharge & { readonly inquiry?: boolean }): string;
  /** An inquiry has become a dispute: the money is taken, and the fee. */
  withdraw(disputeId: string): void;
  /** `feeBackMinor`: what the provider gives back of its fee. */
  decide(disputeId: string, status: 'WON' | 'LOST' | 'CLOSED', feeBackMinor?: number): void;
}

export const createDashboard = (store: SandboxStore, clock: Clock): SandboxDashboard => ({
  leftOf: (gatewayId, reference) =>
    store.alone((record) => {
      const charge = record.chargeOf(gatewayId, reference);
      return charge === null ? 0 : record.leftOf(charge).amountMinor;
    }),
  refund: (charge) => store.alone((record) => refundAtProvider(record, charge)),
  failRefund: (providerId, reason) => store.alone((record) => record.bringBack(providerId, reason)),
  dispute: (demand) => store.alone((record) => openDispute(record, demand, clock.now())),
  withdraw: (disputeId) => store.alone((record) => withdrawDispute(record, disputeId)),
  decide: (disputeId, status, feeBackMinor = 0) =>
    store.alone((record) => decideDispute(record, disputeId, status, feeBackMinor)),
});
