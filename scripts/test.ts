import { spawn } from 'node:child_process';
import path from 'node:path';
import { watchLifeline } from './lifeline.ts';

/**
 * `npm test`, `npm run test:unit` and the like: vitest under the Node that the project brings, which stops with whoever
 * started it. Words are passed on to vitest. All of the tests have to cover what `vitest.config.ts` demands; a part of
 * them is not measured. With `--watch` it stays and runs again what a change concerns.
 */
const root = path.resolve(import.meta.dirname, '..');
const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
const given = process.argv.slice(2);
const words = given.filter((word) => word !== '--watch');
const run = given.length > words.length ? 'watch' : 'run';
const child = spawn(process.execPath, [vitest, run, ...(given.length === 0 ? ['--coverage'] : words)], {
  cwd: root,
  stdio: 'inherit',
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
watchLifeline(() => child.kill('SIGTERM'));
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
