import { createRoute, z } from '@hono/zod-openapi';
import type { SSEStreamingApi } from 'hono/streaming';
import type { EventView } from '../../domain/events/feed.ts';
import type { MovingStep } from '../../engine/read/moving-steps.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { CONSOLE_FILES } from '../../web/files.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import { ASK_FIRST, cachedText } from '../cached.ts';
import type { Caller } from '../caller.ts';
import type { Services } from '../context.ts';
import type { Interest } from '../live/feed.ts';
import { answerStream } from '../live/sse.ts';
import { HEARTBEAT_MS, LOOK_AT_CALLER_MS, PATIENCE_MS, within } from '../live/tell.ts';
import { noReference } from '../references.ts';
import type { Register } from '../route.ts';
import { Id } from '../schemas/common.ts';
import { assertStillInForce } from '../standing.ts';
import type { ConsoleApi } from './client.ts';
import { type Console, mayReadPage } from './frame.ts';
import { mayReadStay } from './stay.ts';

/**
 * Tells an open page that something of it has changed, and nothing else: the page asks for itself again, with the rights of its
 * reader. So there is nothing to be masked here, and nothing to be resumed: a page that comes again is told at once.
 */

const ABOUT = ['day', 'stay', 'saga', 'incidents', 'system', 'developers'] as const;
type About = (typeof ABOUT)[number];
const Query = z.strictObject({
  about: z.enum(ABOUT),
  of: noReference(
    Id,
    'the stay or the saga of the page, which is read as its reader before anything is told',
  ).optional(),
});
const live = createRoute({
  ...PAGE_ROUTE,
  method: 'get',
  path: '/console/live',
  request: { query: Query },
  responses: {
    ...PAGE_ROUTE.responses,
    200: { description: 'Hints', content: { 'text/event-stream': { schema: z.string() } } },
  },
});
const file = createRoute({
  ...PAGE_ROUTE,
  method: 'get',
  path: '/console/files/{file}',
  request: { params: z.strictObject({ file: z.string().max(50) }) },
});

/** Workers, queues, due rows and calls of webhooks have no events. */
const WITHOUT_EVENTS_MS = 5_000;
const OF_A_DAY: ReadonlySet<string> = new Set(['reservation', 'task', 'transaction', 'property']);

interface Subject {
  readonly about: About;
  readonly of: string;
}
/** What a kind of page follows, and who may. */
const KINDS: Readonly<
  Record<
    About,
    Interest & {
      mayRead(api: ConsoleApi): boolean;
      /** The answer of the API without which the page does not exist for its reader. */
      readonly record?: (of: string) => string;
      /** Told after so long anyhow, in milliseconds. */
      readonly everyMs?: number;
      event?(event: EventView, of: string): boolean;
      step?(step: MovingStep, of: string): boolean;
    }
  >
> = {
  day: {
    mayRead: (api) => mayReadPage(api, 'today'),
    incidents: true,
    event: ({ resource }) => OF_A_DAY.has(resource.type),
  },
  stay: {
    mayRead: mayReadStay,
    record: (of) => `/reservations/${of}/timeline?limit=1`,
    event: ({ reservationId }, of) => reservationId === of,
  },
  saga: {
    mayRead: (api) => mayReadPage(api, 'sagas'),
    record: (of) => `/sagas/executions/${of}`,
    steps: true,
    event: ({ resource }, of) => resource.id === of,
    step: ({ sagaId }, of) => sagaId === of,
  },
  incidents: { mayRead: (api) => mayReadPage(api, 'incidents'), incidents: true },
  system: { mayRead: (api) => mayReadPage(api, 'system'), everyMs: WITHOUT_EVENTS_MS },
  developers: { mayRead: (api) => mayReadPage(api, 'developers'), everyMs: WITHOUT_EVENTS_MS, event: () => true },
};

export function registerLive(register: Register, services: Services, console: Console): void {
  const files = new Map([...CONSOLE_FILES].map(([name, { type, read }]) => [name, cachedText(type, read, ASK_FIRST)]));
  register(file, (c) => {
    const found = files.get(c.req.valid('param').file);
    if (found === undefined) throw new RoomyError('ROUTE_NOT_FOUND');
    c.header('X-Content-Type-Options', 'nosniff');
    return found.answer(c);
  });
  register(live, (c) => {
    const { about, of = '' } = c.req.valid('query');
    const { mayRead, record } = KINDS[about];
    return console.visit(c, mayRead, async ({ api, session }) => {
      if (record) await api.get(record(encodeURIComponent(of)), z.unknown());
      const { principal, role } = session.account;
      const caller: Caller = { kind: 'person', principal, role, session: { id: session.id, mfaAt: session.mfaAt } };
      const release = services.streams.open(caller);
      return answerStream(c, services, release, (sse, signal) => follow(services, caller, { about, of }, sse, signal));
    });
  });
}

/** Between two hints: each makes its page ask for its parts again, and each of these counts for its reader. */
const REST_MS = 1_000;
const REST_OF_ALL_EVENTS_MS = 3_000;

async function follow(
  services: Services,
  caller: Caller,
  { about, of }: Subject,
  sse: SSEStreamingApi,
  signal: AbortSignal,
): Promise<void> {
  const kind = KINDS[about];
  const listener = services.live.join(kind);
  let position: number | null = null;
  let toldAt = 0;
  let isPending = false;
  const restMs = about === 'developers' ? REST_OF_ALL_EVENTS_MS : REST_MS;
  try {
    while (!signal.aborted) {
      await assertStillInForce(services, caller);
      // Each asks for what is new since its last call.
      const changes = [
        listener.steps().some((step) => kind.step?.(step, of) ?? false),
        listener.incidentsChanged(),
        kind.everyMs !== undefined && performance.now() - toldAt >= kind.everyMs,
      ];
      const newest = listener.newest();
      // What happened before the first look, or too long ago for memory, may be the page's too.
      const events = position === null ? null : listener.after(position);
      const isNews =
        newest !== null &&
        (events === null || events.some((event) => kind.event?.(event, of)) || changes.includes(true));
      position = newest;
      isPending ||= isNews;
      const quietMs = performance.now() - toldAt;
      if (quietMs >= (isPending ? restMs : HEARTBEAT_MS)) {
        const tells = isPending;
        isPending = false;
        toldAt = performance.now();
        await within(tells ? sse.writeSSE({ event: 'changed', data: '' }) : sse.write(': \n\n'), PATIENCE_MS, signal);
      }
      if (listener.newest() === position) await listener.wait(isPending ? restMs : LOOK_AT_CALLER_MS, signal);
    }
  } finally {
    listener.leave();
  }
}
