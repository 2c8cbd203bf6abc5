import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { executablesOnPath } from '../services/look-up.ts';
import type { Machine, RealPrograms } from './machine.ts';

/** A PATH that has just what a machine has. */

/** What the project looks for, in every name that packages give it: a machine has it only when it is listed. */
const LOOKED_FOR =
  /^(redis|valkey|chromium|chrome|google-chrome|postgres$|postmaster|initdb|pg_|psql|createdb|node$|nodejs|npm$|npx$|corepack|pnpm|yarn)/;

export function makePath(folder: string, machine: Machine, real: RealPrograms, installed: string): string {
  const bin = path.join(folder, 'bin');
  fs.mkdirSync(bin, { recursive: true });
  for (const [name, make] of Object.entries(machine.programs ?? {})) {
    const made = make(real);
    const file = path.join(bin, name);
    if ('link' in made) fs.symlinkSync(made.link, file);
    else fs.writeFileSync(file, `#!/bin/sh\n${made.script}\n`, { mode: 0o755 });
  }
  fs.symlinkSync(nodeOf(machine, installed), path.join(bin, 'node'));
  fs.symlinkSync(npmOf(machine, installed), path.join(bin, 'npm'));
  const tools = path.join(folder, 'tools');
  fs.mkdirSync(tools);
  for (const [name, file] of systemTools(machine.lacks ?? [])) fs.symlinkSync(file, path.join(tools, name));
  return [bin, tools].join(path.delimiter);
}

/** Everything else on the PATH of this system. */
function systemTools(lacks: readonly string[]): ReadonlyMap<string, string> {
  const tools = new Map<string, string>();
  for (const directory of ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']) {
    for (const name of fs.existsSync(directory) ? fs.readdirSync(directory) : []) {
      if (!LOOKED_FOR.test(name) && !lacks.includes(name) && !tools.has(name))
        tools.set(name, path.join(directory, name));
    }
  }
  return tools;
}

/** The one that started us, not the one that the project brings: on a machine nothing is installed yet. */
function nodeOf({ node }: Machine, installed: string): string {
  if (node === undefined) return process.env['npm_node_execpath'] ?? process.execPath;
  return path.join(install(`node@${node}`, installed), 'node/bin/node');
}

function npmOf({ npm }: Machine, installed: string): string {
  if (npm !== undefined) return path.join(install(`npm@${npm}`, installed), 'npm/bin/npm-cli.js');
  const own = process.env['npm_execpath'];
  return own !== undefined && /npm-cli\.[cm]?js$/.test(own) ? own : fs.realpathSync(onPath('npm'));
}

function onPath(name: string): string {
  const [found] = executablesOnPath([name]);
  if (found === undefined) throw new Error(`No ${name} on the PATH.`);
  return found;
}

/** Of the registry, kept for the next run. Returns its node_modules. */
function install(what: string, installed: string): string {
  const folder = path.join(installed, what.replace('@', '-'));
  const modules = path.join(folder, 'node_modules');
  if (fs.existsSync(path.join(folder, 'complete'))) return modules;
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'package.json'), '{"private":true,"allowScripts":{"node":true}}');
  const args = ['install', '--no-audit', '--no-fund', '--no-save', '--loglevel=error', what];
  const { status, stderr } = spawnSync(onPath('npm'), args, { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm install ${what} failed:\n${stderr}`);
  fs.writeFileSync(path.join(folder, 'complete'), '');
  return modules;
}
