import { zodToOpenAPIRegistry } from '@asteasolutions/zod-to-openapi';
import { z } from '@hono/zod-openapi';
import type { JsonObject } from '../../kernel/json.ts';
import { isChange } from '../schemas/common.ts';

/**
 * JSON Schema 2020-12 of the schemas that the routes check by, made by zod itself. The generator that comes with the
 * routes prints a pattern with its flags (`^...$/u`, which nothing matches), keeps one pattern of several, makes a named
 * schema that may be null impossible to be null, and closes a parent that is extended. OpenAPI 3.1 is JSON Schema
 * 2020-12, so what zod prints can stand in it as it is.
 */

/** Of a request, or of an answer: a default may be left out of the one and is always in the other. */
export type Direction = 'input' | 'output';

export interface SchemaBook {
  /** A reference for a named schema, else the schema itself. Throws when one name stands for two schemas. */
  schemaOf(schema: z.ZodType, direction: Direction): JsonObject;
  /** Every named schema that `schemaOf` has met, by name. */
  readonly components: Readonly<Record<string, JsonObject>>;
}

export function createSchemaBook(): SchemaBook {
  const components: Record<string, JsonObject> = {};
  const keep = (name: string, schema: JsonObject): void => {
    const known = components[name];
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(schema)) {
      throw new Error(`the name ${name} stands for two schemas, or for one that is sent and answered in two shapes`);
    }
    components[name] = schema;
  };
  const printed = { input: new Map<z.ZodType, JsonObject>(), output: new Map<z.ZodType, JsonObject>() };
  return {
    components,
    schemaOf: (schema, direction) => {
      const known = printed[direction].get(schema);
      if (known !== undefined) return known;
      const { $schema, $defs, ...root }: JsonObject = z.toJSONSchema(schema, {
        io: direction,
        metadata: METADATA,
        override: ({ zodSchema, jsonSchema }) => amend(zodSchema, jsonSchema, direction),
      });
      for (const [name, definition] of Object.entries($defs ?? {})) keep(name, tidy(definition, name));
      const made = tidy(root);
      printed[direction].set(schema, made);
      return made;
    },
  };
}

const COMPONENTS = '#/components/schemas/';

interface Metadata extends JsonObject {
  readonly _internal?: { readonly refId?: string };
}
const metadataOf = (schema: z.core.$ZodType): Metadata => zodToOpenAPIRegistry.get(schema as z.ZodType) ?? {};

/** The annotations of a schema by `.openapi()`, without those of a parameter. */
function annotationsOf(schema: z.core.$ZodType): JsonObject {
  const { _internal, param, ...annotations } = metadataOf(schema);
  return annotations;
}

/** `X.openapi('Name')` names X; optional, nullable and the like carry the name along without being X. */
function nameOf(schema: z.core.$ZodType): string | undefined {
  const name = metadataOf(schema)._internal?.refId;
  const inner = innerOf(schema);
  return inner !== undefined && metadataOf(inner)._internal?.refId === name ? undefined : name;
}

function innerOf(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  const def: object = schema._zod.def;
  const inner = 'innerType' in def ? def.innerType : 'in' in def ? def.in : undefined;
  return inner instanceof z.core.$ZodType ? inner : undefined;
}

const METADATA = Object.assign(z.registry<JsonObject>(), {
  get: (schema: z.core.$ZodType): JsonObject | undefined => {
    const name = nameOf(schema);
    return name === undefined ? annotationsOf(schema) : { ...annotationsOf(schema), id: name };
  },
});

/** Formats say it all, and zod's patterns for them are long and need look-ahead, which not every language has. */
const FORMATS = new Set(['email', 'date', 'date-time', 'uri', 'uuid']);

const ANY_TEXT = JSON.stringify({ type: 'string' });

interface Definition {
  readonly type: string;
  readonly pattern?: unknown;
  readonly checks?: readonly z.core.$ZodCheck<never>[];
}
/** A rule in code that JSON Schema can say as well: of a change at least one field. */
const isChangeCheck = ({ _zod: { def } }: z.core.$ZodCheck<never>): boolean => 'fn' in def && def.fn === isChange;

function amend(schema: z.core.$ZodType, json: JsonObject, direction: Direction): void {
  const annotations = annotationsOf(schema);
  // A query's text that stands for something else, such as a number, is described as what it stands for.
  if (annotations['type'] !== undefined) {
    for (const key of Object.keys(json)) delete json[key];
    Object.assign(json, annotations);
  }
  const def: Definition = schema._zod.def;
  if (typeof json['format'] === 'string' && FORMATS.has(json['format']) && def.pattern instanceof RegExp) {
    if (json['pattern'] === def.pattern.source) delete json['pattern'];
  }
  if (direction === 'input' && def.checks?.some(isChangeCheck)) json['minProperties'] = 1;
  if (def.type === 'record' && JSON.stringify(json['propertyNames']) === ANY_TEXT) delete json['propertyNames'];
  if (json['maximum'] === Number.MAX_SAFE_INTEGER) delete json['maximum'];
  if (json['minimum'] === Number.MIN_SAFE_INTEGER) delete json['minimum'];
  // Answers may get more fields with time: clients ignore those that they do not know.
  if (direction === 'output' && def.type === 'object') delete json['additionalProperties'];
}

/** References into the components, and nullable types written short. */
function tidy(value: unknown, name?: string): JsonObject {
  const tidied = tidyAny(value);
  if (!isObject(tidied)) throw new Error('a schema is an object');
  if (name !== undefined && tidied['id'] === name) delete tidied['id'];
  return tidied;
}

function tidyAny(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(tidyAny);
  if (!isObject(value)) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([key, member]) => [key, tidyAny(member)]));
  const { $ref, example } = copy;
  // OpenAPI 3.1 deprecates `example` in a schema.
  if (example !== undefined && isSchema(copy)) {
    delete copy['example'];
    copy['examples'] = [example];
  }
  if (typeof $ref === 'string') copy['$ref'] = $ref.replace('#/$defs/', COMPONENTS);
  return withShortNull(copy);
}

/** Not the map of an object's properties, one of which may be called `type`. */
const isSchema = ({ type, anyOf, $ref }: JsonObject): boolean =>
  typeof type === 'string' || Array.isArray(type) || Array.isArray(anyOf) || typeof $ref === 'string';

/** `anyOf: [{type: 'string', ...}, {type: 'null'}]` as `type: ['string', 'null']`. */
function withShortNull(schema: JsonObject): JsonObject {
  const { anyOf, ...rest } = schema;
  if (!Array.isArray(anyOf) || anyOf.length !== 2) return schema;
  const [what, nothing]: unknown[] = anyOf;
  if (!isObject(what) || !isObject(nothing) || Object.keys(nothing).length !== 1 || nothing['type'] !== 'null')
    return schema;
  if (typeof what['type'] !== 'string' || 'const' in what) return schema;
  const choices = Array.isArray(what['enum']) ? { enum: [...what['enum'], null] } : {};
  return { ...what, ...choices, ...rest, type: [what['type'], 'null'] };
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
