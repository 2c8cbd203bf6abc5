import type { Messenger, OutgoingMessage } from '../domain/ports.ts';

/**
 * Stands in for the mail and SMS providers: messages are kept where a person can read them (ops port, `/mailbox`).
 * `store` keeps a message once, by its id, however often it comes.
 */
export const createDevMailbox = (store: (messages: readonly OutgoingMessage[]) => Promise<void>): Messenger => ({
  maxBatch: 100,
  send: async (messages) => {
    await store(messages);
    return messages.map(({ messageId }) => ({ sent: true, providerId: `dev-mailbox ${messageId}` }) as const);
  },
  close: async () => {},
});
