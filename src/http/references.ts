import { type RouteConfig, z } from '@hono/zod-openapi';
import { InvariantError } from '../kernel/errors.ts';
import { ID_PATTERN } from '../kernel/ids.ts';

/**
 * What a field of a request refers to, and the right that it takes: declared where the field is, checked for every caller
 * before the act (`reach.ts`), as the record in the path is. A route with a field that looks like an id and has no declaration
 * cannot be registered, as one without a policy cannot (security.md Z4).
 */

export type Noun = 'property' | 'guest' | 'owner' | 'staff' | 'reservation' | 'device';
/** `use`: the record becomes part of another one. `read`: the answer shows it. */
export type Right = 'use' | 'read';
/** Who may send the field at all. Anybody else is refused by the function: 403. */
export type Sender = 'ANY' | 'ADMIN' | 'ADMIN_AND_SERVICES';

export type Reference =
  | { readonly kind: 'record'; readonly noun: Noun; readonly right: Right; readonly from: Sender }
  /** The query that reads by it holds the caller's scope itself, so that a foreign record is found as little as an absent one. */
  | { readonly kind: 'filter'; readonly noun: string }
  | { readonly kind: 'none'; readonly why: string };

const declared = new WeakMap<z.ZodType, Reference>();

/** A copy, because the schema of an id is shared by many fields. What wraps the field comes after it. */
function declare<Schema extends z.ZodType>(schema: Schema, reference: Reference): Schema {
  const own = schema.clone();
  declared.set(own, reference);
  return own;
}

/** The caller needs this right to the record that is named. */
export const refersTo = <Schema extends z.ZodType>(
  schema: Schema,
  noun: Noun,
  right: Right = 'use',
  from: Sender = 'ANY',
): Schema => declare(schema, { kind: 'record', noun, right, from });

/** A condition of a query whose WHERE has the caller's scope beside it. */
export const filtersBy = <Schema extends z.ZodType>(schema: Schema, noun: string): Schema =>
  declare(schema, { kind: 'filter', noun });

/** Looks like an id, and gives access to nothing: `why` is for the reader. */
export const noReference = <Schema extends z.ZodType>(schema: Schema, why: string): Schema =>
  declare(schema, { kind: 'none', why });

export interface ReferenceField {
  readonly in: 'body' | 'query';
  /** `[]` stands for each member of a list, `*` for each value of a record. */
  readonly path: readonly string[];
  readonly reference: Reference;
}

/** A field by such a name is an id, whatever its schema; so is a field of any name with the schema of an id. */
const ID_NAME = /^(?:id|ids)$|(?:Id|Ids|By|Device)$/;
const isIdShaped = (schema: unknown): boolean =>
  schema instanceof z.ZodString &&
  (schema.def.checks ?? []).some((check) => Reflect.get(check._zod.def, 'pattern') === ID_PATTERN);

/** The fields of a route's body and query that are declared. Throws for one that looks like an id and is not. */
export function referencesOf({ request }: RouteConfig, endpoint: string): readonly ReferenceField[] {
  const media = request?.body?.content['application/json'];
  const body: unknown = media && 'schema' in media ? media.schema : undefined;
  return [...fieldsOf(endpoint, 'body', body, []), ...fieldsOf(endpoint, 'query', request?.query, [])];
}

/** Whether a body of these fields names records to which the caller needs a right. */
export const namesRecords = (fields: readonly ReferenceField[]): boolean =>
  fields.some((field) => field.in === 'body' && field.reference.kind === 'record');

/** Whether a body of these fields has a list of such records, each of which is looked up for whoever sends it. */
export const listsRecords = (fields: readonly ReferenceField[]): boolean =>
  fields.some(
    ({ in: where, path, reference }) => where === 'body' && reference.kind === 'record' && path.includes('[]'),
  );

/** Deeper than any body that a request may have (`middleware/json-body.ts`). */
const MAX_DEPTH = 20;

function fieldsOf(
  endpoint: string,
  where: ReferenceField['in'],
  schema: unknown,
  path: readonly string[],
): readonly ReferenceField[] {
  if (path.length > MAX_DEPTH) throw new InvariantError(`${endpoint} takes what is nested without end`);
  const inside = (inner: unknown, ...more: readonly string[]) => fieldsOf(endpoint, where, inner, [...path, ...more]);
  const reference = schema instanceof z.ZodType ? declared.get(schema) : undefined;
  if (reference !== undefined) return [{ in: where, path, reference }];
  if (isWrapper(schema)) return inside(schema.unwrap());
  if (schema instanceof z.ZodPipe) return inside(schema.in);
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => inside(option));
  if (schema instanceof z.ZodObject) {
    return Object.entries(schema.shape).flatMap(([name, field]) => inside(field, name));
  }
  if (schema instanceof z.ZodRecord) return inside(schema.valueType, '*');
  const name = path.findLast((part) => part !== '[]' && part !== '*') ?? '';
  if (schema instanceof z.ZodArray) return inside(schema.element, '[]');
  if (ID_NAME.test(name) || isIdShaped(schema)) {
    throw new InvariantError(`${endpoint} takes ${path.join('.')} without a declaration of what it refers to`);
  }
  return [];
}

type Wrapper = { unwrap(): unknown };
const isWrapper = (schema: unknown): schema is Wrapper =>
  schema instanceof z.ZodOptional ||
  schema instanceof z.ZodNullable ||
  schema instanceof z.ZodDefault ||
  schema instanceof z.ZodPrefault ||
  schema instanceof z.ZodReadonly ||
  schema instanceof z.ZodNonOptional ||
  schema instanceof z.ZodCatch;

/** What a body has at the path of a field; nothing where the field was left out. */
export function valuesAt(value: unknown, [part, ...rest]: readonly string[]): readonly unknown[] {
  if (value === undefined) return [];
  if (part === undefined) return [value];
  if (typeof value !== 'object' || value === null) return [];
  if (part === '[]' || part === '*') return Object.values(value).flatMap((member) => valuesAt(member, rest));
  return valuesAt(Reflect.get(value, part), rest);
}
