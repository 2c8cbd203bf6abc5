import { createRoute, z } from '@hono/zod-openapi';
import { html } from 'hono/html';
import type { NamedSchedule, ScheduleState } from '../../domain/incidents/overview.ts';
import { livingProcesses } from '../../domain/incidents/processes.ts';
import { lastPauses } from '../../domain/incidents/queue-pauses.ts';
import { VERSION } from '../../kernel/version.ts';
import { say } from '../../web/console/frame.ts';
import { systemPage } from '../../web/console/system-page.ts';
import type { Html } from '../../web/layout.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import type { AnyContext, Services } from '../context.ts';
import type { Register } from '../route.ts';
import { Hold } from '../schemas/holds.ts';
import { answerConsole, type Console, keyIn, mayReadPage, problemOf, type Visit } from './frame.ts';

/** How the system stands, for those who run it, and what they pause: neither guests nor money are in it. */

const PATH = '/console/system';
const RUN = '/schedules/:schedule/run';
const Query = z.strictObject({ told: z.string().max(20).optional() });
const system = createRoute({ ...PAGE_ROUTE, method: 'get', path: PATH, request: { query: Query } });
const run = createRoute({ ...PAGE_ROUTE, method: 'post', path: `${PATH}/run` });
const pause = createRoute({ ...PAGE_ROUTE, method: 'post', path: `${PATH}/pause` });
const resume = createRoute({ ...PAGE_ROUTE, method: 'post', path: `${PATH}/resume` });
const actOnQueue = (verb: 'pause' | 'resume') =>
  createRoute({ ...PAGE_ROUTE, method: 'post', path: `${PATH}/${verb}-queue` });

/** More stand paused by one person's act in no emergency. */
const SHOWN_HOLDS = 100;

interface Said {
  readonly problem?: Html | null;
  readonly told?: Html | null;
}

/** What Redis has planned, by the names under which it can be run; what it has lost is there all the same. */
function schedulesOf(named: readonly NamedSchedule[], planned: readonly ScheduleState[]) {
  const others = planned.filter(({ queue, job }) => !named.some((one) => one.queue === queue && one.job === job));
  return [
    ...named.map(({ name, queue, job, everyMs }) => {
      const plan = planned.find((one) => one.queue === queue && one.job === job);
      return { name, queue, job, everyMs: plan?.everyMs ?? everyMs, nextAt: plan?.nextAt ?? null };
    }),
    ...others.map((plan) => ({ name: null, ...plan })),
  ];
}

async function showSystem(
  c: AnyContext,
  { db, log, ...services }: Services,
  { api, frame }: Visit,
  { problem = null, told = null }: Said,
): Promise<Response> {
  const [processes, queues, due, kept, seals] = await Promise.all([
    livingProcesses(db),
    // The books can be shown while Redis is away, and then they are asked for most.
    services.system?.queues().catch((error: unknown) => {
      log.warn({ err: error }, 'the queues could not be read for the console');
      return null;
    }) ?? null,
    services.system?.due() ?? [],
    services.system?.kept?.() ?? null,
    services.system?.seals?.() ?? null,
  ]);
  const standing = (queues?.queues ?? []).flatMap(({ name, isPaused }) => (isPaused ? [name] : []));
  const pauses = standing.length === 0 ? null : await lastPauses(db, standing);
  const view = {
    version: VERSION,
    processes,
    queues: queues?.queues ?? null,
    schedules: schedulesOf(services.schedules?.all ?? [], queues?.schedules ?? []),
    pausedQueues: standing.map((name) => ({ name, pausedBy: pauses?.get(name) ?? null })),
    mayPauseQueues: api.may('POST', '/queues/:queue/pause'),
    mayRun: api.may('POST', '/schedules/:schedule/run'),
    kept,
    seals,
    due,
    holds: api.may('GET', '/holds') ? (await api.list(`/holds?status=OPEN&limit=${SHOWN_HOLDS}`, Hold)).items : null,
    mayPause: api.may('POST', '/holds'),
    mayResume: api.may('POST', '/holds/:id/release'),
    problem,
    told,
  };
  return answerConsole(c, frame, systemPage(frame, view));
}

export function registerSystem(register: Register, services: Services, console: Console): void {
  register(system, (c) =>
    console.visit(
      c,
      (api) => mayReadPage(api, 'system'),
      (visit) =>
        showSystem(c, services, visit, {
          told: c.req.valid('query').told === 'run' ? html`${say(visit.frame, 'runAsked')}` : null,
        }),
    ),
  );
  const acting = (c: AnyContext, endpoint: string, work: (visit: Visit, form: URLSearchParams) => Promise<unknown>) =>
    console.submit(
      c,
      (api) => mayReadPage(api, 'system') && api.may('POST', endpoint),
      async (visit, form) => {
        try {
          await work(visit, form);
        } catch (error) {
          return showSystem(c, services, visit, { problem: problemOf(visit.frame, error) });
        }
        return c.redirect(endpoint === RUN ? `${PATH}?told=run` : PATH, 303);
      },
    );
  const textIn = (form: URLSearchParams, name: string): string => form.get(name)?.trim() ?? '';
  register.unkeyed(pause, (c) =>
    acting(c, '/holds', ({ api }, form) => {
      const subject = textIn(form, 'subject');
      const order = { scope: textIn(form, 'scope'), reason: textIn(form, 'reason') };
      return api.act('/holds', subject === '' ? order : { ...order, subject }, keyIn(form));
    }),
  );
  register.unkeyed(run, (c) =>
    acting(c, RUN, ({ api }, form) => {
      const name = encodeURIComponent(textIn(form, 'name'));
      return api.act(`/schedules/${name}/run`, { reason: textIn(form, 'reason') }, keyIn(form));
    }),
  );
  for (const verb of ['pause', 'resume'] as const) {
    register.unkeyed(actOnQueue(verb), (c) =>
      acting(c, `/queues/:queue/${verb}`, ({ api }, form) => {
        const queue = encodeURIComponent(textIn(form, 'queue'));
        return api.act(`/queues/${queue}/${verb}`, { reason: textIn(form, 'reason') }, keyIn(form));
      }),
    );
  }
  register.unkeyed(resume, (c) =>
    acting(c, '/holds/:id/release', ({ api }, form) => {
      const id = encodeURIComponent(textIn(form, 'hold'));
      return api.act(`/holds/${id}/release`, { reason: textIn(form, 'reason') }, keyIn(form));
    }),
  );
}
