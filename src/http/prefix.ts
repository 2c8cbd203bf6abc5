import type { MiddlewareHandler } from 'hono';
import { getPath } from 'hono/utils/url';
import type { AppEnv } from './context.ts';

/**
 * The API under a path of its own, such as https://example.com/roomy. A proxy may take the prefix off or leave it on:
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

/** `Location` is written for the root; whoever follows it comes through the proxy. */
export function prefixLocation(prefix: string): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    await next();
    const location = c.res.headers.get('Location');
    if (prefix !== '' && location?.startsWith('/')) c.res.headers.set('Location', `${prefix}${location}`);
  };
}

/** The bytes of a 202 are stored without the prefix; its link is what `Location` says. */
export function withPrefixedLinks(prefix: string, text: string): string {
  if (prefix === '') return text;
  const body: unknown = JSON.parse(text);
  const self: unknown = linksOf(body)?.self;
  return typeof self === 'string' ? text.replace(JSON.stringify(self), JSON.stringify(`${prefix}${self}`)) : text;
}

function linksOf(body: unknown): { readonly self?: unknown } | undefined {
  const data: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, 'data') : undefined;
  const links: unknown = typeof data === 'object' && data !== null ? Reflect.get(data, 'links') : undefined;
  return typeof links === 'object' && links !== null ? links : undefined;
}
