import {
  type Amenities,
  type GatewayMovement,
  PAYOUT_BANK,
  type PaymentGateway,
  type Ports,
  type VerifyWebhook,
} from '../domain/ports.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { RoomyError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/log.ts';
import { type AmenitySettings, createHttpAmenities, isHttpDevice } from './amenities/http.ts';
import {
  type BreakerSettings,
  type CircuitStatus,
  createBreakers,
  devicesWithBreakers,
  withBreakers,
} from './breaker.ts';
import { isProviderOfItsOwn } from './sandbox/behaviour.ts';
import { createSandboxDevices } from './sandbox/devices.ts';
import { createSandboxGateway } from './sandbox/gateway.ts';
import { createStripeGateway, type StripeSettings } from './stripe/gateway.ts';
import { createWebhookVerifier } from './stripe/webhook.ts';

export interface PortSettings {
  readonly gateways: readonly ('sandbox' | 'stripe')[];
  /** Where the sandbox keeps its record; programs that work together share it. */
  readonly sandboxDir: string;
  readonly sandboxFeeBp: number;
  readonly amenities?: AmenitySettings;
  /** Null unless `gateways` has it. */
  readonly stripe: (StripeSettings & { readonly webhookSecrets: readonly string[] }) | null;
}
export interface OpenPorts extends Ports {
  /** By provider: what its breaker lets through. */
  circuits(): ReadonlyMap<string, CircuitStatus>;
  /** Null when no webhook secret is set. */
  readonly verifyWebhook: VerifyWebhook | null;
  close(): Promise<void>;
}

/** The gateway id of Stripe; every other one is the sandbox's, where that is on. */
const STRIPE = 'stripe';
/** Stripe's ids of connected accounts. */
const STRIPE_ACCOUNT = 'acct_';

export function createPorts(
  settings: PortSettings,
  log: Logger,
  { clock = systemClock, breaker = {} }: { readonly clock?: Clock; readonly breaker?: Partial<BreakerSettings> } = {},
): OpenPorts {
  const breakers = createBreakers(log, breaker);
  const sandboxed = settings.gateways.includes('sandbox')
    ? createSandboxGateway({ dir: settings.sandboxDir, feeBp: settings.sandboxFeeBp, clock })
    : null;
  const sandbox =
    sandboxed &&
    withBreakers(sandboxed, breakers, (gatewayId, reference) =>
      isProviderOfItsOwn(reference) ? `${gatewayId}/${reference}` : gatewayId,
    );
  const stripeSettings = settings.gateways.includes('stripe') ? settings.stripe : null;
  const stripe =
    stripeSettings && withBreakers(createStripeGateway(stripeSettings, { clock, log }), breakers, () => STRIPE);
  const bank = bankOf([sandbox, stripe].filter((gateway) => gateway !== null));
  // A device that only pretends has no place where money is real.
  const devices = sandboxed ? createSandboxDevices({ dir: settings.sandboxDir }) : null;
  const buildings = createHttpAmenities(settings.amenities ?? { hosts: [], signingSecret: null }, clock);
  const switches = createBreakers(log, breaker, 'AMENITIES_UNAVAILABLE');
  const known = (gateway: PaymentGateway | null, gatewayId: string): PaymentGateway => {
    if (gateway) return gateway;
    throw new RoomyError('GATEWAY_UNKNOWN', { details: { gatewayId } });
  };
  return {
    gateway(gatewayId) {
      if (gatewayId === PAYOUT_BANK) return bank;
      return known(gatewayId === STRIPE ? stripe : sandbox, gatewayId);
    },
    payouts: (account) => known(account.startsWith(STRIPE_ACCOUNT) && stripe ? stripe : sandbox, PAYOUT_BANK),
    amenities: devicesWithBreakers(byAddress(buildings, devices), switches),
    circuits: () => new Map([...breakers.states(), ...switches.states()]),
    verifyWebhook:
      stripeSettings && stripeSettings.webhookSecrets.length > 0
        ? createWebhookVerifier(stripeSettings.webhookSecrets, clock)
        : null,
    close: async () => {
      sandboxed?.close();
      devices?.close();
    },
  };
}

/** An address is called; any other name is a device of the sandbox. */
function byAddress(buildings: Amenities, sandbox: Amenities | null): Amenities {
  const of = (device: string): Amenities => {
    if (isHttpDevice(device)) return buildings;
    if (sandbox) return sandbox;
    throw new RoomyError('AMENITIES_REFUSED', { details: { amenityError: 'DEVICE_UNKNOWN' }, unsent: true });
  };
  return {
    activate: async (request, signal) => of(request.device).activate(request, signal),
    deactivate: async (request, signal) => of(request.device).deactivate(request, signal),
    grantsOf: async (device, signal) => of(device).grantsOf(device, signal),
  };
}

/** The record of all payouts, whoever carried them out. It takes no payments. */
function bankOf(gateways: readonly PaymentGateway[]): PaymentGateway {
  const unknown = async (): Promise<never> => {
    throw new RoomyError('GATEWAY_UNKNOWN', { details: { gatewayId: PAYOUT_BANK } });
  };
  return {
    charge: unknown,
    undoCharge: unknown,
    refund: unknown,
    payOut: unknown,
    async movements(...range) {
      const records = await Promise.all(gateways.map((gateway) => gateway.movements(...range)));
      const byTime = (a: GatewayMovement, b: GatewayMovement): number => a.at.getTime() - b.at.getTime();
      return records.flat().toSorted(byTime).slice(0, range[3]);
    },
  };
}
