import path from 'node:path';
import { executablesOnPath } from './look-up.ts';

/** What a program is called by the package managers that have it. */
export interface PackageNames {
  /** Left out where Homebrew has it no more. */
  readonly brew?: string;
  readonly apt: string;
  readonly dnf: string;
  readonly zypper: string;
  readonly pacman: string;
  readonly apk: string;
}

const brewCommand = ({ brew }: PackageNames): string | undefined =>
  brew === undefined ? undefined : `brew install ${brew}`;

/** In this order: a Linux with Homebrew has its own package manager as well, which is the usual one there. */
const MANAGERS: readonly (readonly [program: string, command: (names: PackageNames) => string | undefined])[] = [
  ['apt-get', ({ apt }) => `sudo apt-get install ${apt}`],
  ['dnf', ({ dnf }) => `sudo dnf install ${dnf}`],
  ['zypper', ({ zypper }) => `sudo zypper install ${zypper}`],
  ['pacman', ({ pacman }) => `sudo pacman -S ${pacman}`],
  ['apk', ({ apk }) => `sudo apk add ${apk}`],
  ['brew', brewCommand],
];

/**
 * The command that installs a program on this system, by the package manager that is on the PATH; undefined where none of
 * them is. A Mac gets that of Homebrew also without it, because there is no other usual one.
 */
export function installCommand(
  names: PackageNames,
  { platform = process.platform, PATH = process.env['PATH'] ?? '' }: { platform?: string; PATH?: string } = {},
): string | undefined {
  if (platform === 'darwin') return brewCommand(names);
  const there = new Set(
    executablesOnPath(
      MANAGERS.map(([program]) => program),
      PATH,
    ).map((file) => path.basename(file)),
  );
  return MANAGERS.find(([program]) => there.has(program))?.[1](names);
}
