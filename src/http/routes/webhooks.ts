import { createRoute, z } from '@hono/zod-openapi';
import { SMS_RECEIPTS } from '../../config.ts';
import { markProcessed, receiveEvent } from '../../domain/finance/gateway-events.ts';
import { noteReceipt } from '../../domain/notifications/receipts.ts';
import type { ReceivedEvent } from '../../domain/ports.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { canonicalJson, sha256 } from '../../kernel/json.ts';
import { processPayment } from '../../sagas/index.ts';
import type { Requester } from '../../sagas/orchestrator/types.ts';
import { found } from '../answers.ts';
import { inTransaction, type Services } from '../context.ts';
import { readBody } from '../middleware/body.ts';
import type { Register } from '../route.ts';
import { answer, one, refusals } from '../schemas/envelope.ts';

const MAX_BYTES = 256 * 1024;
/** In whose name the gateway's news is booked. */
const GATEWAY = 'system:gateway';

const stripe = createRoute({
  method: 'post',
  path: '/api/production/webhooks/stripe',
  tags: ['Webhooks'],
  summary: 'For Stripe: signed events, each counted once',
  request: { headers: z.object({ 'Stripe-Signature': z.string().optional() }) },
  responses: {
    200: answer('Taken note of', one(z.object({ outcome: z.string() }))),
    ...refusals('INVALID_SIGNATURE', 'MALFORMED_REQUEST', 'PAYLOAD_TOO_LARGE', 'ROUTE_NOT_FOUND'),
  },
});

const sms = createRoute({
  method: 'post',
  path: SMS_RECEIPTS,
  tags: ['Webhooks'],
  summary: 'For Twilio: what became of an SMS',
  request: { headers: z.object({ 'X-Twilio-Signature': z.string().optional() }) },
  responses: {
    200: answer('Taken note of', one(z.object({ outcome: z.string() }))),
    ...refusals('INVALID_SIGNATURE', 'PAYLOAD_TOO_LARGE', 'ROUTE_NOT_FOUND'),
  },
});
/** A receipt has some twenty short fields. */
const MAX_RECEIPT_BYTES = 16 * 1024;

export function registerWebhooks(register: Register, services: Services): void {
  register.unkeyed(sms, async (c) => {
    const { db, verifyReceipt } = services;
    if (verifyReceipt === null) throw new RoomyError('ROUTE_NOT_FOUND');
    const body = await readBody(c, MAX_RECEIPT_BYTES, 'A receipt has 16 KiB at the most');
    const form = Object.fromEntries(new URLSearchParams(body.toString('utf8')));
    const receipt = verifyReceipt(form, c.req.header('x-twilio-signature') ?? '');
    if (receipt === null) throw new RoomyError('INVALID_SIGNATURE');
    return found(c, { outcome: (await noteReceipt(db, receipt)) ? 'noted' : 'nothing new' });
  });
  register.unkeyed(stripe, async (c) => {
    const { verifyWebhook } = services;
    if (verifyWebhook === null) throw new RoomyError('ROUTE_NOT_FOUND');
    const body = await readBody(c, MAX_BYTES, 'An event has 256 KiB at the most');
    const received = verifyWebhook(body, c.req.header('stripe-signature') ?? '');
    const outcome = await inTransaction(services, (tx) => receiveEvent(tx, received));
    if (outcome === 'start-payment')
      await startPayment(services, received, { sub: GATEWAY, requestId: c.get('requestId'), ip: c.get('ip') });
    return found(c, { outcome });
  });
}

/** Money that the gateway holds and nobody has booked: never lost, whatever the stay's state (domain.md 7). */
async function startPayment(services: Services, received: ReceivedEvent, requester: Requester): Promise<void> {
  const { event, gatewayId } = received;
  if (event.kind !== 'charge-succeeded' || event.reservationId === null) return;
  const input = {
    reservationId: event.reservationId,
    amountMinor: event.amountMinor,
    currency: event.currency,
    paymentMethod: null,
    gatewayId,
    gatewayReference: event.reference,
    captured: true,
    review: null,
  };
  await services.orchestrator.accept(processPayment, {
    subjectId: event.reservationId,
    input,
    requester,
    // A repeated delivery finds the saga that the first one started.
    idempotency: { key: `${gatewayId}-${received.eventId}`, requestHash: sha256(canonicalJson(input)) },
  });
  await markProcessed(services.db, received, 'start-payment');
}
