import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createRoute, z } from '@hono/zod-openapi';
import { RoomyError } from '../../kernel/errors.ts';
import type { AnyContext } from '../context.ts';
import type { Register } from '../route.ts';

/** The page for a phone, and its files: nothing in them is anybody's, so anybody may read them. */

const FOLDER = path.join(import.meta.dirname, '../work');
const TYPES: Readonly<Record<string, string>> = {
  'index.html': 'text/html; charset=utf-8',
  'app.js': 'text/javascript; charset=utf-8',
  'api.js': 'text/javascript; charset=utf-8',
  'outbox.js': 'text/javascript; charset=utf-8',
  'photo.js': 'text/javascript; charset=utf-8',
  'store.js': 'text/javascript; charset=utf-8',
  'view.js': 'text/javascript; charset=utf-8',
  'sw.js': 'text/javascript; charset=utf-8',
  'style.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
  'manifest.webmanifest': 'application/manifest+json',
};
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "manifest-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const fileRoute = (at: string, request: object) =>
  createRoute({
    method: 'get',
    path: at,
    hide: true,
    request,
    responses: { 200: { description: 'A file', content: { 'text/html': { schema: { type: 'string' as const } } } } },
  });

export function registerWorkPage(register: Register): void {
  register(fileRoute('/work', {}), (c) => serve(c, 'index.html'));
  register(fileRoute('/work/{file}', { params: z.strictObject({ file: z.string().max(50) }) }), (c) =>
    serve(c, c.req.param('file') ?? ''),
  );
}

async function serve(c: AnyContext, file: string): Promise<Response> {
  const type = Object.hasOwn(TYPES, file) ? TYPES[file] : undefined;
  if (type === undefined) throw new RoomyError('ROUTE_NOT_FOUND');
  c.header('Content-Type', type);
  c.header('Content-Security-Policy', POLICY);
  c.header('X-Content-Type-Options', 'nosniff');
  c.header('Referrer-Policy', 'no-referrer');
  // Its own service worker keeps it; a browser's cache would keep an old version beside a new one.
  c.header('Cache-Control', 'no-cache');
  if (file === 'sw.js') c.header('Service-Worker-Allowed', '../work');
  return c.body(await readFile(path.join(FOLDER, file)));
}
