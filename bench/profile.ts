import fs from 'node:fs';
import path from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';

/** Where the time goes: CPU profiles of API and worker, statistics of Postgres's statements and Redis's commands. */
export interface Profile {
  readonly postgresSettings: Readonly<Record<string, string>>;
  readonly nodeArgs: readonly string[];
  /** Counts from here. */
  readonly begin: (databaseUrl: string, redisUrl: string) => Promise<void>;
  readonly end: (databaseUrl: string, redisUrl: string, postgresLog: string) => Promise<void>;
}

const NOTHING: Profile = { postgresSettings: {}, nodeArgs: [], begin: async () => {}, end: async () => {} };

export function createProfile(directory: string | undefined): Profile {
  if (directory === undefined) return NOTHING;
  const into = path.resolve(directory);
  fs.mkdirSync(into, { recursive: true });
  return {
    postgresSettings: {
      shared_preload_libraries: 'pg_stat_statements,auto_explain',
      'pg_stat_statements.track': 'all',
      'pg_stat_statements.track_planning': 'on',
      // A sample of the plans that really ran, for the generic plans of named statements cannot be seen from outside.
      'auto_explain.log_min_duration': '0',
      'auto_explain.sample_rate': '0.02',
      'auto_explain.log_analyze': 'on',
      'auto_explain.log_timing': 'off',
      'auto_explain.log_buffers': 'on',
    },
    nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${into}`],
    begin: async (databaseUrl, redisUrl) => {
      await withDatabase(databaseUrl, async (client) => {
        await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
        await client.query('SELECT pg_stat_statements_reset()');
      });
      await withRedis(redisUrl, (redis) => redis.config('RESETSTAT'));
    },
    end: async (databaseUrl, redisUrl, postgresLog) => {
      await withDatabase(databaseUrl, async (client) => {
        const statements = await client.query(STATEMENTS);
        fs.writeFileSync(path.join(into, 'statements.json'), JSON.stringify(statements.rows, null, 2));
        const tables = await client.query(TABLES);
        fs.writeFileSync(path.join(into, 'tables.json'), JSON.stringify(tables.rows, null, 2));
      });
      const stats = await withRedis(redisUrl, (redis) => redis.info('commandstats'));
      fs.writeFileSync(path.join(into, 'redis.txt'), stats);
      fs.copyFileSync(postgresLog, path.join(into, 'postgres.log'));
    },
  };
}

const STATEMENTS = `
  SELECT calls, plans, round(total_plan_time::numeric, 1) AS plan_ms, round(total_exec_time::numeric, 1) AS total_ms, round(mean_exec_time::numeric, 4) AS mean_ms, rows, toplevel,
    shared_blks_hit, wal_bytes, query
    FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = current_database() ORDER BY total_exec_time DESC LIMIT 60`;
const TABLES = `
  SELECT relname, seq_scan, seq_tup_read, idx_scan, n_tup_ins, n_tup_upd, n_tup_hot_upd, n_live_tup FROM pg_stat_user_tables ORDER BY seq_tup_read DESC`;

async function withDatabase(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await work(client).finally(() => client.end());
}

async function withRedis<T>(url: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url);
  return await work(redis).finally(() => redis.disconnect());
}
