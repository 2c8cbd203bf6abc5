import {
  type Amenities,
  type GatewayMovement,
  gatewayUnknown,
  PAYOUT_BANK,
  type PaymentGateway,
  type Ports,
  type WebhookReceiver,
} from '../domain/ports.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { InvariantError, RoomyError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/log.ts';
import { type AmenitySettings, createHttpAmenities, isHttpDevice } from './amenities/http.ts';
import {
  type BreakerSettings,
  type CircuitStatus,
  createBreakers,
  devicesWithBreakers,
  withBreakers,
} from './breaker.ts';
import type { ConfiguredProvider, DeviceDriver, OpenedProvider } from './payment-provider.ts';

export interface PortSettings {
  /** Those that are on, each with its settings. */
  readonly providers: readonly ConfiguredProvider[];
  readonly amenities?: AmenitySettings;
}
export interface OpenPorts extends Ports {
  /** By circuit: what its breaker lets through. */
  circuits(): ReadonlyMap<string, CircuitStatus>;
  /** The same, of payment gateways and of devices. */
  circuitsByKind(): Readonly<Record<'gateway' | 'device', ReadonlyMap<string, CircuitStatus>>>;
  /** By the id of their provider: who may call us, and how. */
  readonly receivers: ReadonlyMap<string, WebhookReceiver>;
  close(): Promise<void>;
}

/** A provider behind its breakers. */
interface Guarded extends OpenedProvider {
  readonly id: string;
  readonly pretends: boolean;
}

/**
 * The ports over the providers that are on. Throws `InvariantError` for a gateway id of two providers: which one is paid
 * must never depend on an order.
 */
export async function createPorts(
  settings: PortSettings,
  log: Logger,
  { clock = systemClock, breaker = {} }: { readonly clock?: Clock; readonly breaker?: Partial<BreakerSettings> } = {},
): Promise<OpenPorts> {
  const breakers = createBreakers(log, breaker);
  const switches = createBreakers(log, breaker, 'AMENITIES_UNAVAILABLE');
  const open = async (one: ConfiguredProvider): Promise<Guarded> => {
    const opened = await one.create({ clock, log });
    const gateway = withBreakers(opened.gateway, breakers, opened.circuitOf ?? (() => one.id));
    return { ...opened, id: one.id, pretends: one.pretends, gateway };
  };
  const providers = await Promise.all(settings.providers.map(open));
  const byGateway = byGatewayId(providers);
  const gatewayIds = [...byGateway.keys()];
  const bank = bankOf(
    providers.map(({ gateway }) => gateway),
    gatewayIds,
  );
  const isAlone = providers.every(({ pretends }) => pretends);
  // An account that a real provider knows is its own, whatever one that pretends would take.
  const byReality = [...providers].toSorted((a, b) => Number(a.pretends) - Number(b.pretends));
  const payerOf = (account: string): Guarded | undefined => byReality.find((one) => one.accepts(account, isAlone));
  const devices = devicesOf(settings, providers, clock);
  return {
    gatewayIds,
    gateway(gatewayId) {
      const gateway = gatewayId === PAYOUT_BANK ? bank : byGateway.get(gatewayId)?.gateway;
      if (gateway) return gateway;
      throw gatewayUnknown(gatewayId, gatewayIds);
    },
    payouts(account) {
      const payer = payerOf(account);
      if (payer) return payer.gateway;
      throw new RoomyError('GATEWAY_UNKNOWN', {
        text: 'No payment provider has an account like this',
        details: { gatewayId: PAYOUT_BANK },
        unsent: true,
      });
    },
    amountStep: (at, currency) => {
      const provider = 'account' in at ? payerOf(at.account) : byGateway.get(at.gatewayId);
      return provider?.amountStep?.(currency) ?? 1;
    },
    amenities: devicesWithBreakers(devices, switches),
    circuits: () => new Map([...breakers.states(), ...switches.states()]),
    circuitsByKind: () => ({ gateway: breakers.states(), device: switches.states() }),
    receivers: new Map(providers.flatMap(({ id, webhook }) => (webhook ? [[id, webhook] as const] : []))),
    close: async () => {
      for (const provider of providers) provider.close?.();
    },
  };
}

function byGatewayId(providers: readonly Guarded[]): ReadonlyMap<string, Guarded> {
  const known = new Map<string, Guarded>();
  for (const provider of providers) {
    for (const gatewayId of provider.gatewayIds) {
      if (known.has(gatewayId) || gatewayId === PAYOUT_BANK)
        throw new InvariantError(`the gateway id ${gatewayId} of ${provider.id} is taken`);
      known.set(gatewayId, provider);
    }
  }
  return known;
}

/** Real devices are called by their address; other names belong to providers that pretend. */
function devicesOf(settings: PortSettings, providers: readonly Guarded[], clock: Clock): Amenities {
  const { hosts, signingSecret } = settings.amenities ?? { hosts: [], signingSecret: null };
  const overHttp: DeviceDriver = {
    amenities: createHttpAmenities({ hosts, signingSecret }, clock),
    accepts: isHttpDevice,
  };
  const drivers = [overHttp, ...providers.flatMap(({ devices }) => (devices ? [devices] : []))];
  const isAlone = providers.every(({ pretends }) => pretends) && hosts.length === 0;
  const of = (device: string): Amenities => {
    const driver = drivers.find((one) => one.accepts(device, isAlone));
    if (driver) return driver.amenities;
    throw new RoomyError('AMENITIES_REFUSED', { details: { amenityError: 'DEVICE_UNKNOWN' }, unsent: true });
  };
  return {
    activate: async (request, signal) => of(request.device).activate(request, signal),
    changePeriod: async (request, signal) => of(request.device).changePeriod(request, signal),
    deactivate: async (request, signal) => of(request.device).deactivate(request, signal),
    grantsOf: async (device, signal) => of(device).grantsOf(device, signal),
  };
}

/** The record of all payouts, of every provider. It takes no payments. */
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
