import { InvariantError, required } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import type { PlannedAct, SandboxRecord } from './record.ts';

/** Acts of people at the provider, and of banks, on a charge, past this system. Amounts in minor units. */

/** The provider's fee for a dispute, whatever its outcome. */
export const DISPUTE_FEE_MINOR = 1_500;
const EVIDENCE_MS = 7 * 24 * 60 * 60_000;

export interface AtCharge {
  readonly gatewayId: string;
  readonly reference: string;
  readonly amountMinor: number;
}

/** Answers with the provider's id of the refund. */
export function refundAtProvider(record: SandboxRecord, { gatewayId, reference, amountMinor }: AtCharge): string {
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
}

/** Answers with the provider's id of the dispute. */
export function openDispute(
  record: SandboxRecord,
  { gatewayId, reference, amountMinor, inquiry = false }: AtCharge & { readonly inquiry?: boolean | undefined },
  now: Date,
): string {
  const charge = required(record.chargeOf(gatewayId, reference), 'a charge of that reference');
  const providerId = newId('dispute');
  record.putDispute({
    providerId,
    chargeId: charge.providerId,
    gatewayId,
    amountMinor,
    currency: charge.currency,
    status: 'OPEN',
    withdrawn: !inquiry,
    feeMinor: inquiry ? 0 : DISPUTE_FEE_MINOR,
    reason: 'FRAUDULENT',
    respondBy: new Date(now.getTime() + EVIDENCE_MS),
  });
  return providerId;
}

export function withdrawDispute(record: SandboxRecord, disputeId: string): void {
  const dispute = required(record.disputeBy(disputeId), 'a dispute of that id');
  record.putDispute({ ...dispute, withdrawn: true, feeMinor: DISPUTE_FEE_MINOR });
}

export function decideDispute(
  record: SandboxRecord,
  disputeId: string,
  status: 'WON' | 'LOST' | 'CLOSED',
  feeBackMinor: number,
): void {
  const dispute = required(record.disputeBy(disputeId), 'a dispute of that id');
  const feeMinor = dispute.feeMinor - feeBackMinor;
  record.putDispute({ ...dispute, status, withdrawn: status === 'LOST' && dispute.withdrawn, feeMinor });
}

/** Carries out an act that a reference had asked for and that is due; nothing, where the charge was taken back before. */
export function carryOut(record: SandboxRecord, { gatewayId, reference, what }: PlannedAct, now: Date): void {
  const charge = record.chargeOf(gatewayId, reference);
  if (charge === null) return;
  const leftMinor = record.leftOf(charge).amountMinor;
  if (what === 'refund' && leftMinor > 0) refundAtProvider(record, { gatewayId, reference, amountMinor: leftMinor });
  if (what === 'dispute') openDispute(record, { gatewayId, reference, amountMinor: charge.amountMinor }, now);
  const open = record.disputesOf(charge.providerId).find(({ status }) => status === 'OPEN');
  if (open && (what === 'win' || what === 'lose')) {
    decideDispute(record, open.providerId, what === 'win' ? 'WON' : 'LOST', 0);
  }
}
