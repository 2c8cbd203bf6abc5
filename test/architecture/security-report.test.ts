import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { missingIn, namedTests, reportOf, rowsOf, rulesIn } from '../../scripts/security/rows.ts';

/** Every rule of docs/security.md, and every one that must be there, is held by a test, and no test names a rule that there is not. */

const root = path.join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const rules = rulesIn(read('docs/security.md'));

describe('the rules of security', () => {
  const tests = ['src', 'test']
    .flatMap((folder) =>
      readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
        path.posix.join(folder, file.split(path.sep).join('/')),
      ),
    )
    .filter((file) => file.endsWith('.test.ts') && !file.endsWith('security-report.test.ts'))
    .flatMap((file) => namedTests(file, read(file)));

  it('have a test each', () => {
    expect(missingIn(reportOf(rules, tests))).toEqual([]);
  });

  it('are the ones that tests name', () => {
    expect(tests.filter(({ row }) => !rules.has(row))).toEqual([]);
  });
});

describe('the look at titles', () => {
  it.each([
    ['J2: is one', ['J2']],
    ['O4, O7: is refused', ['O4', 'O7']],
    ['is refused (security.md Z3, Z4)', ['Z3', 'Z4']],
    ['M12: a card (security.md M12 and J9)', ['M12', 'J9']],
    ['is J2 in passing', []],
    ['AED: is a currency', []],
  ])('finds in %j the rules %j', (title, rows) => {
    expect(rowsOf(title)).toEqual(rows);
  });

  it('counts tests, also of a table, of a group and of a template', () => {
    const text = `
      describe('O3: cookies', () => {
        it('are strict', () => {});
        it.each([1, 2, 3])('O9: are %s', () => {});
      });
      describe.each(rows)('of %s', () => {
        it(\`J1: \${x} is refused\`, () => expect('J9: no title').toBe(1));
        it.each<[string]>(cases)('J1: %s', () => {});
      });
      call('J5: is no test');`;
    expect(namedTests('a.test.ts', text)).toEqual([
      { row: 'O3', file: 'a.test.ts', count: 1 },
      { row: 'O3', file: 'a.test.ts', count: 3 },
      { row: 'O9', file: 'a.test.ts', count: 3 },
      { row: 'J1', file: 'a.test.ts', count: 1 },
      { row: 'J1', file: 'a.test.ts', count: 1 },
    ]);
  });

  it('misses a rule that is not written down, and one that has no test', () => {
    const written = rulesIn('### J1 Unsigned tokens\n\n### J2 One algorithm\n');
    const lines = reportOf(written, [
      { row: 'J1', file: 'a.test.ts', count: 2 },
      { row: 'J3', file: 'a.test.ts', count: 1 },
    ]);
    const missing = missingIn(lines);
    expect(missing).not.toContain('J1');
    expect(missing).toEqual(expect.arrayContaining(['J2', 'J3', 'Z1', 'Q7']));
    // Whatever is written down needs a test, required or not.
    expect(missingIn(reportOf(rulesIn('### Y1 Written only\n'), []))).toContain('Y1');
    expect(lines.find(({ row }) => row === 'J10')).toEqual({ row: 'J10', rule: null, files: [], count: 0 });
  });
});
