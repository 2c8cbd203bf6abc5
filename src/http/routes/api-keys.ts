import { createRoute, z } from '@hono/zod-openapi';
import { createApiKey, getApiKey, listApiKeys, revokeApiKey, rotateApiKey } from '../../domain/people/api-keys.ts';
import { created, foundVersion, page } from '../answers.ts';
import { authorOf, type Services } from '../context.ts';
import type { Register } from '../route.ts';
import { ApiKey, ApiKeyRotation, ApiKeyWithSecret, NewApiKey } from '../schemas/api-keys.ts';
import { IdParam, pageQuery } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, many, one, refusals } from '../schemas/envelope.ts';

const PATH = '/api/production/api-keys';
const tags = ['API keys'];
const request = { params: IdParam };
const ABSENT = refusals('VALIDATION_FAILED', 'NOT_FOUND');
const example = {
  name: 'Channel manager',
  scopes: ['reservations:read', 'reservations:write'],
  expiresAt: '2024-08-01T00:00:00Z',
};

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List API keys, newest first, without the keys themselves',
  request: { query: z.strictObject(pageQuery) },
  responses: { 200: answer('A page of keys', many(ApiKey)), ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR') },
});
const create = createRoute({
  method: 'post',
  path: PATH,
  tags,
  summary: 'Make a key for a program',
  request: { body: jsonOf(NewApiKey, example) },
  responses: { 201: answer('Made; the key is shown once', one(ApiKeyWithSecret)), ...bodyRefusals() },
});
const read = createRoute({
  method: 'get',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Get what is known of an API key',
  request,
  responses: { 200: answer('The key, without what it is', one(ApiKey)), ...ABSENT },
});
const revoke = createRoute({
  method: 'delete',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Revoke an API key for good',
  request,
  responses: { 204: { description: 'It opens nothing any more, within 30 seconds' }, ...ABSENT },
});
const rotate = createRoute({
  method: 'post',
  path: `${PATH}/{id}/rotate`,
  tags,
  summary: 'Replace a key by a new one with the same scopes',
  request: { ...request, body: jsonOf(ApiKeyRotation, { expiresAt: example.expiresAt }) },
  responses: {
    200: answer('The new key, shown once', one(ApiKeyWithSecret)),
    ...bodyRefusals('NOT_FOUND', 'INVALID_STATE_TRANSITION'),
  },
});

export function registerApiKeys(register: Register, services: Services): void {
  const { db, clock } = services;
  register(list, (c) => page(c, services, 'api-keys', c.req.valid('query'), (_filter, at) => listApiKeys(db, at)));
  register.mutation(create, (c, once) => {
    const wanted = c.req.valid('json');
    return once.change(async (tx) => {
      c.header('Cache-Control', 'no-store');
      return created(c, await createApiKey(tx, wanted, clock.now(), authorOf(c)), 'API key created');
    });
  });
  register(read, async (c) => foundVersion(c, await getApiKey(db, c.req.valid('param').id)));
  register.mutation(revoke, (c, once) => {
    const { id } = c.req.valid('param');
    return once.change(async (tx) => {
      await revokeApiKey(tx, id, authorOf(c));
      return c.body(null, 204);
    });
  });
  register.mutation(rotate, (c, once) => {
    const { id } = c.req.valid('param');
    const { expiresAt } = c.req.valid('json');
    return once.change(async (tx) => {
      c.header('Cache-Control', 'no-store');
      return foundVersion(c, await rotateApiKey(tx, id, { expiresAt, now: clock.now() }, authorOf(c)));
    });
  });
}
