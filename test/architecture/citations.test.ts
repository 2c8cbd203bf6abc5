import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { INVARIANTS } from '../faults/invariants.ts';
import { BUGS } from '../seeded/bugs.ts';
import { brokenLinks, brokenPaths, citationsIn, type Document, unresolved, unshippedIn } from './citations.ts';

/** References of comments and documents exist: sections, links, anchors and source files. */
const root = path.join(import.meta.dirname, '../..');
const SOURCES = ['src', 'test', 'bench', 'scripts', 'migrations'];
const IS_SOURCE = /\.(?:[cm]?[jt]s|sql|css|html|ya?ml)$/;
/** Holds examples of wrong citations. */
const OWN = 'test/architecture/citations';

const filesIn = (folder: string): readonly string[] =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((file) => path.posix.join(folder, file.split(path.sep).join('/')))
    .filter((file) => statSync(path.join(root, file)).isFile());
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const exists = (file: string): boolean => existsSync(path.join(root, file));

const rootDocuments = readdirSync(root).filter((file) => file.endsWith('.md'));
const documents: readonly Document[] = [
  ...rootDocuments,
  ...filesIn('docs').filter((file) => file.endsWith('.md')),
].map((file) => ({ file, text: read(file) }));
const sources = SOURCES.flatMap(filesIn)
  .filter((file) => IS_SOURCE.test(file) && !file.startsWith(OWN))
  .map((file) => ({ file, text: read(file) }));
const guarantees = documents.find(({ file }) => file === 'docs/guarantees.md')?.text ?? '';

describe('the documents', () => {
  it('have every section that a comment or a document cites', () => {
    const wrong = [...sources, ...documents].flatMap(({ file, text }) =>
      unresolved(citationsIn(text), documents).map((what) => `${file}: ${what}`),
    );
    expect(wrong).toEqual([]);
  });

  it('are the only ones that sources cite: issues and plans do not ship', () => {
    expect(sources.flatMap(({ file, text }) => unshippedIn(text).map((what) => `${file}: ${what}`))).toEqual([]);
  });

  it('have no link that leads nowhere', () => {
    expect(documents.flatMap((document) => brokenLinks(document, documents, exists))).toEqual([]);
  });

  it('name no source file that is not there', () => {
    // The changelog tells of what was.
    const current = documents.filter(({ file }) => file !== 'CHANGELOG.md');
    expect(current.flatMap((document) => brokenPaths(document, exists))).toEqual([]);
  });

  it('tell of every invariant and every seeded bug', () => {
    const ids = [...Object.keys(INVARIANTS).map((name) => name.slice(0, 3)), ...BUGS.map(({ id }) => id)];
    expect(ids.filter((id) => !new RegExp(`\\b${id}\\b`).test(guarantees))).toEqual([]);
  });
});

describe('the look at citations', () => {
  const some: readonly Document[] = [
    {
      file: 'docs/rules.md',
      text: '# Rules\n\n## 2 Nights\n\n### 2.1 Half open\n\nE1, E2\n\n#### G5 Once\n\n## Here: a "quote"\n',
    },
    {
      file: 'README.md',
      text: '[a](docs/rules.md#2-nights) [b](docs/rules.md#nights) [c](docs/gone.md) [d](#x) `src/gone.ts`\n',
    },
  ];
  const [rules, readme] = some as readonly [Document, Document];

  it.each([
    ['rules.md 2', []],
    ['as rules.md 2, 2.1 and G5 say', []],
    ['(rules.md\n * 2.1)', []],
    ['E1 and E2 of rules.md 2.1', []],
    ['rules.md 3', ['rules.md 3']],
    ['rules.md 2 and G6', ['rules.md G6']],
    ['E1 to E3 of rules.md 2.1', ['E3 of rules.md 2.1']],
    ['gone.md 1', ['gone.md']],
    ['see gone.md', ['gone.md']],
    ['rules.md', []],
  ])('finds in %j what does not resolve', (text, wrong) => {
    expect(unresolved(citationsIn(text), some)).toEqual(wrong);
  });

  it('finds links and paths that lead nowhere', () => {
    const has = (file: string): boolean => some.some((document) => document.file === file);
    expect(brokenLinks(readme, some, has)).toEqual([
      'README.md: docs/rules.md#nights',
      'README.md: docs/gone.md',
      'README.md: #x',
    ]);
    expect(brokenPaths(readme, has)).toEqual(['README.md: src/gone.ts']);
    expect(brokenLinks({ file: 'docs/a.md', text: '[a](rules.md#here-a-quote) [b](../README.md)' }, some, has)).toEqual(
      [],
    );
    expect(brokenLinks(rules, some, has)).toEqual([]);
    expect(unshippedIn('(issue 12, B1) and (features ABC-3)')).toEqual(['issue 12', 'features ABC-3']);
  });
});
