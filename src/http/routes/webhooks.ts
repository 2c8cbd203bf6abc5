import { createRoute, z } from '@hono/zod-openapi';
import { SMS_RECEIPTS } from '../../config.ts';
import { receiveEvent } from '../../domain/finance/gateway-events.ts';
import { noteReceipt } from '../../domain/messages/receipts.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { BY_GATEWAY, startCapturedPayment } from '../../sagas/start-captured-payment.ts';
import { found } from '../answers.ts';
import { inTransaction, type Services } from '../context.ts';
import { readBody } from '../middleware/body.ts';
import type { Register } from '../route.ts';
import { answer, one, refusals } from '../schemas/envelope.ts';

const MAX_BYTES = 256 * 1024;

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
    if (outcome !== 'start-payment') return found(c, { outcome });
    const requester = { ...BY_GATEWAY, requestId: c.get('requestId'), ip: c.get('ip') };
    const started = await startCapturedPayment(services, received, requester);
    return found(c, { outcome: started ? outcome : 'waiting' });
  });
}
