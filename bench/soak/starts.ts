import fs from 'node:fs';
import path from 'node:path';
import { freePort, spawnGuarded, waitUntil } from '../../scripts/services/process.ts';
import { PROGRAM_FLAGS } from '../../scripts/services/program-flags.ts';

/** How long programs take from their beginning until they say that they are ready. */

const ROOT = path.join(import.meta.dirname, '../..');
const READY_WITHIN_MS = 120_000;
const LOOK_EVERY_MS = 5;
const GRACE_MS = 20_000;

/** `npm start` with its own services: begun once, so that its data is there, and then so many times. */
export async function warmStarts(directory: string, times: number): Promise<readonly number[]> {
  const data = path.join(directory, 'start');
  fs.mkdirSync(data, { recursive: true });
  // Postgres may run under another account, which must be able to get there.
  fs.chmodSync(data, 0o755);
  const env = { ROOMY_DATA_DIR: data, PORT: String(await freePort()), OPS_PORT: 'off', HOST: '127.0.0.1' };
  const start = () => readyAfter('scripts/start.ts', env, /^Ready in /m);
  await start();
  const took: number[] = [];
  for (let no = 0; no < times; no += 1) took.push(await start());
  return took;
}

export async function workerStarts(env: Readonly<Record<string, string>>, times: number): Promise<readonly number[]> {
  const took: number[] = [];
  const start = () => readyAfter('src/worker.ts', env, /"msg":"ready"/);
  await start();
  for (let no = 0; no < times; no += 1) took.push(await start());
  return took;
}

async function readyAfter(script: string, env: Readonly<Record<string, string>>, ready: RegExp): Promise<number> {
  const startedAt = performance.now();
  const program = await spawnGuarded(
    process.execPath,
    [...(script.startsWith('src/') ? PROGRAM_FLAGS : []), path.join(ROOT, script)],
    {
      stopSignal: 'SIGTERM',
      graceMs: GRACE_MS,
      spawn: { cwd: ROOT, env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
    },
  );
  try {
    let said = '';
    let at = 0;
    const listen = (chunk: Buffer): void => {
      said += chunk.toString('utf8');
      if (at === 0 && ready.test(said)) at = performance.now();
    };
    program.child.stdout?.on('data', listen);
    program.child.stderr?.on('data', listen);
    await waitUntil(() => at > 0 || !program.running(), READY_WITHIN_MS, LOOK_EVERY_MS);
    if (at === 0) throw new Error(`${script} was not ready:\n${said.slice(-2_000)}`);
    return at - startedAt;
  } finally {
    await program.stop();
  }
}
