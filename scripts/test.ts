import { spawn } from 'node:child_process';
import path from 'node:path';
import { watchLifeline } from './lifeline.ts';

/**
 * `npm test`: vitest under the Node that the project brings, which stops with whoever started it. All of the tests have
 * to cover what `vitest.config.ts` demands; a part of them is not measured.
 */
const root = path.resolve(import.meta.dirname, '..');
const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
const chosen = process.argv.slice(2);
const args = ['run', ...(chosen.length === 0 ? ['--coverage'] : chosen)];
const child = spawn(process.execPath, [vitest, ...args], { cwd: root, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
watchLifeline(() => child.kill('SIGTERM'));
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
