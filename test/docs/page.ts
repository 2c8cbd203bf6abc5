import fs from 'node:fs';
import path from 'node:path';

/** Pages that say how something is added: their blocks are applied to a copy of the project, and nothing else. */

const ROOT = path.join(import.meta.dirname, '../..');
const MIGRATION_NUMBER = '<number>';

/** The text of a page of `docs`. */
export const readPage = (name: string): string => fs.readFileSync(path.join(ROOT, 'docs', name), 'utf8');

/** How many files by hand `docs/architecture.md` says that the page takes, in the order in which it names them. */
export function statedFiles(page: string): readonly number[] {
  const row = new RegExp(
    `^\\|[^|]*\\|[^|]*\\[${page.replace('.', '\\.')}\\][^|]*\\| *(\\d(?:, \\d)*)(?:, and [a-z ]+)? *\\|$`,
    'm',
  );
  const stated = row.exec(readPage('architecture.md'))?.[1];
  if (stated === undefined) throw new Error(`docs/architecture.md does not say how many files ${page} takes`);
  return stated.split(',').map(Number);
}

interface Block {
  readonly kind: string;
  readonly file: string;
  readonly from: string | undefined;
  readonly text: string;
}
const blocksOf = (page: string): readonly Block[] =>
  [...page.matchAll(/^```(ts|sql|diff) file=(\S+)(?: from=(\S+))?\n([\s\S]*?)^```$/gm)].map(
    ([, kind = '', file = '', from, text = '']) => ({ kind, file, from, text }),
  );

/** The text of a block without and with its change. */
function sidesOf(diff: string): readonly [string, string] {
  const lines = diff.split('\n').slice(0, -1);
  const side = (mark: string): string =>
    lines
      .filter((line) => line.startsWith(' ') || line.startsWith(mark))
      .map((line) => `${line.slice(1)}\n`)
      .join('');
  return [side('-'), side('+')];
}

/** `migrations/<number>_name.sql` of a page stands for the next migration. */
function numbered(copy: string, file: string): string {
  if (!file.includes(MIGRATION_NUMBER)) return file;
  const numbers = fs
    .readdirSync(path.join(copy, 'migrations'))
    .flatMap((name) => /^(\d{4})_/.exec(name)?.[1] ?? [])
    .map(Number);
  return file.replace(MIGRATION_NUMBER, String(Math.max(...numbers) + 1).padStart(4, '0'));
}

/**
 * Applies the blocks of a page, or of a part of one, to a copy. Answers the files that are written or changed, without
 * tests. Throws when the text before a change is not there exactly once.
 */
export function applyPage(copy: string, page: string): readonly string[] {
  const blocks = blocksOf(page);
  if (blocks.length === 0) throw new Error('the page has no block');
  for (const { kind, file, from, text } of blocks) {
    const target = path.join(copy, numbered(copy, file));
    fs.mkdirSync(path.dirname(target), { recursive: true });
    if (from !== undefined) fs.copyFileSync(path.join(copy, from), target);
    if (kind !== 'diff') {
      fs.writeFileSync(target, text);
      continue;
    }
    const [before, after] = sidesOf(text);
    const pieces = fs.readFileSync(target, 'utf8').split(before);
    if (pieces.length !== 2) throw new Error(`${file}: "${before}" stands there ${pieces.length - 1} times`);
    fs.writeFileSync(target, pieces.join(after));
  }
  return [...new Set(blocks.map(({ file }) => file))].filter((file) => !file.endsWith('.test.ts'));
}
