import fs from 'node:fs';
import path from 'node:path';
import { clockOfThisProcess, type GuardedProcess, spawnGuarded, waitUntil } from '../../../scripts/services/process.ts';
import { PROGRAM_FLAGS } from '../../../scripts/services/program-flags.ts';

/** The supervisor of the product's processes: whatever dies is started again, as a real one would. */
export interface Fleet {
  launch(name: string, plan: LaunchPlan): Promise<void>;
  /** The members whose name begins so and that run now. */
  running(prefix: string): readonly string[];
  /** Resolves once the member has logged the word, `ready` by default, since its last start. */
  ready(name: string, withinMs?: number, word?: 'ready' | 'listening'): Promise<void>;
  kill(name: string): Promise<void>;
  /** SIGSTOP or SIGCONT. */
  signal(name: string, signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** Ends it for good, in order. */
  retire(name: string): Promise<void>;
  /** Resolves with how the present process of the member ends. */
  ended(name: string): Promise<string>;
  /** Ends that nobody had asked for: crashes. */
  readonly surprises: readonly string[];
  /** Ends that somebody else asked for by a signal, such as another user of this machine. */
  readonly interferences: readonly string[];
  readonly starts: () => number;
  close(): Promise<void>;
}
export interface LaunchPlan {
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
  /** Default: start again whatever ends. */
  readonly respawn?: boolean;
}

interface Member extends LaunchPlan {
  readonly name: string;
  readonly log: string;
  process: GuardedProcess;
  logOffset: number;
  /** The end that comes next was asked for. */
  expected: boolean;
  wanted: boolean;
}

const RESPAWN_AFTER_MS = 100;
const READY_WITHIN_MS = 30_000;

export function createFleet(root: string, directory: string): Fleet {
  const members = new Map<string, Member>();
  const surprises: string[] = [];
  const interferences: string[] = [];
  let starts = 0;
  let closing = false;

  function get(name: string): Member {
    const member = members.get(name);
    if (!member) throw new RangeError(`no member ${name}`);
    return member;
  }

  async function run(plan: LaunchPlan, log: string): Promise<GuardedProcess> {
    const output = fs.openSync(log, 'a');
    starts += 1;
    return spawnGuarded(process.execPath, [...PROGRAM_FLAGS, path.join(root, plan.program)], {
      stopSignal: 'SIGTERM',
      graceMs: 5_000,
      spawn: {
        cwd: root,
        // Flags and cache as `npm start` has them.
        env: {
          ...clockOfThisProcess(),
          PATH: process.env.PATH,
          NODE_COMPILE_CACHE: path.join(directory, 'compile-cache'),
          ...plan.env,
        },
        stdio: ['ignore', output, output],
      },
    }).finally(() => fs.closeSync(output));
  }

  function watch(member: Member): void {
    const { process: current } = member;
    void current.ended.then(async (how) => {
      if (!member.expected && !closing) {
        const isExpected = how === 'SIGTERM' || how === 'SIGINT' || said(member, 'stopping');
        (isExpected ? interferences : surprises).push(`${member.name} ended: ${how}`);
      }
      member.expected = false;
      if (!member.wanted || member.respawn === false) return;
      await new Promise((resolve) => setTimeout(resolve, RESPAWN_AFTER_MS));
      if (!member.wanted || closing) return;
      member.logOffset = sizeOf(member.log);
      member.process = await run(member, member.log);
      watch(member);
    });
  }

  return {
    launch: async (name, plan) => {
      const log = path.join(directory, `${name}.log`);
      const logOffset = sizeOf(log);
      const member: Member = {
        ...plan,
        name,
        log,
        logOffset,
        process: await run(plan, log),
        expected: plan.respawn === false,
        wanted: true,
      };
      members.set(name, member);
      watch(member);
    },
    running: (prefix) =>
      [...members.values()]
        .filter((one) => one.name.startsWith(prefix) && one.process.running())
        .map((one) => one.name),
    ready: async (name, withinMs = READY_WITHIN_MS, word = 'ready') => {
      const member = get(name);
      if (!(await waitUntil(() => member.process.running() && said(member, word), withinMs, 50)))
        throw new Error(`${name} was not ${word} within ${withinMs} ms, see ${member.log}`);
    },
    kill: async (name) => {
      const member = get(name);
      member.expected = true;
      await member.process.kill();
    },
    signal: (name, signal) => {
      get(name).process.child.kill(signal);
    },
    retire: async (name) => {
      const member = get(name);
      member.wanted = false;
      member.expected = true;
      member.process.child.kill('SIGCONT');
      await member.process.stop();
    },
    ended: (name) => get(name).process.ended,
    surprises,
    interferences,
    starts: () => starts,
    close: async () => {
      closing = true;
      await Promise.all(
        [...members.values()].map(async (member) => {
          member.wanted = false;
          await member.process.kill();
        }),
      );
    },
  };
}

/** Whether the present process of the member has logged this. */
const said = (member: Member, message: string): boolean =>
  fs.readFileSync(member.log).subarray(member.logOffset).includes(`"msg":"${message}"`);

const sizeOf = (file: string): number => fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
