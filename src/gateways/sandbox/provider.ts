import { z } from 'zod';
import { ID_PATTERN } from '../../kernel/ids.ts';
import { parts } from '../environment.ts';
import { paymentProvider } from '../payment-provider.ts';
import { isProviderOfItsOwn } from './behaviour.ts';
import { createSandboxDevices } from './devices.ts';
import { createSandboxGateway } from './gateway.ts';

export interface SandboxSettings {
  /** Where its record is; programs that work together share it. */
  readonly dir: string;
  /** Its fee for a charge, in basis points. */
  readonly feeBp: number;
  /** Ids at which it takes payments, besides `SANDBOX_GATEWAY`. */
  readonly gatewayIds: readonly string[];
}

/** The gateway id of the brief's examples. */
export const SANDBOX_GATEWAY = 'gateway-123';
/** The ids that it takes beside real providers; without any it is the bank of everybody and every lock. */
const ACCOUNT = /^acct-/;
const DEVICE = /^(?:lock|device)-/;

const gatewayIds = (taken: readonly string[]) =>
  z
    .string()
    .transform(parts)
    .refine(
      (ids) => ids.every((id) => ID_PATTERN.test(id) && !taken.includes(id.toLowerCase())),
      `must be ids of 1 to 64 letters, digits, _ or -, separated by commas, and none of them ${taken.join(' or ')}`,
    );

export const sandboxPayments = paymentProvider({
  id: 'sandbox',
  neededVariable: null,
  pretends: true,
  environment: (taken) =>
    z.object({
      SANDBOX_GATEWAYS: gatewayIds(taken).default([]).describe('More gateway ids at which it takes payments'),
      SANDBOX_FEE_BP: z.coerce
        .number()
        .int()
        .min(0)
        .max(10_000)
        .default(290)
        .describe('What it keeps of each charge, in hundredths of a percent'),
    }),
  onlyWhenOn: (environment) => (environment.SANDBOX_GATEWAYS.length > 0 ? ['SANDBOX_GATEWAYS'] : []),
  settings: (environment, { dataDir }): SandboxSettings => ({
    dir: dataDir,
    feeBp: environment.SANDBOX_FEE_BP,
    gatewayIds: [...new Set(environment.SANDBOX_GATEWAYS)],
  }),
  create({ dir, feeBp, gatewayIds: more }, { clock }) {
    const gateway = createSandboxGateway({ dir, feeBp, clock });
    const devices = createSandboxDevices({ dir });
    return {
      gateway,
      gatewayIds: [...new Set([SANDBOX_GATEWAY, ...more])],
      accepts: (account, alone) => alone || ACCOUNT.test(account),
      circuitOf: (gatewayId, reference) => (isProviderOfItsOwn(reference) ? `${gatewayId}/${reference}` : gatewayId),
      devices: { amenities: devices, accepts: (device, alone) => alone || DEVICE.test(device) },
      close: () => {
        gateway.close();
        devices.close();
      },
    };
  },
});
