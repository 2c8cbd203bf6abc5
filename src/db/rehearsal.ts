import type { PostgresCursor, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import { InvariantError, RoomyError } from '../kernel/errors.ts';
import { createRunSlots } from '../kernel/run-slots.ts';
import { createDbOver, type Db, fieldKeysOf, poolOf } from './client.ts';

/**
 * A database all of whose statements and transactions are parts of one transaction, which is rolled back: what runs on it finds
 * what it has written before, and leaves nothing behind. A transaction is a savepoint in it, and so is a statement outside of
 * one, which by itself would be a transaction, too. `now()` is the same for all of it.
 */

/** Rather than to wait for somebody who works on the same rows, a rehearsal gives up. */
const LOCK_TIMEOUT_MS = 250;
/** While it runs it holds locks that real work may wait for. */
const STATEMENT_TIMEOUT_MS = 2_000;

/** Of a process: each takes a connection for as long as it runs, and real work needs some as well. */
const AT_ONCE = 3;
const slots = createRunSlots({ max: AT_ONCE });
/** More wait for their turn than a person would wait for: of one person or one subject, and of all. */
const MAX_IN_LINE = 12;
const MAX_WAITING = 60;

/**
 * Those of one asker come one after the other, so that nobody is kept from planning by somebody else's plans; and those of one subject,
 * so that a change that waits for its lock gets it between two of them. Locks that share a row would let it wait for all.
 */
export interface Turn {
  readonly asker: string;
  readonly subject: string;
}
interface Line {
  waiting: number;
  last: Promise<unknown>;
}
const lines = new Map<string, Line>();
let waiting = 0;

/** Runs work when all that came before it in its line is over. */
async function inLine<T>(name: string, work: () => Promise<T>): Promise<T> {
  const line = lines.get(name) ?? { waiting: 0, last: Promise.resolve() };
  if (line.waiting >= MAX_IN_LINE) throw tooMany();
  lines.set(name, line);
  line.waiting += 1;
  const turn = line.last.then(work);
  line.last = turn.catch(() => undefined);
  try {
    return await turn;
  } finally {
    line.waiting -= 1;
    if (line.waiting === 0) lines.delete(name);
  }
}

async function inSlot<T>(work: () => Promise<T>): Promise<T> {
  const release = await new Promise<() => void>((resolve) => slots.request(() => resolve(slots.take(() => undefined))));
  try {
    return await work();
  } finally {
    release();
  }
}

const tooMany = (): RoomyError =>
  new RoomyError('SERVICE_UNAVAILABLE', { text: 'Too many plans are being made just now: ask again' });

/** Runs `work` on such a database, a few of them at a time. Whatever comes of it, nothing is committed. Throws what `work` throws. */
export async function inRehearsal<T>(db: Db, { asker, subject }: Turn, work: (db: Db) => Promise<T>): Promise<T> {
  if (waiting >= MAX_WAITING) throw tooMany();
  waiting += 1;
  try {
    return await inLine(`asker ${asker}`, () => inLine(`subject ${subject}`, () => inSlot(() => rolledBack(db, work))));
  } finally {
    waiting -= 1;
  }
}

async function rolledBack<T>(db: Db, work: (db: Db) => Promise<T>): Promise<T> {
  const client = await poolOf(db).connect();
  let isClean = false;
  try {
    await client.query('BEGIN', []);
    await client.query(`SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)`, [
      String(LOCK_TIMEOUT_MS),
      String(STATEMENT_TIMEOUT_MS),
    ]);
    return await work(createDbOver(within(client), fieldKeysOf(db)));
  } finally {
    await client.query('ROLLBACK', []).then(
      () => {
        isClean = true;
      },
      () => undefined,
    );
    client.release(!isClean);
  }
}

const KNOWN = new Set(['begin', 'commit', 'rollback']);
/** A savepoint that is taken back ends none. */
const ENDS = /^\s*(begin|commit|end|rollback(?!\s+to\b)|abort|prepare\s+transaction)\b/i;
const DONE: PostgresQueryResult<never> = { command: 'COMMIT', rowCount: 0, rows: [] };

/** Lends the one connection to as many as ask, in the form of connections of their own. */
function within(client: PostgresPoolClient) {
  let last: Promise<unknown> = Promise.resolve();
  let made = 0;
  /** One after the other: a savepoint and what belongs to it stand together. */
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work);
    last = next.catch(() => undefined);
    return next;
  };
  const newName = (): string => {
    made += 1;
    return `rehearsed_${made}`;
  };
  const send = (text: string): Promise<unknown> => client.query(text, []);
  const takeBack = async (name: string): Promise<void> => {
    await send(`ROLLBACK TO SAVEPOINT ${name}`);
    await send(`RELEASE SAVEPOINT ${name}`);
  };
  /** Constraints that Postgres checks at a commit are checked at the end of each step here, where a real one would commit. */
  const settle = async (name: string): Promise<void> => {
    try {
      await send('SET CONSTRAINTS ALL IMMEDIATE');
      await send('SET CONSTRAINTS ALL DEFERRED');
    } catch (error) {
      await takeBack(name);
      throw error;
    }
    await send(`RELEASE SAVEPOINT ${name}`);
  };

  class Lent {
    /** Of the transaction that is open on it. */
    #savepoint: string | null = null;

    query<R>(text: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>;
    query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
    query<R>(
      text: string | PostgresCursor<R>,
      parameters: readonly unknown[] = [],
    ): Promise<PostgresQueryResult<R>> | PostgresCursor<R> {
      if (typeof text !== 'string') throw new InvariantError('a rehearsal reads no cursors');
      return alone(() => this.#run<R>(text, parameters));
    }

    release(): void {}

    async #run<R>(text: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>> {
      const name = this.#savepoint;
      // Whatever ends a transaction would end the rehearsal's, and make it true.
      if (!KNOWN.has(text) && ENDS.test(text)) throw new InvariantError(`a rehearsal does not know "${text}"`);
      if (text === 'begin' || text.startsWith('start transaction')) {
        this.#savepoint = newName();
        await send(`SAVEPOINT ${this.#savepoint}`);
        return DONE;
      }
      if (name === null) return asTransaction(() => client.query<R>(text, parameters));
      if (text !== 'commit' && text !== 'rollback') return client.query<R>(text, parameters);
      this.#savepoint = null;
      await (text === 'commit' ? settle(name) : takeBack(name));
      return DONE;
    }
  }

  async function asTransaction<T>(work: () => Promise<T>): Promise<T> {
    const name = newName();
    await send(`SAVEPOINT ${name}`);
    let done: T;
    try {
      done = await work();
    } catch (error) {
      await takeBack(name);
      throw error;
    }
    await settle(name);
    return done;
  }

  return { connect: async () => new Lent(), end: async () => undefined, options: {} };
}
