import { createRoute, z } from '@hono/zod-openapi';
import { html } from 'hono/html';
import type { LiveSession } from '../../domain/people/sessions.ts';
import { resolutionsOf } from '../../engine/read/executions.ts';
import { parkedAmong, sagasInBrief } from '../../engine/read/stuck.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { MONEY_SAGAS } from '../../sagas/index.ts';
import { incidentPage, incidentsPage, type SagaActs } from '../../web/console/incidents-page.ts';
import type { Html } from '../../web/layout.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import type { AnyContext, Services } from '../context.ts';
import { stepsOf } from '../reader.ts';
import type { Register } from '../route.ts';
import { isAboutMoney, stuckGroupOf } from '../routes/redrives.ts';
import { Id, IdParam, line } from '../schemas/common.ts';
import { Incident, IncidentDetail } from '../schemas/incidents.ts';
import { Redrivable } from '../schemas/redrives.ts';
import type { ConsoleApi } from './client.ts';
import { answerConsole, type Console, keyIn, mayReadPage, problemOf, type Visit } from './frame.ts';

/** Pages of incidents, for those who are signed in as ADMIN, OPS or FINANCE: over the API. */

const PATH = '/console/incidents';
const list = createRoute({ ...PAGE_ROUTE, method: 'get', path: PATH });
const read = createRoute({ ...PAGE_ROUTE, method: 'get', path: `${PATH}/{id}`, request: { params: IdParam } });
type Act = 'close' | 'mute' | 'retry' | 'resolve' | 'redrive' | 'redrive-stop';
const act = <const Name extends Act>(name: Name) =>
  createRoute({ ...PAGE_ROUTE, method: 'post', path: `${PATH}/{id}/${name}`, request: { params: IdParam } });

const SHOWN_CLOSED = 20;
const SHOWN_OPEN = 100;
const HOUR_MS = 3_600_000;

type Reader = LiveSession['account'];
const mayRead = (api: ConsoleApi): boolean => mayReadPage(api, 'incidents');
const mayRetry = ({ role }: Reader, sagaName: string): boolean => role !== 'FINANCE' || MONEY_SAGAS.has(sagaName);
const mayResolve = ({ role }: Reader): boolean => role !== 'FINANCE';

const Reason = line(500);
const Hours = z.coerce.number().int().min(1).max(720);

export function registerIncidentPages(register: Register, services: Services, console: Console): void {
  const { db } = services;
  register(list, (c) =>
    console.visit(c, mayRead, async ({ api, frame }) => {
      const [open, closed] = [
        await api.list(`/incidents?status=OPEN&limit=${SHOWN_OPEN}`, Incident),
        await api.list(`/incidents?status=CLOSED&limit=${SHOWN_CLOSED}`, Incident),
      ];
      return answerConsole(c, frame, incidentsPage(frame, { open: open.items, closed: closed.items }));
    }),
  );
  const show = async (c: AnyContext, { session: { account }, frame, api }: Visit, id: string, problem: Html | null) => {
    const incident = await api.get(pathOf(id), IncidentDetail);
    const group = stuckGroupOf(incident);
    const mayOrder = group !== null && (account.role !== 'FINANCE' || isAboutMoney(group)) && api.may('POST', REDRIVE);
    const redrive = { ...(await api.get(`${pathOf(id)}/redrive`, Redrivable)), mayOrder };
    return answerConsole(
      c,
      frame,
      incidentPage(frame, incident, await actsOf(db, incident, account), redrive, problem),
    );
  };
  register(read, (c) => console.visit(c, mayRead, (visit) => show(c, visit, c.req.valid('param').id, null)));

  const acting = (name: Act, work: (visit: Visit, id: string, form: URLSearchParams) => Promise<unknown>): void =>
    register.unkeyed(act(name), (c) => {
      const { id } = c.req.valid('param');
      return console.submit(c, mayRead, async (visit, form) => {
        try {
          await work(visit, id, form);
        } catch (error) {
          if (error instanceof RoomyError && error.code === 'SAGA_NOT_FOUND')
            return show(c, visit, id, html`${error.message}.`);
          return show(c, visit, id, problemOf(visit.frame, error));
        }
        return c.redirect(`${PATH}/${encodeURIComponent(id)}`, 303);
      });
    });
  acting('close', ({ api }, id, form) => api.act(`${pathOf(id)}/close`, { reason: reasonIn(form) }, keyIn(form)));
  acting('mute', ({ api }, id, form) => {
    const hours = Hours.safeParse(form.get('hours'));
    if (!hours.success) throw new RoomyError('VALIDATION_FAILED', { text: 'Say for how long' });
    const until = new Date(services.clock.now().getTime() + hours.data * HOUR_MS).toISOString();
    return api.act(`${pathOf(id)}/mute`, { reason: reasonIn(form), until }, keyIn(form));
  });
  acting('redrive', ({ api }, id, form) => {
    const [perSecond, stopAfterErrors] = [Number(form.get('perSecond')), Number(form.get('stopAfterErrors'))];
    return api.act(`${pathOf(id)}/redrive`, { reason: reasonIn(form), perSecond, stopAfterErrors }, keyIn(form));
  });
  acting('redrive-stop', ({ api }, id, form) =>
    api.act(`${pathOf(id)}/redrive/stop`, { reason: reasonIn(form) }, keyIn(form)),
  );
  for (const verb of ['retry', 'resolve'] as const)
    acting(verb, async ({ api }, id, form) => {
      const { examples } = await api.get(pathOf(id), IncidentDetail);
      const sagaId = Id.safeParse(form.get('sagaId')).data;
      if (sagaId === undefined || !examples.some((example) => example.sagaId === sagaId))
        throw new RoomyError('SAGA_NOT_FOUND');
      return api.act(`/sagas/executions/${sagaId}/${verb}`, { reason: reasonIn(form) }, keyIn(form));
    });
}

const REDRIVE = '/incidents/:id/redrive';
const pathOf = (id: string): string => `/incidents/${encodeURIComponent(id)}`;

/** What the reader may do with each saga of the incident that waits for a person. */
async function actsOf(
  db: Services['db'],
  { examples }: z.output<typeof IncidentDetail>,
  account: Reader,
): Promise<readonly SagaActs[]> {
  const ids = examples.flatMap(({ sagaId }) => sagaId ?? []);
  const parked = await parkedAmong(db, ids);
  const sagas = [...(await sagasInBrief(db, ids))].filter(([id]) => parked.has(id));
  const resolutions = await resolutionsOf(db, ids, stepsOf);
  return sagas.map(([sagaId, { name }]) => ({
    sagaId,
    mayRetry: mayRetry(account, name),
    mayResolve: mayResolve(account),
    ifResolved: resolutions.get(sagaId) ?? null,
  }));
}

function reasonIn(form: URLSearchParams): string {
  const reason = Reason.safeParse(form.get('reason')?.trim());
  if (!reason.success) throw new RoomyError('VALIDATION_FAILED', { text: 'Say why, in a line' });
  return reason.data;
}
