import { z } from '@hono/zod-openapi';
import { ROLES } from '../../kernel/roles.ts';
import { SCOPES } from '../policy.ts';
import { secret } from '../secrets.ts';
import { Instant, line } from './common.ts';

const expiresAt = Instant.openapi({
  description: 'In the future, and a year from now at the latest',
  example: '2024-08-01T00:00:00Z',
});

export const NewApiKey = z
  .strictObject({
    name: line(100).openapi({ description: 'For people: which program has it' }),
    scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length).openapi({ description: 'All that the key may do' }),
    expiresAt,
  })
  .openapi('NewApiKey');
export const ApiKeyRotation = z.strictObject({ expiresAt }).openapi('ApiKeyRotation');

const apiKey = {
  id: z.string(),
  name: z.string(),
  prefix: z.string().openapi({ description: 'How the key begins, to tell it from others', example: 'rk_live_Zk3q' }),
  scopes: z.array(z.string()),
  createdBy: z.string(),
  maker: z
    .object({ role: z.enum(ROLES), isActive: z.boolean() })
    .nullable()
    .openapi({ description: 'How its maker stands now: the key goes on without them. Null: nobody with an account' }),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime().nullable().openapi({ description: 'To the minute; null: never' }),
  revokedAt: z.iso.datetime().nullable(),
  version: z.int(),
};
export const ApiKey = z.object(apiKey).openapi('ApiKey');
export const ApiKeyWithSecret = z
  .object({
    ...apiKey,
    key: secret(
      z.string().openapi({ description: 'Shown once; sent as `Authorization: Bearer <key>`', example: 'rk_live_...' }),
    ),
  })
  .openapi('ApiKeyWithSecret');
