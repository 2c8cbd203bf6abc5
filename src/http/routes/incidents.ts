import { createRoute } from '@hono/zod-openapi';
import type { Tx } from '../../db/client.ts';
import { getIncident, type IncidentView, incidentView, listIncidents } from '../../domain/incidents/resource.ts';
import { closeIncident, muteIncident } from '../../domain/incidents/store.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { foundVersion, page } from '../answers.ts';
import { type AnyContext, authorOf, callerOf, type Services } from '../context.ts';
import { isOperator, wordsShown } from '../masks.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, many, one, refusals } from '../schemas/envelope.ts';
import { Incident, IncidentClosing, IncidentDetail, IncidentMuting, IncidentQuery } from '../schemas/incidents.ts';

/** What stands still, as the watchdog finds it. Those of money are FINANCE's too; none of them has a name or an amount. */

const PATH = '/api/production/incidents';
const tags = ['Operations'];

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List incidents, newest first',
  request: { query: IncidentQuery },
  responses: {
    200: answer('A page of incidents', many(Incident)),
    ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR'),
  },
});
const read = createRoute({
  method: 'get',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Get an incident, and what was told of it',
  request: { params: IdParam },
  responses: { 200: answer('The incident', one(IncidentDetail)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});
const close = createRoute({
  method: 'post',
  path: `${PATH}/{id}/close`,
  tags,
  summary: 'Close an incident. It stays closed while the same goes on without a gap',
  request: {
    params: IdParam,
    body: jsonOf(IncidentClosing, { reason: 'The worker was moved to another host' }),
  },
  responses: { 200: answer('Closed', one(Incident)), ...bodyRefusals('NOT_FOUND', 'INVALID_STATE_TRANSITION') },
});
const mute = createRoute({
  method: 'post',
  path: `${PATH}/{id}/mute`,
  tags,
  summary: 'Hear nothing of an incident for a while',
  request: {
    params: IdParam,
    body: jsonOf(IncidentMuting, { until: '2027-01-31T06:00:00Z', reason: 'The provider is being moved tonight' }),
  },
  responses: { 200: answer('Muted', one(Incident)), ...bodyRefusals('NOT_FOUND', 'INVALID_STATE_TRANSITION') },
});

const HOUR_MS = 3_600_000;

export function registerIncidents(register: Register, services: Services): void {
  const { db } = services;
  register(list, (c) =>
    page(c, services, 'incidents', c.req.valid('query'), async (filter, at) => {
      const found = await listIncidents(db, filter, areaOf(c), at);
      return { ...found, items: found.items.map((incident) => incidentShown(c, incident)) };
    }),
  );
  register(read, async (c) =>
    foundVersion(c, incidentShown(c, await getIncident(db, c.req.valid('param').id, areaOf(c)))),
  );
  register.mutation(close, (c, once) => {
    const act = { ...c.req.valid('json'), id: c.req.valid('param').id, area: areaOf(c) };
    return once.change(async (tx) => {
      await assertMayTend(c, tx, act.id);
      return foundVersion(c, incidentShown(c, incidentView(await closeIncident(tx, act, authorOf(c)))));
    });
  });
  register.mutation(mute, (c, once) => {
    const { until = null, hours, reason } = c.req.valid('json');
    const ends = hours === undefined ? until : services.clock.now().getTime() + hours * HOUR_MS;
    const act = {
      reason,
      id: c.req.valid('param').id,
      area: areaOf(c),
      until: ends === null ? null : new Date(ends),
    };
    return once.change(async (tx) => {
      await assertMayTend(c, tx, act.id);
      return foundVersion(c, incidentShown(c, incidentView(await muteIncident(tx, act, authorOf(c)))));
    });
  });
}

/** Operators read of money that it stands, and leave it to those whose it is. Throws `FORBIDDEN`, `NOT_FOUND`. */
async function assertMayTend(c: AnyContext, tx: Tx, id: string): Promise<void> {
  if (isOperator(c) && (await getIncident(tx, id, null)).area === 'MONEY')
    throw new RoomyError('FORBIDDEN', { details: { permission: 'incidents:operate' } });
}

function incidentShown<T extends IncidentView>(c: AnyContext, incident: T): T {
  const { area, closedBy, mutedBy, reason } = incident;
  return {
    ...incident,
    reason: wordsShown(c, { by: closedBy ?? mutedBy, words: reason, isOfEngine: area !== 'MONEY' }),
  };
}

/** The only area that the caller may see; null: all. */
export function areaOf(c: AnyContext): 'MONEY' | null {
  const caller = callerOf(c);
  return caller.kind === 'person' && caller.role === 'FINANCE' ? 'MONEY' : null;
}
