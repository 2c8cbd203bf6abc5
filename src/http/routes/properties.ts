import { createRoute } from '@hono/zod-openapi';
import { createProperty, getProperty, listProperties } from '../../domain/properties/resource.ts';
import { changeProperty } from '../../domain/stays/change-property.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { created, expectedVersions, foundVersion, page } from '../answers.ts';
import { type AnyContext, authorOf, callerOf, type Services } from '../context.ts';
import { agentOf, holderOf } from '../portfolio.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import {
  answer,
  bodyRefusals,
  ChangeHeaders,
  jsonOf,
  MONEY_REFUSALS,
  many,
  one,
  refusals,
} from '../schemas/envelope.ts';
import { NewProperty, Property, PropertyChange, PropertyQuery } from '../schemas/properties.ts';

const PATH = '/api/production/properties';
const tags = ['Properties'];
const example = {
  id: 'property-1',
  name: 'Marina View 1204',
  ownerId: 'owner-1',
  timeZone: 'Asia/Dubai',
  agentIds: ['agent-1'],
};

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List properties, newest first',
  request: { query: PropertyQuery },
  responses: {
    200: answer('A page of properties', many(Property)),
    ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR'),
  },
});
const create = createRoute({
  method: 'post',
  path: PATH,
  tags,
  summary: 'Add a property',
  request: { body: jsonOf(NewProperty, example) },
  responses: {
    201: answer('Added', one(Property)),
    ...bodyRefusals('ALREADY_EXISTS', 'DEVICE_IN_USE', 'REFERENCE_NOT_FOUND', ...MONEY_REFUSALS),
  },
});
const read = createRoute({
  method: 'get',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Get a property',
  request: { params: IdParam },
  responses: { 200: answer('The property', one(Property)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});
const change = createRoute({
  method: 'patch',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Change a property; honours If-Match',
  request: { params: IdParam, headers: ChangeHeaders, body: jsonOf(PropertyChange, { cleaningMinutes: 90 }) },
  responses: {
    200: answer('Changed', one(Property)),
    ...bodyRefusals('NOT_FOUND', 'PRECONDITION_FAILED', 'REFERENCE_NOT_FOUND', 'DEVICE_IN_USE', ...MONEY_REFUSALS),
  },
});

export function registerProperties(register: Register, services: Services): void {
  register(list, (c) =>
    page(c, services, 'properties', c.req.valid('query'), (filter, at) =>
      listProperties(services.db, filter, holderOf(c), at),
    ),
  );
  register.mutation(create, (c, once) => {
    const agentId = agentOf(c);
    // A property that an agent adds is in that agent's portfolio.
    const wanted = { ...c.req.valid('json'), ...(agentId !== null && { agentIds: [agentId] }) };
    assertLimitIsOwners(c, wanted);
    return once.change(async (tx) => created(c, await createProperty(tx, wanted, authorOf(c)), 'Property created'));
  });
  register(read, async (c) => foundVersion(c, await getProperty(services.db, c.req.valid('param').id, holderOf(c))));
  register.mutation(change, (c, once) => {
    const { id } = c.req.valid('param');
    const changes = c.req.valid('json');
    assertLimitIsOwners(c, changes);
    return once.change(async (tx) =>
      foundVersion(c, await changeProperty(tx, id, changes, holderOf(c), expectedVersions(c), authorOf(c))),
    );
  });
}

/** Up to how much an owner is not asked about a repair is the owner's to say, and an administrator's for the owner. */
function assertLimitIsOwners(c: AnyContext, { repairApprovalLimit }: { readonly repairApprovalLimit?: unknown }): void {
  const caller = callerOf(c);
  if (repairApprovalLimit === undefined || (caller.kind === 'person' && caller.role === 'ADMIN')) return;
  throw new RoomyError('FORBIDDEN', { details: { field: 'repairApprovalLimit' } });
}
