import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { FOLDER, PARTS, sqlBook } from '../../scripts/sql/book.ts';
import { allStatements } from '../../scripts/sql/statements.ts';

const book = sqlBook();
const statements = allStatements();
const RUN = 'docs/sql is not what the source makes: run `npm run docs:sql` and review what it changes';

/** Without what a formatter may change: white space and the case of words, outside of quotes. */
const squashed = (sql: string): string =>
  sql
    .split(/('(?:[^']|'')*'|"(?:[^"]|"")*")/)
    .map((part, index) => (index % 2 === 1 ? part : part.replaceAll(/\s/g, '').toLowerCase()))
    .join('');

describe('docs/sql', () => {
  it('has a page for each fused statement, and none for one that is no more', () => {
    expect(readdirSync(FOLDER).toSorted(), RUN).toEqual([...book.keys()].toSorted());
  });

  it('is what the source makes', () => {
    const changed = [...book]
      .filter(([file, text]) => readFileSync(path.join(FOLDER, file), 'utf8') !== text)
      .map(([file]) => file);
    expect(changed, RUN).toEqual([]);
  });

  it('shows what the database gets, token by token', () => {
    const differing = statements.filter(({ file, sql }) => {
      const shown = (book.get(file) ?? '').replaceAll(/^--.*\n/gm, '');
      return squashed(shown) !== `${squashed(sql)};`;
    });
    expect(differing.map(({ file }) => file)).toEqual([]);
  });

  it('says of every parameter what it is', () => {
    for (const { file, parameters } of statements) {
      const header = (book.get(file) ?? '').match(/^--.*$/gm) ?? [];
      const explained = new Set(header.join('\n').match(/\$\d+/g));
      expect({ file, explained: explained.size }).toEqual({ file, explained: parameters.length });
    }
  });

  it('explains every part of a statement in its index, and no other', () => {
    const parts = statements.flatMap(({ sql }) =>
      [...sql.matchAll(/(?:WITH|,) "?(\w+)"? AS \(/g)].map(([, name]) => name),
    );
    const explained = PARTS.slice(1).map(([name = '']) => name.replaceAll('`', ''));
    expect([...new Set(parts)].toSorted()).toEqual(explained.toSorted());
  });
});
