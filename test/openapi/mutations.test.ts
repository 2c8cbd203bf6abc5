import { describe, expect, it } from 'vitest';
import { breakingChanges, isObject, type Json, newRefusals } from '../../scripts/openapi/compare.ts';
import { contractOf } from '../../scripts/openapi/contract.ts';
import { describeSource } from '../../scripts/openapi/describe.ts';
import { cases } from '../setup/cases.ts';

/**
 * Each kind of change that breaks clients, made in the served document itself, at places spread over the whole of it: one
 * change at a time must be refused, and its harmless opposite must not.
 */

const released = contractOf(describeSource());
/** So many places of each kind are tried. */
const PLACES = cases(4);
type Pointer = readonly string[];
type Mutable = Record<string, unknown>;

const mutableAt = (document: unknown, pointer: Pointer): Mutable => {
  let here: unknown = document;
  for (const step of pointer) here = isObject(here) || Array.isArray(here) ? Reflect.get(here, step) : undefined;
  if (typeof here !== 'object' || here === null) throw new Error(`nothing at ${pointer.join('/')}`);
  return here as Mutable;
};
const set = (here: Mutable, key: string, value: unknown): void => {
  here[key] = value;
};
const listAt = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
function changed(pointer: Pointer, change: (here: Mutable) => void): Json {
  const copy = structuredClone(released);
  change(mutableAt(copy, pointer));
  return copy;
}
const breaks = (pointer: Pointer, change: (here: Mutable) => void): readonly string[] =>
  breakingChanges(released, changed(pointer, change)).map(({ id }) => id);

interface Place {
  readonly pointer: Pointer;
  readonly node: Json;
}
const operations: Place[] = Object.entries(mutableAt(released, ['paths'])).flatMap(([path, item]) =>
  Object.entries(isObject(item) ? item : {}).flatMap(([method, node]) =>
    isObject(node) ? [{ pointer: ['paths', path, method], node }] : [],
  ),
);
const inside = (place: Place, ...steps: readonly string[]): Place[] => {
  let here: unknown = place.node;
  for (const step of steps) here = isObject(here) ? here[step] : undefined;
  return isObject(here) ? [{ pointer: [...place.pointer, ...steps], node: here }] : [];
};
const members = (place: Place): Place[] =>
  Object.entries(place.node).flatMap(([key, node]) =>
    isObject(node) ? [{ pointer: [...place.pointer, key], node }] : [],
  );

/** Every schema that is reached from these, once each; named ones where they are defined. */
function schemasFrom(roots: readonly Place[]): Place[] {
  const seen = new Map<string, Place>();
  const open = [...roots];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { pointer, node } = place;
    if (seen.has(pointer.join('/'))) continue;
    seen.set(pointer.join('/'), place);
    const { $ref } = node;
    if (typeof $ref === 'string') {
      const named = $ref.slice(2).split('/');
      open.push({ pointer: named, node: mutableAt(released, named) });
    }
    open.push(
      ...inside(place, 'properties').flatMap(members),
      ...inside(place, 'items'),
      ...inside(place, 'additionalProperties'),
    );
    for (const keyword of ['allOf', 'anyOf', 'oneOf']) {
      for (const [index, member] of listAt(node[keyword]).entries())
        if (isObject(member)) open.push({ pointer: [...pointer, keyword, String(index)], node: member });
    }
  }
  return [...seen.values()];
}
const contentOf = (place: Place): Place[] => inside(place, 'content').flatMap(members);
const bodies = operations.flatMap((operation) => inside(operation, 'requestBody'));
const parameters: Place[] = operations.flatMap(({ pointer, node }) =>
  listAt(node['parameters']).flatMap((parameter, index) =>
    isObject(parameter) ? [{ pointer: [...pointer, 'parameters', String(index)], node: parameter }] : [],
  ),
);
const answers = operations.flatMap((operation) => inside(operation, 'responses').flatMap(members));
const sent = schemasFrom([...bodies.flatMap(contentOf), ...parameters].flatMap((place) => inside(place, 'schema')));
const received = schemasFrom(answers.flatMap(contentOf).flatMap((place) => inside(place, 'schema')));
/** Inside a union another alternative may take what one refuses, so that nothing may be broken. */
const alone = (places: readonly Place[]): Place[] =>
  places.filter(({ pointer }) => !pointer.some((step) => step === 'anyOf' || step === 'oneOf'));
const having = (places: readonly Place[], keyword: string): Place[] => places.filter(({ node }) => keyword in node);
const spread = (places: readonly Place[]): readonly Place[] => {
  const step = Math.max(1, Math.floor(places.length / PLACES));
  return places.filter((_place, index) => index % step === 0).slice(0, PLACES);
};
const requiredOf = (node: Json): string[] => listAt(node['required']).map(String);
const optionalOf = (node: Json): string[] =>
  Object.keys(isObject(node['properties']) ? node['properties'] : {}).filter(
    (name) => !requiredOf(node).includes(name),
  );
const numberAt = (here: Mutable, keyword: string): number => Number(here[keyword]);
const choicesIn = (here: Mutable): unknown[] => listAt(here['enum']);

interface Kind {
  readonly name: string;
  readonly places: readonly Place[];
  readonly change: (here: Mutable) => void;
  readonly finds: RegExp;
  /** The opposite, which breaks nobody. */
  readonly harmless?: (here: Mutable) => void;
}
const withCodes = answers.filter(({ node }) => listAt(node['x-error-codes']).length > 1);
const bounds: readonly Kind[] = (['maximum', 'maxLength', 'maxItems'] as const)
  .map(
    (keyword): Kind => ({
      name: `a tightened ${keyword} of what is sent`,
      places: having(alone(sent), keyword),
      change: (here) => set(here, keyword, numberAt(here, keyword) - 1),
      finds: new RegExp(`${keyword} narrowed$`),
      harmless: (here) => set(here, keyword, numberAt(here, keyword) + 1),
    }),
  )
  .concat(
    (['minimum', 'minLength', 'minItems'] as const).map(
      (keyword): Kind => ({
        name: `a tightened ${keyword} of what is sent`,
        places: having(alone(sent), keyword),
        change: (here) => set(here, keyword, numberAt(here, keyword) + 1),
        finds: new RegExp(`${keyword} narrowed$`),
        harmless: (here) => set(here, keyword, numberAt(here, keyword) - 1),
      }),
    ),
  );
const KINDS: readonly Kind[] = [
  {
    name: 'a code that an operation refuses with no more',
    places: withCodes,
    change: (here) => void listAt(here['x-error-codes']).shift(),
    finds: / code [A-Z_]+: removed$/,
    harmless: (here) => void listAt(here['x-error-codes']).push('A_NEW_CODE'),
  },
  {
    name: 'a code with another status',
    places: operations.filter(
      (place) =>
        inside(place, 'responses', '422', 'content').length > 0 && inside(place, 'responses', '409').length > 0,
    ),
    change: (here) => {
      const statuses = mutableAt(here, ['responses']);
      const moved = listAt(mutableAt(statuses, ['422'])['x-error-codes']).pop();
      statuses['409'] = { 'x-error-codes': [moved], content: mutableAt(statuses, ['422', 'content']) };
    },
    finds: / code [A-Z_]+: status changed$/,
  },
  {
    name: 'an operation that is gone',
    places: operations.map(({ pointer, node }) => ({ pointer: pointer.slice(0, 2), node })),
    change: (here) => {
      for (const method of Object.keys(here)) delete here[method];
    },
    finds: /: removed$/,
  },
  {
    name: 'a parameter that is taken no longer',
    places: operations.filter(({ node }) => listAt(node['parameters']).length > 0),
    change: (here) => void listAt(here['parameters']).pop(),
    finds: /: removed$/,
    harmless: (here) =>
      void listAt(here['parameters']).push({ name: 'more', in: 'query', required: false, schema: {} }),
  },
  {
    name: 'a parameter that must be sent now',
    places: parameters.filter(({ node }) => node['required'] !== true),
    change: (here) => set(here, 'required', true),
    finds: /: now required$/,
  },
  {
    name: 'a media type that is taken no longer',
    places: bodies.flatMap((body) => inside(body, 'content')),
    change: (here) => void delete here[Object.keys(here)[0] ?? ''],
    finds: / body \S+: removed$/,
    harmless: (here) => set(here, 'application/cbor', {}),
  },
  {
    name: 'a media type that is answered no longer',
    places: answers.flatMap((answer) => inside(answer, 'content')),
    change: (here) => void delete here[Object.keys(here)[0] ?? ''],
    finds: / \d{3} \S+: removed$/,
  },
  {
    name: 'an answer that is gone',
    places: operations.flatMap((operation) => inside(operation, 'responses')),
    change: (here) => void delete here[Object.keys(here)[0] ?? ''],
    finds: / \d{3}: removed$/,
  },
  {
    name: 'a body that must be sent now',
    places: bodies.filter(({ node }) => node['required'] !== true),
    change: (here) => set(here, 'required', true),
    finds: / body: now required$/,
  },
  {
    name: 'a choice less of what is sent',
    places: having(alone(sent), 'enum').filter(({ node }) => choicesIn(node).length > 1),
    change: (here) => void choicesIn(here).pop(),
    finds: /enum narrowed$/,
    harmless: (here) => void choicesIn(here).push('ONE_MORE'),
  },
  {
    name: 'a choice more of what is answered',
    places: having(alone(received), 'enum'),
    change: (here) => void choicesIn(here).push('ONE_MORE'),
    finds: /enum widened$/,
  },
  {
    name: 'a field that must be sent now',
    places: alone(sent).filter(({ node }) => optionalOf(node).length > 0),
    change: (here) => set(here, 'required', [...requiredOf(here), ...optionalOf(here).slice(0, 1)]),
    finds: /: now required$/,
    harmless: (here) => set(mutableAt(here, ['properties']), 'more', { type: 'string' }),
  },
  {
    name: 'a field that may be sent no longer',
    places: alone(sent).filter(({ node }) => optionalOf(node).length > 0),
    change: (here) => void delete mutableAt(here, ['properties'])[optionalOf(here)[0] ?? ''],
    finds: /: removed$/,
  },
  {
    name: 'a field that may be missing from an answer now',
    places: alone(received).filter(({ node }) => requiredOf(node).length > 0),
    change: (here) => set(here, 'required', requiredOf(here).slice(1)),
    finds: /: now optional$/,
  },
  {
    name: 'a field that is answered no longer',
    places: alone(received).filter(({ node }) => requiredOf(node).length > 0),
    change: (here) => {
      const [gone = '', ...rest] = requiredOf(here);
      delete mutableAt(here, ['properties'])[gone];
      here['required'] = rest;
    },
    finds: /: removed$/,
  },
  {
    name: 'a field that may be null in an answer now',
    places: alone(received).filter(
      ({ node }) => typeof node['type'] === 'string' && !('enum' in node || 'const' in node),
    ),
    change: (here) => set(here, 'type', [here['type'], 'null']),
    finds: /: null widened$/,
  },
  {
    name: 'a field in which null may be sent no longer',
    places: alone(sent).filter(({ node }) => listAt(node['type']).includes('null')),
    change: (here) =>
      set(
        here,
        'type',
        listAt(here['type']).filter((type) => type !== 'null'),
      ),
    finds: /: null narrowed$/,
  },
  {
    name: 'another type of what is answered',
    places: alone(received).filter(({ node }) => node['type'] === 'string' && !('enum' in node || 'const' in node)),
    change: (here) => set(here, 'type', 'boolean'),
    finds: /: type widened$/,
  },
  {
    name: 'another default of what is left out',
    places: having(alone(sent), 'default'),
    change: (here) => set(here, 'default', here['default'] === 1 ? 2 : 1),
    finds: /: default changed$/,
  },
  {
    name: 'another pattern of what is sent',
    places: having(alone(sent), 'pattern'),
    change: (here) => set(here, 'pattern', '^x$'),
    finds: /pattern narrowed$/,
    harmless: (here) => void delete here['pattern'],
  },
  {
    name: 'a new pattern of what is sent',
    places: alone(sent).filter(({ node }) => node['type'] === 'string' && !('pattern' in node || 'enum' in node)),
    change: (here) => set(here, 'pattern', '^x$'),
    finds: /pattern narrowed$/,
  },
  {
    name: 'another format of what is sent',
    places: having(alone(sent), 'format'),
    change: (here) => set(here, 'format', 'ipv6'),
    finds: /format narrowed$/,
    harmless: (here) => void delete here['format'],
  },
  ...bounds,
];

describe.each(KINDS.filter(({ places }) => places.length > 0))('$name', ({ places, change, finds, harmless }) => {
  it(`is refused wherever it happens${harmless ? ', and its opposite is not' : ''}`, () => {
    for (const { pointer } of spread(places)) {
      const found = breaks(pointer, change);
      expect(
        found.some((id) => finds.test(id)),
        `${pointer.join('/')}: ${found.join('; ') || 'nothing was found'}`,
      ).toBe(true);
      if (harmless) expect(breaks(pointer, harmless), pointer.join('/')).toEqual([]);
    }
  });
});

it('there is a place for each kind', () => {
  expect(KINDS.flatMap(({ name, places }) => (places.length === 0 ? [name] : []))).toEqual([]);
});

it('the codes of all refusals are declared, and new ones are listed', () => {
  const refusing = answers.filter(({ pointer }) => /^[45]\d\d$/.test(pointer.at(-1) ?? ''));
  for (const { pointer, node } of refusing) {
    const named = typeof node['$ref'] === 'string' ? mutableAt(released, node['$ref'].slice(2).split('/')) : node;
    if (JSON.stringify(named).includes('/schemas/Failure"'))
      expect(listAt(named['x-error-codes']).length, pointer.join('/')).toBeGreaterThan(0);
  }
  expect(refusing.length).toBeGreaterThan(500);
  const [first] = withCodes;
  const pointer = first?.pointer ?? expect.fail('no operation refuses with two codes');
  const more = changed(pointer, (here) => void listAt(here['x-error-codes']).push('A_NEW_CODE'));
  const [, path, method, , status] = pointer;
  expect(newRefusals(released, more)).toEqual([`${method?.toUpperCase()} ${path} ${status} A_NEW_CODE`]);
  expect(newRefusals(released, released)).toEqual([]);
});
