import {
  type Amenities,
  type GatewayMovement,
  gatewayUnknown,
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
import { stepOf } from './stripe/units.ts';
import { createWebhookVerifier } from './stripe/webhook.ts';

export interface PortSettings {
  readonly gateways: readonly ('sandbox' | 'stripe')[];
  /** Where the sandbox keeps its record; programs that work together share it. */
  readonly sandboxDir: string;
  readonly sandboxFeeBp: number;
  /** Ids at which the sandbox takes payments, besides `SANDBOX_GATEWAY`. */
  readonly sandboxGateways: readonly string[];
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

/** The gateway id of Stripe. */
const STRIPE = 'stripe';
/** The sandbox's, where that is on: the one of the brief's examples. */
export const SANDBOX_GATEWAY = 'gateway-123';
/** Stripe's ids of connected accounts. */
const STRIPE_ACCOUNT = 'acct_';
/** What the sandbox pretends to be beside real providers; where nothing is real it is everybody's bank and every lock. */
const SANDBOX_ACCOUNT = /^acct-/;
const SANDBOX_DEVICE = /^(?:lock|device)-/;

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
  // A device that only pretends has no place where money is real.
  const devices = sandboxed ? createSandboxDevices({ dir: settings.sandboxDir }) : null;
  const buildings = createHttpAmenities(settings.amenities ?? { hosts: [], signingSecret: null }, clock);
  const switches = createBreakers(log, breaker, 'AMENITIES_UNAVAILABLE');
  const known = new Map<string, PaymentGateway>();
  if (sandbox) for (const id of [SANDBOX_GATEWAY, ...settings.sandboxGateways]) known.set(id, sandbox);
  if (stripe) known.set(STRIPE, stripe);
  const gatewayIds = [...known.keys()];
  const bank = bankOf(
    [sandbox, stripe].filter((gateway) => gateway !== null),
    gatewayIds,
  );
  const realDevices = stripe !== null || (settings.amenities?.hosts.length ?? 0) > 0;
  return {
    gatewayIds,
    gateway(gatewayId) {
      const gateway = gatewayId === PAYOUT_BANK ? bank : known.get(gatewayId);
      if (gateway) return gateway;
      throw gatewayUnknown(gatewayId, gatewayIds);
    },
    payouts(account) {
      if (stripe && account.startsWith(STRIPE_ACCOUNT)) return stripe;
      if (sandbox && (!stripe || SANDBOX_ACCOUNT.test(account))) return sandbox;
      throw new RoomyError('GATEWAY_UNKNOWN', {
        text: 'No payment provider has an account like this',
        details: { gatewayId: PAYOUT_BANK },
        unsent: true,
      });
    },
    amountStep: (at, currency) => {
      const isStripe = 'account' in at ? at.account.startsWith(STRIPE_ACCOUNT) : at.gatewayId === STRIPE;
      return stripe && isStripe ? stepOf(currency) : 1;
    },
    amenities: devicesWithBreakers(byAddress(buildings, devices, realDevices), switches),
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

/** An address is called; other names are devices of the sandbox, beside real ones only such as it has. */
function byAddress(buildings: Amenities, sandbox: Amenities | null, besideReal: boolean): Amenities {
  const of = (device: string): Amenities => {
    if (isHttpDevice(device)) return buildings;
    if (sandbox && (!besideReal || SANDBOX_DEVICE.test(device))) return sandbox;
    throw new RoomyError('AMENITIES_REFUSED', { details: { amenityError: 'DEVICE_UNKNOWN' }, unsent: true });
  };
  return {
    activate: async (request, signal) => of(request.device).activate(request, signal),
    changePeriod: async (request, signal) => of(request.device).changePeriod(request, signal),
    deactivate: async (request, signal) => of(request.device).deactivate(request, signal),
    grantsOf: async (device, signal) => of(device).grantsOf(device, signal),
  };
}

/** The record of all payouts, whoever carried them out. It takes no payments. */
function bankOf(gateways: readonly PaymentGateway[], gatewayIds: readonly string[]): PaymentGateway {
  const unknown = async (): Promise<never> => {
    throw gatewayUnknown(PAYOUT_BANK, gatewayIds);
  };
  return {
    charge: unknown,
    undoCharge: unknown,
    refund: unknown,
    payOut: unknown,
    cardOf: unknown,
    recordOf: unknown,
    disputes: async () => [],
    async movements(...range) {
      const records = await Promise.all(gateways.map((gateway) => gateway.movements(...range)));
      const byTime = (a: GatewayMovement, b: GatewayMovement): number => a.at.getTime() - b.at.getTime();
      return records.flat().toSorted(byTime).slice(0, range[3]);
    },
  };
}
