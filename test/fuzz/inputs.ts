import { STATUS_CODES } from 'node:http';
import { isObject } from '../openapi/contract.ts';
import type { Random } from './random.ts';
import type { Caller, Field, Subject } from './subjects.ts';
import { HEADERS, type OddValues, PATH_PARTS } from './values.ts';

/** Requests that HTTP can carry: a valid one of some route and caller, in which up to three things are spoilt. */

export interface Input {
  /** Of the table of rights. */
  readonly route: string;
  readonly caller: string;
  readonly method: string;
  /** With its query; only what a request line can hold. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}
interface Draft {
  method: string;
  path: string;
  query: string[];
  headers: Record<string, string>;
  /** As text: what is spoilt may be no JSON any more. */
  body: string | Buffer | null;
}
interface Making {
  readonly random: Random;
  readonly values: OddValues;
  readonly field: Field;
  readonly subject: Subject;
  /** Query parameters that the document declares for the route. */
  readonly parameters: readonly string[];
}
type Spoil = (draft: Draft, making: Making) => void;

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND'];
const PLACE = '"\u2603 place"';

/** Puts a text of JSON where a member of the body is, or beside its members. */
const field: Spoil = (draft, { random, values, subject }) => {
  const { body } = subject;
  if (!isObject(body)) return;
  const copy = structuredClone(body) as Record<string, unknown>;
  let here: Record<string, unknown> = copy;
  for (let depth = 0; depth < 5; depth += 1) {
    const inside = Object.values(here).filter((value) => typeof value === 'object' && value !== null);
    if (inside.length === 0 || random.chance(0.5)) break;
    here = random.pick(inside) as Record<string, unknown>;
  }
  const names = Object.keys(here);
  const name = names.length > 0 && random.chance(0.9) ? random.pick(names) : random.pick(['dryRun', 'id', 'extra', '']);
  if (random.chance(0.1)) delete here[name];
  else here[name] = JSON.parse(PLACE);
  draft.body = JSON.stringify(copy).replace(PLACE, () => values.json(random));
};
const reference: Spoil = (draft, { random, field: { ids }, subject }) => {
  if (!isObject(subject.body)) return;
  const names = Object.keys(subject.body).filter((name) => /id$/i.test(name));
  const name = names.length === 0 ? 'id' : random.pick(names);
  draft.body = JSON.stringify({ ...subject.body, [name]: random.pick([...ids, 'nothing-at-all']) });
};
const raw: Spoil = (draft, { random, values }) => {
  const whole = values.json(random);
  const text = typeof draft.body === 'string' ? draft.body : whole;
  draft.body = random.pick<() => string | Buffer>([
    () => whole,
    () => '',
    () => text.slice(0, random.int(text.length + 1)),
    () => `${text}${text}`,
    () => `\ufeff${text}`,
    () => Buffer.from(text, 'utf16le'),
    () => Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from([0xff, 0x7d])]),
    () => text.replace(/^\{/, '{"__proto__":{"role":"ADMIN"},'),
    () => text.replace(/^\{(.*)\}$/s, '{$1,$1}'),
    () => `a=${encodeURIComponent(values.text(random).toWellFormed())}&a=2&__proto__=3`,
    () => 'x'.repeat(random.pick([65_535, 65_537, 200_000])),
  ])();
  draft.headers['content-type'] ??= 'application/json';
};
const query: Spoil = (draft, { random, values, parameters, field: { ids } }) => {
  const name =
    parameters.length > 0 && random.chance(0.85)
      ? random.pick(parameters)
      : random.pick(['nope', '__proto__', 'a[]', '']);
  const odd = encodeURIComponent(values.text(random).toWellFormed().slice(0, 500));
  const value = random.pick([
    odd,
    odd,
    '',
    '-1',
    '0',
    '1',
    '100',
    '101',
    '1e3',
    '%00',
    '%FF',
    '%',
    'true',
    '2030-01-01',
    random.pick(ids),
  ]);
  draft.query.push(`${encodeURIComponent(name)}=${value}`);
  if (random.chance(0.2)) draft.query.push(`${encodeURIComponent(name)}=${value}`);
};
/** Another id, an odd one, or a part too much or too little. */
const path: Spoil = (draft, { random, values, field: { ids }, subject }) => {
  const parts = draft.path.split('/');
  const pattern = subject.name.split(' ')[1]?.split('/') ?? [];
  const variable = parts.flatMap((_part, at) => (pattern[at]?.startsWith(':') ? [at] : []));
  const at = variable.length > 0 && random.chance(0.8) ? random.pick(variable) : 1 + random.int(parts.length);
  const odd = random.chance(0.2)
    ? encodeURIComponent(values.text(random).toWellFormed().slice(0, 300))
    : random.pick(PATH_PARTS);
  parts[at] = random.chance(0.4) ? random.pick(ids) : odd;
  draft.path = parts.join('/').replace(/^\/*/, random.chance(0.02) ? '//' : '/');
};
const header: Spoil = (draft, { random }) => {
  const name = random.pick(Object.keys(HEADERS));
  draft.headers[name] = random.pick(HEADERS[name] ?? ['']);
};
const method: Spoil = (draft, { random }) => {
  draft.method = random.pick(METHODS);
};
const idempotent: Spoil = (draft, { random }) => {
  draft.headers['idempotency-key'] = `key-${random.int(40)}`;
};
const rehearsed: Spoil = (draft) => void draft.query.push('dryRun=true');

const BODIES: readonly Spoil[] = [field, field, field, field, reference, raw];
const EVERYWHERE: readonly Spoil[] = [query, path, path, header, header, method, idempotent, rehearsed];

export function makeInput(
  making: Omit<Making, 'subject' | 'parameters'>,
  parametersOf: (subject: Subject) => readonly string[],
): Input {
  const { random, field: world } = making;
  const subject = random.pick(world.subjects);
  const caller: Caller = random.chance(0.7) ? random.pick(subject.permitted) : random.pick(world.callers);
  const body = subject.raw ?? (subject.body === undefined ? null : JSON.stringify(subject.body));
  const draft: Draft = {
    method: subject.method,
    path: subject.path,
    query: [...subject.query],
    headers: { ...subject.headers },
    body,
  };
  const times = random.chance(0.05) ? 0 : 1 + random.int(3);
  const made = { ...making, subject, parameters: parametersOf(subject) };
  for (let n = 0; n < times; n += 1) {
    const hasBody = subject.method !== 'GET';
    random.pick(hasBody && random.chance(0.6) ? BODIES : EVERYWHERE)(draft, made);
  }
  return {
    route: subject.name,
    caller: caller.name,
    method: draft.method,
    target: sendable(draft.query.length === 0 ? draft.path : `${draft.path}?${draft.query.join('&')}`),
    // A header that was spoilt stays spoilt, whoever calls.
    headers: { ...caller.headers, ...draft.headers },
    body: draft.body === null ? null : Buffer.from(draft.body as string),
  };
}

/** What a request line cannot hold is escaped; of what is no request line, `sockets.ts` takes care. */
const sendable = (target: string): string => target.replaceAll(/[^\x21-\x7e]/g, (one) => encodeURIComponent(one));

export const isRead = ({ method: name }: Pick<Input, 'method'>): boolean =>
  ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND'].includes(name);

/** For a report: as much of it as tells it from others. */
export const shown = (input: Input): string =>
  [
    `${input.method} ${input.target.slice(0, 200)} as ${input.caller} (${input.route})`,
    JSON.stringify(
      Object.fromEntries(Object.entries(input.headers).map(([name, value]) => [name, value.slice(0, 80)])),
    ),
    JSON.stringify(input.body?.toString('utf8').slice(0, 400) ?? null),
  ].join('\n    ');
export const named = (status: number): string => `${status} ${STATUS_CODES[status] ?? ''}`.trim();
