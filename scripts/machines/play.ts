import fs from 'node:fs';
import path from 'node:path';
import { waitUntil } from '../services/process.ts';
import type { Play } from './machine.ts';
import { processesLeft, type Started, startCommand } from './processes.ts';

/** Runs `npm start` or `npm test` as a person does, and looks at what comes of it. */

export interface Stage {
  /** Holds the checkout and everything that the machine writes. */
  readonly folder: string;
  readonly checkout: string;
  /** No process may work here when a play is over. */
  readonly watched: string;
  readonly env: NodeJS.ProcessEnv;
  readonly account?: { readonly uid: number; readonly gid: number };
}

const READY_WITHIN_MS = 480_000;
const TESTED_WITHIN_MS = 600_000;
const STOPPED_WITHIN_MS = 60_000;
const ANSWER_WITHIN_MS = 20_000;
/** Without services, and with Postgres and Redis. */
const FILES = ['src/kernel/money.test.ts', 'test/integration/brief.test.ts'];

/** Throws what was wrong. */
export async function play(each: Play, stage: Stage): Promise<void> {
  if (each.what === 'production') return playProduction(each, stage);
  const { what, refused, says, files = [] } = each;
  const log = path.join(stage.folder, `${what}-${Date.now()}.log`);
  const command = what === 'start' ? ['npm', 'start'] : ['npm', 'test', '--', ...FILES, ...files];
  const run = startCommand(command, { ...stage, cwd: stage.checkout });
  try {
    if (refused) await isRefused(run, refused);
    else await (what === 'start' ? serves(run) : passes(run));
    if (says && !says.test(run.output())) throw new Error(`it does not say ${says}`);
    const left = await processesLeft(stage.watched);
    if (left.length > 0) throw new Error(`processes are left: ${left.join('; ')}`);
  } finally {
    run.signal('SIGKILL');
    fs.writeFileSync(log, run.output());
  }
}

/** What people run where nothing for development is installed; each ends by itself, for want of a setting or of Node. */
const PROGRAMS = ['api', 'worker', 'migrate', 'token'];
const SECRET = 'local:0123456789-abcdefghijklmnopqrstuvwxyz';

/** Every program is refused in one line, or the one that needs no service does its work. */
async function playProduction({ refused }: Play, stage: Stage): Promise<void> {
  const run = async (command: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Started> => {
    const started = startCommand(command, { ...stage, env: { ...stage.env, ...env }, cwd: stage.checkout });
    await within(started, TESTED_WITHIN_MS, () => false);
    return started;
  };
  const installed = await run(['npm', 'ci', '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error']);
  if (installed.code() !== 0) throw new Error(`npm ci --omit=dev: ${installed.output()}`);
  if (refused)
    for (const program of PROGRAMS) {
      const tried = await run(['npm', 'run', '--silent', program]);
      const lines = tried.output().trim().split('\n');
      if (tried.code() === 0 || lines.length !== 1 || !refused.test(tried.output()))
        throw new Error(`npm run ${program} ended with ${tried.code()} and said: ${tried.output()}`);
    }
  else {
    const token = await run(['npm', 'run', '--silent', 'token', '--', '--role', 'ADMIN', '--sub', 'admin-1'], {
      JWT_KEYS: SECRET,
    });
    if (token.code() !== 0 || !/^ey\S+$/.test(token.output().trim())) throw new Error(`no token: ${token.output()}`);
  }
}

async function isRefused(run: Started, refused: RegExp): Promise<void> {
  await within(run, READY_WITHIN_MS, () => false);
  if (run.code() === 0) throw new Error('it ended well');
  if (!refused.test(run.output().replaceAll('\n', ' '))) throw new Error(`it does not say ${refused}`);
}

async function passes(run: Started): Promise<void> {
  await within(run, TESTED_WITHIN_MS, () => false);
  if (run.code() !== 0) throw new Error(`npm test ended with ${run.code()}`);
}

async function serves(run: Started): Promise<void> {
  await within(run, READY_WITHIN_MS, () => run.output().includes('Ctrl-C stops everything'));
  if (run.code() !== undefined) throw new Error(`npm start ended with ${run.code()}`);
  await addressesAnswer(run.output());
  run.signal('SIGINT');
  if (!(await waitUntil(() => run.code() !== undefined, STOPPED_WITHIN_MS))) throw new Error('Ctrl-C does not stop it');
  if (![0, 130].includes(run.code() ?? -1)) throw new Error(`Ctrl-C ends it with ${run.code()}`);
}

/** Until it has ended or `done`. */
async function within(run: Started, withinMs: number, done: () => boolean): Promise<void> {
  if (!(await waitUntil(() => run.code() !== undefined || done(), withinMs, 100)))
    throw new Error(`not done within ${withinMs / 1000} s`);
}

async function addressesAnswer(printed: string): Promise<void> {
  const addresses = [...new Set(printed.match(/http:\/\/localhost:\d+[^\s'"]*/g) ?? [])];
  const api = addresses.find((address) => address.endsWith('/api/production'));
  const queues = addresses.find((address) => address.endsWith('/queues'));
  const token = /ADMIN\s+(ey\S+)/.exec(printed)?.[1];
  const opsToken = /OPS\s+(ey\S+)/.exec(printed)?.[1];
  if (api === undefined || queues === undefined || token === undefined || opsToken === undefined)
    throw new Error('no addresses or tokens were printed');
  for (const address of addresses) {
    const { status } = await ask(address);
    // Those of the API without a path and those behind the login answer, but not to everybody.
    if (status >= 500 || (status === 404 && !/\/api\/production/.test(address)))
      throw new Error(`${address} answers ${status}`);
  }
  await signsIn(queues, opsToken);
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const reservation = `${api}/reservations/reservation-1`;
  const known = await ask(reservation, { headers });
  if (known.status !== 200) throw new Error(`GET ${reservation} answers ${known.status}`);
  if (/"status":"PENDING"/.test(await known.text())) {
    const body = '{"confirmedBy":"agent-1","notes":"Confirmed after availability check"}';
    const confirmed = await ask(`${reservation}/confirm`, { method: 'POST', headers, body });
    if (confirmed.status !== 200) throw new Error(`the first request answers ${confirmed.status}`);
  }
  if (!/"status":"CONFIRMED"/.test(await (await ask(reservation, { headers })).text()))
    throw new Error('the reservation is not confirmed');
  if ((await ask(reservation)).status !== 401) throw new Error('it answers without a token');
}

async function signsIn(queues: string, token: string): Promise<void> {
  const body = new URLSearchParams({ token, next: '/queues' });
  const origin = new URL(queues).origin;
  const answer = await ask(`${origin}/login`, { method: 'POST', headers: { origin }, body });
  if (answer.status !== 303) throw new Error(`the login of the operators answers ${answer.status}`);
  const cookie = answer.headers.getSetCookie().map((line) => line.split(';')[0]);
  const board = await ask(queues, { headers: { cookie: cookie.join('; ') } });
  if (board.status !== 200) throw new Error(`${queues} answers ${board.status} after the login`);
}

const ask = (address: string, init: RequestInit = {}): Promise<Response> =>
  fetch(address, { redirect: 'manual', signal: AbortSignal.timeout(ANSWER_WITHIN_MS), ...init });
