import path from 'node:path';
import { z } from 'zod';
import { PAYOUT_BANK } from './domain/ports.ts';
import { parts } from './gateways/environment.ts';
import type { ConfiguredChannel, MessageChannel } from './gateways/message-channel.ts';
import { MESSAGE_CHANNELS } from './gateways/message-channels.ts';
import type { ConfiguredProvider, PaymentProvider } from './gateways/payment-provider.ts';
import { PAYMENT_PROVIDERS } from './gateways/payment-providers.ts';
import { WEBHOOKS_PATH } from './kernel/webhook-path.ts';

/** The part of the configuration that providers declare themselves. `config.ts` reads the environment, and gives it here. */

export type Given = Readonly<Record<string, string | undefined>>;
interface Read<T> {
  /** Those that are on. */
  readonly on: readonly T[];
  /** One line for each, never with a value. */
  readonly problems: readonly string[];
}

/** `NAME: what it must be`, or that it is required. */
export const issuesOf = (error: z.ZodError, given: Given): string[] =>
  error.issues.map((issue) => {
    const name = issue.path.join('.');
    return `${name}: ${given[name] === undefined ? 'is required' : issue.message}`;
  });

/** `PAYMENT_GATEWAYS`: ids of providers, separated by commas. */
const providerIds = (providers: readonly PaymentProvider[]) => {
  const ids = providers.map(({ id }) => id);
  return z
    .string()
    .refine(
      (text) => parts(text).length > 0 && parts(text).every((id) => ids.includes(id)),
      `must be some of ${ids.join(', ')}, separated by commas`,
    );
};

/** By name; else those whose needed variable is set; else those that move no money. */
function idsOn(given: Given, providers: readonly PaymentProvider[]): readonly string[] {
  const named = given['PAYMENT_GATEWAYS'];
  if (named !== undefined) return parts(named);
  const real = providers.filter(({ neededVariable }) => neededVariable !== null && given[neededVariable] !== undefined);
  return (real.length > 0 ? real : providers.filter(({ pretends }) => pretends)).map(({ id }) => id);
}

export function readPayments(given: Given, providers = PAYMENT_PROVIDERS): Read<ConfiguredProvider> {
  const names = providerIds(providers).optional().safeParse(given['PAYMENT_GATEWAYS']);
  const problems = names.success ? [] : names.error.issues.map(({ message }) => `PAYMENT_GATEWAYS: ${message}`);
  const ids = idsOn(given, providers);
  const dataDir = path.resolve(given['ROOMY_DATA_DIR'] ?? DEFAULT_DATA_DIR);
  const on: ConfiguredProvider[] = [];
  for (const provider of providers) {
    const { id, neededVariable } = provider;
    const isOn = ids.includes(id);
    const taken = [...providers.map((other) => other.id).filter((other) => other !== id), PAYOUT_BANK];
    const read = provider.configure(given, { dataDir, taken });
    if (isOn && neededVariable !== null && given[neededVariable] === undefined)
      problems.push(`${neededVariable}: is required when PAYMENT_GATEWAYS has ${id}`);
    if ('error' in read) problems.push(...issuesOf(read.error, given));
    else if (isOn) on.push(read.provider);
    else problems.push(...read.onlyWhenOn.map((name) => `${name}: needs PAYMENT_GATEWAYS to have ${id}`));
  }
  return { on, problems };
}
export const DEFAULT_DATA_DIR = '.roomy';

export function readChannels(given: Given, channels = MESSAGE_CHANNELS): Read<ConfiguredChannel> {
  const base = given['PUBLIC_URL']?.replace(/\/+$/, '');
  const read = channels.map((channel) => {
    const webhookUrl = base === undefined ? null : `${base}${WEBHOOKS_PATH}/${channel.id}`;
    return { needed: missingOf(channel, given), result: channel.configure(given, { webhookUrl }) };
  });
  return {
    on: read.flatMap(({ result }) => ('channel' in result && result.channel !== null ? [result.channel] : [])),
    problems: read.flatMap(({ needed, result }) => [
      ...('error' in result ? issuesOf(result.error, given) : []),
      ...needed,
    ]),
  };
}

/** Some of its variables alone are a mistake; none at all means that it is off. */
function missingOf({ id, neededVariables }: MessageChannel, given: Given): readonly string[] {
  const missing = neededVariables.filter((name) => given[name] === undefined);
  if (missing.length === neededVariables.length) return [];
  return missing.map((name) => `${name}: is required with the other settings of ${named(id)}`);
}
const named = (id: string): string => `${id.slice(0, 1).toUpperCase()}${id.slice(1)}`;

/** In production what moves money is on by its key or by its name, and what does not by its name. */
export function unnamedGateways(given: Given, providers = PAYMENT_PROVIDERS): string[] {
  const isNamed = ['PAYMENT_GATEWAYS', ...providers.map(({ neededVariable }) => neededVariable)].some(
    (name) => name !== null && given[name] !== undefined,
  );
  if (isNamed) return [];
  const choices = providers
    .toSorted((a, b) => Number(a.pretends) - Number(b.pretends))
    .map(({ id, neededVariable, pretends }) => {
      const how = neededVariable === null ? id : `${id} (with ${neededVariable})`;
      return pretends ? `or ${how}, which moves no money` : how;
    });
  return [`PAYMENT_GATEWAYS: is required in production: ${choices.join(', ')}`];
}

/** Every variable that a provider reads, with what its `provider.ts` says of it. */
export const PROVIDER_VARIABLES: readonly ProviderVariable[] = [
  ...PAYMENT_PROVIDERS.map(({ id, environment }) => ({ id, shape: environment([]).shape })),
  ...MESSAGE_CHANNELS.map(({ id, environment }) => ({ id, shape: environment.shape })),
].flatMap(({ id, shape }) =>
  Object.entries(shape).map(([name, rule]) => ({
    provider: id,
    name,
    description: rule instanceof z.ZodType ? rule.description : undefined,
  })),
);
export interface ProviderVariable {
  readonly provider: string;
  readonly name: string;
  readonly description: string | undefined;
}
