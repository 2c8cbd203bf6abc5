import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import config from '../../vitest.config.ts';
import { PROJECTS, projectOf, reachedBy, testFiles } from '../setup/projects.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const { projects = [], coverage } = config.test ?? {};
const textOf = (file: string): string => fs.readFileSync(path.join(ROOT, file), 'utf8');
const productFiles = fs.globSync('src/**/*.ts', { cwd: ROOT }).filter((file) => !file.endsWith('.test.ts'));

describe('the projects of the tests', () => {
  const included = projects.flatMap((one) =>
    typeof one === 'object' && 'test' in one ? [[one.test?.name, one.test?.include ?? []] as const] : [],
  );

  it('have each file of tests once', () => {
    expect(included.map(([name]) => name)).toEqual([...PROJECTS]);
    expect(included.flatMap(([, files]) => files).toSorted()).toEqual(testFiles().toSorted());
  });

  it('are not empty', () => {
    for (const [name, files] of included) expect(files.length, String(name)).toBeGreaterThan(0);
  });

  it('put a file where its helpers say that it belongs', () => {
    expect(projectOf('src/kernel/money.test.ts')).toBe('unit');
    expect(projectOf('test/http/money.test.ts')).toBe('db');
    expect(projectOf('test/programs/start.test.ts')).toBe('db');
    expect(projectOf('test/faults/check-in.test.ts')).toBe('faults');
    expect(projectOf('test/work/phone.test.ts')).toBe('browser');
  });

  it('leave unit tests without Postgres, Redis and programs', () => {
    // A pool alone connects to nothing.
    const asks = /new (?:Redis|pg\.Client)\(|\binject\(|node:child_process'|process\.env\['(?:DATABASE|REDIS)_URL/;
    const asking = testFiles()
      .filter((file) => projectOf(file) === 'unit' && file !== 'test/architecture/projects.test.ts')
      .flatMap((file) => [...reachedBy(file)].filter((one) => asks.test(textOf(one))).map((one) => `${file}: ${one}`));
    expect(asking).toEqual([]);
  });

  it('need not look into the product, which starts nothing', () => {
    expect(productFiles.filter((file) => /from '(?:node:child_process|vitest)'/.test(textOf(file)))).toEqual([]);
  });
});

it('asks for no coverage of files that are not there', () => {
  const globs = Object.entries(coverage?.thresholds ?? {}).flatMap(([glob, bounds]) =>
    typeof bounds === 'object' ? alternativesOf(glob) : [],
  );
  expect(globs.length).toBeGreaterThan(0);
  const matchingNothing = [...globs, ...(coverage?.include ?? []).flatMap(alternativesOf)].filter(
    (glob) => !productFiles.some((file) => path.matchesGlob(file, glob)),
  );
  expect(matchingNothing).toEqual([]);
});

/** `a/{b,c}.ts` is two patterns, each of which has to match a file. */
function alternativesOf(glob: string): string[] {
  const [whole, inside] = /\{([^{}]+)\}/.exec(glob) ?? [];
  if (whole === undefined || inside === undefined) return [glob];
  return inside.split(',').flatMap((one) => alternativesOf(glob.replace(whole, one)));
}
