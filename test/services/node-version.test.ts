import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

/** The message for a Node that is too old, and for a system that is not supported: one line each. */

const root = path.join(import.meta.dirname, '../..');
const { scripts, engines, devEngines }: { scripts: Record<string, string>; engines: object; devEngines: object } =
  JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));

const preload = (code: string): readonly string[] => ['--import', `data:text/javascript,${encodeURIComponent(code)}`];
const ofNode = (version: string): readonly string[] =>
  preload(`Object.defineProperty(process.versions, 'node', { value: '${version}' })`);

const programs = Object.entries(scripts).filter(([, command]) => /\.ts\b/.test(command));

describe('the version of Node', () => {
  it('is what package.json says: 26 for the programs, 20 for the commands that bring 26 themselves', () => {
    expect(engines).toEqual({ node: '>=26' });
    expect(devEngines).toEqual({ runtime: { name: 'node', version: '>=20', onFail: 'warn' } });
  });

  it.each(programs)('is looked at by npm run %s before its TypeScript is read', (_name, command) => {
    expect(command).toMatch(
      /^node (scripts\/bootstrap\.mjs|(--max-\S+ )*--import \.\/scripts\/needs-node-26\.mjs) \S+\.ts\b/,
    );
  });

  it.each(['20.20.2', '22.23.3', '24.21.0', '25.9.0'])('%s is refused in one line', (version) => {
    const args = [...ofNode(version), '--import', './scripts/needs-node-26.mjs', 'src/api.ts'];
    const { status, stderr, stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', env: {} });
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^Node 26 or newer is needed, this is v\S+\. .*\n$/);
  });

  it('26 goes on', () => {
    const args = ['--import', './scripts/needs-node-26.mjs', '--eval', 'console.log("on")'];
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', env: {} });
    expect([status, stdout]).toEqual([0, 'on\n']);
  });

  it.each([
    ['Node 18', ofNode('18.20.8'), /^Node 20 or newer is needed, this is v\S+\.\n$/],
    [
      'Windows',
      preload("Object.defineProperty(process, 'platform', { value: 'win32' })"),
      /^On Windows, Roomy runs within WSL: run "winget install Microsoft\.WSL" .*\n$/,
    ],
  ])('%s: npm start and npm test say in one line what is needed', (_name, imports, line) => {
    const args = [...imports, 'scripts/bootstrap.mjs', 'scripts/start.ts'];
    const { status, stderr, stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', env: {} });
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(line);
  });
});
