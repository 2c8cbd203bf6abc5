import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { watchLifeline } from './lifeline.ts';

/**
 * `npm run fuzz`: requests and bytes that nobody thought of, to every route as every caller (test/fuzz). Postgres and Redis are
 * started for it, on this machine alone. Exits 1 when something answers 5xx, leaks, writes although it is refused, or is not as
 * the document of the API says.
 *
 * --seed N     the same inputs again; without, one is drawn and printed
 * --inputs N   how many; 130 000 unless it is said
 * --json FILE  where the counts go; .roomy/fuzz.json
 */
const { values } = parseArgs({
  options: { seed: { type: 'string' }, inputs: { type: 'string' }, json: { type: 'string' } },
});
const whole = (name: string, text: string): number => {
  const number = Number(text);
  if (!/^\d{1,9}$/.test(text) || number < 1) throw new Error(`--${name} must be a whole number from 1 to 999999999`);
  return number;
};
const seed = values.seed === undefined ? randomInt(1, 1_000_000) : whole('seed', values.seed);
const inputs = whole('inputs', values.inputs ?? '130000');
const root = path.resolve(import.meta.dirname, '..');
const json = path.resolve(values.json ?? path.join(root, '.roomy/fuzz.json'));
fs.mkdirSync(path.dirname(json), { recursive: true });
console.log(`seed ${seed}, ${inputs} inputs`);

const child = spawn(
  process.execPath,
  [path.join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--config', 'vitest.fuzz.config.ts'],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      ROOMY_FUZZ_SEED: String(seed),
      ROOMY_FUZZ_INPUTS: String(inputs),
      ROOMY_FUZZ_JSON: json,
    },
  },
);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
watchLifeline(() => child.kill('SIGTERM'));
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
