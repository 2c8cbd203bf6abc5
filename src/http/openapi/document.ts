import { setImmediate as turn } from 'node:timers/promises';
import type { RouteConfig } from '@hono/zod-openapi';
import { z } from '@hono/zod-openapi';
import { CATALOGUE, type ErrorCode, isErrorCode } from '../../kernel/errors.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { VERSION } from '../../kernel/version.ts';
import type { App } from '../context.ts';
import { limitClassOf } from '../limits.ts';
import { endpointName, POLICIES } from '../policy.ts';
import { problemAddress } from '../problem.ts';
import { Failure, Problem } from '../schemas/envelope.ts';
import { PLANNED } from '../schemas/rehearsals.ts';
import { createExamples, type Examples } from './examples.ts';
import { ABOUT, TAGS, TOKENS } from './introduction.ts';
import { createSchemaBook, type SchemaBook } from './json-schema.ts';
import { OPERATIONS } from './operations/index.ts';
import { describeParameter } from './parameters.ts';

/** The OpenAPI 3.1 document, from the schemas that the routes check requests by and the tables beside this file. */

export interface DocumentOptions {
  /** Where the API is reached, without a slash at its end. */
  readonly publicUrl: string;
}
interface Workshop {
  readonly book: SchemaBook;
  readonly examples: Examples;
  readonly publicUrl: string;
  /** Answers that many operations give alike, by their code. */
  readonly failures: Record<string, JsonObject>;
}

export function describeApi(app: App, options: DocumentOptions): JsonObject {
  const parts = describing(app, options);
  let part = parts.next();
  while (!part.done) part = parts.next();
  return part.value;
}

/** The same, one route to a turn of the event loop: all together would hold up requests for half a second. */
export async function describeApiInTurns(app: App, options: DocumentOptions): Promise<JsonObject> {
  const parts = describing(app, options);
  let part = parts.next();
  while (!part.done) {
    await turn();
    part = parts.next();
  }
  return part.value;
}

function* describing(app: App, { publicUrl }: DocumentOptions): Generator<undefined, JsonObject> {
  const book = createSchemaBook();
  const workshop: Workshop = { book, examples: createExamples(book.components), publicUrl, failures: {} };
  const paths: Record<string, JsonObject> = {};
  const webhooks: Record<string, JsonObject> = {};
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== 'route' && definition.type !== 'webhook') continue;
    const isRoute = definition.type === 'route';
    const route = isRoute ? definition.route : definition.webhook;
    const operation = isRoute ? operationOf(route, workshop) : webhookOf(route, workshop);
    const into = isRoute ? paths : webhooks;
    into[route.path] = { ...into[route.path], [route.method]: operation };
    yield;
  }
  const used = JSON.stringify([paths, webhooks]);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Roomy business process orchestrator',
      version: VERSION,
      summary: 'Runs the business processes of a property manager as sagas.',
      description: ABOUT,
      contact: { name: 'Roomy operations', url: publicUrl },
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: publicUrl, description: 'This installation' }],
    tags: TAGS.filter(({ name }) => used.includes(`"tags":["${name}"]`)),
    paths,
    ...(Object.keys(webhooks).length === 0 ? {} : { webhooks }),
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: TOKENS } },
      headers: HEADERS,
      responses: sorted(workshop.failures),
      schemas: sorted(book.components),
    },
  };
}

const sorted = (named: Readonly<Record<string, JsonObject>>): JsonObject =>
  Object.fromEntries(Object.entries(named).toSorted(([a], [b]) => (a < b ? -1 : 1)));

function operationOf(route: RouteConfig, workshop: Workshop): JsonObject {
  const pattern = route.path.replaceAll(/\{(.+?)\}/g, ':$1');
  const name = endpointName(route.method, pattern);
  const { id, text, answer } = OPERATIONS[name] ?? {};
  return {
    ...(id === undefined ? {} : { operationId: id }),
    tags: route.tags ?? [],
    summary: route.summary,
    description: [text, callersOf(name)].filter((part) => part !== undefined).join('\n\n'),
    security: route.security ?? [],
    ...requestOf(route, workshop),
    responses: responsesOf(route, workshop, answer, sentBy(route, isLimited(route.method, pattern, name))),
  };
}

function isLimited(method: string, pattern: string, name: string): boolean {
  const policy = Object.hasOwn(POLICIES, name) ? POLICIES[name] : undefined;
  return policy !== undefined && limitClassOf(method, pattern, policy) !== null;
}

function webhookOf(route: RouteConfig, workshop: Workshop): JsonObject {
  const { method, path, request, responses, middleware, ...rest } = route;
  return { ...rest, ...requestOf(route, workshop), responses: responsesOf(route, workshop, undefined, []) };
}

/** From the table that decides about it. */
function callersOf(name: string): string | undefined {
  const policy = Object.hasOwn(POLICIES, name) ? POLICIES[name] : undefined;
  if (policy === undefined) return undefined;
  if (policy === 'anonymous') return '**Who may call:** anybody; no token is needed.';
  const service = policy.service ? `, and service clients with the scope \`${policy.permission}\`` : '';
  return `**Who may call:** ${policy.roles.map((role) => `\`${role}\``).join(', ')}${service}.`;
}

const PLACES = { params: 'path', query: 'query', headers: 'header', cookies: 'cookie' } as const;

function requestOf(route: RouteConfig, { book, examples }: Workshop): JsonObject {
  const { request } = route;
  if (request === undefined) return {};
  const parameters = Object.entries(PLACES).flatMap(([part, place]) => {
    const declared: unknown = Reflect.get(request, part);
    if (!(declared instanceof z.ZodObject)) return [];
    return Object.entries(declared.shape).map(([name, schema]) => {
      if (!(schema instanceof z.ZodType)) throw new Error(`the parameter ${name} has no schema`);
      const { description, ...rest } = book.schemaOf(schema, 'input');
      return {
        name,
        in: place,
        required: place === 'path' || !schema.safeParse(undefined).success,
        description: typeof description === 'string' ? description : describeParameter(name, place, route.path),
        schema: rest,
      };
    });
  });
  const body = request.body;
  return {
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            ...(body.description === undefined ? {} : { description: body.description }),
            required: body.required === true,
            content: contentOf(body.content, book, 'input', examples),
          },
        }),
  };
}

function contentOf(
  content: Readonly<Record<string, unknown>>,
  book: SchemaBook,
  direction: 'input' | 'output',
  examples: Examples,
  given?: unknown,
): JsonObject {
  return Object.fromEntries(
    Object.entries(content).map(([type, media]) => {
      if (typeof media !== 'object' || media === null) throw new Error('a media type is an object');
      const { schema, ...rest }: { schema?: unknown } = media;
      const printed = schema instanceof z.ZodType ? book.schemaOf(schema, direction) : schema;
      const isOpen = !('example' in rest) && !('examples' in rest);
      const example = isOpen && type === 'application/json' ? (given ?? examples.of(printed)) : undefined;
      return [type, { schema: printed, ...rest, ...(example === undefined ? {} : { example }) }];
    }),
  );
}

type Declared = RouteConfig['responses'][string];

/** The headers of an operation's answers, by their names. */
type Sent = readonly (keyof typeof HEADERS)[];

function responsesOf(route: RouteConfig, workshop: Workshop, given: unknown, sent: Sent): JsonObject {
  const responses: JsonObject = {};
  for (const [status, response] of Object.entries(route.responses)) {
    const codes = codesOf(response);
    responses[status] = codes === null ? answerOf(response, status, workshop, given, sent) : failureOf(codes, workshop);
  }
  // Anything else that went wrong, by the same shape.
  if (Object.keys(responses).some((status) => status.startsWith('4'))) {
    workshop.failures['Failure'] ??= failureAnswer('Any other failure', ['INTERNAL_ERROR'], workshop);
    responses['default'] = { $ref: '#/components/responses/Failure' };
  }
  return responses;
}

function answerOf(
  response: Declared,
  status: string,
  { book, examples }: Workshop,
  given: unknown,
  sent: Sent,
): JsonObject {
  if ('$ref' in response) return { ...response };
  const {
    content,
    headers,
    [PLANNED]: planned,
    ...rest
  }: typeof response & { readonly [PLANNED]?: unknown } = response;
  const declared = headers instanceof z.ZodObject ? undefined : headers;
  const all = {
    ...(OF_STATUS[status] ?? {}),
    ...named(sent),
    ...(hasVersion(content) ? named(['ETag']) : {}),
    ...declared,
  };
  return {
    ...rest,
    ...(planned instanceof Object ? { [PLANNED]: contentOf({ ...planned }, book, 'output', examples) } : {}),
    ...(Object.keys(all).length === 0 ? {} : { headers: all }),
    ...(content === undefined
      ? {}
      : { content: contentOf(content, book, 'output', examples, status === '202' ? undefined : given) }),
  };
}

const text = (description: string) => ({ description, schema: { type: 'string' } });
const OF_STATUS: Readonly<Record<string, JsonObject>> = {
  '201': { Location: text('The address of what was added') },
  '202': {
    Location: text('The address at which the saga can be followed'),
    'Retry-After': text('Seconds to wait before asking there'),
  },
};

/** Named once, and referred to by every answer that has them. */
const HEADERS = {
  ETag: text('The version of the record, to be sent as `If-Match` with a change of it'),
  'Idempotency-Replayed': text('`true`: this is the recorded answer to an earlier request with the same key'),
  'Preference-Applied': text('Which part of `Prefer` was followed'),
  'RateLimit-Policy': text(
    'The limit that the request was counted by: `"writes";q=60;w=60` is 60 times (`q`) in 60 seconds (`w`)',
  ),
  RateLimit: text('What is left of it: `"writes";r=59;t=42` is 59 times (`r`) for the next 42 seconds (`t`)'),
  'WWW-Authenticate': text('How to say who is calling'),
  'X-Request-Id': text('The request in the logs and in the audit trail: the one that was sent, or a new one'),
};
const named = (names: Sent): JsonObject =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
const RATE_LIMITS = ['RateLimit-Policy', 'RateLimit'] as const;

function sentBy({ request }: RouteConfig, limited: boolean): Sent {
  const accepted = request?.headers instanceof z.ZodObject ? Object.keys(request.headers.shape) : [];
  return [
    'X-Request-Id',
    ...(limited ? RATE_LIMITS : []),
    ...(accepted.includes('Idempotency-Key') ? (['Idempotency-Replayed'] as const) : []),
    ...(accepted.includes('Prefer') ? (['Preference-Applied'] as const) : []),
  ];
}

/** Whether the answer is one record that can be changed. */
function hasVersion(content: Readonly<Partial<Record<string, object>>> | undefined): boolean {
  const media = content?.['application/json'] ?? {};
  const schema: unknown = 'schema' in media ? media.schema : undefined;
  const data = schema instanceof z.ZodObject ? schema.shape['data'] : undefined;
  return data instanceof z.ZodObject && 'version' in data.shape;
}

const RETRY_AFTER: JsonObject = { 'Retry-After': text('Seconds to wait before another try') };
const RETRIED: ReadonlySet<number> = new Set([429, 503]);
const isWorthAnotherTry = (code: ErrorCode): boolean =>
  RETRIED.has(CATALOGUE[code].status) || code === 'IDEMPOTENCY_IN_PROGRESS';

/** `refusals()` names the codes of an answer in its description. */
function codesOf(response: Declared): readonly ErrorCode[] | null {
  if ('$ref' in response) return null;
  const codes = (response.description ?? '').split(', ');
  return codes.every(isErrorCode) ? codes : null;
}

/** A refusal with one code alone is the same everywhere and shared; several are distinguished by their codes. */
function failureOf(codes: readonly ErrorCode[], workshop: Workshop): JsonObject {
  const [only] = codes;
  const printed = {
    ...failureAnswer(codes.map((code) => `- \`${code}\`: ${CATALOGUE[code].text}`).join('\n'), codes, workshop),
    // For programs, which cannot read descriptions: scripts/openapi compares them with those of the last release.
    'x-error-codes': codes.toSorted(),
  };
  if (codes.length > 1 || only === undefined) return printed;
  workshop.failures[only] = printed;
  return { $ref: `#/components/responses/${only}` };
}

/** In the brief's envelope, or as RFC 9457 for those who ask for that. */
function failureAnswer(description: string, codes: readonly ErrorCode[], { book, publicUrl }: Workshop): JsonObject {
  const examplesBy = (media: (code: ErrorCode) => JsonObject) =>
    Object.fromEntries(codes.map((code) => [code, { summary: CATALOGUE[code].text, value: media(code) }]));
  return {
    description,
    headers: {
      ...(codes.some(isWorthAnotherTry) ? RETRY_AFTER : {}),
      ...(codes.includes('SAGA_IN_PROGRESS') ? { Location: text('The address of the saga that is at work') } : {}),
      ...named(['X-Request-Id', 'Idempotency-Replayed', 'Preference-Applied', ...RATE_LIMITS]),
      ...(codes.includes('UNAUTHENTICATED') ? named(['WWW-Authenticate']) : {}),
    },
    content: {
      'application/json': { schema: book.schemaOf(Failure, 'output'), examples: examplesBy(envelopeExample) },
      'application/problem+json': {
        schema: book.schemaOf(Problem, 'output'),
        examples: examplesBy((code) => problemExample(code, publicUrl)),
      },
    },
  };
}

const envelopeExample = (code: ErrorCode): JsonObject => ({
  success: false,
  error: CATALOGUE[code].text,
  code,
  requestId: 'request-1',
});
const problemExample = (code: ErrorCode, publicUrl: string): JsonObject => ({
  type: problemAddress(publicUrl, code),
  title: CATALOGUE[code].text,
  status: CATALOGUE[code].status,
  detail: CATALOGUE[code].text,
  code,
  requestId: 'request-1',
});
