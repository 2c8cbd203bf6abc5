import { z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { InvariantError, RoomyError } from '../../kernel/errors.ts';
import { didYouMean } from '../../kernel/nearest.ts';
import type { AppEnv } from '../context.ts';
import { isTrackingParameter, type PageForPeople } from '../tracking.ts';

/** Of a route that takes no query at all. */
export const NO_QUERY = z.strictObject({});

const MAX_ISSUES = 20;
const MAX_NAME_CHARS = 200;

/** Parameters that callers may expect everywhere; where they are not supported, nothing may run. */
const PLANS_ONLY: Readonly<Record<string, string>> = {
  dryRun: 'is not supported by this operation: nothing was done',
};

/** The parameters of a query schema. Throws for one that would let unknown parameters pass: such a route must not exist. */
export function parametersOf(schema: unknown, endpoint: string): readonly string[] {
  if (!(schema instanceof z.ZodObject) || !(schema.def.catchall instanceof z.ZodNever)) {
    throw new InvariantError(`the query of ${endpoint} is not a strict object`);
  }
  return Object.keys(schema.shape);
}

/**
 * Refuses, before anything else of the request is read, every query parameter that the route does not have, has a value
 * twice, or has no name. The schema behind judges the values. It reads the address itself, because the parsed query of the
 * framework leaves out nameless parameters and `__proto__`.
 */
export function strictQuery(known: readonly string[], page: PageForPeople): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const at = c.req.url.indexOf('?');
    // Most requests have none.
    if (at === -1) return next();
    const names = [...new URLSearchParams(c.req.url.slice(at + 1)).keys()];
    const issues = [...new Set(names)].flatMap((name) => {
      const message = problemOf(name, names, known, page);
      return message === null ? [] : [{ path: name.slice(0, MAX_NAME_CHARS), message }];
    });
    if (issues.length > 0)
      throw new RoomyError('VALIDATION_FAILED', { details: { issues: issues.slice(0, MAX_ISSUES) } });
    await next();
  };
}

function problemOf(
  name: string,
  sent: readonly string[],
  known: readonly string[],
  page: PageForPeople,
): string | null {
  if (known.includes(name)) {
    return sent.indexOf(name) === sent.lastIndexOf(name) ? null : 'must be given once: send one value';
  }
  if (name === '') return 'a query parameter must have a name';
  if (page && isTrackingParameter(name)) return null;
  if (Object.hasOwn(PLANS_ONLY, name)) return PLANS_ONLY[name] ?? null;
  const instead = known.length === 0 ? '; this address takes none' : didYouMean(name, known);
  return `is not a query parameter of this address${instead}`;
}
