import type { ReceivedEvent, WebhookReceiver } from '../../src/domain/ports.ts';
import { RoomyError } from '../../src/kernel/errors.ts';

/** `webhooks/stripe` takes a `ReceivedEvent` as JSON; with `signature`, only under that one. */
export const unsignedEvents = (signature: string | null = null): ReadonlyMap<string, WebhookReceiver> =>
  new Map([
    [
      'stripe',
      {
        signatureHeader: 'stripe-signature',
        maxKib: 256,
        receive(body, given) {
          if (signature !== null && given !== signature) throw new RoomyError('INVALID_SIGNATURE');
          return { payment: JSON.parse(body.toString()) as ReceivedEvent };
        },
      },
    ],
  ]);
