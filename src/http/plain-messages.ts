import { z } from 'zod';
import { didYouMean } from '../kernel/nearest.ts';

/**
 * The messages about a wrong value, for the person who sent it. A schema may have a better one of its own; these replace zod's
 * messages elsewhere, which are for programmers ("expected nonoptional, received undefined").
 */
export const speakPlainly = (): void => void z.config({ customError: plainMessage });

type RawIssue = z.core.$ZodRawIssue;

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
  tuple: 'a list',
  date: 'a date',
  null: 'null',
};

const FORMATS: Readonly<Record<string, string>> = {
  email: 'an email address, such as name@example.com',
  url: 'an address, such as https://example.com/',
  datetime: 'an instant with an offset, such as 2024-02-01T09:00:00Z',
  date: 'a date, such as 2024-02-01',
  time: 'a time, such as 09:00:00',
  uuid: 'a UUID',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
};

export function plainMessage(issue: RawIssue): string {
  if (issue.code === 'unrecognized_keys') return 'has unknown fields';
  if (issue.input === undefined && issue.code !== 'custom') return 'is required';
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === null
        ? `must not be null: it must be ${typeOf(issue.expected)}`
        : `must be ${typeOf(issue.expected)}`;
    case 'invalid_value':
      return mustBeOneOf(issue.values, issue.input);
    case 'invalid_format':
      return `must be ${FORMATS[issue.format] ?? 'in the right format'}`;
    case 'too_small':
      return sizeMessage(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum);
    case 'too_big':
      return sizeMessage(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum);
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'invalid_key':
      return 'has a name that is not allowed';
    case 'invalid_union':
      return eitherOf(issue.errors);
    default:
      return 'is not valid';
  }
}

const typeOf = (expected: string): string => TYPES[expected] ?? 'of another type';

/** Beyond so many characters the list is in the documentation: a message is cut, and what was probably meant comes last. */
const MAX_CHOICES_CHARS = 300;

function mustBeOneOf(values: readonly unknown[], input: unknown): string {
  const choices = values.map(String);
  const [only] = choices;
  if (choices.length === 1 && only !== undefined) return `must be ${only}`;
  const near = typeof input === 'string' ? didYouMean(input, choices) : '';
  const listed = choices.filter((_, n) => choices.slice(0, n + 1).join(', ').length <= MAX_CHOICES_CHARS);
  const more = listed.length < choices.length ? ' and others' : '';
  return `must be one of ${listed.join(', ')}${more}${near}`;
}

function sizeMessage(origin: string, compared: string, limit: number | bigint): string {
  const one = Number(limit) === 1;
  if (origin === 'string') {
    return compared === 'at least' && one
      ? 'must not be empty'
      : `must have ${compared} ${limit} character${one ? '' : 's'}`;
  }
  if (origin === 'array' || origin === 'set' || origin === 'map') {
    return compared === 'at least' && one
      ? 'must not be empty'
      : `must have ${compared} ${limit} entr${one ? 'y' : 'ies'}`;
  }
  return `must be ${compared} ${limit}`;
}

/** Of a union: the requirement of each member, once. Where the value has the shape of one member, only that member's. */
function eitherOf(errors: readonly (readonly z.core.$ZodIssue[])[]): string {
  const own = errors.filter((issues) => issues.some(({ code }) => code !== 'invalid_type'));
  const members = own.length > 0 ? own : errors;
  const requirements = members.flatMap((issues) =>
    issues
      .slice(0, 1)
      .map(({ path, message }) => [path.map(String).join('.'), message].filter((part) => part !== '').join(' ')),
  );
  const [first, ...rest] = [...new Set(requirements)];
  if (first === undefined) return 'is not valid';
  return [first, ...rest.map((requirement) => requirement.replace(/^must be /, ''))].join(' or ');
}

/** One problem of each unknown field, with the known field that was probably meant. */
export const unknownField = (name: string, known: readonly string[]): string =>
  `is not a known field${didYouMean(name, known)}`;

/** The fields that the schema knows at a place; none where it is not an object there. */
export function knownFields(schema: unknown, path: readonly PropertyKey[]): readonly string[] {
  const [next, ...rest] = path;
  const inner = unwrapped(schema);
  if (inner instanceof z.ZodArray) return next === undefined ? [] : knownFields(inner.element, rest);
  if (inner instanceof z.ZodUnion) return inner.options.flatMap((option) => knownFields(option, path));
  if (!(inner instanceof z.ZodObject)) return [];
  return next === undefined ? Object.keys(inner.shape) : knownFields(inner.shape[String(next)], rest);
}

function unwrapped(schema: unknown): unknown {
  let inner = schema;
  // Wrappers of wrappers, a handful at the most.
  for (let depth = 0; depth < 10; depth += 1) {
    if (inner instanceof z.ZodOptional || inner instanceof z.ZodNullable || inner instanceof z.ZodDefault)
      inner = inner.unwrap();
    else if (inner instanceof z.ZodPipe) inner = inner.in;
    else return inner;
  }
  return inner;
}
