import { z } from '@hono/zod-openapi';
import { filtersBy } from '../references.ts';
import { secret } from '../secrets.ts';
import { CHANGE_NOTHING, Id, isChange, line, pageQuery } from './common.ts';
import { sinceFields } from './period.ts';

export const DomainEvent = z
  .object({
    seq: z.int().openapi({ description: 'Its place in the feed: dense, the same for everybody' }),
    id: z.string(),
    type: z.string().openapi({ example: 'reservation.confirmed' }),
    at: z.iso.datetime(),
    resource: z.object({ type: z.string(), id: z.string() }),
    reservationId: z.string().nullable(),
    data: z.record(z.string(), z.unknown()).openapi({ description: 'Ids, codes, times and amounts' }),
  })
  .openapi('DomainEvent');
const EventType = z
  .string()
  .max(64)
  .regex(/^[a-z]+\.(?:\*|[a-z_]+)$/, 'must be like task.assigned or task.*');
/** A place in the feed as it is written there: `01` is no place, and is not taken for 1 (`Last-Event-ID` goes by the same). */
export const PLACE = /^(?:0|[1-9]\d{0,14})$/;
const count = z
  .string()
  .regex(PLACE, 'must be a whole number without leading zeros')
  .transform(Number)
  .openapi({ type: 'integer' });
const position = {
  after: count.default(0),
  type: EventType.optional(),
  reservationId: filtersBy(Id, 'reservation').optional(),
};
export const EventQuery = z.strictObject({
  ...position,
  limit: z
    .string()
    .regex(/^(?:[1-9]\d{0,2}|1000)$/, 'must be a whole number from 1 to 1000')
    .default('100')
    .transform(Number)
    .openapi({ type: 'integer' }),
  cursor: pageQuery.cursor,
});
export const StreamQuery = z.strictObject({
  ...position,
  after: count.optional(),
  steps: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .openapi({ type: 'boolean', description: 'Whether the steps of executions are told too, as `step`' }),
  ticket: z
    .string()
    .max(64)
    .optional()
    .openapi({ description: 'In place of a token: of `POST /events/tickets`, for one stream' }),
});
export const StreamTicket = z
  .object({
    ticket: secret(z.string().openapi({ description: 'Goes into `ticket` of the stream’s address' })),
    expiresAt: z.iso.datetime(),
  })
  .openapi('StreamTicket');

/** Read back as it was sent, and nothing that a parser of addresses would leave out or read otherwise. */
const Url = z
  .string()
  .min(1)
  .max(2_000)
  .refine(
    (text) => !/[\s\p{Cc}\p{Cf}\\]/u.test(text),
    'must be an address without spaces, backslashes and invisible characters',
  );
const types = z.array(EventType).max(50);
export const NewWebhookEndpoint = z
  .strictObject({
    url: Url.openapi({ example: 'https://example.com/hooks/roomy' }),
    description: line(200).optional(),
    types: types.optional().openapi({ description: 'None: all' }),
  })
  .openapi('NewWebhookEndpoint');
export const WebhookEndpointChange = z
  .strictObject({ url: Url.optional(), description: line(200).nullish(), types: types.optional() })
  .refine(isChange, CHANGE_NOTHING)
  .openapi('WebhookEndpointChange');
const endpoint = {
  id: z.string(),
  url: z.string(),
  description: z.string().nullable(),
  types: z.array(z.string()),
  unknownTypes: z.array(z.string()).openapi({ description: 'Those of `types` that no event matches' }),
  status: z.enum(['ACTIVE', 'DISABLED']),
  disabledReason: z.string().nullable(),
  nextSeq: z.int().openapi({ description: 'The next event that it gets' }),
  failedAttempts: z.int(),
  nextAttemptAt: z.iso.datetime(),
  version: z.int(),
  createdAt: z.iso.datetime(),
};
export const WebhookEndpoint = z.object(endpoint).openapi('WebhookEndpoint');
export const WebhookEndpointWithSecret = z
  .object({ ...endpoint, secret: secret(z.string().openapi({ description: 'Shown once', example: 'whsec_...' })) })
  .openapi('WebhookEndpointWithSecret');
/** As it is sent to webhooks. */
const payload = { timestamp: z.iso.datetime(), id: z.string() };
const resourceOf = (resource: z.ZodType) => z.object({ type: resource, id: z.string() });
export const deliveryOf = (type: z.ZodType, resource: z.ZodType, data: z.ZodType) =>
  z.object({
    type,
    timestamp: payload.timestamp,
    data: z.object({
      seq: z.int(),
      id: payload.id,
      resource: resourceOf(resource),
      reservationId: z.string().nullable(),
      data,
    }),
  });
export const EventKind = z
  .object({
    type: z.string().openapi({ example: 'reservation.confirmed' }),
    resource: z.string().openapi({ description: 'The kind of record that it is about', example: 'reservation' }),
    description: z.string(),
    example: deliveryOf(z.string(), z.string(), z.record(z.string(), z.unknown())),
  })
  .openapi('EventKind');
export const Replay = z
  .strictObject({ afterSeq: z.int().min(0).optional(), ...sinceFields })
  .refine(({ afterSeq, since }) => (afterSeq === undefined) !== (since === undefined), 'must have afterSeq or since')
  .openapi('Replay');
export const AttemptQuery = z.strictObject({
  before: count.optional(),
  limit: z
    .string()
    .regex(/^(?:[1-9]\d?|100)$/, 'must be a whole number from 1 to 100')
    .default('50')
    .transform(Number)
    .openapi({ type: 'integer' }),
  cursor: pageQuery.cursor,
});
export const WebhookAttempt = z
  .object({
    id: z.int(),
    seq: z.int(),
    type: z.string(),
    attempt: z.int(),
    at: z.iso.datetime(),
    statusCode: z.int().nullable(),
    reason: z.string().nullable(),
    ms: z.int(),
  })
  .openapi('WebhookAttempt');
export const PingOutcome = z
  .object({ taken: z.boolean(), statusCode: z.int().nullable(), reason: z.string().nullable(), ms: z.int() })
  .openapi('PingOutcome');
