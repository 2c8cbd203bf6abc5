import { z } from '@hono/zod-openapi';
import { EVENT_CATALOGUE, type EventKind } from '../../domain/events/catalogue.ts';
import { EVENT_DATA } from '../../domain/events/shapes.ts';
import type { App } from '../context.ts';
import { jsonOf } from '../schemas/envelope.ts';
import { deliveryOf } from '../schemas/events.ts';

/** The requests to the addresses of webhook endpoints, after Standard Webhooks: one entry for each type of event. */

const signed = (description: string) => z.string().openapi({ description });
const HEADERS = z.object({
  'webhook-id': signed('The same on every attempt: what was taken before is not to be done again'),
  'webhook-timestamp': signed('When this attempt was made, in seconds since 1970'),
  'webhook-signature': signed('`v1,` and the signature of id, timestamp and body, for each secret that counts'),
});

export function declareEvents(app: App): void {
  for (const kind of EVENT_CATALOGUE) app.openAPIRegistry.registerWebhook(webhookOf(kind));
}

const webhookOf = ({ type, resource, description, example }: EventKind) => ({
  method: 'post' as const,
  path: type,
  operationId: `on${type.split(/[._]/).map(capitalised).join('')}`,
  tags: ['Events'],
  summary: description,
  // Signed by us, with the endpoint's secret.
  security: [],
  description: `Sent for \`${type}\`. An answer other than 2xx, or none in time, has it sent again later.`,
  request: {
    headers: HEADERS,
    body: jsonOf(deliveryOf(z.literal(type), z.literal(resource), EVENT_DATA[resource]), example),
  },
  responses: { 204: { description: 'Taken; any other 2xx is as good' } },
});

const capitalised = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1);
