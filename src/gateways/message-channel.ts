import type { z } from 'zod';
import type { Messenger, OutgoingMessage, WebhookReceiver } from '../domain/ports.ts';

export type Channel = OutgoingMessage['channel'];

/**
 * The declaration of a provider of messages, in `gateways/<id>/provider.ts`; `gateways/message-channels.ts` lists
 * them. A channel that none of them serves goes to the mailbox of the ops port.
 */
export interface MessageChannelSpec<Environment extends z.ZodObject, Settings> {
  /** Also its address, `webhooks/<id>`. Lower case. */
  readonly id: string;
  readonly channel: Channel;
  /** The name of its circuit breaker. */
  readonly circuit: string;
  /** The variables that it reads, each with its rule and a description. */
  readonly environment: Environment;
  /** Set together or not at all; the channel is on when all are set. */
  readonly neededVariables: readonly string[];
  /** `webhookUrl`: where it can call us, as seen from outside; null: nowhere. Null: it is off. */
  settings(environment: z.output<Environment>, installation: { readonly webhookUrl: string | null }): Settings | null;
  /** What it needs to work, such as a library, is loaded here and not with its declaration. */
  create(settings: Settings): Promise<Messenger>;
  /** Takes its reports about the delivery of messages; null: it sends none. Default: none. */
  webhook?(settings: Settings): Promise<WebhookReceiver | null>;
}

/** With its settings, and not at work yet. */
export interface ConfiguredChannel {
  readonly id: string;
  readonly channel: Channel;
  readonly circuit: string;
  readonly settings: unknown;
  /** Null: it does not call us. */
  webhook(): Promise<WebhookReceiver | null>;
  create(): Promise<Messenger>;
}
export interface MessageChannel {
  readonly id: string;
  readonly environment: z.ZodObject;
  readonly neededVariables: readonly string[];
  /** `channel: null`: it is off. */
  configure(
    given: Readonly<Record<string, string | undefined>>,
    installation: { readonly webhookUrl: string | null },
  ): { readonly error: z.ZodError } | { readonly channel: ConfiguredChannel | null };
}

export function messageChannel<Environment extends z.ZodObject, Settings>(
  spec: MessageChannelSpec<Environment, Settings>,
): MessageChannel {
  const { id, channel, circuit, environment, neededVariables } = spec;
  return {
    id,
    environment,
    neededVariables,
    configure(given, installation) {
      const parsed = environment.safeParse(given);
      if (!parsed.success) return { error: parsed.error };
      const settings = spec.settings(parsed.data, installation);
      if (settings === null) return { channel: null };
      const webhook = async () => (await spec.webhook?.(settings)) ?? null;
      return { channel: { id, channel, circuit, settings, webhook, create: () => spec.create(settings) } };
    },
  };
}
