import { createRoute } from '@hono/zod-openapi';
import type { Db } from '../../db/client.ts';
import { getIncident, type IncidentDetail } from '../../domain/incidents/resource.ts';
import { countGroup, type RedriveView, redrivesOf, redriveView } from '../../engine/read/redrives.ts';
import { orderRedrive, stopRedrive } from '../../engine/store/redrives.ts';
import { groupOf, isOfCircuit, type StuckGroup } from '../../engine/stuck-group.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { MONEY_SAGAS } from '../../sagas/index.ts';
import { found } from '../answers.ts';
import { type AnyContext, authorOf, type Services } from '../context.ts';
import { wordsShown } from '../masks.ts';
import { assertMayOperate } from '../operating.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, one, refusals } from '../schemas/envelope.ts';
import { NewRedrive, Redrivable, Redrive, RedriveStop } from '../schemas/redrives.ts';
import { areaOf } from './incidents.ts';

/** All sagas of an incident, tried again together: counted first, so many a second, and stopped by their errors or a person. */

const PATH = '/api/production/incidents/{id}/redrive';
const tags = ['Operations'];

const read = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'Count the sagas of an incident that can be tried again together, and see how far that has come',
  request: { params: IdParam },
  responses: {
    200: answer('How many, and what was ordered', one(Redrivable)),
    ...refusals('VALIDATION_FAILED', 'NOT_FOUND'),
  },
});
const order = createRoute({
  method: 'post',
  path: PATH,
  tags,
  summary: 'Have all sagas of an incident tried again, so many a second',
  request: {
    params: IdParam,
    body: jsonOf(NewRedrive, { reason: 'The lock server answers again', perSecond: 5, stopAfterErrors: 5 }),
  },
  responses: { 200: answer('Ordered', one(Redrive)), ...bodyRefusals('NOT_FOUND', 'INVALID_STATE_TRANSITION') },
});
const stop = createRoute({
  method: 'post',
  path: `${PATH}/stop`,
  tags,
  summary: 'Stop trying the sagas of an incident again',
  request: { params: IdParam, body: jsonOf(RedriveStop, { reason: 'It refuses again' }) },
  responses: { 200: answer('Stopped', one(Redrive)), ...bodyRefusals('NOT_FOUND', 'INVALID_STATE_TRANSITION') },
});

export function registerRedrives(register: Register, { db }: Services): void {
  register(read, async (c) => {
    const incident = await getIncident(db, c.req.valid('param').id, areaOf(c));
    const { group, redrives } = await redrivable(db, incident);
    return found(c, {
      group,
      redrives: redrives.map((redrive) => redriveShown(c, redrive, stuckGroupOf(incident))),
    });
  });
  register.mutation(order, (c, once) => {
    const asked = c.req.valid('json');
    const incidentId = c.req.valid('param').id;
    return once.change(async (tx) => {
      const group = stuckGroupOf(await getIncident(tx, incidentId, areaOf(c)));
      if (!group)
        throw new RoomyError('INVALID_STATE_TRANSITION', {
          text: 'It is about no sagas that can be tried again together',
        });
      assertMayOperate(c, isAboutMoney(group));
      const redrive = await orderRedrive(tx, { ...asked, incidentId, group }, authorOf(c));
      return found(c, redriveShown(c, await redriveView(tx, redrive), group));
    });
  });
  register.mutation(stop, (c, once) => {
    const act = { incidentId: c.req.valid('param').id, reason: c.req.valid('json').reason };
    return once.change(async (tx) => {
      const group = stuckGroupOf(await getIncident(tx, act.incidentId, areaOf(c)));
      if (group) assertMayOperate(c, isAboutMoney(group));
      return found(c, redriveShown(c, await redriveView(tx, await stopRedrive(tx, act, authorOf(c))), group));
    });
  });
}

/** What people wrote about money is not for operators, unless they wrote it. */
function redriveShown(c: AnyContext, redrive: RedriveView, group: StuckGroup | null): RedriveView {
  const isOfEngine = group === null || !isAboutMoney(group);
  return {
    ...redrive,
    reason: wordsShown(c, { by: redrive.orderedBy, words: redrive.reason, isOfEngine }),
    endReason: wordsShown(c, { by: redrive.endedBy, words: redrive.endReason, isOfEngine }),
  };
}

/** What there is to try again, and what was ordered so far. */
export async function redrivable(db: Db, incident: Pick<IncidentDetail, 'id' | 'kind' | 'subject'>) {
  const group = stuckGroupOf(incident);
  const counted = group && (await countGroup(db, group));
  return {
    group: group && counted && { ...groupView(group), ...counted },
    redrives: await redrivesOf(db, incident.id),
  };
}

/**
 * The sagas that the incident is about; null: it is about something else. A circuit's are those that stand before it now, even
 * if it lets calls through again: what was parked meanwhile is still.
 */
export function stuckGroupOf({ kind, subject }: Pick<IncidentDetail, 'kind' | 'subject'>): StuckGroup | null {
  if (kind === 'CIRCUIT_OPEN') return { circuit: subject };
  if (kind !== 'SAGA_PARKED' && kind !== 'SAGA_RETRYING') return null;
  return groupOf(subject, kind === 'SAGA_PARKED');
}

/** What stands before a circuit is for those who operate, as the incident is. */
export const isAboutMoney = (group: StuckGroup): boolean => !isOfCircuit(group) && MONEY_SAGAS.has(group.name);

const groupView = (group: StuckGroup) =>
  isOfCircuit(group)
    ? { saga: null, step: null, code: null, isUndoing: null, isParked: null, system: group.circuit }
    : {
        saga: group.name,
        step: group.step,
        code: group.code,
        isUndoing: group.isUndoing,
        isParked: group.isParked,
        system: null,
      };
