import { ts } from '@ts-morph/common';

/** Which tests hold which rule of docs/security.md. Pure: `security-report.ts` gives it the files. */

const numbered = (letter: string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `${letter}${n + 1}`);
/** Rules that must be written down, and be held by a test each. */
export const REQUIRED: readonly string[] = [
  ...numbered('Z', 17),
  ...numbered('J', 16),
  ...numbered('Q', 7),
  ...numbered('M', 12),
  ...numbered('N', 15),
  ...numbered('X', 6),
  'X8',
  'X9',
  ...numbered('H', 9),
  ...numbered('K', 4),
  ...numbered('K', 15).slice(5),
  ...numbered('O', 9),
  ...numbered('C', 3),
  ...numbered('C', 8).slice(4),
];

/** The headings of rules: `### J2 One algorithm for each key`. */
export function rulesIn(document: string): ReadonlyMap<string, string> {
  const headings = [...document.matchAll(/^### ([A-Z]\d{1,2}) (.+)$/gm)];
  return new Map(headings.map(([, row = '', title = '']) => [row, title]));
}

export interface NamedTest {
  readonly row: string;
  readonly file: string;
  /** How many tests: the rows of a table that stands there count one by one. */
  readonly count: number;
}

/** The rules that a title names: `J2: ...`, `O4, O7: ...` or `... (security.md J2, J5)`. */
export function rowsOf(title: string): readonly string[] {
  const [, first = ''] = /^((?:[A-Z]\d{1,2})(?:, [A-Z]\d{1,2})*): /.exec(title) ?? [];
  const [, cited = ''] = /\(security\.md ((?:[A-Z]\d{1,2})(?:(?:, | and )[A-Z]\d{1,2})*)\)/.exec(title) ?? [];
  return [...new Set(`${first} ${cited}`.match(/[A-Z]\d{1,2}/g) ?? [])];
}

/** The tests of a file that name a rule, by their own title or by that of a group around them. */
export function namedTests(file: string, text: string): readonly NamedTest[] {
  const found: NamedTest[] = [];
  const visit = (node: ts.Node, around: readonly string[]): void => {
    const call = ts.isCallExpression(node) ? callOf(node) : null;
    if (call === null) {
      ts.forEachChild(node, (child) => visit(child, around));
      return;
    }
    const rows = [...new Set([...around, ...rowsOf(call.title)])];
    if (call.isTest) found.push(...rows.map((row) => ({ row, file, count: call.count })));
    ts.forEachChild(node, (child) => visit(child, call.isTest ? around : rows));
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true), []);
  return found;
}

interface TestCall {
  readonly isTest: boolean;
  readonly title: string;
  readonly count: number;
}

/** `it('...')`, `describe.skip('...')`, `it.each([...])('...')`; null for any other call. */
function callOf({ expression, arguments: [first] }: ts.CallExpression): TestCall | null {
  const title = first && titleOf(first);
  if (title === undefined) return null;
  const table = ts.isCallExpression(expression) ? expression.arguments[0] : undefined;
  const [, name] = /^(it|test|describe)\b/.exec(expression.getText()) ?? [];
  if (name === undefined) return null;
  const count = table && ts.isArrayLiteralExpression(table) ? Math.max(1, table.elements.length) : 1;
  return { isTest: name !== 'describe', title, count };
}

function titleOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text;
  return ts.isTemplateExpression(node) ? node.head.text : undefined;
}

export interface ReportLine {
  readonly row: string;
  /** Null: docs/security.md does not have it. */
  readonly rule: string | null;
  readonly files: readonly string[];
  readonly count: number;
}

/** A line for each rule that is required or written down, in the order of their names. */
export function reportOf(rules: ReadonlyMap<string, string>, tests: readonly NamedTest[]): readonly ReportLine[] {
  const rows = [...new Set([...REQUIRED, ...rules.keys()])];
  return rows
    .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .map((row) => {
      const own = tests.filter((test) => test.row === row);
      return {
        row,
        rule: rules.get(row) ?? null,
        files: [...new Set(own.map(({ file }) => file))].toSorted(),
        count: own.reduce((sum, { count }) => sum + count, 0),
      };
    });
}

/** The rules that are not written down, or have no test. */
export const missingIn = (lines: readonly ReportLine[]): readonly string[] =>
  lines.filter(({ rule, count }) => rule === null || count === 0).map(({ row }) => row);
