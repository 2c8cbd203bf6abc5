import type { Messenger, WebhookReceiver } from '../domain/ports.ts';
import type { Logger } from '../kernel/log.ts';
import { type CircuitStatus, createBreakers } from './breaker.ts';
import { withCircuit } from './channel-circuit.ts';
import type { Channel, ConfiguredChannel, MessageChannel } from './message-channel.ts';
import { smtpChannel } from './smtp/provider.ts';
import { twilioChannel } from './twilio/provider.ts';

/** Every provider of messages there is. Of two that serve one channel and are on, the first one sends. */
export const MESSAGE_CHANNELS: readonly MessageChannel[] = [smtpChannel, twilioChannel];

export interface OpenMessengers {
  readonly messengers: Readonly<Record<Channel, Messenger>>;
  /** By circuit: what its breaker lets through. */
  circuits(): ReadonlyMap<string, CircuitStatus>;
  close(): Promise<void>;
}

/** Each channel behind its circuit; one that no provider serves goes to `mailbox`, which this closes too. */
export async function openMessengers(
  channels: readonly ConfiguredChannel[],
  mailbox: Messenger,
  log: Logger,
): Promise<OpenMessengers> {
  const breakers = createBreakers(log);
  const opened: Messenger[] = [mailbox];
  const messengerOf = async (channel: Channel): Promise<Messenger> => {
    const provider = channels.find((one) => one.channel === channel);
    if (!provider) return mailbox;
    const messenger = await provider.create();
    opened.push(messenger);
    return withCircuit(messenger, breakers, provider.circuit);
  };
  return {
    messengers: { EMAIL: await messengerOf('EMAIL'), SMS: await messengerOf('SMS') },
    circuits: breakers.states,
    close: async () => {
      await Promise.all(opened.map((messenger) => messenger.close()));
    },
  };
}

/** By the id of their provider: those that report the delivery of a message. */
export async function receiptReceivers(
  channels: readonly ConfiguredChannel[],
): Promise<ReadonlyMap<string, WebhookReceiver>> {
  const all = await Promise.all(channels.map(async (channel) => [channel.id, await channel.webhook()] as const));
  return new Map(all.flatMap(([id, webhook]) => (webhook ? [[id, webhook] as const] : [])));
}
