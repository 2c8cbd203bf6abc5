import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fetchProgram, libraryDirectories, type Program } from './package.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/**
 * A Chromium to test pages in: `CHROMIUM_PATH`, one on the PATH, or the package of this Debian or Ubuntu unpacked into
 * the project. Throws with these ways when there is none.
 */
export function findChromium(say: (line: string) => void): Program {
  const given = process.env['CHROMIUM_PATH'];
  if (given) {
    if (runs(given, process.env)) return { command: given, env: process.env };
    throw new Error(advice(`CHROMIUM_PATH=${given} does not run`));
  }
  for (const name of NAMES) if (runs(name, process.env)) return { command: name, env: process.env };
  return fetchProgram(
    { name: 'chromium', packages: [['chromium', 'chromium-sandbox', 'fonts-dejavu-core']], find: programIn, advice },
    say,
  );
}

const advice = (problem: string): string =>
  `No Chromium: ${problem}. Install chromium so that it is on the PATH, or set CHROMIUM_PATH.`;

const runs = (command: string, env: NodeJS.ProcessEnv): boolean => {
  const { status, stdout } = spawnSync(command, ['--version'], { env, encoding: 'utf8' });
  return status === 0 && /chrom/i.test(stdout ?? '');
};

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
  return runs(command, env) ? { command, env } : undefined;
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
