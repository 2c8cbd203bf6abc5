import type { RouteConfig } from '@hono/zod-openapi';
import { CATALOGUE, type ErrorCode } from '../kernel/errors.ts';
import { refusals } from './schemas/envelope.ts';

type Responses = RouteConfig['responses'];

/** A route's declared answers with the refusals that its registration adds; what the route says itself is kept. */
export function withRefusals(responses: Responses, codes: readonly ErrorCode[]): Responses {
  const merged: Responses = { ...responses };
  const added = refusals(...codes);
  for (const code of codes) {
    const status = CATALOGUE[code].status;
    const known = merged[status];
    if (known === undefined) merged[status] = { ...added[status], description: code };
    else if ('description' in known && !namesOf(known.description).includes(code)) {
      merged[status] = { ...known, description: `${known.description}, ${code}` };
    }
  }
  return merged;
}

const namesOf = (description: string): readonly string[] => description.split(/,\s*/);
