import { createRoute, type z } from '@hono/zod-openapi';
import { html } from 'hono/html';
import { lastPauses } from '../../domain/incidents/queue-pauses.ts';
import { triedSagas } from '../../engine/read/tried.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { DEFINITIONS } from '../../sagas/index.ts';
import {
  EXAMPLE_HANDS,
  incidentPage,
  incidentsPage,
  type QueueShown,
  type SagaActs,
} from '../../web/console/incidents-page.ts';
import type { Question } from '../../web/console/question-panel.ts';
import { parkedAt, type SagaHand } from '../../web/console/saga-page.ts';
import type { Html } from '../../web/layout.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import type { AnyContext, Services } from '../context.ts';
import type { Register } from '../route.ts';
import { isAboutMoney, stuckGroupOf } from '../routes/redrives.ts';
import { IdParam } from '../schemas/common.ts';
import { Incident, IncidentDetail } from '../schemas/incidents.ts';
import { Redrivable } from '../schemas/redrives.ts';
import { ExecutionWithSteps } from '../schemas/sagas.ts';
import type { ConsoleApi } from './client.ts';
import { answerConsole, type Console, keyIn, mayReadPage, problemOf, type Visit } from './frame.ts';
import { decideBy, questionById } from './questions.ts';
import { handsOf, type Saga } from './sagas.ts';

/** Pages of incidents, for those who are signed in as ADMIN, OPS or FINANCE: over the API. */

const PATH = '/console/incidents';
const list = createRoute({ ...PAGE_ROUTE, method: 'get', path: PATH });
const read = createRoute({ ...PAGE_ROUTE, method: 'get', path: `${PATH}/{id}`, request: { params: IdParam } });
const act = <const Act extends string>(name: Act) =>
  createRoute({ ...PAGE_ROUTE, method: 'post', path: `${PATH}/{id}/${name}`, request: { params: IdParam } });

const SHOWN_CLOSED = 20;
const SHOWN_OPEN = 100;

const mayRead = (api: ConsoleApi): boolean => mayReadPage(api, 'incidents');
const pathOf = (id: string): string => `/incidents/${encodeURIComponent(id)}`;
type Detail = z.output<typeof IncidentDetail>;

export function registerIncidentPages(register: Register, services: Services, console: Console): void {
  register(list, (c) =>
    console.visit(c, mayRead, async ({ api, frame }) => {
      const [open, closed] = [
        await api.list(`/incidents?status=OPEN&limit=${SHOWN_OPEN}`, Incident),
        await api.list(`/incidents?status=CLOSED&limit=${SHOWN_CLOSED}`, Incident),
      ];
      return answerConsole(c, frame, incidentsPage(frame, { open: open.items, closed: closed.items }));
    }),
  );
  const show: Show = (c, visit, id, problem) => showIncident(c, services, visit, id, problem);
  register(read, (c) => console.visit(c, mayRead, (visit) => show(c, visit, c.req.valid('param').id, null)));
  for (const name of ACTS) {
    register.unkeyed(act(name), (c) => {
      const { id } = c.req.valid('param');
      return console.submit(c, mayRead, async (visit, form) => {
        try {
          await send(visit, await visit.api.get(pathOf(id), IncidentDetail), name, form);
        } catch (error) {
          if (error instanceof RoomyError && error.code === 'SAGA_NOT_FOUND')
            return show(c, visit, id, html`${error.message}.`);
          return show(c, visit, id, problemOf(visit.frame, error));
        }
        return c.redirect(`${PATH}/${encodeURIComponent(id)}`, 303);
      });
    });
  }
}

type Show = (c: AnyContext, visit: Visit, id: string, problem: Html | null) => Promise<Response>;

async function showIncident(c: AnyContext, { db }: Services, visit: Visit, id: string, problem: Html | null) {
  const { session, frame, api } = visit;
  const incident = await api.get(pathOf(id), IncidentDetail);
  const group = stuckGroupOf(incident);
  const { role } = session.account;
  const mayOrder =
    group !== null && (role !== 'FINANCE' || isAboutMoney(group)) && api.may('POST', '/incidents/:id/redrive');
  const view = {
    acts: await actsOf(visit, incident),
    tried: await triedSagas(
      db,
      incident.examples.flatMap(({ sagaId }) => sagaId ?? []),
      DEFINITIONS,
    ),
    redrive: { ...(await api.get(`${pathOf(id)}/redrive`, Redrivable)), mayOrder },
    questions: await questionsOf(visit, incident),
    queue: await queueOf(db, api, incident),
    // Operators leave those of money to FINANCE.
    mayTend: role !== 'OPS' || incident.area !== 'MONEY',
    problem,
  };
  return answerConsole(c, frame, incidentPage(frame, incident, view));
}

/** What the forms of the page do: each is one act of the API, which decides who may and keeps a second press from acting twice. */
const ACTS = ['close', 'mute', 'redrive', 'redrive-stop', ...EXAMPLE_HANDS, 'resume-queue', 'decide'] as const;

async function send(visit: Visit, incident: Detail, name: (typeof ACTS)[number], form: URLSearchParams) {
  const at = pathOf(incident.id);
  const reason = form.get('reason')?.trim() ?? '';
  const ask = (path: string, more: object = {}) => visit.api.act(path, { reason, ...more }, keyIn(form));
  if (name === 'decide') {
    const isAsked = ({ id }: Question['question']): boolean =>
      incident.kind === 'APPROVAL_WAITS' && incident.examples.some((example) => example.id === id);
    if (!(await decideBy(visit, form, isAsked))) throw new RoomyError('NOT_FOUND');
    return;
  }
  if (name === 'close') await ask(`${at}/close`);
  else if (name === 'mute') await ask(`${at}/mute`, { hours: Number(form.get('hours')) });
  else if (name === 'redrive')
    await ask(`${at}/redrive`, {
      perSecond: Number(form.get('perSecond')),
      stopAfterErrors: Number(form.get('stopAfterErrors')),
    });
  else if (name === 'redrive-stop') await ask(`${at}/redrive/stop`);
  else if (name === 'resume-queue') {
    if (incident.kind !== 'QUEUE_PAUSED') throw new RoomyError('NOT_FOUND');
    await ask(`/queues/${encodeURIComponent(incident.subject)}/resume`);
  } else {
    const sagaId = form.get('sagaId') ?? '';
    if (!incident.examples.some((example) => example.sagaId === sagaId)) throw new RoomyError('SAGA_NOT_FOUND');
    const step = name === 'skip' ? { step: form.get('step') ?? '' } : {};
    await ask(`/sagas/executions/${encodeURIComponent(sagaId)}/${name}`, step);
  }
}

/** What the reader may do with each saga of the incident that waits for a person. */
async function actsOf({ api, session }: Visit, { examples }: Detail): Promise<readonly SagaActs[]> {
  const isOffered = (hand: SagaHand): hand is (typeof EXAMPLE_HANDS)[number] =>
    EXAMPLE_HANDS.some((one) => one === hand);
  const ids = [...new Set(examples.flatMap(({ sagaId }) => sagaId ?? []))];
  const sagas = await Promise.all(ids.map((id) => sagaOrNull(api, id)));
  return sagas.flatMap((saga) => {
    if (saga === null) return [];
    const step = parkedAt(saga);
    const skips = step === undefined || step.ifSkipped === null ? null : { step: step.name, follows: step.ifSkipped };
    return [
      {
        sagaId: saga.id,
        hands: handsOf(api, session.account.role, saga).filter(isOffered),
        skips,
        ifResolved: saga.ifResolved,
      },
    ];
  });
}

/** Null: it is gone. */
async function sagaOrNull(api: ConsoleApi, id: string): Promise<Saga | null> {
  try {
    return await api.get(`/sagas/executions/${encodeURIComponent(id)}`, ExecutionWithSteps);
  } catch (error) {
    if (error instanceof RoomyError && error.code === 'SAGA_NOT_FOUND') return null;
    throw error;
  }
}

/** What a second person is asked, for those who may read it. */
async function questionsOf(visit: Visit, { kind, examples }: Detail): Promise<readonly Question[]> {
  if (kind !== 'APPROVAL_WAITS') return [];
  const found = await Promise.all(examples.map(({ id }) => questionById(visit, id)));
  return found.filter((question) => question !== null);
}

/** The queue that stands, and who has paused it. */
async function queueOf(
  db: Services['db'],
  api: ConsoleApi,
  { kind, status, subject }: Detail,
): Promise<QueueShown | null> {
  if (kind !== 'QUEUE_PAUSED' || status !== 'OPEN') return null;
  const pausedBy = (await lastPauses(db, [subject])).get(subject) ?? null;
  return { name: subject, pausedBy, mayResume: api.may('POST', '/queues/:queue/resume') };
}
