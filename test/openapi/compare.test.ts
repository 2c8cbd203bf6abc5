import { describe, expect, it } from 'vitest';
import { breakingChanges } from '../../scripts/openapi/compare.ts';
import { contractOf } from '../../scripts/openapi/contract.ts';

/** Which changes of a document break clients, on a small document of one operation, one webhook and one schema each way. */

interface Parts {
  /** Of the field `value` of the request, and whether it must be sent. */
  sent?: object;
  sentRequired?: boolean;
  /** Of the field `value` of the answer, and whether it is always there. */
  received?: object;
  receivedOptional?: boolean;
  parameter?: object | null;
  security?: readonly object[];
  operation?: object;
  answers?: object;
  webhook?: object;
}
const object = (value: object | undefined, required: boolean) => ({
  type: 'object',
  properties: { id: { type: 'string' }, ...(value === undefined ? {} : { value }) },
  required: ['id', ...(required ? ['value'] : [])],
});
const TEXT = { type: 'string', minLength: 1, maxLength: 10, pattern: '^a' };
function document(parts: Parts = {}) {
  const { sent = TEXT, received = TEXT, parameter, security = [{ bearer: [] }], operation, answers, webhook } = parts;
  const json = (name: string) => ({
    content: { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } },
  });
  const usual = { name: 'limit', in: 'query', required: false, schema: { type: 'integer', maximum: 100, default: 20 } };
  return {
    paths: {
      '/things': {
        post: {
          operationId: 'addThing',
          security,
          parameters: parameter === null ? [] : [{ ...usual, ...parameter }],
          requestBody: { required: true, ...json('NewThing') },
          responses: { 200: { ...json('Thing'), headers: { ETag: {} } }, 404: json('Thing'), ...answers },
          ...operation,
        },
      },
    },
    webhooks: { 'thing.added': { post: webhook ?? { requestBody: json('Thing'), responses: { 200: {} } } } },
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: {
        NewThing: { ...object(sent, parts.sentRequired === true), additionalProperties: false },
        Thing: object(received, parts.receivedOptional !== true),
      },
    },
  };
}
const between = (before: Parts, after: Parts): readonly string[] =>
  breakingChanges(document(before), document(after)).map(({ id }) => id);

const REF = { $ref: '#/components/schemas/Thing' };
const NULL = { type: 'null' };
const choice = (...values: readonly unknown[]) => ({ enum: values });
const union = (...members: readonly object[]) => ({ anyOf: members });

/** A narrower schema and a wider one, with the name of the break. */
const NARROWER_AND_WIDER: readonly [string, object, object, string][] = [
  ['a type', { type: 'string' }, { type: ['string', 'integer'] }, 'type'],
  ['an integer of numbers', { type: 'integer' }, { type: 'number' }, 'type'],
  ['null', { type: 'string' }, { type: ['string', 'null'] }, 'null'],
  ['a choice', choice('A'), choice('A', 'B'), 'enum'],
  ['choices at all', choice('A'), {}, 'type'],
  ['one constant', { const: 'A' }, choice('A', 'B'), 'enum'],
  ['a least length', { type: 'string', minLength: 2 }, { type: 'string', minLength: 1 }, 'minLength'],
  ['a greatest length', { type: 'string', maxLength: 2 }, { type: 'string' }, 'maxLength'],
  ['a minimum', { type: 'number', minimum: 0 }, { type: 'number' }, 'minimum'],
  ['a maximum', { type: 'number', maximum: 1 }, { type: 'number', maximum: 2 }, 'maximum'],
  ['an open bound', { type: 'number', exclusiveMinimum: 0 }, { type: 'number' }, 'exclusiveMinimum'],
  ['a number of items', { type: 'array', maxItems: 2 }, { type: 'array', maxItems: 3 }, 'maxItems'],
  ['a pattern', { type: 'string', pattern: '^a' }, { type: 'string' }, 'pattern'],
  [
    'one pattern of two',
    { type: 'string', allOf: [{ pattern: '^a' }, { pattern: 'b$' }] },
    { type: 'string', pattern: '^a' },
    'pattern',
  ],
  ['a format', { type: 'string', format: 'date' }, { type: 'string' }, 'format'],
  ['a multiple', { type: 'number', multipleOf: 2 }, { type: 'number' }, 'multipleOf'],
];

describe.each(NARROWER_AND_WIDER)('%s', (_what, narrower, wider, keyword) => {
  it.each(['', '[]', '{*}'])('breaks senders when it is narrowed, and readers when it is widened%s', (place) => {
    const inside = (schema: object): object =>
      place === ''
        ? schema
        : place === '[]'
          ? { type: 'array', items: schema }
          : { type: 'object', additionalProperties: schema };
    const [narrow, wide] = [inside(narrower), inside(wider)];
    const kind = keyword === 'type' && 'enum' in narrower ? 'enum' : keyword;
    expect(between({ sent: wide }, { sent: narrow })).toEqual([`NewThing (sent).value${place}: ${kind} narrowed`]);
    expect(between({ sent: narrow }, { sent: wide })).toEqual([]);
    const widened = between({ received: narrow }, { received: wide });
    expect(widened).toEqual([`Thing (received).value${place}: ${kind} widened`]);
    expect(between({ received: wide }, { received: narrow })).toEqual([]);
  });
});

describe('of unions', () => {
  it('each alternative counts by itself', () => {
    const [one, both] = [union({ type: 'string' }), union({ type: 'string' }, { type: 'integer' })];
    expect(between({ sent: both }, { sent: one })).toEqual(['NewThing (sent).value|integer: type narrowed']);
    expect(between({ sent: one }, { sent: both })).toEqual([]);
    expect(between({ received: one }, { received: both })).toEqual(['Thing (received).value|integer: type widened']);
    expect(between({ received: both }, { received: one })).toEqual([]);
  });

  it('the order does not, nor the way in which null is written', () => {
    const both = union({ type: 'string' }, NULL);
    expect(
      between(
        { sent: both, received: both },
        { sent: { type: ['null', 'string'] }, received: { type: ['string', 'null'] } },
      ),
    ).toEqual([]);
    expect(between({ received: REF }, { received: union(REF, NULL) })).toEqual([
      'Thing (received).value|null: null widened',
    ]);
  });
});

const BREAKS: readonly [string, Parts, Parts, string][] = [
  ['a field that must be sent now', {}, { sentRequired: true }, 'NewThing (sent).value: now required'],
  ['a field that may be missing now', {}, { receivedOptional: true }, 'Thing (received).value: now optional'],
  [
    'another default',
    { sent: { ...TEXT, default: 'a' } },
    { sent: { ...TEXT, default: 'ab' } },
    'NewThing (sent).value: default changed',
  ],
  ['a parameter that is gone', {}, { parameter: null }, 'POST /things query limit: removed'],
  [
    'a new parameter that must be sent',
    { parameter: null },
    { parameter: { required: true } },
    'POST /things query limit: now required',
  ],
  [
    'a parameter that must be sent now',
    {},
    { parameter: { required: true } },
    'POST /things query limit: now required',
  ],
  [
    'a narrower parameter',
    {},
    { parameter: { schema: { type: 'integer', maximum: 50, default: 20 } } },
    'POST /things query limit: maximum narrowed',
  ],
  [
    'another default of a parameter',
    {},
    { parameter: { schema: { type: 'integer', maximum: 100 } } },
    'POST /things query limit: default changed',
  ],
  ['another name of the operation', {}, { operation: { operationId: 'createThing' } }, 'POST /things: operationId'],
  ['no name of the operation', {}, { operation: { operationId: undefined } }, 'POST /things: operationId'],
  ['a body that is taken no longer', {}, { operation: { requestBody: undefined } }, 'POST /things body: removed'],
  [
    'another media type',
    {},
    { operation: { requestBody: { content: { 'text/csv': {} } } } },
    'POST /things body application/json: removed',
  ],
  [
    'an answer that is gone',
    {},
    { operation: { responses: { 200: document().paths['/things'].post.responses[200] } } },
    'POST /things 404: removed',
  ],
  ['a success that is new', {}, { answers: { 202: {} } }, 'POST /things 202: added'],
  [
    'a header that is gone',
    {},
    { answers: { 200: { ...document().paths['/things'].post.responses[200], headers: {} } } },
    'POST /things 200 header ETag: removed',
  ],
  ['a token that is needed now', { security: [] }, {}, 'POST /things: security'],
  ['one way less to prove who one is', { security: [{ bearer: [] }, { basic: [] }] }, {}, 'POST /things: security'],
  ['a scope more', {}, { security: [{ bearer: ['all'] }] }, 'POST /things: security'],
  [
    'a webhook’s answer that is taken no longer',
    {},
    { webhook: { ...document().webhooks['thing.added'].post, responses: {} } },
    'webhook thing.added 200: removed',
  ],
];
it.each(BREAKS)('%s is a break', (_what, before, after, id) => {
  expect(between(before, after)).toEqual([id]);
});

it('an operation, a webhook, a field or a name of a schema that is gone is a break', () => {
  const full = document();
  expect(breakingChanges(full, { ...full, paths: {} }).map(({ id }) => id)).toEqual(['POST /things: removed']);
  expect(breakingChanges(full, { ...full, webhooks: {} }).map(({ id }) => id)).toEqual([
    'webhook thing.added: removed',
  ]);
  const { Thing } = full.components.schemas;
  const schemas = { NewThing: object(undefined, false), Thing: object(undefined, false) };
  expect(breakingChanges(full, { ...full, components: { ...full.components, schemas } }).map(({ id }) => id)).toEqual([
    'NewThing (sent).value: removed',
    'Thing (received).value: removed',
  ]);
  const renamed = JSON.parse(JSON.stringify(full).replaceAll('NewThing', 'ThingToAdd'));
  expect(breakingChanges(full, renamed).map(({ id }) => id)).toEqual(['schema NewThing: removed']);
  expect(Thing.required).toContain('value');
});

const HARMLESS: readonly [string, Parts, Parts][] = [
  ['a field that need not be sent any more', { sentRequired: true }, {}],
  ['a field that is always there now', { receivedOptional: true }, {}],
  ['a new parameter that may be left out', { parameter: null }, {}],
  ['a parameter that may be left out now', { parameter: { required: true } }, {}],
  ['a refusal that is new', {}, { answers: { 409: {} } }],
  ['no token needed any more', {}, { security: [] }],
  ['one way more to prove who one is', {}, { security: [{ bearer: [] }, { basic: [] }] }],
  ['texts and examples', {}, { operation: { description: 'More', summary: 'Another', tags: ['Things'] } }],
  [
    'a schema that refers to itself',
    { received: { type: 'array', items: REF } },
    { received: { type: 'array', items: REF } },
  ],
];
it.each(HARMLESS)('%s breaks nobody', (_what, before, after) => {
  expect(between(before, after)).toEqual([]);
});

it('what is kept has no texts, and fields that are called like them', () => {
  const properties = {
    description: { type: 'string', description: 'Words', examples: ['a'] },
    summary: { type: 'string' },
  };
  expect(
    contractOf({ info: { version: '1.0.0', summary: 'x' }, components: { schemas: { A: { properties } } } }),
  ).toEqual({
    components: { schemas: { A: { properties: { description: { type: 'string' }, summary: { type: 'string' } } } } },
    info: { version: '1.0.0' },
  });
});
