import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { installCommand, type PackageNames } from './install-command.ts';
import { namedExecutable, startFirst } from './look-up.ts';
import { fetchProgram, libraryDirectories, type Program } from './package.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** Older ones lack what the installed Playwright asks of a browser. */
const OLDEST_MAJOR = 115;
const VERSION_WITHIN_MS = 15_000;
const PAGE_WITHIN_MS = 60_000;

const PACKAGE_NAMES: PackageNames = {
  apt: 'chromium',
  dnf: 'chromium',
  zypper: 'chromium',
  pacman: 'chromium',
  apk: 'chromium',
};

let known: Promise<Program> | undefined;

/**
 * A Chromium to test pages in: `CHROMIUM_PATH`, the first one on the PATH that shows a page, or the package of this
 * Debian or Ubuntu unpacked into the project. `command` is an absolute path, since Playwright does not search the PATH.
 * Throws with these ways when there is none. Looks once per process.
 */
export function findChromium(say: (line: string) => void): Promise<Program> {
  known ??= lookUp(say);
  return known;
}

async function lookUp(say: (line: string) => void): Promise<Program> {
  const given = process.env['CHROMIUM_PATH'];
  if (given) {
    const command = namedExecutable(given);
    if (command === undefined) throw new Error(advice(`CHROMIUM_PATH=${given} is not a program`));
    const program = { command, env: process.env };
    const fault = faultOf(program);
    if (fault !== undefined) throw new Error(advice(`CHROMIUM_PATH=${given} ${fault}`));
    return program;
  }
  return startFirst({ names: NAMES, faultOf, fetch: fetchChromium }, async (program) => program, say);
}

const fetchChromium = (say: (line: string) => void): Program =>
  fetchProgram(
    { name: 'chromium', packages: [['chromium', 'chromium-sandbox', 'fonts-dejavu-core']], find: programIn, advice },
    say,
  );

const advice = (problem: string): string => {
  const command = installCommand(PACKAGE_NAMES);
  const how = command === undefined ? 'Install chromium so that it is on the PATH' : `Run "${command}"`;
  return `No Chromium: ${problem}. ${how}, or set CHROMIUM_PATH.`;
};

/** Why this is no browser to test with; undefined when it is one. A version alone does not tell: stubs print one too. */
function faultOf({ command, env }: Program): string | undefined {
  const asked = spawnSync(command, ['--version'], { env, encoding: 'utf8', timeout: VERSION_WITHIN_MS });
  const [, major] = /chrom\D*(\d+)\./i.exec(asked.stdout ?? '') ?? [];
  if (asked.status !== 0 || major === undefined) return 'does not run';
  if (Number(major) < OLDEST_MAJOR) return `is version ${major}, and ${OLDEST_MAJOR} or newer is needed`;
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'roomy-chromium-'));
  try {
    const args = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', `--user-data-dir=${profile}`];
    const shown = spawnSync(command, [...args, '--dump-dom', 'data:text/html,<p>it%20works</p>'], {
      env,
      encoding: 'utf8',
      timeout: PAGE_WITHIN_MS,
      killSignal: 'SIGKILL',
    });
    return shown.stdout?.includes('<p>it works</p>') ? undefined : 'does not show a page';
  } finally {
    fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

function programIn(root: string): Program | undefined {
  const command = path.join(root, 'usr/lib/chromium/chromium');
  if (!fs.existsSync(command)) return undefined;
  // The sound library keeps a part of itself one folder deeper.
  const libraries = libraryDirectories(root).flatMap((folder) => [folder, path.join(folder, 'pulseaudio')]);
  const env = {
    PATH: process.env['PATH'],
    HOME: root,
    LD_LIBRARY_PATH: [path.dirname(command), ...libraries].join(path.delimiter),
    FONTCONFIG_FILE: fontsOf(root),
  };
  return faultOf({ command, env }) === undefined ? { command, env } : undefined;
}

/** The system may have no fonts, and looks for them in its own folders only. */
function fontsOf(root: string): string {
  const file = path.join(root, 'fonts.conf');
  fs.writeFileSync(
    file,
    `<?xml version="1.0"?><fontconfig><dir>/usr/share/fonts</dir><dir>${path.join(root, 'usr/share/fonts')}</dir>` +
      // Whatever a page asks for and is not there.
      '<match target="pattern"><edit name="family" mode="append_last" binding="strong"><string>DejaVu Sans</string></edit></match>' +
      `<cachedir>${path.join(root, 'font-cache')}</cachedir></fontconfig>`,
  );
  return file;
}
