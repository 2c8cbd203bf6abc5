import { isObject, type Json } from './compare-schemas.ts';

/**
 * What programs depend on of an OpenAPI document, for keeping: without texts and examples, and in one order, so that a
 * difference between two of them is one of the contract.
 */

const TEXTS = new Set(['description', 'summary', 'example', 'examples', 'servers', 'contact', 'tags']);
/** Objects whose keys are names that the document gives, which may be called like a keyword. */
const MAPS = new Set([
  ...['paths', 'webhooks', 'schemas', 'responses', 'securitySchemes', 'content', 'headers', 'properties'],
  ...['$defs', 'patternProperties', 'dependentSchemas'],
]);

export const contractOf = (document: Json): Json => sorted(document, false);

function sorted(value: Json, isMap: boolean): Json {
  const entries = Object.entries(value)
    .filter(([key]) => isMap || !TEXTS.has(key))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, member]) => [key, anySorted(member, !isMap && MAPS.has(key))]));
}
function anySorted(value: unknown, isMap: boolean): unknown {
  if (Array.isArray(value)) return value.map((member: unknown) => anySorted(member, false));
  return isObject(value) ? sorted(value, isMap) : value;
}
