import { describe, expect, it } from 'vitest';
import { breakingChanges, type Json } from '../../scripts/openapi/compare.ts';
import { contractOf } from '../../scripts/openapi/contract.ts';
import { describeSource } from '../../scripts/openapi/describe.ts';
import { ACCEPTED, RELEASED, readObject } from '../../scripts/openapi/files.ts';
import { objectAt } from './contract.ts';

/** The document of this source beside that of the last release, `docs/openapi/released.json`. */

const current = contractOf(describeSource());
const released = await readObject(RELEASED);
const accepted = await readObject(ACCEPTED);

const HOW_TO_GO_ON = `
These changes break clients of the last release. For each of them, either
- change the route so that old clients go on working (a new field or parameter is optional, an old one stays), or
- if it has to be: add it to docs/openapi/accepted-breaks.json as "<the change, as above>": "<why, and what clients do instead>",
  and tell clients in CHANGELOG.md.
\`npm run openapi:release\` makes the document of this source the released one. It belongs to a release, not to a change.`;

it('the document breaks no client of the last release, but for what is listed with its reason', () => {
  const open = breakingChanges(released, current).filter(({ id }) => accepted[id] === undefined);
  const listed = open.map(({ id, text }) => `"${id}"\n    ${text}`).join('\n');
  expect(open.length, `${listed}\n${HOW_TO_GO_ON}`).toBe(0);
});

it('what is listed has a reason, and happens', () => {
  const found = new Set(breakingChanges(released, current).map(({ id }) => id));
  for (const [id, reason] of Object.entries(accepted)) {
    expect(found.has(id), `${id} is in accepted-breaks.json and is no change: take it out`).toBe(true);
    expect(String(reason).length, `${id} needs a reason that clients can act on`).toBeGreaterThan(30);
  }
});

it('what is released is complete: a version, and every part that programs need', () => {
  expect(objectAt(released, 'info')['version']).toMatch(/^\d+\.\d+\.\d+$/);
  expect(contractOf(released)).toEqual(released);
  expect(Object.keys(objectAt(released, 'paths')).length).toBeGreaterThan(70);
});

describe('in the whole document', () => {
  const idsOf = (changed: Json): readonly string[] => breakingChanges(current, changed).map(({ id }) => id);
  const operations = Object.entries(objectAt(current, 'paths')).flatMap(([path, item]) =>
    Object.keys(objectAt(item)).map((method) => ({ method, path, name: `${method.toUpperCase()} ${path}` })),
  );
  /** The document with other operations. */
  const withOperations = (change: (operation: Json) => Json): Json => ({
    ...current,
    paths: Object.fromEntries(
      Object.entries(objectAt(current, 'paths')).map(([path, item]) => [
        path,
        Object.fromEntries(Object.entries(objectAt(item)).map(([method, it]) => [method, change(objectAt(it))])),
      ]),
    ),
  });

  it('no operation, answer or parameter can go unnoticed', () => {
    expect(idsOf({ ...current, paths: {} })).toEqual(operations.map(({ name }) => `${name}: removed`).sort());

    const silent = idsOf(withOperations((operation) => ({ ...operation, responses: {} })));
    const mute = idsOf(withOperations((operation) => ({ ...operation, parameters: [] })));
    let parameters = 0;
    for (const { method, path, name } of operations) {
      const operation = objectAt(current, 'paths', path, method);
      for (const status of Object.keys(objectAt(operation, 'responses'))) {
        expect(silent).toContain(`${name} ${status}: removed`);
      }
      for (const parameter of Array.isArray(operation['parameters']) ? operation['parameters'] : []) {
        const { in: place, name: called } = objectAt(parameter);
        const key = place === 'header' ? String(called).toLowerCase() : String(called);
        expect(mute).toContain(`${name} ${String(place)} ${key}: removed`);
        parameters += 1;
      }
    }
    expect(parameters).toBeGreaterThan(100);
  });

  it('no field of a named schema can go unnoticed', () => {
    const schemas = objectAt(current, 'components', 'schemas');
    // Those that lead to other schemas stay, so that these are looked at.
    const leaves = (schema: unknown): string[] =>
      Object.entries(objectAt(schema, 'properties')).flatMap(([field, it]) =>
        JSON.stringify(it).includes('$ref') ? [] : [field],
      );
    const bare = Object.fromEntries(
      Object.entries(schemas).map(([name, schema]) => {
        const gone = leaves(schema);
        const kept = Object.entries(objectAt(schema, 'properties')).filter(([field]) => !gone.includes(field));
        return [name, { ...objectAt(schema), properties: Object.fromEntries(kept) }];
      }),
    );
    const found = idsOf({ ...current, components: { ...objectAt(current, 'components'), schemas: bare } });
    let fields = 0;
    for (const [name, schema] of Object.entries(schemas)) {
      for (const field of leaves(schema)) {
        const direct = found.some(
          (id) => id === `${name} (sent).${field}: removed` || id === `${name} (received).${field}: removed`,
        );
        expect(
          direct || found.some((id) => id.endsWith(`.${field}: removed`) && !/\((?:sent|received)\)\./.test(id)),
          `${name}.${field}`,
        ).toBe(true);
        fields += 1;
      }
    }
    expect(fields).toBeGreaterThan(300);
  });
});
