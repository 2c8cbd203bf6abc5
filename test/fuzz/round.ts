import { Agent, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closeServer, listen, type ServerLimits } from '../../src/listen.ts';
import { isObject, objectAt } from '../openapi/contract.ts';
import { type Answer, faultsOf, send } from './answers.ts';
import { type Input, isRead, makeInput, named, shown } from './inputs.ts';
import { seeded } from './random.ts';
import { type Bytes, exchange, faultsOfBytes, makeBytes } from './sockets.ts';
import { type Field, type Subject, startField } from './subjects.ts';
import { oddValues } from './values.ts';
import { changedTables, digestsOf, findWriters, tablesOf } from './writes.ts';

/** One round: so many inputs of one seed, to one system on a database of its own. */

export interface Report {
  readonly inputs: number;
  /** By route, or kind of bytes, and status. */
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** By caller. */
  readonly callers: Readonly<Record<string, number>>;
  /** Answers that a limit gave, 429 and 503. */
  readonly limited: number;
  /** All that is wrong, with its input. */
  readonly faults: readonly string[];
}

/** One in so many inputs goes over a socket of its own. */
const RAW_SHARE = 0.1;
const BATCH = 120;
const AT_ONCE = 4;
const SOCKETS_AT_ONCE = 40;
/** Slow clients of sockets are cut soon, so that a round need not wait for them. */
const QUICK: ServerLimits = { headersTimeoutMs: 400, requestTimeoutMs: 600, checkMs: 50 };
/** A request that a busy machine delays is not cut. */
const PATIENT: ServerLimits = { headersTimeoutMs: 120_000, requestTimeoutMs: 120_000, checkMs: 2_000 };

export async function runRound(seed: number, inputs: number): Promise<Report> {
  const field = await startField();
  const servers: Server[] = [];
  const open = async (limits: ServerLimits): Promise<number> => {
    const at = { host: '127.0.0.1', port: 0, keepAliveMs: 60_000 };
    const server = (await listen('PORT', at, field.http.app.fetch, limits)) as Server;
    servers.push(server);
    return (server.address() as AddressInfo).port;
  };
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  try {
    const round = createRound(field, { port: await open(PATIENT), quick: await open(QUICK), agent });
    const random = seeded(seed);
    const values = oddValues(seed);
    const sockets = Math.floor(inputs * RAW_SHARE);
    for (let made = 0; made < inputs - sockets; made += BATCH) {
      const size = Math.min(BATCH, inputs - sockets - made);
      await round.requests(
        Array.from({ length: size }, () =>
          makeInput({ random, values, field }, (subject) => parametersOf(field, subject)),
        ),
      );
    }
    await round.bytes(Array.from({ length: sockets }, () => makeBytes(random, { field, values })));
    return round.report();
  } finally {
    agent.destroy();
    await Promise.all(servers.map((server) => closeServer(server)));
    await field.stop();
  }
}

function parametersOf({ contract }: Field, { method, path }: Subject): readonly string[] {
  const listed = contract.operationAt(method, path)?.operation['parameters'];
  return (Array.isArray(listed) ? listed : []).flatMap((one: unknown) => {
    const { in: place, name } = contract.resolve(one);
    return place === 'query' && typeof name === 'string' ? [name] : [];
  });
}

interface Reached {
  readonly port: number;
  readonly quick: number;
  readonly agent: Agent;
}
function createRound(field: Field, { port, quick, agent }: Reached) {
  const { db } = field.http;
  const counts: Record<string, Record<string, number>> = {};
  const callers: Record<string, number> = {};
  const faults: string[] = [];
  let inputs = 0;
  let limited = 0;
  const count = (what: string, status: string): void => {
    const here = counts[what] ?? {};
    counts[what] = { ...here, [status]: (here[status] ?? 0) + 1 };
  };
  let tables: readonly string[] | null = null;

  const ask = async (input: Input): Promise<Answer | null> => {
    try {
      return await send(port, agent, input);
    } catch (error) {
      faults.push(`no answer (${String(error)})\n    ${shown(input)}`);
      return null;
    }
  };
  const first = async (input: Input): Promise<Answer | null> => {
    const answer = await ask(input);
    inputs += 1;
    callers[input.caller] = (callers[input.caller] ?? 0) + 1;
    count(input.route, answer === null ? 'none' : String(answer.status));
    if (answer === null) return null;
    if (answer.status === 429 || answer.status === 503) limited += 1;
    for (const fault of faultsOf(field, input, answer))
      faults.push(`${fault}: ${named(answer.status)} ${answer.text.slice(0, 300)}\n    ${shown(input)}`);
    return answer;
  };
  /** Whether all were refused, or read. */
  const again = async (some: readonly Input[]): Promise<boolean> => {
    const answers = await inTurns(some, AT_ONCE, ask);
    return answers.every((answer, n) => !mayWrite(some[n], answer));
  };

  return {
    async requests(batch: readonly Input[]): Promise<void> {
      tables ??= await tablesOf(db);
      const before = await digestsOf(db, tables);
      const answers = await inTurns(batch, AT_ONCE, first);
      const refused = batch.filter((input, n) => !mayWrite(input, answers[n] ?? null));
      const changed = refused.length < batch.length ? ['?'] : changedTables(before, await digestsOf(db, tables));
      if (changed.length === 0) return;
      for (const { input, tables: written } of await findWriters(db, tables, refused, again))
        faults.push(`writes to ${written.join(', ')} although it is refused or reads\n    ${shown(input)}`);
    },
    async bytes(all: readonly Bytes[]): Promise<void> {
      await inTurns(all, SOCKETS_AT_ONCE, async (bytes) => {
        const text = await exchange(quick, bytes).catch((error: unknown) => error as Error);
        inputs += 1;
        const what = `socket: ${bytes.kind}`;
        const said = JSON.stringify(
          Buffer.concat([...bytes.parts])
            .toString('latin1')
            .slice(0, 500),
        );
        if (typeof text !== 'string') return void faults.push(`${text.message}\n    ${what} ${said}`);
        const { statuses, faults: found } = faultsOfBytes(field, bytes, text);
        count(what, statuses.length === 0 ? 'none' : statuses.join('+'));
        for (const fault of found) faults.push(`${fault}: ${text.slice(0, 600)}\n    ${what} ${said}`);
      });
      const alive = await fetch(`http://127.0.0.1:${quick}/health/live`);
      if (!alive.ok) faults.push(`after the sockets /health/live answers ${alive.status}`);
    },
    report: (): Report => ({ inputs, counts, callers, limited, faults }),
  };
}

/** A look at all of the books is remembered, so that the next one looks at what has changed since. */
const REMEMBERED = /\/financial\/integrity\?.*full=true/;
/** Was neither refused nor a read. */
const mayWrite = (input: Input | undefined, answer: Answer | null): boolean =>
  input !== undefined && (!isRead(input) || REMEMBERED.test(input.target)) && (answer === null || answer.status < 400);

async function inTurns<T, R>(all: readonly T[], atOnce: number, work: (one: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  const queue = all.entries();
  const turn = async (): Promise<void> => {
    for (const [n, one] of queue) results[n] = await work(one);
  };
  await Promise.all(Array.from({ length: atOnce }, turn));
  return results;
}

/** Of several rounds. */
export function sum(reports: readonly Report[]): Report {
  const add = (a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> => {
    const both = { ...a };
    for (const [name, n] of Object.entries(b)) both[name] = (both[name] ?? 0) + n;
    return both;
  };
  return reports.reduce((one, other) => {
    const counts: Record<string, Readonly<Record<string, number>>> = { ...one.counts };
    for (const [name, statuses] of Object.entries(other.counts)) counts[name] = add(counts[name] ?? {}, statuses);
    return {
      inputs: one.inputs + other.inputs,
      counts,
      callers: add(one.callers, other.callers),
      limited: one.limited + other.limited,
      faults: [...one.faults, ...other.faults],
    };
  });
}

export const routesWithout = ({ counts }: Report, names: readonly string[]): readonly string[] =>
  names.filter((name) => !isObject(objectAt(counts)[name]));
