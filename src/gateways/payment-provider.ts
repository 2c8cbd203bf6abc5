import type { z } from 'zod';
import type { Amenities, PaymentGateway, WebhookReceiver } from '../domain/ports.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/log.ts';

/**
 * The declaration of a payment provider, in `gateways/<id>/provider.ts`; `gateways/payment-providers.ts` lists them
 * (docs/add-a-gateway.md). Nothing else in the source names a provider, its variables or the shape of its ids.
 */
export interface PaymentProviderSpec<Environment extends z.ZodObject, Settings> {
  /** Its name in `PAYMENT_GATEWAYS`, its address `webhooks/<id>`, and the name of its circuit. Lower case. */
  readonly id: string;
  /** The variable without which it cannot work; it turns the provider on where `PAYMENT_GATEWAYS` says nothing. Null: it needs none. */
  readonly neededVariable: string | null;
  /** It moves no money. Beside real providers it accepts less, and production has to ask for it by name. */
  readonly pretends?: boolean;
  /** The variables that it reads, each with its rule and a description. `taken`: gateway ids that are another provider's. */
  environment(taken: readonly string[]): Environment;
  /** Those of its variables that make no sense while it is off, and are set. Default: none. */
  onlyWhenOn?(environment: z.output<Environment>): readonly string[];
  /** `dataDir`: where programs that work together may keep files. */
  settings(environment: z.output<Environment>, installation: { readonly dataDir: string }): Settings;
  /** What it needs to work, such as a library, is loaded here and not with its declaration. */
  create(settings: Settings, parts: ProviderParts): OpenedProvider | Promise<OpenedProvider>;
}
export interface ProviderParts {
  readonly clock: Clock;
  readonly log: Logger;
}

/** A provider at work, with all that it owns by its own declaration. */
export interface OpenedProvider {
  readonly gateway: PaymentGateway;
  /** At which it takes payments, as they stand in `payment.gateway_id`; the first is the one that is meant by default. */
  readonly gatewayIds: readonly string[];
  /** Whether owners with such a payout account are paid by it. `alone`: no real provider is on. */
  accepts(account: string, alone: boolean): boolean;
  /** The least part of an amount that it takes, in minor units. Default: 1. */
  amountStep?(currency: string): number;
  /** The circuit of a request, by gateway id and reference or account. Default: one for the whole provider. */
  circuitOf?(gatewayId: string, reference: string): string;
  /** How it calls us at `webhooks/<id>`; null or absent: it does not. */
  readonly webhook?: WebhookReceiver | null;
  /** Devices that it pretends to be. */
  readonly devices?: DeviceDriver;
  close?(): void;
}

/** Adapters of the port `Amenities`: which devices are its own, by their names. */
export interface DeviceDriver {
  readonly amenities: Amenities;
  /** `alone`: no real provider of payments or devices is on. */
  accepts(device: string, alone: boolean): boolean;
}

/** With its settings, and not at work yet. */
export interface ConfiguredProvider {
  readonly id: string;
  readonly pretends: boolean;
  readonly settings: unknown;
  create(parts: ProviderParts): Promise<OpenedProvider>;
}

/** The part of a provider that the configuration reads, whatever its settings are. */
export interface PaymentProvider {
  readonly id: string;
  readonly neededVariable: string | null;
  readonly pretends: boolean;
  environment(taken: readonly string[]): z.ZodObject;
  configure(
    given: Readonly<Record<string, string | undefined>>,
    installation: { readonly dataDir: string; readonly taken: readonly string[] },
  ): { readonly error: z.ZodError } | { readonly provider: ConfiguredProvider; readonly onlyWhenOn: readonly string[] };
}
export interface PaymentProviderOf<Settings> extends PaymentProvider {
  /** For programs that need no environment, and for tests. */
  with(settings: Settings): ConfiguredProvider;
}

export function paymentProvider<Environment extends z.ZodObject, Settings>(
  spec: PaymentProviderSpec<Environment, Settings>,
): PaymentProviderOf<Settings> {
  const { id, neededVariable, pretends = false } = spec;
  const configured = (settings: Settings): ConfiguredProvider => ({
    id,
    pretends,
    settings,
    create: async (parts) => spec.create(settings, parts),
  });
  return {
    id,
    neededVariable,
    pretends,
    environment: (taken) => spec.environment(taken),
    with: configured,
    configure(given, { dataDir, taken }) {
      const parsed = spec.environment(taken).safeParse(given);
      if (!parsed.success) return { error: parsed.error };
      return {
        provider: configured(spec.settings(parsed.data, { dataDir })),
        onlyWhenOn: spec.onlyWhenOn?.(parsed.data) ?? [],
      };
    },
  };
}
