/**
 * Whether values that fit one schema still fit another: JSON Schema 2020-12, as far as the document uses it. What cannot
 * be judged (another pattern, an unknown keyword) counts as a break, for a person to decide about.
 */

export type Json = { readonly [key: string]: unknown };
export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export interface Change {
  /** Stable: where it is and what kind of change it is. The key in the list of accepted changes. */
  readonly id: string;
  /** For people. */
  readonly text: string;
}
/** What clients send us, or what they receive from us. */
export type Direction = 'sent' | 'received';

export interface SchemaPair {
  readonly released: unknown;
  readonly current: unknown;
  readonly direction: Direction;
  /** Where it stands, such as `GET /guests 200 application/json`. */
  readonly at: string;
}
export type CompareSchemas = (pair: SchemaPair) => readonly Change[];

const REF = '#/components/schemas/';
/** Says nothing about which values fit. */
const ANNOTATIONS = new Set([
  ...['title', 'description', 'example', 'examples', 'deprecated', 'readOnly', 'writeOnly', 'default', '$comment'],
  ...['discriminator', 'xml', 'externalDocs', 'contentEncoding', 'contentMediaType'],
]);
const JUDGED = new Set([
  ...['$ref', 'allOf', 'anyOf', 'oneOf', 'type', 'enum', 'const', 'patterns', 'format', 'multipleOf', 'uniqueItems'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minLength', 'maxLength', 'minItems', 'maxItems'],
  ...['minProperties', 'maxProperties', 'required', 'properties', 'additionalProperties', 'propertyNames', 'items'],
]);
const LOWER_BOUNDS = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'];
const UPPER_BOUNDS = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'];
const EXACT = ['format', 'multipleOf', 'uniqueItems'];

/** A comparison of two documents' schemas. It remembers what it has looked at: schemas may refer to themselves. */
export function createSchemaComparison(releasedDocument: Json, currentDocument: Json): CompareSchemas {
  const looked = new Map<string, readonly Change[]>();
  const underWay: [unknown, unknown][] = [];

  /** The schema without references and `allOf`: siblings and members merged. */
  const flat = (schema: unknown, document: Json): Json => {
    if (schema === false) return { not: {} };
    if (!isObject(schema)) return {};
    const { $ref, allOf, pattern, ...own } = schema;
    const rest = pattern === undefined ? own : { ...own, patterns: [pattern] };
    const parts = Array.isArray(allOf) ? allOf.map((part) => flat(part, document)) : [];
    if (typeof $ref === 'string') parts.unshift(flat(schemaAt($ref, document), document));
    return parts.reduceRight<Json>((merged, part) => merge(part, merged), rest);
  };
  const compare: CompareSchemas = (pair) => {
    const name = nameOf(pair.released);
    if (name === null || name !== nameOf(pair.current)) return compareOnce(pair);
    // One change of a named schema is one change, however many operations use it.
    const key = `${pair.direction} ${name}`;
    const known = looked.get(key);
    if (known !== undefined) return known;
    looked.set(key, []);
    const changes = compareFlat({ ...pair, at: `${name} (${pair.direction})` });
    looked.set(key, changes);
    return changes;
  };
  const compareOnce = (pair: SchemaPair): readonly Change[] => {
    const { released, current } = pair;
    if (underWay.some(([one, other]) => one === released && other === current)) return [];
    underWay.push([released, current]);
    const changes = compareFlat(pair);
    underWay.pop();
    return changes;
  };
  const compareFlat = ({ released, current, direction, at }: SchemaPair): readonly Change[] => {
    const before = flat(released, releasedDocument);
    const after = flat(current, currentDocument);
    if (isUnion(before) || isUnion(after)) {
      return compareUnions([branchesOf(before), branchesOf(after)], { direction, at });
    }
    const values = compareValues(before, after, direction, at);
    // Of two schemas that have no value in common there is nothing more to say.
    if (!typesOf(before).some((type) => typesOf(after).includes(type))) return values;
    return [...values, ...compareObjects(before, after, direction, at), ...compareParts(before, after, direction, at)];
  };
  /** Each alternative of the narrower side must be one of the wider side. */
  const compareUnions = (
    [before, after]: readonly [Json[], Json[]],
    { direction, at }: Pick<SchemaPair, 'direction' | 'at'>,
  ): readonly Change[] => {
    const narrower = direction === 'sent' ? before : after;
    const wider = direction === 'sent' ? after : before;
    return narrower.flatMap((alternative, index) => {
      const tries = wider.map((other) =>
        compare({
          released: direction === 'sent' ? alternative : other,
          current: direction === 'sent' ? other : alternative,
          direction,
          at: `${at}|${labelOf(alternative, index)}`,
        }),
      );
      const named = wider.findIndex((other) => nameOf(other) !== null && nameOf(other) === nameOf(alternative));
      const best = tries.toSorted((a, b) => a.length - b.length)[0] ?? [];
      return best.length === 0 ? best : (tries[named] ?? best);
    });
  };
  const compareObjects = (before: Json, after: Json, direction: Direction, at: string): Change[] => {
    const changes: Change[] = [];
    const [requiredBefore, requiredAfter] = [namesIn(before['required']), namesIn(after['required'])];
    const [fieldsBefore, fieldsAfter] = [objectOf(before['properties']), objectOf(after['properties'])];
    for (const [name, released] of Object.entries(fieldsBefore)) {
      const current = fieldsAfter[name];
      const field = `${at}.${name}`;
      if (current === undefined) {
        const text = direction === 'sent' ? 'may no longer be sent' : 'is no longer answered';
        changes.push({ id: `${field}: removed`, text: `${field} ${text}` });
        continue;
      }
      changes.push(...compare({ released, current, direction, at: field }));
      if (direction === 'sent' && !same(defaultOf(released), defaultOf(current))) {
        changes.push({ id: `${field}: default changed`, text: `${field} means something else when it is left out` });
      }
    }
    if (direction === 'sent') {
      for (const name of requiredAfter.filter((one) => !requiredBefore.includes(one))) {
        changes.push({ id: `${at}.${name}: now required`, text: `${at}.${name} must be sent now` });
      }
    } else {
      for (const name of requiredBefore.filter((one) => !requiredAfter.includes(one) && one in fieldsAfter)) {
        changes.push({ id: `${at}.${name}: now optional`, text: `${at}.${name} may be missing now` });
      }
    }
    return changes;
  };
  /** Members of arrays and maps. */
  const compareParts = (before: Json, after: Json, direction: Direction, at: string): Change[] =>
    (['items', 'additionalProperties', 'propertyNames'] as const).flatMap((keyword) => {
      const [released = true, current = true] = [before[keyword], after[keyword]];
      const suffix = { items: '[]', additionalProperties: '{*}', propertyNames: '{name}' }[keyword];
      if (same(released, current))
        return isObject(released) ? [...compare({ released, current, direction, at: at + suffix })] : [];
      const [narrower, wider] = direction === 'sent' ? [released, current] : [current, released];
      // Answers may get more fields with time, and the document tells clients to ignore those that they do not know.
      if (direction === 'received' && keyword === 'additionalProperties' && wider === false) return [];
      if (wider === true || narrower === false) return [];
      if (narrower === true || wider === false) return [judgement(at + suffix, keyword, direction)];
      return [...compare({ released, current, direction, at: at + suffix })];
    });
  return compare;
}

function schemaAt($ref: string, document: Json): unknown {
  return objectOf(objectOf(document['components'])['schemas'])[$ref.slice(REF.length)];
}
const objectOf = (value: unknown): Json => (isObject(value) ? value : {});
const namesIn = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
const nameOf = (schema: unknown): string | null => {
  if (!isObject(schema) || typeof schema['$ref'] !== 'string') return null;
  return Object.keys(schema).every((key) => key === '$ref' || ANNOTATIONS.has(key))
    ? schema['$ref'].slice(REF.length)
    : null;
};
const defaultOf = (schema: unknown): unknown => (isObject(schema) ? schema['default'] : undefined);

/** Both at once; of a keyword that both have, the one nearer to the use counts. */
function merge(one: Json, other: Json): Json {
  return {
    ...one,
    ...other,
    ...(isObject(one['properties']) || isObject(other['properties'])
      ? { properties: { ...objectOf(one['properties']), ...objectOf(other['properties']) } }
      : {}),
    ...(Array.isArray(one['required']) || Array.isArray(other['required'])
      ? { required: [...new Set([...namesIn(one['required']), ...namesIn(other['required'])])] }
      : {}),
    ...(Array.isArray(one['patterns']) || Array.isArray(other['patterns'])
      ? { patterns: [...new Set([...namesIn(one['patterns']), ...namesIn(other['patterns'])])] }
      : {}),
  };
}

const isUnion = ({ anyOf, oneOf }: Json): boolean => Array.isArray(anyOf) || Array.isArray(oneOf);

/** The alternatives of a schema: of a union its members, each with what stands beside it; of several types each. */
function branchesOf(schema: Json): Json[] {
  const { anyOf, oneOf, ...rest } = schema;
  const union = Array.isArray(anyOf) ? anyOf : Array.isArray(oneOf) ? oneOf : null;
  if (union === null) return byType(schema);
  const beside = Object.keys(rest).filter((key) => !ANNOTATIONS.has(key)).length > 0;
  return union.flatMap((member: unknown) =>
    beside ? [{ allOf: [member, rest] }] : byType(isObject(member) ? member : {}),
  );
}
function byType(schema: Json): Json[] {
  const { type, enum: choices } = schema;
  if (!Array.isArray(type)) return [schema];
  return type.map((one: unknown) => {
    if (one === 'null') return { type: 'null' };
    const some = Array.isArray(choices) ? { enum: choices.filter((choice) => choice !== null) } : {};
    return { ...schema, ...some, type: one };
  });
}

/** Names an alternative by what tells it from the others. */
function labelOf(alternative: Json, index: number): string {
  const name = nameOf(alternative);
  if (name !== null) return name;
  for (const [field, schema] of Object.entries(objectOf(alternative['properties']))) {
    if (isObject(schema) && typeof schema['const'] === 'string') return `${field}=${schema['const']}`;
  }
  const { type, const: constant } = alternative;
  return constant === undefined ? (typeof type === 'string' ? type : String(index + 1)) : JSON.stringify(constant);
}

const WORDS = { sent: 'takes less than before', received: 'answers more than before' } as const;
const judgement = (at: string, keyword: string, direction: Direction, more = ''): Change => ({
  id: `${at}: ${keyword} ${direction === 'sent' ? 'narrowed' : 'widened'}`,
  text: `${at} ${WORDS[direction]} (${keyword}${more})`,
});

const TYPES = ['null', 'boolean', 'object', 'array', 'number', 'string', 'integer'];
function typesOf({ type }: Json): readonly string[] {
  if (type === undefined) return TYPES;
  const types = Array.isArray(type) ? type.map(String) : [String(type)];
  return types.includes('number') ? [...types, 'integer'] : types;
}
const choicesOf = (schema: Json): readonly string[] | null =>
  'const' in schema
    ? [JSON.stringify(schema['const'])]
    : Array.isArray(schema['enum'])
      ? schema['enum'].map((value) => JSON.stringify(value))
      : null;

/** Types, choices, bounds and formats. */
function compareValues(before: Json, after: Json, direction: Direction, at: string): Change[] {
  const [narrower, wider] = direction === 'sent' ? [before, after] : [after, before];
  const changes: Change[] = [];
  const choices = choicesOf(narrower);
  const types = typesOf(narrower).filter((type) => !typesOf(wider).includes(type));
  if (types.length > 0 && !(types.join() === 'null' && choices !== null && !choices.includes('null'))) {
    const isNull = types.join() === 'null';
    changes.push(judgement(at, isNull ? 'null' : 'type', direction, `: ${types.join(', ')}`));
  }
  const allowed = choicesOf(wider);
  if (allowed !== null) {
    const more = choices?.filter((choice) => choice !== 'null' && !allowed.includes(choice));
    if (more === undefined) changes.push(judgement(at, 'enum', direction));
    else if (more.length > 0) changes.push(judgement(at, 'enum', direction, `: ${more.join(', ')}`));
  }
  // A fixed set of values has no need of the rest.
  if (choices !== null) return changes;
  for (const [keywords, sign] of [
    [LOWER_BOUNDS, 1],
    [UPPER_BOUNDS, -1],
  ] as const) {
    for (const keyword of keywords) {
      const bound = wider[keyword];
      if (bound === undefined) continue;
      const own = narrower[keyword];
      if (own === undefined || Number(own) * sign < Number(bound) * sign)
        changes.push(judgement(at, keyword, direction));
    }
  }
  const patterns = namesIn(narrower['patterns']);
  if (namesIn(wider['patterns']).some((pattern) => !patterns.includes(pattern))) {
    changes.push(judgement(at, 'pattern', direction));
  }
  for (const keyword of EXACT) {
    if (wider[keyword] !== undefined && !same(wider[keyword], narrower[keyword])) {
      changes.push(judgement(at, keyword, direction));
    }
  }
  const others = Object.keys({ ...before, ...after }).filter((key) => !JUDGED.has(key) && !ANNOTATIONS.has(key));
  for (const keyword of others) {
    if (!keyword.startsWith('x-') && !same(before[keyword], after[keyword])) {
      changes.push({ id: `${at}: ${keyword} changed`, text: `${at}: ${keyword} is another one` });
    }
  }
  return changes;
}
