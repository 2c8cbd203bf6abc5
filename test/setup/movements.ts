import type { Db } from '../../src/db/client.ts';
import type { MovementKind, SagaStatus } from '../../src/db/schema.ts';
import { type DifferenceView, listDifferences } from '../../src/domain/finance/difference-resource.ts';
import { type Reconciled, type ReconcileOrder, reconcile } from '../../src/domain/finance/reconciliation.ts';
import type { SettledMovement } from '../../src/domain/finance/reconciliation-match.ts';
import { reconciliationLines } from '../../src/domain/finance/reconciliation-views.ts';
import { type MoneyStay, type PaidStay, payStay, seedMoneyStay } from './ledger.ts';

/** Records of gateways, and the differences that are made of them. */

export const NOON = new Date('2024-03-01T12:00:00Z');

/** Of 1000.00 AED, captured at noon, the fee not said, not handed over yet. */
export const movement = (
  kind: MovementKind,
  reference: string,
  more: Partial<SettledMovement> = {},
): SettledMovement => ({
  kind,
  reference,
  providerId: `${kind}-${reference}`,
  amountMinor: 100_000,
  feeMinor: null,
  currency: 'AED',
  at: NOON,
  settled: false,
  failed: false,
  ...more,
});

let made = 0;
/** A gateway of its own, so that tests do not see each other's movements. */
export function newGateway(db: Db) {
  made += 1;
  const gatewayId = `gateway-of-${made}`;
  let [stays, runs] = [0, 0];
  return {
    gatewayId,
    /** Pays a stay of 1000.00 by this gateway, to an owner of its own. */
    async pay(
      reference: string,
      more: {
        readonly feeMinor?: number;
        readonly at?: Date;
        readonly amountMinor?: number;
        readonly stay?: Partial<MoneyStay>;
        readonly sagaStatus?: SagaStatus;
      } = {},
    ): Promise<{ readonly stay: MoneyStay; readonly paid: PaidStay }> {
      stays += 1;
      const { stay: some, amountMinor, ...rest } = more;
      const stay: MoneyStay = {
        id: `${gatewayId}-stay-${stays}`,
        ownerId: `owner-${gatewayId}-${stays}`,
        propertyId: `property-${gatewayId}-${stays}`,
        ...(amountMinor === undefined ? {} : { totalMinor: amountMinor }),
        ...some,
      };
      await seedMoneyStay(db, stay);
      return { stay, paid: await payStay(db, { stay, gatewayId, reference, at: NOON, ...rest }) };
    },
    /** Compares what it says; each time is an occasion of its own. */
    run(movements: readonly SettledMovement[], more: Partial<ReconcileOrder> = {}): Promise<Reconciled> {
      runs += 1;
      return reconcile(db, {
        gatewayId,
        source: 'GATEWAY',
        from: new Date('2024-01-01T00:00:00Z'),
        to: new Date('2030-01-01T00:00:00Z'),
        movements,
        occasion: `${gatewayId}-${runs}`,
        startedBy: 'finance-1',
        ...more,
      });
    },
    lines: async (id: string) => (await reconciliationLines(db, id, {}, { after: null, limit: 100 })).items,
    differences: async (): Promise<readonly DifferenceView[]> =>
      (await listDifferences(db, { gatewayId }, { after: null, limit: 100 })).items,
    clearing: `gateway_clearing:${gatewayId}:AED`,
  };
}

/** A difference in the fee of a paid stay of its own: 29.00 is booked, 31.50 was kept, and the rest handed over. */
export async function feeDifference(db: Db): Promise<string> {
  const gateway = newGateway(db);
  await gateway.pay('ref', { feeMinor: 2_900 });
  await gateway.run([movement('CHARGE', 'ref', { feeMinor: 3_150, settled: true })]);
  const [difference] = await gateway.differences();
  return difference?.id ?? '';
}
