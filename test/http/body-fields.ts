import { type Contract, isObject, objectAt } from '../openapi/contract.ts';

/** Every field of every body that the document declares, for tests that put a value into each of them. */

export type Path = readonly (string | number)[];
/** Every field of a body schema, nested ones too. */
function fieldsOf(contract: Contract, schema: unknown, path: Path = []): readonly Path[] {
  const here = contract.resolve(schema);
  const parts = ['anyOf', 'oneOf', 'allOf'].flatMap((kind) => (Array.isArray(here[kind]) ? here[kind] : []));
  const own = Object.entries(objectAt(here, 'properties')).flatMap(([name, member]) => [
    [...path, name],
    ...fieldsOf(contract, member, [...path, name]),
  ]);
  const items = isObject(here['items']) ? fieldsOf(contract, here['items'], [...path, 0]) : [];
  return path.length > 5 ? [] : [...own, ...items, ...parts.flatMap((part) => fieldsOf(contract, part, path))];
}
/** The other fields of a body, so that only the one in question is judged. */
const BESIDE = { amount: 1, currency: 'AED', description: 'x', severity: 'MINOR', id: 'a', done: true };
/** The body with the value there; containers that it lacks are made, with what their members may need. */
export function withValue(
  contract: Contract,
  body: unknown,
  [key, ...rest]: Path,
  value: unknown,
  schema: unknown,
): unknown {
  if (key === undefined) return value;
  const here = contract.resolve(schema);
  if (typeof key === 'number') return [withValue(contract, undefined, rest, value, here['items'])];
  const properties = objectAt(here, 'properties');
  const known = Object.fromEntries(Object.entries(BESIDE).filter(([name]) => Object.hasOwn(properties, name)));
  const base = isObject(body) ? body : known;
  return { ...base, [key]: withValue(contract, base[key], rest, value, properties[key]) };
}

export interface Field {
  readonly endpoint: string;
  readonly path: Path;
  readonly schema: unknown;
}
/** Of one endpoint, `POST /api/production/tasks`. */
export function endpointFields(contract: Contract, endpoint: string): readonly Field[] {
  const [method = '', pattern = ''] = endpoint.split(' ');
  const found = contract.operationAt(method.toLowerCase(), pattern.replaceAll(/:[^/]+/g, 'x'));
  const body = contract.resolve(found?.operation['requestBody']);
  const schema = objectAt(body, 'content', 'application/json', 'schema');
  const unique = new Map(fieldsOf(contract, schema).map((path) => [JSON.stringify(path), path]));
  return [...unique.values()].map((path) => ({ endpoint, path, schema }));
}
