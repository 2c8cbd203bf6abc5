import { createHash } from 'node:crypto';
import { Writable } from 'node:stream';
import {
  type CompiledQuery,
  type DialectAdapter,
  Kysely,
  PostgresDialect,
  type PostgresPool,
  type PostgresQueryResult,
  type Transaction,
} from 'kysely';
import pg from 'pg';
import { InvariantError, required } from '../kernel/errors.ts';
import { noOutages, type Outages } from '../kernel/outages.ts';
import { isMeasuring, observe, secondsSince } from '../kernel/telemetry/measure.ts';
import { isInTrace } from '../kernel/telemetry/tracing.ts';
import { isUnreachable } from './errors.ts';
import type { FieldKeys } from './field-keys.ts';
import type { Database } from './schema.ts';
import { traceStatement } from './traced.ts';

export type Db = Kysely<Database>;
export type Tx = Transaction<Database>;

export interface PoolOptions {
  readonly connectionString: string;
  readonly max: number;
  readonly applicationName: string;
  /** How long an answer is waited for; by default a little longer than the server may take for a statement. */
  readonly queryTimeoutMs?: number;
  /** Notified when the server goes away and when it answers again; connections that are cut are replaced by the pool. */
  readonly outages?: Outages;
}

/** bigint columns are bounded by 2^53-1 in the schema, so a number holds them. */
const types = new pg.TypeOverrides();
types.setTypeParser(pg.types.builtins.INT8, (text) => {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError('bigint beyond 2^53-1');
  return value;
});
/** A date is a local calendar day and must not become an instant. */
types.setTypeParser(pg.types.builtins.DATE, (text) => text);

/** Its name in the log. */
export const POSTGRES = 'postgres';
const watchers = new WeakMap<pg.Pool, Outages>();

export function createPool(options: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: options.max,
    application_name: options.applicationName,
    types,
    // Named statements of few rows: planned once a connection, and never worth compiling or starting processes for, which the
    // planner does once a table is large: a page of transactions took 6 ms instead of 1.5. What is read by an index is
    // cached or on a disk without arms; the default of 4 makes the planner read by age what an index serves by its key.
    options:
      '-c plan_cache_mode=force_generic_plan -c jit=off -c max_parallel_workers_per_gather=0 -c random_page_cost=1.1',
    connectionTimeoutMillis: 5_000,
    // Longer than the pauses of the schedules: a new connection plans all its statements anew.
    idleTimeoutMillis: 300_000,
    keepAlive: true,
    statement_timeout: 10_000,
    lock_timeout: 5_000,
    idle_in_transaction_session_timeout: 10_000,
    query_timeout: options.queryTimeoutMs ?? 15_000,
    // For what is sent by `onConnection`; whatever else asks waits for its answer.
    pipeline: true,
  });
  if (options.outages) watchers.set(pool, options.outages);
  return hearErrors(pool, (error) => options.outages?.failed(POSTGRES, error));
}

/** Keeps connections that are cut, idle, in use or on their way out, from ending the process by an `error` event that nobody hears. */
export function hearErrors(pool: pg.Pool, onIdle: (error: Error) => void = () => undefined): pg.Pool {
  pool.on('error', onIdle);
  // The pool listens on idle clients only; a query that one in use was running has failed by then.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** `fieldKeys`: by which this database and its transactions seal and open fields; null: in clear. */
export const createDb = (pool: pg.Pool, fieldKeys: FieldKeys | null = null): Db =>
  createDbOver(namingPool(pool), fieldKeys);

/** A database whose connections are lent by `pool`, as they are. */
export function createDbOver(pool: PostgresPool, fieldKeys: FieldKeys | null = null): Db {
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  pools.set(db, pool);
  keysOf.set(db.getExecutor().adapter, fieldKeys);
  return db;
}

/** By what a database has in common with its transactions. */
const keysOf = new WeakMap<DialectAdapter, FieldKeys | null>();
/** The keys of the fields of a database, or of the one that a transaction is of. */
export const fieldKeysOf = (db: Db | Tx): FieldKeys | null => keysOf.get(db.getExecutor().adapter) ?? null;

/** By which databases reach their server. */
const pools = new WeakMap<Db, PostgresPool>();
/** The pool behind a database. Throws for one that was not made here, such as a transaction. */
export const poolOf = (db: Db): PostgresPool => required(pools.get(db), 'the pool of a database');

/** Of a connection, to write to it less often, or to cut it; not in the types of pg. */
export function socketOf(client: object): Writable | null {
  const connection: unknown = Reflect.get(client, 'connection');
  const stream: unknown = connection instanceof Object ? Reflect.get(connection, 'stream') : null;
  return stream instanceof Writable ? stream : null;
}

/** Sends a statement behind those that were sent before it, and answers its rows. */
export type SendNext = <Row>(query: CompiledQuery<Row>) => Promise<readonly Row[]>;

/**
 * Lends a connection on which statements follow one another without waiting for the answers in between (pipelining). The
 * server runs them in order, and each is a transaction of its own: one that fails does not stop those behind it. The first
 * leaves at once; those that follow in the same turn of the event loop leave together.
 */
export const inSequence = <T>(db: Db, work: (send: SendNext) => T | Promise<T>): Promise<T> =>
  onConnection(db, 1, (ask) => work(sendBy(ask)));

/**
 * Statements that follow one another as in `inSequence`, all in one transaction, and leave together: one that fails undoes
 * all of them. Null: one has failed, and nothing was done. Throws when it is not known whether they were committed.
 */
export const inOneCommit = <T>(db: Db, work: (send: SendNext) => T): Promise<T | null> =>
  onConnection(db, 0, async (ask) => {
    void ask('begin');
    let value: T;
    try {
      value = work(sendBy(ask));
    } catch (error) {
      void ask('rollback');
      throw error;
    }
    // The server makes a rollback of it when something has failed, and answers an error for what it looks at only now.
    const ended = await ask('commit').catch((error: unknown) => {
      if (!(error instanceof pg.DatabaseError) || isUnreachable(error)) throw error;
      return null;
    });
    return ended?.command === 'COMMIT' ? value : null;
  });

/**
 * Lends a database with a single connection: what is asked together leaves together, and is answered in order. For a few quick
 * looks at once, which would each take a connection, with plans of its own. It knows no transactions, and how long an answer
 * is waited for counts from here for all of them.
 */
export const onOneConnection = <T>(db: Db, work: (one: Db) => Promise<T>): Promise<T> =>
  onConnection(db, 0, (ask) => {
    const client = { query: ask, release: () => undefined };
    const one = { connect: async () => client, end: async () => undefined } as unknown as PostgresPool;
    return work(createDbOver(one, fieldKeysOf(db)));
  });

type Ask = <Row>(text: string, values?: readonly unknown[]) => Promise<PostgresQueryResult<Row>>;

const sendBy =
  (ask: Ask): SendNext =>
  (query) => {
    const rows = ask<never>(query.sql, query.parameters).then((result) => result.rows);
    // Those that nobody waits for any more may fail as well.
    rows.catch(() => undefined);
    return rows;
  };

/** `atOnce`: so many of the first leave without waiting for the others. */
async function onConnection<T>(db: Db, atOnce: number, work: (ask: Ask) => T | Promise<T>): Promise<T> {
  const client = await poolOf(db).connect();
  const sent: Promise<unknown>[] = [];
  const socket = socketOf(client);
  let isHeld = false;
  let isOver = false;
  const hold = (): void => {
    if (isHeld || !socket) return;
    isHeld = true;
    socket.cork();
    setImmediate(() => {
      isHeld = false;
      socket.uncork();
    });
  };
  try {
    return await work(<Row>(text: string, values: readonly unknown[] = []) => {
      if (isOver) return Promise.reject(new InvariantError('a connection was lent, and is given back'));
      if (sent.length >= atOnce) hold();
      const answer = client.query<Row>(text, [...values]);
      answer.catch(() => undefined);
      sent.push(answer);
      return answer;
    });
  } finally {
    isOver = true;
    await Promise.allSettled(sent);
    client.release();
  }
}

/** Statements with distinct texts that are prepared per connection, at the most; later ones are sent unnamed. */
const MAX_NAMES = 500;
const names = new Map<string, string>();

function nameOf(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined) return known;
  if (names.size >= MAX_NAMES) return undefined;
  const name = createHash('sha1').update(text).digest('base64url');
  names.set(text, name);
  return name;
}

/**
 * Kysely sends its queries unnamed, so the server would parse and plan each anew, which was measured as 1.46 times the
 * CPU of everything. This pool names each query by the hash of its text; the server prepares it once per connection.
 */
function namingPool(pool: pg.Pool): pg.Pool {
  const wrapped = new WeakSet<pg.PoolClient>();
  /** Connections that did not answer in time: half open, perhaps for a quarter of an hour, so they are not used again. */
  const silent = new WeakSet<pg.PoolClient>();
  const outages = watchers.get(pool) ?? noOutages;
  const failed = (error: unknown): void => {
    if (isUnreachable(error)) outages.failed(POSTGRES, error);
  };
  const connect = async (): Promise<pg.PoolClient> => {
    const askedMs = performance.now();
    const client = await pool.connect().catch((error: unknown) => {
      failed(error);
      throw error;
    });
    if (isMeasuring()) observe('roomy_database_connect_seconds', secondsSince(askedMs), {});
    // The pool puts a fresh `release` on a client each time it hands it out.
    const release = client.release.bind(client);
    client.release = (error) => release(error || silent.has(client));
    if (!wrapped.has(client)) {
      wrapped.add(client);
      const query = client.query.bind(client) as (...args: readonly unknown[]) => unknown;
      const send = (...args: readonly unknown[]): unknown => {
        const sent = isInTrace() ? traceStatement(args[0], () => query(...args)) : query(...args);
        if (sent instanceof Promise) {
          sent.then(
            () => outages.answered(POSTGRES),
            (error: unknown) => {
              failed(error);
              if (error instanceof Error && error.message === 'Query read timeout') silent.add(client);
            },
          );
        }
        return sent;
      };
      client.query = ((text: unknown, values: unknown, ...rest: readonly unknown[]) => {
        if (typeof text !== 'string' || !Array.isArray(values) || values.length === 0)
          return send(text, values, ...rest);
        const name = nameOf(text);
        return name === undefined ? send(text, values, ...rest) : send({ name, text, values }, ...rest);
      }) as typeof client.query;
    }
    return client;
  };
  return new Proxy(pool, {
    get: (target, property) => {
      if (property === 'connect') return connect;
      const value: unknown = Reflect.get(target, property);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
