import { createPorts } from '../../src/gateways/index.ts';
import { sandboxPayments } from '../../src/gateways/sandbox/provider.ts';
import { createLogger } from '../../src/kernel/log.ts';

/** Another process on the same sandbox: charges under the keys that it is given, and prints what came of each. */
const [sandboxDir = '', ...keys] = process.argv.slice(2);
const sandbox = sandboxPayments.with({ dir: sandboxDir, feeBp: 290, gatewayIds: [] });
const ports = await createPorts({ providers: [sandbox] }, createLogger('payer', 'silent'));
for (const key of keys) {
  const request = {
    key,
    gatewayId: 'gateway-123',
    reference: `ref-of-${key}`,
    amountMinor: 1_000,
    currency: 'AED',
    reservationId: 'reservation-1',
  };
  const { providerId } = await ports.gateway('gateway-123').charge(request, AbortSignal.timeout(10_000));
  console.log(`${key} ${providerId}`);
}
await ports.close();
