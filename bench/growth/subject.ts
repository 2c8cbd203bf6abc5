import pg from 'pg';
import { waitUntil } from '../../scripts/services/process.ts';
import { passNightly, verifyMarked } from '../../src/domain/finance/integrity-now.ts';
import type { Request } from '../../test/history/requests.ts';
import type { Action } from '../actions.ts';
import type { Client } from '../http.ts';
import type { LoadPlan } from '../load.ts';
import type { Started } from '../programs.ts';
import { everySecond } from '../stay.ts';
import { startSystem } from '../system.ts';
import type { Blocks, Cost } from './figures.ts';
import { type History, run, seedStays, urlOf, withDb } from './history.ts';

/** The product's own programs over one history. Only one of several workers is awake at a time, and none while reads are measured. */
export interface Subject {
  readonly history: History;
  wake(): Promise<void>;
  /** Ends what is under way, and stops the worker where it is. The API does nothing unless it is asked. */
  sleep(): Promise<void>;
  /** One GET, so many times. */
  read(request: Request, times: number): Promise<Cost>;
  /** Whole stays: what the sagas cost, by operation. */
  stays(count: number): Promise<ReadonlyMap<string, Cost>>;
  /** As autovacuum keeps it; and everything that a night looks at has been looked at. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** Answers about what few stays have. */
const NOTHING_THERE = new Set([404, 409, 422]);
const AT_ONCE = 8;
const LONGEST_SECONDS = 120;
const AWAKE_MS = 500;
/** Of upcoming stays when the measuring begins. */
const UPCOMING = 200;

export async function startSubject(started: Started, history: History): Promise<Subject> {
  const url = urlOf(started.postgres.url, history.database);
  const blocks = await blockMeter(started.postgres.url, history.database);
  let next = await staysBefore(url);
  const env = { EVENT_RETENTION_DAYS: '36500', DATABASE_POOL: '10' };
  const none = { confirm: 0, rollback: 0 };
  const system = await startSystem(started, none, { name: history.database, existing: url, env });
  const clients = new Map<string, Client>();
  const clientOf = ({ roles }: Request): Client => {
    const role = roles === null || roles.includes('ADMIN') ? 'ADMIN' : (roles[0] ?? 'ADMIN');
    const client = clients.get(role) ?? system.clientOf(role, `${role.toLowerCase()}-h1`);
    clients.set(role, client);
    return client;
  };
  const measured = async (units: number, work: () => Promise<unknown>): Promise<Cost> => {
    const blocksBefore = await blocks.read();
    const stop = system.exactMeter();
    const startedAt = performance.now();
    await work();
    const ms = performance.now() - startedAt;
    const { cpuMs } = stop();
    const byStatement = new Map<string, number>();
    for (const [statement, after] of await blocks.read()) {
      const read = after - (blocksBefore.get(statement) ?? 0);
      if (read > 0) byStatement.set(statement, read / units);
    }
    return {
      cpuMs: cpuMs === null ? null : cpuMs / units,
      ms: ms / units,
      blocks: byStatement.values().reduce((sum, read) => sum + read, 0),
      byStatement,
    };
  };
  const take = async (count: number): Promise<number> => {
    const from = next;
    next += count;
    await seedStays(url, from, count);
    await system.readFeed();
    return from;
  };
  const plan = (units: number): LoadPlan => ({
    loop: 'closed',
    concurrency: AT_ONCE,
    seconds: LONGEST_SECONDS,
    maxUnits: units,
  });
  // With the numbering of its events, which a sweep does at a moment of its own: in whichever saga's time that fell.
  const saga = (action: Action, from: number, count: number): Promise<Cost> =>
    measured(count, async () => {
      await whole(system.act(action, plan(count), from));
      await system.readFeed();
    });
  const drained = (from: number, count: number): Promise<Cost> =>
    measured(count, async () => {
      await whole(system.send('confirm', plan(count), from));
      await rest();
    });
  return {
    history,
    wake: async () => {
      system.thaw();
      // The programs were stopped; they now work off what fell due meanwhile, before anything is measured.
      await new Promise((resolve) => setTimeout(resolve, AWAKE_MS));
    },
    sleep: async () => {
      await system.sweep(false);
      system.freeze();
    },
    read: async (request, times) => {
      const client = clientOf(request);
      return measured(times, async () => {
        for (let at = 0; at < times; at += 1) {
          const { status, body } = await client.get(request.path);
          if (status >= 400 && !NOTHING_THERE.has(status))
            throw new Error(`${request.name} answered ${status}: ${body.slice(0, 200)}`);
        }
      });
    },
    stays: async (count) => {
      const half = Math.floor(count / 2);
      await system.sweep(false);
      const from = await take(count);
      const costs = new Map<string, Cost>();
      costs.set('confirmation', await saga('confirm', from, count));
      costs.set('payment', await saga('pay', from, count));
      costs.set('check-in', await saga('checkIn', from, half));
      costs.set('check-out', await saga('checkOut', from, half));
      costs.set('cancellation', await saga('cancel', from + half, count - half));
      await system.sweep(true);
      await rest();
      costs.set('drained stay', await drained(await take(count), count));
      return costs;
    },
    settle: async () => {
      system.thaw();
      await system.sweep(true);
      if (next < UPCOMING) await drained(await take(UPCOMING), UPCOMING);
      await rest();
      await withDb(url, async (db) => {
        await passNightly(db);
        await waitUntil(async () => (await verifyMarked(db, { after: '0' })) === 0, LONGEST_SECONDS * 1_000);
      });
      await run(url, 'VACUUM (ANALYZE)');
    },
    close: async () => {
      system.thaw();
      for (const client of clients.values()) client.close();
      await blocks.close();
      await system.close();
    },
  };

  async function rest(): Promise<void> {
    const reading = everySecond(system.readFeed);
    await system.rest().finally(reading.stop);
  }
}

/** Throws when not all of it was answered as it should be. */
async function whole(result: Promise<{ readonly failed: number; readonly failures: readonly string[] }>) {
  const { failed, failures } = await result;
  if (failed > 0) throw new Error(`${failed} requests failed: ${failures.join('; ')}`);
}

async function staysBefore(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client
    .query<{ n: string }>(`SELECT count(*) AS n FROM reservation WHERE created_by = 'bench'`)
    .finally(() => client.end());
  return Number(rows[0]?.n ?? 0);
}

/** Blocks that the statements of one database have read; asked from another one, so that asking is not counted. */
async function blockMeter(server: string, database: string) {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
  const texts = new Map<string, string>();
  const learn = async (unknown: readonly string[]): Promise<void> => {
    if (unknown.length === 0) return;
    const { rows } = await client.query<{ id: string; text: string }>(
      'SELECT DISTINCT ON (queryid) queryid::text AS id, query AS text FROM pg_stat_statements WHERE queryid = ANY($1::bigint[])',
      [unknown],
    );
    for (const { id, text } of rows) texts.set(id, text);
  };
  return {
    read: async (): Promise<Blocks> => {
      const { rows } = await client.query<{ id: string; blocks: string }>(
        `SELECT queryid::text AS id, sum(shared_blks_hit + shared_blks_read) AS blocks FROM pg_stat_statements(false)
          WHERE dbid = (SELECT oid FROM pg_database WHERE datname = $1) AND queryid IS NOT NULL GROUP BY queryid`,
        [database],
      );
      await learn(rows.map(({ id }) => id).filter((id) => !texts.has(id)));
      const found = new Map<string, number>();
      for (const { id, blocks } of rows) {
        const text = texts.get(id) ?? id;
        found.set(text, (found.get(text) ?? 0) + Number(blocks));
      }
      return found;
    },
    close: () => client.end(),
  };
}
