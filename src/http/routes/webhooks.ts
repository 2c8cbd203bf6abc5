import { createRoute, z } from '@hono/zod-openapi';
import { receiveEvent } from '../../domain/finance/gateway-events.ts';
import { noteReceipt } from '../../domain/messages/receipts.ts';
import type { ReceivedEvent } from '../../domain/ports.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { WEBHOOKS_PATH } from '../../kernel/webhook-path.ts';
import { BY_GATEWAY, startCapturedPayment } from '../../sagas/start-captured-payment.ts';
import { found } from '../answers.ts';
import { type AnyContext, inTransaction, originOf, type Services } from '../context.ts';
import { readBody } from '../middleware/body.ts';
import type { Register } from '../route.ts';
import { answer, one, refusals } from '../schemas/envelope.ts';

const call = createRoute({
  method: 'post',
  path: `${WEBHOOKS_PATH}/{provider}`,
  tags: ['Webhooks'],
  summary: 'For providers: signed events and receipts, each counted once',
  request: { params: z.object({ provider: z.string() }) },
  responses: {
    200: answer('Taken note of', one(z.object({ outcome: z.string() }))),
    ...refusals('INVALID_SIGNATURE', 'MALFORMED_REQUEST', 'PAYLOAD_TOO_LARGE', 'ROUTE_NOT_FOUND'),
  },
});

/** One address for each provider that is in use; what it may say is its own (`WebhookReceiver`). */
export function registerWebhooks(register: Register, services: Services): void {
  register.unkeyed(call, async (c) => {
    const receiver = services.receivers.get(c.req.valid('param').provider);
    if (receiver === undefined) throw new RoomyError('ROUTE_NOT_FOUND');
    const { maxKib, signatureHeader } = receiver;
    const body = await readBody(c, maxKib * 1024, `This provider’s calls have ${maxKib} KiB at the most`);
    const received = receiver.receive(body, c.req.header(signatureHeader) ?? '');
    if ('payment' in received) return found(c, { outcome: await takeEvent(c, services, received.payment) });
    const changed = await noteReceipt(services.db, received.receipt);
    return found(c, { outcome: changed ? 'noted' : 'nothing new' });
  });
}

/** Takes a payment provider's event and answers its outcome. The saga is started after the event is recorded, so that a crash loses neither. */
async function takeEvent(c: AnyContext, services: Services, received: ReceivedEvent): Promise<string> {
  const outcome = await inTransaction(services, (tx) => receiveEvent(tx, received));
  if (outcome !== 'start-payment') return outcome;
  const requester = { ...BY_GATEWAY, ...originOf(c) };
  return (await startCapturedPayment(services, received, requester)) ? outcome : 'waiting';
}
