import { html } from 'hono/html';
import type { JsonObject } from '../../kernel/json.ts';

/** Schemas as people read them. */

export interface Field {
  /** With the names of what it is in: `location.lat`. */
  readonly name: string;
  readonly type: unknown;
  readonly required: boolean;
  readonly description: string;
}

const MAX_DEPTH = 3;
const MAX_REFERENCES = 5;
const PREFIX = '#/components/schemas/';

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const listOf = (value: unknown): readonly JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);

/** Follows references inside the document. */
export function resolveIn(document: JsonObject, value: unknown): JsonObject {
  let here: unknown = value;
  for (let round = 0; round < MAX_REFERENCES && isObject(here) && typeof here['$ref'] === 'string'; round += 1) {
    let found: unknown = document;
    for (const key of here['$ref'].slice(2).split('/')) found = isObject(found) ? found[key] : undefined;
    here = found;
  }
  return isObject(here) ? here : {};
}

/** The fields of an object, those of objects inside it below them. A named schema is shown by its name only. */
export function fieldsOf(document: JsonObject, schema: unknown, prefix = '', depth = 0): readonly Field[] {
  if (!isObject(schema) || depth > MAX_DEPTH || (depth > 0 && '$ref' in schema)) return [];
  const { properties, required } = resolveIn(document, schema);
  if (!isObject(properties)) return [];
  return Object.entries(properties).flatMap(([key, property]) => {
    const name = `${prefix}${key}`;
    const items = isObject(property) && isObject(property['items']) ? property['items'] : null;
    return [
      {
        name,
        type: typeOf(property),
        required: Array.isArray(required) && required.includes(key),
        description: isObject(property) && typeof property['description'] === 'string' ? property['description'] : '',
      },
      ...fieldsOf(document, property, `${name}.`, depth + 1),
      ...(items === null ? [] : fieldsOf(document, items, `${name}[].`, depth + 1)),
    ];
  });
}

/** `array of string, at most 20`, or a link to what is named. */
export function typeOf(schema: unknown): unknown {
  if (!isObject(schema)) return '';
  const { $ref, anyOf, items, const: only, format, type } = schema;
  if (typeof $ref === 'string') {
    const name = $ref.slice(PREFIX.length);
    return html`<a href="#schema-${name}">${name}</a>`;
  }
  if (Array.isArray(anyOf)) return html`${anyOf.map((one, index) => html`${index === 0 ? '' : ' or '}${typeOf(one)}`)}`;
  if (only !== undefined) return JSON.stringify(only);
  if (Array.isArray(schema['enum'])) return schema['enum'].map((value: unknown) => String(value)).join(' | ');
  const types = Array.isArray(type) ? type.join(' or ') : (type ?? 'any');
  if (items !== undefined) return html`${types} of ${typeOf(items)}${boundsOf(schema)}`;
  return `${types}${typeof format === 'string' ? ` (${format})` : ''}${boundsOf(schema)}`;
}

const BOUNDS: Readonly<Record<string, string>> = {
  minimum: 'from',
  exclusiveMinimum: 'more than',
  maximum: 'to',
  exclusiveMaximum: 'less than',
  minLength: 'min length',
  maxLength: 'max length',
  minItems: 'min items',
  maxItems: 'max items',
  default: 'default',
};
function boundsOf(schema: JsonObject): string {
  return Object.entries(BOUNDS)
    .filter(([key]) => schema[key] !== undefined)
    .map(([key, label]) => `, ${label} ${String(schema[key])}`)
    .join('');
}
