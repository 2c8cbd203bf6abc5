import { createRoute } from '@hono/zod-openapi';
import type { Db } from '../../db/client.ts';
import type { IncidentKind } from '../../domain/incidents/kinds.ts';
import { type IncidentAbout, newestAbout } from '../../domain/incidents/resource.ts';
import { newestExecution } from '../../engine/read/executions.ts';
import { type FailureGroup, readFailures } from '../../engine/read/failures.ts';
import { groupSubject } from '../../engine/stuck-group.ts';
import { found } from '../answers.ts';
import { type AnyContext, callerOf, type Services } from '../context.ts';
import { withPeriod } from '../period.ts';
import { permits, policyOf } from '../policy.ts';
import { readerOf } from '../reader.ts';
import type { Register } from '../route.ts';
import { answer, one, refusals } from '../schemas/envelope.ts';
import { SagaFailures, SagaFailuresQuery } from '../schemas/sagas.ts';
import { areaOf } from './incidents.ts';

/** What keeps sagas from coming on, by its fingerprint, with the way to its sagas, their stays, and the incident about it. */

const API = '/api/production';
const read = createRoute({
  method: 'get',
  path: `${API}/sagas/failures`,
  tags: ['Sagas'],
  summary: 'Group the executions that stand still or back off by what keeps them',
  request: { query: SagaFailuresQuery },
  responses: {
    200: answer('The groups', one(SagaFailures)),
    ...refusals('VALIDATION_FAILED', 'SAGA_NOT_FOUND'),
  },
});

export function registerSagaFailures(register: Register, services: Services): void {
  const { db } = services;
  register(read, async (c) => {
    const filter = await withPeriod(c, services, c.req.valid('query'));
    const reader = readerOf(c);
    const { startedBy, part } = reader;
    const { reservationId } = filter;
    // Nothing to report about a stay that no saga was about, as far as the caller may know.
    if (reservationId !== undefined) await newestExecution(db, { reservationId, startedBy, part }, reader);
    const { sagas, groups, shown } = await readFailures(db, { ...filter, startedBy, part });
    const about = await incidentsOf(c, db, shown);
    return found(c, { sagas, groups, shown: shown.map((group) => groupShown(group, about)) });
  });
}

interface About {
  readonly kind: IncidentKind;
  readonly subject: string;
}
const ownOf = (group: FailureGroup): About => ({
  kind: group.isParked ? 'SAGA_PARKED' : 'SAGA_RETRYING',
  subject: groupSubject(group),
});
const circuitsOf = ({ system, circuits }: FailureGroup): readonly About[] =>
  system === null ? [] : [system, ...circuits].map((subject) => ({ kind: 'CIRCUIT_OPEN', subject }));

/** None where incidents are not the caller's to see. */
function incidentsOf(c: AnyContext, db: Db, groups: readonly FailureGroup[]): Promise<readonly IncidentAbout[]> {
  const policy = policyOf('GET', `${API}/incidents`);
  if (policy !== 'anonymous' && !permits(policy, callerOf(c))) return Promise.resolve([]);
  return newestAbout(
    db,
    groups.flatMap((group) => [ownOf(group), ...circuitsOf(group)]),
    areaOf(c),
  );
}

function groupShown(group: FailureGroup, about: readonly IncidentAbout[]) {
  const { name, step, code, isUndoing, isParked, system, count, since, last, examples } = group;
  const wanted = [ownOf(group), ...circuitsOf(group)];
  // A circuit closes by itself long before a person has retried what was parked before it.
  const covers = ({ kind, status, lastAt }: IncidentAbout): boolean =>
    status === 'OPEN' || (kind === 'CIRCUIT_OPEN' && lastAt >= since);
  const incidents = about.filter(
    (one) => wanted.some(({ kind, subject }) => one.kind === kind && one.subject === subject) && covers(one),
  );
  return {
    ...{ name, step, code, isUndoing, isParked, system, count },
    since: since.toISOString(),
    last: last.toISOString(),
    examples: examples.map(({ id, reservationId, since: at }) => ({
      sagaId: id,
      reservationId: reservationId ?? null,
      since: at ?? since.toISOString(),
      links: {
        saga: `${API}/sagas/executions/${id}`,
        reservation: reservationId === undefined ? null : `${API}/reservations/${reservationId}`,
      },
    })),
    incidents: incidents.map(({ id, kind, status }) => ({ id, kind, status })),
    links: { sagas: `${API}/sagas?${queryOfGroup(group)}` },
  };
}

/** The group as filters of the list. */
function queryOfGroup({ name, step, code, isUndoing, isParked, system }: FailureGroup): URLSearchParams {
  const query = new URLSearchParams({ name, step, errorCode: code });
  query.set('isUndoing', String(isUndoing));
  query.set('isParked', String(isParked));
  if (system !== null) query.set('system', system);
  return query;
}
