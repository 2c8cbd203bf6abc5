import type { JsonObject } from '../../kernel/json.ts';
import { COMPONENT_EXAMPLES, FIELD_EXAMPLES } from './example-values.ts';

/**
 * Examples made from the schemas, so that an answer's example has every field that the answer always has, whatever is
 * added to it. Values come from the schema itself, from a table by the field's name, and from a table by the name of
 * the whole, in that order of precedence from last to first.
 */

export interface Examples {
  /** Undefined where there is no schema. */
  of(schema: unknown): unknown;
}

const MAX_DEPTH = 12;
const PREFIX = '#/components/schemas/';

export function createExamples(components: Readonly<Record<string, JsonObject>>): Examples {
  const made = (schema: unknown, field: string, depth: number): unknown => {
    if (!isObject(schema) || depth > MAX_DEPTH) return null;
    const { $ref } = schema;
    if (typeof $ref === 'string') {
      const name = $ref.slice(PREFIX.length);
      const whole = made(components[name], field, depth + 1);
      const own: unknown = COMPONENT_EXAMPLES[name];
      return isObject(whole) && isObject(own) ? { ...whole, ...own } : (own ?? whole);
    }
    const { examples, anyOf } = schema;
    if (Array.isArray(examples)) return examples[0];
    if ('const' in schema) return schema['const'];
    if (Array.isArray(anyOf)) return made(anyOf[0], field, depth + 1);
    return scalar(schema, field) ?? composite(schema, field, depth);
  };
  const composite = (schema: JsonObject, field: string, depth: number): unknown => {
    const { items, properties, required, additionalProperties } = schema;
    if (typesOf(schema).includes('null')) return null;
    if (typesOf(schema).includes('array')) return items === undefined ? [] : [made(items, singular(field), depth + 1)];
    if (isObject(properties)) {
      const names = Array.isArray(required) ? required.map(String) : [];
      return Object.fromEntries(names.map((name) => [name, made(properties[name], name, depth + 1)]));
    }
    return isObject(additionalProperties) || typesOf(schema).includes('object') ? {} : null;
  };
  return { of: (schema) => (schema === undefined ? undefined : made(schema, '', 0)) };
}

const singular = (field: string): string => field.replace(/ies$/, 'y').replace(/s$/, '');

function scalar(schema: JsonObject, field: string): unknown {
  const types = typesOf(schema);
  const known = FIELD_EXAMPLES[field];
  if (known !== undefined && types.includes(typeof known) && !Array.isArray(schema['enum'])) return known;
  if (types.includes('null')) return null;
  if (Array.isArray(schema['enum'])) return schema['enum'][0];
  if (schema['default'] !== undefined) return schema['default'];
  if (types.includes('boolean')) return false;
  if (types.includes('integer') || types.includes('number')) return schema['minimum'] ?? 0;
  if (!types.includes('string')) return undefined;
  if (schema['format'] === 'date-time') return '2024-01-15T10:00:00.000Z';
  if (schema['format'] === 'date') return '2024-02-01';
  return 'text';
}

function typesOf(schema: JsonObject): readonly unknown[] {
  const { type } = schema;
  return Array.isArray(type) ? type : [type];
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
