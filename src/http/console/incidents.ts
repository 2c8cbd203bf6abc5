import { createRoute, z } from '@hono/zod-openapi';
import { html } from 'hono/html';
import { lockOpenQuestions } from '../../domain/approvals/store.ts';
import { getIncident, type IncidentDetail, listIncidents } from '../../domain/incidents/resource.ts';
import { closeIncident, muteIncident } from '../../domain/incidents/store.ts';
import type { LiveSession } from '../../domain/people/sessions.ts';
import { resolutionsOf } from '../../engine/read/executions.ts';
import { parkedAmong, sagasInBrief } from '../../engine/read/stuck.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { MONEY_SAGAS } from '../../sagas/index.ts';
import { incidentPage, incidentsPage, type SagaActs } from '../../web/console/incidents-page.ts';
import type { Html } from '../../web/layout.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import { type AnyContext, inTransaction, type Services } from '../context.ts';
import { stepsOf } from '../reader.ts';
import type { Register } from '../route.ts';
import { isAboutMoney, redrivable, stuckGroupOf } from '../routes/redrives.ts';
import { Id, IdParam, line } from '../schemas/common.ts';
import { isFresh } from '../step-up.ts';
import type { ConsoleApi } from './client.ts';
import { answerConsole, type Console, keyIn, mayReadPage, problemOf, type Visit } from './frame.ts';

/** Pages of incidents, for those who are signed in as ADMIN, OPS or FINANCE: over the same functions and rights as the API. */

const PATH = '/console/incidents';
const list = createRoute({ ...PAGE_ROUTE, method: 'get', path: PATH });
const read = createRoute({ ...PAGE_ROUTE, method: 'get', path: `${PATH}/{id}`, request: { params: IdParam } });
const act = <const Act extends 'close' | 'mute' | 'retry' | 'resolve' | 'redrive' | 'redrive-stop'>(name: Act) =>
  createRoute({ ...PAGE_ROUTE, method: 'post', path: `${PATH}/{id}/${name}`, request: { params: IdParam } });

const SHOWN_CLOSED = 20;
const SHOWN_OPEN = 100;
const HOUR_MS = 3_600_000;

type Reader = LiveSession['account'];
const mayRead = (api: ConsoleApi): boolean => mayReadPage(api, 'incidents');
const areaOf = ({ role }: Reader): 'MONEY' | null => (role === 'FINANCE' ? 'MONEY' : null);
const mayRetry = ({ role }: Reader, sagaName: string): boolean => role !== 'FINANCE' || MONEY_SAGAS.has(sagaName);
const mayResolve = ({ role }: Reader): boolean => role !== 'FINANCE';

const Reason = line(500);
const Hours = z.coerce.number().int().min(1).max(720);

export function registerIncidentPages(register: Register, services: Services, console: Console): void {
  const { db } = services;
  register(list, (c) =>
    console.visit(c, mayRead, async ({ session: { account }, frame }) => {
      const only = areaOf(account);
      const [open, closed] = [
        await listIncidents(db, { status: 'OPEN' }, only, { after: null, limit: SHOWN_OPEN }),
        await listIncidents(db, { status: 'CLOSED' }, only, { after: null, limit: SHOWN_CLOSED }),
      ];
      return answerConsole(c, frame, incidentsPage(frame, { open: open.items, closed: closed.items }));
    }),
  );
  const show = async (c: AnyContext, { session: { account }, frame, api }: Visit, id: string, problem: Html | null) => {
    const incident = await getIncident(db, id, areaOf(account));
    const group = stuckGroupOf(incident);
    const mayOrder = group !== null && (account.role !== 'FINANCE' || isAboutMoney(group)) && api.may('POST', REDRIVE);
    const redrive = { ...(await redrivable(db, incident)), mayOrder };
    return answerConsole(
      c,
      frame,
      incidentPage(frame, incident, await actsOf(db, incident, account), redrive, problem),
    );
  };
  register(read, (c) => console.visit(c, mayRead, (visit) => show(c, visit, c.req.valid('param').id, null)));

  /** An act of a form: back to the page, with what it was refused for. */
  const acting = (
    c: AnyContext,
    id: string,
    work: (session: LiveSession, form: URLSearchParams, author: Author) => Promise<void>,
  ): Promise<Response> =>
    console.submit(c, mayRead, async (visit, form) => {
      const { session } = visit;
      try {
        await work(session, form, { actor: session.account.principal, requestId: c.get('requestId'), ip: c.get('ip') });
      } catch (error) {
        if (error instanceof RoomyError && error.code === 'SAGA_NOT_FOUND')
          return show(c, visit, id, html`${error.message}.`);
        return show(c, visit, id, problemOf(visit.frame, error));
      }
      return c.redirect(`${PATH}/${id}`, 303);
    });
  register.unkeyed(act('close'), (c) => {
    const { id } = c.req.valid('param');
    return acting(c, id, async ({ account }, form, author) => {
      await inTransaction(services, (tx) =>
        closeIncident(tx, { id, reason: reasonIn(form), area: areaOf(account) }, author),
      );
    });
  });
  register.unkeyed(act('mute'), (c) => {
    const { id } = c.req.valid('param');
    return acting(c, id, async ({ account }, form, author) => {
      const hours = Hours.safeParse(form.get('hours'));
      if (!hours.success) throw new RoomyError('VALIDATION_FAILED', { text: 'Say for how long' });
      const until = new Date(services.clock.now().getTime() + hours.data * HOUR_MS);
      const muting = { id, reason: reasonIn(form), area: areaOf(account), until };
      await inTransaction(services, (tx) => muteIncident(tx, muting, author));
    });
  });
  registerRedriveForms(register, console, show);
  register.unkeyed(act('retry'), (c) =>
    acting(c, c.req.valid('param').id, onSaga(services, c.req.valid('param').id, 'retry')),
  );
  register.unkeyed(act('resolve'), (c) =>
    acting(c, c.req.valid('param').id, onSaga(services, c.req.valid('param').id, 'resolve')),
  );
}

const REDRIVE = '/incidents/:id/redrive';
const REDRIVES = [
  ['redrive', REDRIVE],
  ['redrive-stop', `${REDRIVE}/stop`],
] as const;
/** The API judges the values. */
const redriveIn = (name: (typeof REDRIVES)[number][0], form: URLSearchParams): object => ({
  reason: form.get('reason')?.trim() ?? '',
  ...(name === 'redrive'
    ? { perSecond: Number(form.get('perSecond')), stopAfterErrors: Number(form.get('stopAfterErrors')) }
    : {}),
});

type Show = (c: AnyContext, visit: Visit, id: string, problem: Html | null) => Promise<Response>;

function registerRedriveForms(register: Register, console: Console, show: Show): void {
  for (const [name, path] of REDRIVES) {
    register.unkeyed(act(name), (c) => {
      const { id } = c.req.valid('param');
      return console.submit(
        c,
        (api) => mayRead(api) && api.may('POST', path),
        async (visit, form) => {
          try {
            await visit.api.act(path.replace(':id', encodeURIComponent(id)), redriveIn(name, form), keyIn(form));
          } catch (error) {
            return show(c, visit, id, problemOf(visit.frame, error));
          }
          return c.redirect(`${PATH}/${encodeURIComponent(id)}`, 303);
        },
      );
    });
  }
}

/** What the reader may do with each saga of the incident that waits for a person. */
async function actsOf(db: Services['db'], incident: IncidentDetail, account: Reader): Promise<readonly SagaActs[]> {
  const ids = incident.examples.flatMap(({ sagaId }) => sagaId ?? []);
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

/** Retry or resolve a saga of the incident that the form names. */
function onSaga(services: Services, id: string, verb: 'retry' | 'resolve') {
  const { db, orchestrator, clock } = services;
  return async (
    { account, mfaAt }: LiveSession,
    form: URLSearchParams,
    { actor, requestId, ip }: Author,
  ): Promise<void> => {
    if (!isFresh(mfaAt, clock.now())) throw new RoomyError('STEP_UP_REQUIRED');
    const reason = reasonIn(form);
    const incident = await getIncident(db, id, areaOf(account));
    const sagaId = Id.safeParse(form.get('sagaId')).data ?? '';
    const saga = (await sagasInBrief(db, [sagaId])).get(sagaId);
    if (!saga || !incident.examples.some((example) => example.sagaId === sagaId))
      throw new RoomyError('SAGA_NOT_FOUND');
    if (verb === 'retry' ? !mayRetry(account, saga.name) : !mayResolve(account)) throw new RoomyError('FORBIDDEN');
    const asked = { sagaId, by: actor, requestId, ip, via: 'api' as const, reason };
    if (verb === 'resolve') {
      const announce = await inTransaction(services, async (tx) => {
        const questions = await lockOpenQuestions(tx, { subject: { type: 'saga', id: sagaId } });
        if (questions.length > 0) throw new RoomyError('APPROVAL_REQUIRED');
        return orchestrator.resolveWithin(tx, asked);
      });
      announce();
      return;
    }
    const outcome = await orchestrator.retry(asked);
    if (outcome === 'stale') throw new RoomyError('SAGA_NOT_PARKED');
    if (outcome === 'needs-approval') throw new RoomyError('APPROVAL_REQUIRED');
  };
}

interface Author {
  readonly actor: string;
  readonly requestId: string;
  readonly ip: string | null;
}

function reasonIn(form: URLSearchParams): string {
  const reason = Reason.safeParse(form.get('reason')?.trim());
  if (!reason.success) throw new RoomyError('VALIDATION_FAILED', { text: 'Say why, in a line' });
  return reason.data;
}
