import { createRoute } from '@hono/zod-openapi';
import { createOwner, getOwner, listOwners, type OwnerView } from '../../domain/people/owners.ts';
import { changeOwner } from '../../domain/stays/change-owner.ts';
import { created, expectedVersions, foundVersion, page } from '../answers.ts';
import { type AnyContext, authorOf, callerOf, type Services } from '../context.ts';
import { agentOf } from '../portfolio.ts';
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
import { NewOwner, Owner, OwnerChange, PeopleQuery } from '../schemas/people.ts';

const PATH = '/api/production/owners';
const tags = ['Owners'];
const example = { id: 'owner-1', name: 'Layla Haddad', email: 'layla@example.com', payoutAccount: 'acct-1' };

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List owners, newest first',
  request: { query: PeopleQuery },
  responses: { 200: answer('A page of owners', many(Owner)), ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR') },
});
const create = createRoute({
  method: 'post',
  path: PATH,
  tags,
  summary: 'Add an owner',
  request: { body: jsonOf(NewOwner, example) },
  responses: { 201: answer('Added', one(Owner)), ...bodyRefusals('ALREADY_EXISTS', ...MONEY_REFUSALS) },
});
const read = createRoute({
  method: 'get',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Get an owner',
  request: { params: IdParam },
  responses: { 200: answer('The owner', one(Owner)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});
const change = createRoute({
  method: 'patch',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Change an owner; honours If-Match',
  request: { params: IdParam, headers: ChangeHeaders, body: jsonOf(OwnerChange, { phone: '+971501234567' }) },
  responses: {
    200: answer('Changed', one(Owner)),
    ...bodyRefusals('NOT_FOUND', 'PRECONDITION_FAILED', ...MONEY_REFUSALS),
  },
});

export function registerOwners(register: Register, services: Services): void {
  register(list, (c) =>
    page(c, services, 'owners', c.req.valid('query'), async (_filter, at) => {
      const { items, next } = await listOwners(services.db, agentOf(c), at);
      return { items: items.map((owner) => seenBy(c, owner)), next };
    }),
  );
  register.mutation(create, (c, once) => {
    const owner = c.req.valid('json');
    return once.change(async (tx) => created(c, seenBy(c, await createOwner(tx, owner, authorOf(c))), 'Owner created'));
  });
  register(read, async (c) =>
    foundVersion(c, seenBy(c, await getOwner(services.db, ownIdOf(c, c.req.valid('param').id), agentOf(c)))),
  );
  register.mutation(change, (c, once) => {
    const { id } = c.req.valid('param');
    const changes = c.req.valid('json');
    return once.change(async (tx) =>
      foundVersion(c, seenBy(c, await changeOwner(tx, id, changes, expectedVersions(c), authorOf(c)))),
    );
  });
}

/** An owner reads the owner's own record; any other is as absent as one that does not exist. */
function ownIdOf(c: AnyContext, id: string): string {
  const caller = callerOf(c);
  return caller.kind === 'person' && caller.role === 'OWNER' && caller.principal !== id ? '' : id;
}

/** Where the money goes, and when, is for those who send it, and for the owner. */
function seenBy(c: AnyContext, owner: OwnerView): Omit<OwnerView, 'payoutAccount' | 'payoutTerms'> {
  const caller = callerOf(c);
  if (caller.kind === 'person' && ['ADMIN', 'FINANCE', 'OWNER'].includes(caller.role ?? '')) return owner;
  const { payoutAccount: _account, payoutTerms: _terms, ...rest } = owner;
  return rest;
}
