import { createRoute } from '@hono/zod-openapi';
import { getProperty } from '../../domain/properties/resource.ts';
import { readWanted } from '../../domain/search/wanted.ts';
import { found } from '../answers.ts';
import type { Services } from '../context.ts';
import { isOperator } from '../masks.ts';
import { namedZoneOf, periodOf } from '../period.ts';
import { holderOf } from '../portfolio.ts';
import type { Register } from '../route.ts';
import { answer, one, refusals } from '../schemas/envelope.ts';
import { SearchAnswer, SearchQuery } from '../schemas/search.ts';
import { search } from '../search.ts';

const route = createRoute({
  method: 'get',
  path: '/api/production/search',
  tags: ['Operations'],
  summary: 'Find stays, people, sagas, money, work and requests',
  request: { query: SearchQuery },
  responses: {
    200: answer('What was found, by kind', one(SearchAnswer)),
    ...refusals('VALIDATION_FAILED', 'NOT_FOUND'),
  },
});

export function registerSearch(register: Register, services: Services): void {
  register(route, async (c) => {
    const { q = '', perKind: limit, ...query } = c.req.valid('query');
    const { propertyId } = query;
    if (propertyId !== undefined) await getProperty(services.db, propertyId, isOperator(c) ? null : holderOf(c));
    const { from, to } = await periodOf(c, services, query);
    const zone = await namedZoneOf(c, services, query);
    return found(c, await search(c, services, { ...readWanted(q, zone), from, to, zone, propertyId, limit }));
  });
}
