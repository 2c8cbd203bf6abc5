import { createRoute, z } from '@hono/zod-openapi';
import { RoomyError } from '../../kernel/errors.ts';
import { workFiles } from '../../web/files.ts';
import { WORK_POLICY } from '../../web/layout.ts';
import { workPage } from '../../web/work-page.ts';
import { ASK_FIRST, type CachedText, cachedText } from '../cached.ts';
import type { AnyContext, Services } from '../context.ts';
import type { Register } from '../route.ts';

/** The page for a phone, and its files: nothing in them is anybody's, so anybody may read them. */

const fileRoute = (at: string, request: object) =>
  createRoute({
    method: 'get',
    path: at,
    hide: true,
    request,
    responses: { 200: { description: 'A file', content: { 'text/html': { schema: { type: 'string' as const } } } } },
  });

export function registerWorkPage(register: Register, { isProduction = false }: Services): void {
  const home = async (): Promise<string> => String(await workPage(!isProduction));
  // Its own service worker keeps them; a browser's cache would keep an old version beside a new one.
  const page = cachedText('text/html; charset=utf-8', home, ASK_FIRST);
  const files = new Map(
    [...workFiles(home)].map(([name, { type, read }]) => [name, cachedText(type, read, ASK_FIRST)] as const),
  );
  register(fileRoute('/work', {}), (c) => answer(c, page));
  register(fileRoute('/work/{file}', { params: z.strictObject({ file: z.string().max(50) }) }), (c) => {
    const name = c.req.param('file') ?? '';
    const file = files.get(name);
    if (file === undefined) throw new RoomyError('ROUTE_NOT_FOUND');
    // The page stands above the folder of its files.
    if (name === 'sw.js') c.header('Service-Worker-Allowed', '../work');
    return answer(c, file);
  });
}

function answer(c: AnyContext, file: CachedText): Promise<Response> {
  c.header('Content-Security-Policy', WORK_POLICY);
  c.header('X-Content-Type-Options', 'nosniff');
  c.header('Referrer-Policy', 'no-referrer');
  return file.answer(c);
}
