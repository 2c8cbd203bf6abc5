import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { HonoAdapter } from '@bull-board/hono';
import { serveStatic } from '@hono/node-server/serve-static';
import type { Queue } from 'bullmq';
import { Hono } from 'hono';
import { ID_PATTERN } from '../kernel/ids.ts';
import { type BoardPolicyDeps, createBoardPolicy } from './board-policy.ts';

export const BOARD_PATH = '/queues';

/**
 * The sources that Bull Board's page may load: its own scripts, style sheets, fonts and one web worker; inline styles, because React
 * and its charts set them; nothing from elsewhere.
 */
const BOARD_CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  'saga-forward': 'Steps of sagas on their way. Retry resumes a parked saga.',
  'saga-compensation': 'Undoing of sagas, in reverse order. Retry resumes a parked saga.',
  notifications: 'Wake-ups for sending messages; the messages themselves are in the database.',
  tasks: 'Wake-ups for assigning tasks to staff.',
};
const SYSTEM_FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif";

export function createBoard(
  deps: BoardPolicyDeps & {
    readonly queues: readonly Queue[];
    readonly prefix: string;
    /** Where the console is, for links to sagas; null: nowhere. */
    readonly consoleUrl: string | null;
  },
): Hono {
  const adapter = new HonoAdapter(serveStatic).setBasePath(BOARD_PATH);
  createBullBoard({
    queues: deps.queues.map((queue) => inertAdapter(queue, deps.consoleUrl)),
    serverAdapter: adapter,
    options: {
      handlerHooks: { before: createBoardPolicy(deps) },
      uiConfig: {
        boardTitle: 'Roomy queues',
        hideRedisDetails: true,
        hideDocsLink: true,
        miscLinks: [
          { text: 'Mailbox', url: `${deps.prefix}/mailbox` },
          { text: 'Log out', url: `${deps.prefix}/logout` },
        ],
        theme: {
          light: { 'font-sans': SYSTEM_FONT, 'font-mono': 'ui-monospace, Consolas, monospace' },
          dark: { 'font-sans': SYSTEM_FONT, 'font-mono': 'ui-monospace, Consolas, monospace' },
        },
      },
    },
  });
  const plugin = adapter.registerPlugin();
  // Its own Hono is the CommonJS copy, whose default handler would swallow what ours must see.
  plugin.onError((error) => {
    throw error;
  });

  const app = new Hono();
  app.use('*', async (c, next) => {
    await next();
    c.res.headers.set('content-security-policy', BOARD_CSP);
    if (!(c.res.headers.get('content-type') ?? '').startsWith('text/html')) return;
    const html = await c.res.text();
    c.res = new Response(
      html.replace(REMOTE_FONTS, '').replace(BASE, `<base href="${deps.prefix}${BOARD_PATH}/"`),
      c.res,
    );
  });
  app.route('/', plugin);
  return app;
}

/** The adapter finds its files by the path without the prefix; its page is read at the path with it. */
const BASE = /<base href="[^"]*"/;
/** The page asks Google for a font, which our policy refuses: spare the operator the error. */
const REMOTE_FONTS = /<link href="https:\/\/fonts\.[^>]*>/;

/** Only what a job of ours holds is shown: an edited or forged job's other keys stay hidden (security.md O6). */
function inertAdapter(queue: Queue, consoleUrl: string | null): BullMQAdapter {
  const adapter = new OnceAdapter(queue, {
    description: DESCRIPTIONS[queue.name] ?? '',
    ...(consoleUrl !== null && SAGA_QUEUES.has(queue.name)
      ? { externalJobUrl: ({ data }) => ({ displayText: 'Saga', href: `${consoleUrl}/sagas${placeIn(data)}` }) }
      : {}),
  });
  adapter.setFormatter('data', (data: unknown) => shown(data, ['sagaId', 'step', 'direction', 'generation']));
  adapter.setFormatter('returnValue', (value: unknown) =>
    shown(value, ['outcome', 'steps', 'reason', 'at', 'code', 'messages', 'tasks', 'skipped']),
  );
  return adapter;
}

const SAGA_QUEUES: ReadonlySet<string> = new Set(['saga-forward', 'saga-compensation']);
/** A job's data is untrusted: without an id of ours the link leads to the list. */
function placeIn(data: unknown): string {
  const id: unknown = data instanceof Object ? Reflect.get(data, 'sagaId') : undefined;
  return typeof id === 'string' && ID_PATTERN.test(id) ? `/${id}` : '';
}

/** What is done is not done again: the button would do nothing. */
class OnceAdapter extends BullMQAdapter {
  override readonly allowCompletedRetries: boolean = false;
}

const DIRECTIONS: Readonly<Record<string, string>> = { F: 'forward', C: 'compensation' };

function shown(value: unknown, keys: readonly string[]): unknown {
  if (typeof value !== 'object' || value === null) return value === undefined || value === null ? value : '[hidden]';
  const entries = Object.entries(value).map(([key, field]): readonly [string, unknown] => {
    if (!keys.includes(key) || (typeof field === 'object' && field !== null)) return [key.slice(0, 40), '[hidden]'];
    if (key === 'direction' && typeof field === 'string') return [key, DIRECTIONS[field] ?? field.slice(0, 100)];
    return [key, typeof field === 'string' ? field.slice(0, 100) : field];
  });
  return Object.fromEntries(entries.slice(0, 20));
}
