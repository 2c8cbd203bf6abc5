import type { Db } from '../../src/db/client.ts';
import type { GatewayMovement } from '../../src/domain/ports.ts';

/** References of which the gateway's own record and our books do not hold the same, once all is quiet. */
export async function disagreements(
  db: Db,
  gatewayId: string,
  movements: readonly GatewayMovement[],
): Promise<readonly string[]> {
  const nets = new Map<string, number>();
  const add = (reference: string, minor: number) => nets.set(reference, (nets.get(reference) ?? 0) + minor);
  for (const { kind, reference, amountMinor } of movements)
    add(reference, kind === 'CHARGE' ? amountMinor : -amountMinor);
  const payments = await db
    .selectFrom('payment')
    .select(['gateway_reference', 'amount_minor'])
    .where('gateway_id', '=', gatewayId)
    .where('status', '=', 'COMPLETED')
    .execute();
  for (const row of payments) add(row.gateway_reference, -row.amount_minor);
  const refunds = await db
    .selectFrom('transaction')
    .select(['gateway_reference', 'settled_minor'])
    .where('gateway_id', '=', gatewayId)
    .where('type', '=', 'REFUND')
    .where('status', '=', 'COMPLETED')
    .execute();
  for (const row of refunds) add(row.gateway_reference ?? '', row.settled_minor);
  return [...nets].filter(([, net]) => net !== 0).map(([reference, net]) => `${reference}: ${net} more at the gateway`);
}
