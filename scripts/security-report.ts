import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { testFiles } from '../test/setup/projects.ts';
import { missingIn, namedTests, reportOf, rulesIn } from './security/rows.ts';

/** `npm run security:report`: the rules of docs/security.md, and the tests that name them. `-- --check` fails where one has none. */

const ROOT = path.resolve(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const lines = reportOf(
  rulesIn(read('docs/security.md')),
  testFiles().flatMap((file) => namedTests(file, read(file))),
);
for (const { row, rule, files, count } of lines) {
  const tests = count === 0 ? 'MISSING' : `${count} in ${files.join(', ')}`;
  console.log(`${row.padEnd(4)} ${(rule ?? 'MISSING in docs/security.md').padEnd(44)} ${tests}`);
}
const missing = missingIn(lines);
const total = lines.reduce((sum, { count }) => sum + count, 0);
console.log(
  `${lines.length} rules, ${total} tests; ${missing.length === 0 ? 'nothing is missing' : `missing: ${missing.join(', ')}`}`,
);
if (values.check && missing.length > 0) process.exitCode = 1;
