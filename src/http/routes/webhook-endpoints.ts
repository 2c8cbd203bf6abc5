import { createRoute, z } from '@hono/zod-openapi';
import { numberEvents } from '../../domain/events/feed.ts';
import { secretsOf } from '../../domain/webhooks/deliver.ts';
import {
  changeEndpoint,
  createEndpoint,
  deleteEndpoint,
  enableEndpoint,
  getEndpoint,
  listAttempts,
  listEndpoints,
  readEndpoint,
  replay,
  rotateSecret,
} from '../../domain/webhooks/endpoints.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { created, expectedVersions, found, foundVersion, json, page } from '../answers.ts';
import { authorOf, type Services } from '../context.ts';
import { periodOf } from '../period.ts';
import type { Register } from '../route.ts';
import { IdParam, pageQuery } from '../schemas/common.ts';
import { answer, bodyRefusals, ChangeHeaders, jsonOf, many, one, refusals } from '../schemas/envelope.ts';
import {
  AttemptQuery,
  NewWebhookEndpoint,
  PingOutcome,
  Replay,
  WebhookAttempt,
  WebhookEndpoint,
  WebhookEndpointChange,
  WebhookEndpointWithSecret,
} from '../schemas/events.ts';

const PATH = '/api/production/webhook-endpoints';
const tags = ['Webhooks'];
const request = { params: IdParam };
const ABSENT = refusals('VALIDATION_FAILED', 'NOT_FOUND');

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List webhook endpoints, newest first',
  request: { query: z.strictObject(pageQuery) },
  responses: {
    200: answer('A page of endpoints', many(WebhookEndpoint)),
    ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR'),
  },
});
const create = createRoute({
  method: 'post',
  path: PATH,
  tags,
  summary: 'Have an address called when something happens from now on (Standard Webhooks)',
  request: { body: jsonOf(NewWebhookEndpoint, { url: 'https://example.com/hooks/roomy', types: ['reservation.*'] }) },
  responses: {
    201: answer('Added; the secret is shown once', one(WebhookEndpointWithSecret)),
    ...bodyRefusals('WEBHOOK_URL_REFUSED', 'EVENT_TYPE_UNKNOWN'),
  },
});
const read = createRoute({
  method: 'get',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Get a webhook endpoint',
  request,
  responses: { 200: answer('The endpoint', one(WebhookEndpoint)), ...ABSENT },
});
const change = createRoute({
  method: 'patch',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Change a webhook endpoint; honours If-Match',
  request: { ...request, headers: ChangeHeaders, body: jsonOf(WebhookEndpointChange, { types: ['task.*'] }) },
  responses: {
    200: answer('Changed', one(WebhookEndpoint)),
    ...bodyRefusals('NOT_FOUND', 'PRECONDITION_FAILED', 'WEBHOOK_URL_REFUSED', 'EVENT_TYPE_UNKNOWN'),
  },
});
const remove = createRoute({
  method: 'delete',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Remove a webhook endpoint',
  request,
  responses: { 204: { description: 'It is not called any more' }, ...ABSENT },
});
const rotate = createRoute({
  method: 'post',
  path: `${PATH}/{id}/rotate-secret`,
  tags,
  summary: 'Make a new secret; for a day the old one signs as well',
  request,
  responses: { 200: answer('The new secret, shown once', one(WebhookEndpointWithSecret)), ...ABSENT },
});
const enable = createRoute({
  method: 'post',
  path: `${PATH}/{id}/enable`,
  tags,
  summary: 'Call it again, from where it stopped',
  request,
  responses: { 200: answer('Enabled', one(WebhookEndpoint)), ...ABSENT },
});
const again = createRoute({
  method: 'post',
  path: `${PATH}/{id}/replay`,
  tags,
  summary: 'Send again what came after a place in the feed, or from an instant on; ids stay the same',
  request: { ...request, body: jsonOf(Replay, { afterSeq: 0 }) },
  responses: {
    200: answer('It goes on from there', one(WebhookEndpoint)),
    ...bodyRefusals('NOT_FOUND', 'EVENTS_NOT_REACHED'),
  },
});
const ping = createRoute({
  method: 'post',
  path: `${PATH}/{id}/test`,
  tags,
  summary: 'Call it once, now, with an event that means nothing: webhook.ping',
  request,
  responses: { 200: answer('What came of it', one(PingOutcome)), ...ABSENT },
});
const attempts = createRoute({
  method: 'get',
  path: `${PATH}/{id}/deliveries`,
  tags,
  summary: 'What was tried, newest first',
  request: { ...request, query: AttemptQuery },
  responses: {
    200: answer('A page of attempts', many(WebhookAttempt)),
    ...ABSENT,
    ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR', 'NOT_FOUND'),
  },
});

export function registerWebhookEndpoints(register: Register, services: Services): void {
  const { db, webhooks } = services;
  const assertCallable = async (url: string | undefined): Promise<void> => {
    const reason = url === undefined ? null : await webhooks.refusalOf(url);
    // A name that is not known yet may be so tomorrow; every call looks again.
    if (reason !== null && reason !== 'NAME_UNKNOWN')
      throw new RoomyError('WEBHOOK_URL_REFUSED', { details: { reason } });
  };

  register(list, (c) =>
    page(c, services, 'webhook-endpoints', c.req.valid('query'), (_filter, at) => listEndpoints(db, at)),
  );
  register.mutation(create, async (c, once) => {
    const wanted = c.req.valid('json');
    await assertCallable(wanted.url);
    // Events that have happened by now, and have no position yet, are not sent to it.
    await numberEvents(db);
    return once.change(async (tx) => {
      c.header('Cache-Control', 'no-store');
      return created(c, await createEndpoint(tx, wanted, authorOf(c)), 'Webhook endpoint created');
    });
  });
  register(read, async (c) => foundVersion(c, await getEndpoint(db, c.req.valid('param').id)));
  register.mutation(change, async (c, once) => {
    const { id } = c.req.valid('param');
    const changes = c.req.valid('json');
    await assertCallable(changes.url);
    return once.change(async (tx) =>
      foundVersion(c, await changeEndpoint(tx, id, changes, expectedVersions(c), authorOf(c))),
    );
  });
  register.mutation(remove, (c, once) => {
    const { id } = c.req.valid('param');
    return once.change(async (tx) => {
      await deleteEndpoint(tx, id, authorOf(c));
      return c.body(null, 204);
    });
  });
  register.mutation(rotate, (c, once) => {
    const { id } = c.req.valid('param');
    return once.change(async (tx) => {
      c.header('Cache-Control', 'no-store');
      return foundVersion(c, await rotateSecret(tx, id, authorOf(c)));
    });
  });
  register.mutation(enable, (c, once) => {
    const { id } = c.req.valid('param');
    return once.change(async (tx) => foundVersion(c, await enableEndpoint(tx, id, authorOf(c))));
  });
  register.mutation(again, async (c, once) => {
    const { id } = c.req.valid('param');
    const { afterSeq, since, zone } = c.req.valid('json');
    const { from } = await periodOf(c, services, { from: since, zone });
    return once.change(async (tx) => foundVersion(c, await replay(tx, id, { afterSeq, since: from }, authorOf(c))));
  });
  register.mutation(ping, (c, once) =>
    once.outside(async (occasion) => {
      const endpoint = await readEndpoint(db, c.req.valid('param').id);
      const timestamp = services.clock.now().toISOString();
      const body = JSON.stringify({ type: 'webhook.ping', timestamp, data: { endpointId: endpoint.id } });
      // Should it be sent again after a crash, its receiver knows it by its id.
      const id = `ping-${occasion}`;
      return found(c, await webhooks.send({ url: endpoint.url, id, body, secrets: await secretsOf(db, endpoint) }));
    }),
  );
  register(attempts, async (c) => {
    const { id } = c.req.valid('param');
    const { limit, cursor, ...asked } = c.req.valid('query');
    const list = `deliveries of ${id}`;
    const before = cursor === undefined ? asked.before : Number(services.cursors.open(list, asked, cursor).id);
    const { items, more } = await listAttempts(db, id, limit, before ?? null);
    const last = items.at(-1);
    const nextCursor = more && last ? services.cursors.seal(list, asked, { at: '', id: String(last.id) }) : null;
    return json(c, 200, { success: true, data: items, nextCursor });
  });
}
