import type { MiddlewareHandler } from 'hono';
import type { AnyContext, AppEnv } from '../context.ts';
import { jsonBody } from './json-body.ts';

const CSV_TYPE = /^text\/csv\s*(?:;\s*(?:charset\s*=\s*"?utf-8"?|header\s*=\s*present)\s*)*$/i;

export const isCsv = (c: AnyContext): boolean => CSV_TYPE.test(c.req.header('content-type') ?? '');

/** A file is left in the stream, for its route to read within the bounds of its kind; anything else must be JSON. */
export function csvOrJsonBody(): MiddlewareHandler<AppEnv> {
  const json = jsonBody({ required: true });
  return (c, next) => (isCsv(c) ? next() : json(c, next));
}
