import { type RouteConfig, z } from '@hono/zod-openapi';
import { CATALOGUE, type ErrorCode, InvariantError } from '../kernel/errors.ts';
import { IdempotencyKeyHeader, refusals } from './schemas/envelope.ts';

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

/** Refusals that every mutation may answer with, because of its body, its query and its key. */
export const MUTATION_REFUSALS: readonly ErrorCode[] = [
  'VALIDATION_FAILED',
  'MALFORMED_REQUEST',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'INVALID_IDEMPOTENCY_KEY',
  'IDEMPOTENCY_KEY_REUSED',
  'IDEMPOTENCY_IN_PROGRESS',
];

/** A mutation's request with its `Idempotency-Key`, beside the headers that it declares itself. */
export function withKeyHeader(request: RouteConfig['request']): NonNullable<RouteConfig['request']> {
  const own = request?.headers;
  if (own !== undefined && !(own instanceof z.ZodObject)) throw new InvariantError('headers are declared as an object');
  return { ...request, headers: z.object({ 'Idempotency-Key': IdempotencyKeyHeader, ...own?.shape }) };
}

/** The schemas of a declared answer, whatever its content types. */
export const schemasOf = (response: Responses[string]): readonly unknown[] =>
  'content' in response
    ? Object.values(response.content ?? {}).map((media) => media && Reflect.get(media, 'schema'))
    : [];
