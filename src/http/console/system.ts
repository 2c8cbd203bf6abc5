import { createRoute } from '@hono/zod-openapi';
import { livingProcesses } from '../../domain/incidents/processes.ts';
import { VERSION } from '../../kernel/version.ts';
import { systemPage } from '../../web/console/system-page.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import type { Services } from '../context.ts';
import type { Register } from '../route.ts';
import { answerConsole, type Console, mayReadPage } from './frame.ts';

/** How the system stands, for those who run it: neither guests nor money are in it. */

const system = createRoute({ ...PAGE_ROUTE, method: 'get', path: '/console/system' });

export function registerSystem(register: Register, services: Services, console: Console): void {
  const { db, log } = services;
  register(system, (c) =>
    console.visit(
      c,
      (api) => mayReadPage(api, 'system'),
      async ({ frame }) => {
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
        };
        return answerConsole(c, frame, systemPage(frame, view));
      },
    ),
  );
}
