import type { Page, PageRequest } from '../domain/paging.ts';
import type { ExpectedVersions } from '../domain/versions.ts';
import type { AnyContext, Services } from './context.ts';

/** Answers in the brief's envelope. */

interface Versioned {
  readonly id: string;
  readonly version: number;
}

export const found = (c: AnyContext, data: unknown, message?: string): Response =>
  json(c, 200, { success: true, data, ...(message === undefined ? {} : { message }) });

/** A record that can be changed: its version is its entity tag. */
export function foundVersion(c: AnyContext, data: Versioned): Response {
  c.header('ETag', entityTag(data.version));
  return json(c, 200, { success: true, data });
}

export function created(c: AnyContext, data: Versioned, message: string): Response {
  c.header('ETag', entityTag(data.version));
  c.header('Location', `${c.req.path}/${data.id}`);
  return json(c, 201, { success: true, data, message });
}

/** A record that never changes has no entity tag. */
export function createdFixed(c: AnyContext, data: { readonly id: string }, message: string): Response {
  c.header('Location', `${c.req.path}/${data.id}`);
  return json(c, 201, { success: true, data, message });
}

/** Every answer in JSON is made here, or kept as it was made. */
export const json = (c: AnyContext, status: 200 | 201, body: object): Response => {
  c.header('Content-Type', 'application/json; charset=utf-8');
  return c.body(JSON.stringify(body), status);
};

const entityTag = (version: number): string => `"${version}"`;

/** The versions that `If-Match` accepts (RFC 9110 13.1.1): strong comparison, so weak or foreign tags match no version. */
export function expectedVersions(c: AnyContext): ExpectedVersions {
  const header = c.req.header('if-match');
  if (header === undefined || header.trim() === '*') return null;
  return header.split(',').flatMap((tag) => {
    const version = /^\s*"(\d{1,9})"\s*$/.exec(tag)?.[1];
    return version === undefined ? [] : [Number(version)];
  });
}

interface ListQuery {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/**
 * Answers one page of a list. The filter is what is left of the query; a cursor opens only with the same one.
 * `extra` goes beside `data`.
 */
export async function page<Query extends ListQuery, View>(
  c: AnyContext,
  services: Services,
  list: string,
  query: Query,
  read: (filter: Omit<Query, 'limit' | 'cursor'>, page: PageRequest) => Promise<Page<View>>,
  extra: object = {},
): Promise<Response> {
  const { limit, cursor, ...filter } = query;
  const after = cursor === undefined ? null : services.cursors.open(list, filter, cursor);
  const { items, next } = await read(filter, { after, limit });
  const nextCursor = next ? services.cursors.seal(list, filter, next) : null;
  return json(c, 200, { success: true, data: items, nextCursor, ...extra });
}
