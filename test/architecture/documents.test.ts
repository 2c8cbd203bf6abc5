import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { methodsAt } from '../../src/http/methods.ts';
import { CATALOGUE } from '../../src/kernel/errors.ts';

/** Commands, addresses and pictures that the documents name exist. */
const root = path.join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(path.join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const found = (pattern: RegExp): (readonly [file: string, what: string])[] =>
  documents.flatMap((file) =>
    [...read(file).matchAll(pattern)].map(([, what = '']): readonly [string, string] => [file, what]),
  );

describe('the documents', () => {
  it('begin with a README of at most 100 lines, with the two commands and one answer of each kind', () => {
    const readme = read('README.md');
    expect(readme.trimEnd().split('\n').length).toBeLessThanOrEqual(100);
    for (const said of [
      'npm start',
      'npm test',
      'reservation-1/confirm',
      'reservation-2/confirm',
      'RESERVATION_CONFLICT',
    ])
      expect(readme).toContain(said);
  });

  it('name only commands that package.json has', () => {
    const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> };
    const named = found(/npm run (?:-s )?([a-z][a-z:-]*)/g);
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter(([, name]) => !Object.hasOwn(scripts, name))).toEqual([]);
  });

  it('name only addresses of the API that exist', () => {
    const calls = [
      ...found(/^ *(get (?:'[^']+'|(?:<[^>]*>|[^\s<#])+))(?: +#.*)?$/gm),
      ...found(/^ *((?:post|patch) (?:'[^']+'|(?:<[^>]*>|[^\s<])+)) '/gm),
      ...found(/`((?:get|post|patch) (?:'[^']+'|(?:<[^>]*>|[^\s<`])+))/g),
    ];
    expect(calls.length).toBeGreaterThan(60);
    const unknown = calls.filter(([, call]) => {
      const [method = '', address = ''] = [call.split(' ', 1)[0], call.replace(/^\w+ /, '').replaceAll("'", '')];
      const pathname = address.replace(/\?.*/, '').replaceAll(/<[^>]*>|\$\w+/g, 'id');
      return !methodsAt(`/api/production/${pathname}`).includes(method.toUpperCase());
    });
    expect(unknown).toEqual([]);
  });

  it('name as refusals that keep no key only statuses that the API sends', () => {
    const [, list = ''] = /Refused before anything is changed \(([\d, ]+)\)/.exec(read('docs/guarantees.md')) ?? [];
    const sent = new Set(Object.values(CATALOGUE).map(({ status }) => String(status)));
    expect(list.split(', ').length).toBeGreaterThan(4);
    expect(list.split(', ').filter((status) => !sent.has(status))).toEqual([]);
  });

  it('show only pictures that are there', () => {
    const pictures = found(/(?:src="|!\[[^\]]*\]\()([^")]+)/g);
    expect(pictures.length).toBeGreaterThan(5);
    expect(pictures.filter(([file, at]) => !existsSync(path.join(root, path.dirname(file), at)))).toEqual([]);
  });
});
