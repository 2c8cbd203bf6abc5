import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { MIGRATION_FILE } from '../../src/db/migrate.ts';

/** As `sha256sum` writes it, so that `sha256sum -c checksums.txt` works too. */
const FILE = 'checksums.txt';

/**
 * The problems of the migrations in a folder, as sentences for the person who changed them. A migration that databases
 * have applied is never applied to them again: editing it would make two schemas of one version.
 */
export function migrationProblems(folder: string): readonly string[] {
  const recorded = readRecord(folder);
  const files = readFiles(folder);
  const removed = [...recorded.keys()].filter((name) => !files.has(name));
  return [
    ...[...files].flatMap(([name, sum]) => {
      if (recorded.get(name) === sum) return [];
      return recorded.has(name)
        ? [
            `${name} was edited. A merged migration is never changed: undo that and write the change as a new migration. ` +
              `Only if it was never merged, delete its line in migrations/${FILE} and run: npm run db:schema`,
          ]
        : [`${name} has no checksum: npm run db:schema`];
    }),
    ...removed.map((name) => `${name} is gone. Databases that have applied it would refuse to migrate: restore it`),
  ];
}

/** Adds the files that have no checksum yet; those that have one keep it. */
export function recordMigrations(folder: string): void {
  const sums = new Map([...readFiles(folder), ...readRecord(folder)]);
  const lines = [...sums].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, sum]) => `${sum}  ${name}\n`);
  fs.writeFileSync(path.join(folder, FILE), lines.join(''));
}

/** Checksums by file name. */
function readFiles(folder: string): ReadonlyMap<string, string> {
  const names = fs.readdirSync(folder).filter((name) => MIGRATION_FILE.test(name));
  const sumOf = (name: string): string =>
    createHash('sha256')
      .update(fs.readFileSync(path.join(folder, name)))
      .digest('hex');
  return new Map(names.map((name) => [name, sumOf(name)]));
}

function readRecord(folder: string): ReadonlyMap<string, string> {
  const file = path.join(folder, FILE);
  if (!fs.existsSync(file)) return new Map();
  const lines = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]));
}
