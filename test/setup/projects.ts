import fs from 'node:fs';
import path from 'node:path';

/**
 * Which tests need what. `unit` needs nothing but Node, so it runs in seconds; `db` needs Postgres and Redis, or starts
 * programs of ours; `browser` needs a Chromium as well; `faults` cuts connections and kills workers.
 */
export const PROJECTS = ['unit', 'db', 'faults', 'browser'] as const;
export type ProjectName = (typeof PROJECTS)[number];

const ROOT = path.resolve(import.meta.dirname, '../..');
const BROWSER = 'scripts/services/chromium.ts';
/** A test that needs the global setup, or starts a program, has one of these. */
const NEEDS_SERVICES = /\binject\(|\sfrom 'node:child_process'/;

interface Module {
  readonly needsServices: boolean;
  readonly imports: readonly string[];
}
const modules = new Map<string, Module>();

/** All files of tests, as paths from the root with forward slashes. */
export function testFiles(): readonly string[] {
  return ['src', 'test'].flatMap((folder) =>
    fs
      .readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .map((file) => path.posix.join(folder, file.split(path.sep).join('/')))
      .filter((file) => file.endsWith('.test.ts')),
  );
}

/** The project of a file, by its folder or else by what it imports, directly or through helpers. */
export function projectOf(file: string): ProjectName {
  if (file.startsWith('test/faults/')) return 'faults';
  const reached = reachedBy(file);
  if (reached.has(BROWSER)) return 'browser';
  return [...reached].some((one) => moduleAt(one).needsServices) ? 'db' : 'unit';
}

/** A file of tests with the helpers and scripts that it imports. The product itself starts nothing, so it is left out. */
export function reachedBy(file: string, reached = new Set<string>()): ReadonlySet<string> {
  reached.add(file);
  for (const next of moduleAt(file).imports) if (!reached.has(next)) reachedBy(next, reached);
  return reached;
}

function moduleAt(file: string): Module {
  const known = modules.get(file);
  if (known) return known;
  // A type is gone at run time.
  const text = fs.readFileSync(path.join(ROOT, file), 'utf8').replaceAll(/^(?:import|export) type [^;]+;/gm, '');
  const module = {
    needsServices: NEEDS_SERVICES.test(text),
    imports: [...text.matchAll(/\b(?:from|import)\s*\(?\s*'(\.[^']+\.ts)'/g)]
      .map(([, specifier = '']) => path.posix.join(path.posix.dirname(file), specifier))
      .filter((target) => !target.startsWith('src/')),
  };
  modules.set(file, module);
  return module;
}
