import fs from 'node:fs';
import path from 'node:path';
import type { Program } from './package.ts';

export interface LookUp {
  /** In the order of preference. */
  readonly names: readonly string[];
  /** Why a program is not good enough, as the end of a sentence about it; undefined when it is. */
  faultOf(program: Program): string | undefined;
  /** Gets one where no other will do; throws with the other ways to have one. */
  fetch(say: (line: string) => void): Program | Promise<Program>;
}

/** Thrown by the start of a program that is there and answers, and still does not work: the next one is tried. */
export class DoesNotStart extends Error {}

/**
 * Starts the first program that works: those on the PATH one after the other, then the fetched one. Each that is passed
 * over is told to `say`, and is part of the error when there is none in the end.
 */
export async function startFirst<T>(
  { names, faultOf, fetch }: LookUp,
  start: (program: Program) => Promise<T>,
  say: (line: string) => void,
): Promise<T> {
  const passedOver: string[] = [];
  const passOver = (line: string) => {
    passedOver.push(line);
    say(`${line} Looking further.`);
  };
  for (const command of executablesOnPath(names)) {
    const program = { command, env: process.env };
    const fault = faultOf(program);
    if (fault !== undefined) {
      passOver(`${command} ${fault}.`);
      continue;
    }
    try {
      return await start(program);
    } catch (error) {
      if (!(error instanceof DoesNotStart)) throw error;
      passOver(`${command} does not start. ${error.message}`);
    }
  }
  try {
    return await start(await fetch(say));
  } catch (error) {
    throw new Error([...passedOver, error instanceof Error ? error.message : String(error)].join('\n'));
  }
}

/**
 * The executable files of these names on the PATH, as absolute paths: all of the first name, then of the second, in the
 * order of the PATH. A file that is there may still not work (a stub of a package manager, a broken wrapper, a program
 * of another architecture), so callers try one after the other. Links are not followed: some programs, and all snaps,
 * look at the name they were called by.
 */
export function executablesOnPath(names: readonly string[], PATH = process.env['PATH'] ?? ''): readonly string[] {
  const found = names.flatMap((name) =>
    PATH.split(path.delimiter)
      .filter((directory) => directory !== '')
      .map((directory) => path.resolve(directory, name))
      .filter(isExecutable),
  );
  return [...new Set(found)];
}

/** What a setting names: a path, also one relative to the working directory, or a bare name that is on the PATH. */
export function namedExecutable(given: string, PATH = process.env['PATH'] ?? ''): string | undefined {
  if (!given.includes(path.sep)) return executablesOnPath([given], PATH)[0];
  const file = path.resolve(given);
  return isExecutable(file) ? file : undefined;
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}
