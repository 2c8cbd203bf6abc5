import {
  type Change,
  type CompareSchemas,
  createSchemaComparison,
  type Direction,
  isObject,
  type Json,
} from './compare-schemas.ts';

export { type Change, isObject, type Json } from './compare-schemas.ts';

/**
 * What a change of the OpenAPI document breaks for the clients of a released one: programs that send what they sent and
 * read what they read, that act on the codes of refusals (`x-error-codes`), and that were generated from it (so names of
 * operations and schemas count). New operations, new optional fields of requests, new fields of answers and new refusals
 * break nobody. Texts and examples are not compared.
 */
export function breakingChanges(released: Json, current: Json): readonly Change[] {
  const context: Comparison = { released, current, compare: createSchemaComparison(released, current) };
  const changes = [
    ...compareOperations('paths', context),
    ...compareOperations('webhooks', context),
    ...compareNames(context),
  ];
  return [...new Map(changes.map((change) => [change.id, change])).values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** Refusals that operations of the released document did not have: allowed, and worth a line to clients. By place and code. */
export function newRefusals(released: Json, current: Json): readonly string[] {
  return operationsOf('paths', released, current).flatMap(({ at, before, after }) => {
    if (!isObject(after)) return [];
    const known = statusesByCode(before, released);
    return [...statusesByCode(after, current)].flatMap(([code, statuses]) =>
      known.has(code) ? [] : [`${at} ${statuses.join(', ')} ${code}`],
    );
  });
}

interface Comparison {
  readonly released: Json;
  readonly current: Json;
  readonly compare: CompareSchemas;
}
/** The two forms of one part of the document. */
interface Pair {
  readonly at: string;
  readonly before: Json;
  readonly after: Json;
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
const objectOf = (value: unknown): Json => (isObject(value) ? value : {});
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const change = (at: string, kind: string, text: string): Change => ({ id: `${at}: ${kind}`, text: `${at} ${text}` });

function resolve(value: unknown, document: Json): Json {
  const { $ref, ...rest } = objectOf(value);
  if (typeof $ref !== 'string') return rest;
  const steps = $ref
    .slice(2)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  return resolve(
    steps.reduce<unknown>((here, step) => objectOf(here)[step], document),
    document,
  );
}

type Part = 'paths' | 'webhooks';
/** Each operation of the released document, with what has its place now. */
function operationsOf(part: Part, released: Json, current: Json) {
  return Object.entries(objectOf(released[part])).flatMap(([path, item]) => {
    const now = objectOf(objectOf(current[part])[path]);
    return METHODS.flatMap((method) => {
      const before = objectOf(item)[method];
      const at = part === 'paths' ? `${method.toUpperCase()} ${path}` : `webhook ${path}`;
      return isObject(before) ? [{ at, before, after: now[method] }] : [];
    });
  });
}

function compareOperations(part: Part, context: Comparison): Change[] {
  return operationsOf(part, context.released, context.current).flatMap(({ at, before, after }) =>
    isObject(after)
      ? compareOperation({ at, before, after }, part === 'webhooks', context)
      : [change(at, 'removed', 'is gone')],
  );
}

/** Of a webhook the request is what clients receive, and the answer what they send. */
function compareOperation(pair: Pair, isWebhook: boolean, context: Comparison): Change[] {
  const { at, before, after } = pair;
  const renamed =
    before['operationId'] !== undefined && before['operationId'] !== after['operationId']
      ? [change(at, 'operationId', `is not called ${String(before['operationId'])} any more`)]
      : [];
  return [
    ...renamed,
    ...(isWebhook ? [] : compareSecurity(pair, context)),
    ...compareParameters(pair, isWebhook ? 'received' : 'sent', context),
    ...compareRequest(pair, isWebhook ? 'received' : 'sent', context),
    ...compareAnswers(pair, isWebhook ? 'sent' : 'received', context),
    ...compareCodes(pair, context),
  ];
}

function compareSecurity({ at, before, after }: Pair, { released, current }: Comparison): Change[] {
  const ways = (operation: Json, document: Json): readonly Json[] => {
    const declared = listOf(operation['security'] ?? document['security']).map(objectOf);
    return declared.length === 0 ? [{}] : declared;
  };
  const now = ways(after, current);
  const suffices = (had: Json, needed: Json): boolean =>
    Object.entries(needed).every(
      ([scheme, scopes]) => scheme in had && listOf(scopes).every((scope) => listOf(had[scheme]).includes(scope)),
    );
  const lost = ways(before, released).some((had) => !now.some((needed) => suffices(had, needed)));
  return lost ? [change(at, 'security', 'asks for more than before')] : [];
}

function compareParameters(
  { at, before, after }: Pair,
  direction: Direction,
  { released, current, compare }: Comparison,
): Change[] {
  const keyed = (operation: Json, document: Json): Map<string, Json> =>
    new Map(
      listOf(operation['parameters']).map((parameter) => {
        const declared = resolve(parameter, document);
        const name = String(declared['name']);
        return [`${String(declared['in'])} ${declared['in'] === 'header' ? name.toLowerCase() : name}`, declared];
      }),
    );
  const [old, now] = [keyed(before, released), keyed(after, current)];
  const isSent = direction === 'sent';
  const changes: Change[] = [];
  for (const [key, was] of old) {
    const is = now.get(key);
    const where = `${at} ${key}`;
    if (is === undefined) {
      changes.push(change(where, 'removed', isSent ? 'may no longer be sent' : 'is no longer sent to clients'));
      continue;
    }
    if (isSent) changes.push(...compareUse({ at: where, before: was, after: is }));
    for (const keyword of ['style', 'explode', 'allowReserved']) {
      if (was[keyword] !== is[keyword]) changes.push(change(where, keyword, `is written in another way (${keyword})`));
    }
    changes.push(...compare({ released: was['schema'], current: is['schema'], direction, at: where }));
  }
  for (const [key, is] of now) {
    if (isSent && is['required'] === true && !old.has(key)) {
      changes.push(change(`${at} ${key}`, 'now required', 'must be sent now'));
    }
  }
  return changes;
}

/** Whether a parameter may still be left out, and to the same effect. */
function compareUse({ at, before, after }: Pair): Change[] {
  const changes: Change[] = [];
  if (after['required'] === true && before['required'] !== true) {
    changes.push(change(at, 'now required', 'must be sent now'));
  }
  const [usual, present] = [objectOf(before['schema'])['default'], objectOf(after['schema'])['default']];
  if (JSON.stringify(usual) !== JSON.stringify(present)) {
    changes.push(change(at, 'default changed', 'means something else when it is left out'));
  }
  return changes;
}

function compareRequest(pair: Pair, direction: Direction, context: Comparison): Change[] {
  const at = `${pair.at} body`;
  const { requestBody: was } = pair.before;
  const { requestBody: is } = pair.after;
  const [before, after] = [resolve(was, context.released), resolve(is, context.current)];
  if (was !== undefined && is === undefined) return [change(at, 'removed', 'may no longer be sent')];
  const required =
    direction === 'sent' && after['required'] === true && before['required'] !== true
      ? [change(at, 'now required', 'must be sent now')]
      : [];
  return [...required, ...compareContent({ at, before, after }, direction, context)];
}

function compareAnswers({ at, before, after }: Pair, direction: Direction, context: Comparison): Change[] {
  const [old, now] = [objectOf(before['responses']), objectOf(after['responses'])];
  const changes: Change[] = [];
  for (const [status, response] of Object.entries(old)) {
    const where = `${at} ${status}`;
    if (now[status] === undefined) {
      changes.push(change(where, 'removed', 'is no longer answered'));
      continue;
    }
    const pair = {
      at: where,
      before: resolve(response, context.released),
      after: resolve(now[status], context.current),
    };
    changes.push(...compareContent(pair, direction, context));
    for (const header of Object.keys(objectOf(pair.before['headers']))) {
      if (objectOf(pair.after['headers'])[header] === undefined) {
        changes.push(change(`${where} header ${header}`, 'removed', 'is no longer answered'));
      }
    }
  }
  // A new refusal is read like any other; a new way to succeed is not.
  for (const status of Object.keys(now).filter((one) => /^[123]/.test(one) && old[one] === undefined)) {
    changes.push(change(`${at} ${status}`, 'added', 'is a success that clients do not know'));
  }
  return changes;
}

/** The codes that an operation refuses with, each with its statuses: clients act on the one or the other. */
function statusesByCode(operation: Json, document: Json): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const [status, response] of Object.entries(objectOf(operation['responses']))) {
    for (const code of listOf(resolve(response, document)['x-error-codes']).map(String)) {
      found.set(code, [...(found.get(code) ?? []), status].toSorted());
    }
  }
  return found;
}

function compareCodes({ at, before, after }: Pair, { released, current }: Comparison): Change[] {
  const now = statusesByCode(after, current);
  return [...statusesByCode(before, released)].flatMap(([code, statuses]) => {
    const present = now.get(code);
    const where = `${at} code ${code}`;
    if (present === undefined) return [change(where, 'removed', 'is no longer refused with')];
    return present.join() === statuses.join()
      ? []
      : [change(where, 'status changed', `comes with ${present.join(', ')} instead of ${statuses.join(', ')}`)];
  });
}

function compareContent({ at, before, after }: Pair, direction: Direction, context: Comparison): Change[] {
  const now = objectOf(after['content']);
  return Object.entries(objectOf(before['content'])).flatMap(([type, media]) => {
    const where = `${at} ${type}`;
    if (now[type] === undefined) return [change(where, 'removed', 'is no longer a media type of it')];
    const [released, current] = [objectOf(media)['schema'], objectOf(now[type])['schema']];
    return [...context.compare({ released, current, direction, at: where })];
  });
}

/** Generated clients name their types by them. */
function compareNames({ released, current }: Comparison): Change[] {
  const [old, now] = [objectOf(released['components']), objectOf(current['components'])];
  const schemas = Object.keys(objectOf(old['schemas']))
    .filter((name) => objectOf(now['schemas'])[name] === undefined)
    .map((name) => change(`schema ${name}`, 'removed', 'has no such name any more'));
  const schemes = Object.entries(objectOf(old['securitySchemes'])).flatMap(([name, scheme]) => {
    const is = objectOf(objectOf(now['securitySchemes'])[name]);
    const differs = ['type', 'scheme', 'in', 'name'].some((key) => objectOf(scheme)[key] !== is[key]);
    return differs ? [change(`security scheme ${name}`, 'changed', 'is another one')] : [];
  });
  return [...schemas, ...schemes];
}
