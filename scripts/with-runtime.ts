import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { mergedByPlace } from './services/token-keys.ts';

/**
 * Runs a program with the environment of the `npm start` that is running, as far as variables are not set already:
 *   node scripts/with-runtime.ts src/token.ts --role ADMIN --sub admin-1
 */
const root = path.resolve(import.meta.dirname, '..');
const dataDir = path.resolve(root, process.env['ROOMY_DATA_DIR'] ?? '.roomy');

function recorded(name: string): Record<string, string> {
  try {
    const { pid: _pid, ...variables } = JSON.parse(fs.readFileSync(path.join(dataDir, name), 'utf8')) as Record<
      string,
      string
    >;
    return variables;
  } catch {
    return {};
  }
}

const [program = '', ...args] = process.argv.slice(2);
const runtime = recorded('runtime.json');
// PGSSLMODE and its like are for another server than the one that was started.
const ofOthers =
  runtime['DATABASE_URL'] !== undefined && process.env['DATABASE_URL'] === undefined ? /^PG[A-Z]+$/ : /^$/;
const own = Object.entries(process.env).filter(([name]) => !ofOthers.test(name));
// A token that was signed by another set of keys would be one that the running API does not know.
// The account of the owner belongs to its database.
if ((process.env['DATABASE_URL'] ?? '') !== '') delete runtime['OWNER_DATABASE_URL'];
const env = mergedByPlace([recorded('secrets.json'), runtime, Object.fromEntries(own)]);
const { status } = spawnSync(process.execPath, [path.resolve(root, program), ...args], { env, stdio: 'inherit' });
process.exitCode = status ?? 1;
