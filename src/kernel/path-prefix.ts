import type { MiddlewareHandler } from 'hono';
import { getPath } from 'hono/utils/url';

/**
 * A server under a path of its own, such as https://example.com/roomy. A proxy may take the prefix off or leave it on:
 * routes are found either way, and what is answered leads back through the proxy.
 */

/** The path of `publicUrl`: `/roomy`, or nothing. */
export const prefixOf = (publicUrl: string): string => new URL(publicUrl).pathname.replace(/\/+$/, '');

/** For Hono: the path of a request without the prefix. */
export const pathWithout =
  (prefix: string) =>
  (request: Request): string => {
    const path = getPath(request);
    if (prefix === '' || (path !== prefix && !path.startsWith(`${prefix}/`))) return path;
    return path.slice(prefix.length) || '/';
  };

/** `Location` is written for the root; the client that follows it comes through the proxy. */
export function prefixLocation(prefix: string): MiddlewareHandler {
  return async (c, next) => {
    await next();
    const location = c.res.headers.get('Location');
    if (prefix !== '' && location?.startsWith('/')) c.res.headers.set('Location', `${prefix}${location}`);
  };
}
