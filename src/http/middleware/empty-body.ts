import type { MiddlewareHandler } from 'hono';
import { RoomyError } from '../../kernel/errors.ts';
import type { AppEnv } from '../context.ts';
import { jsonBody } from './json-body.ts';

const MAX_FIELDS_NAMED = 20;
const MAX_NAME_CHARS = 200;

/** Of a change that takes no body: none is needed, `{}` is the same as none, and what somebody hoped to say in one is refused. */
export function emptyBody(): MiddlewareHandler<AppEnv> {
  const json = jsonBody({ required: false });
  return async (c, next) => {
    if (c.req.raw.body === null) return next();
    await json(c, async () => {
      const value: unknown = await c.req.json();
      const isEmpty =
        typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
      if (!isEmpty) throw new RoomyError('VALIDATION_FAILED', { details: { issues: issuesOf(value) } });
      await next();
    });
  };
}

function issuesOf(value: unknown) {
  const names = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
  if (names.length === 0) return [{ path: '', message: 'this request takes no body' }];
  return names
    .slice(0, MAX_FIELDS_NAMED)
    .map((name) => ({ path: name.slice(0, MAX_NAME_CHARS), message: 'is unknown: this request takes no fields' }));
}
