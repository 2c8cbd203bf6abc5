import { createRoute } from '@hono/zod-openapi';
import { livingProcesses } from '../../domain/incidents/processes.ts';
import { VERSION } from '../../kernel/version.ts';
import { systemPage } from '../../web/console/system-page.ts';
import type { Html } from '../../web/layout.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import type { AnyContext, Services } from '../context.ts';
import type { Register } from '../route.ts';
import { Hold } from '../schemas/holds.ts';
import { answerConsole, type Console, keyIn, mayReadPage, problemOf, type Visit } from './frame.ts';

/** How the system stands, for those who run it, and what they pause: neither guests nor money are in it. */

const PATH = '/console/system';
const system = createRoute({ ...PAGE_ROUTE, method: 'get', path: PATH });
const pause = createRoute({ ...PAGE_ROUTE, method: 'post', path: `${PATH}/pause` });
const resume = createRoute({ ...PAGE_ROUTE, method: 'post', path: `${PATH}/resume` });

/** More stand paused by one person's act in no emergency. */
const SHOWN_HOLDS = 100;

async function showSystem(
  c: AnyContext,
  { db, log, ...services }: Services,
  { api, frame }: Visit,
  problem: Html | null,
): Promise<Response> {
  const [processes, queues, due] = await Promise.all([
    livingProcesses(db),
    // The books can be shown while Redis is away, and then they are asked for most.
    services.system?.queues().catch((error: unknown) => {
      log.warn({ err: error }, 'the queues could not be read for the console');
      return null;
    }) ?? null,
    services.system?.due() ?? [],
  ]);
  const view = {
    version: VERSION,
    processes,
    queues: queues?.queues ?? null,
    schedules: queues?.schedules ?? [],
    due,
    holds: api.may('GET', '/holds') ? (await api.list(`/holds?status=OPEN&limit=${SHOWN_HOLDS}`, Hold)).items : null,
    mayPause: api.may('POST', '/holds'),
    mayResume: api.may('POST', '/holds/:id/release'),
    problem,
  };
  return answerConsole(c, frame, systemPage(frame, view));
}

export function registerSystem(register: Register, services: Services, console: Console): void {
  register(system, (c) =>
    console.visit(
      c,
      (api) => mayReadPage(api, 'system'),
      (visit) => showSystem(c, services, visit, null),
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
          return showSystem(c, services, visit, problemOf(visit.frame, error));
        }
        return c.redirect(PATH, 303);
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
  register.unkeyed(resume, (c) =>
    acting(c, '/holds/:id/release', ({ api }, form) => {
      const id = encodeURIComponent(textIn(form, 'hold'));
      return api.act(`/holds/${id}/release`, { reason: textIn(form, 'reason') }, keyIn(form));
    }),
  );
}
