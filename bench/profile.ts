import fs from 'node:fs';
import path from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { type CpuProfile, functionTable, type StatementRow, selfTimes, statementTable } from './profile-tables.ts';

/** Where the time goes: CPU profiles of API and worker, statistics of Postgres's statements and Redis's commands. */
export interface Profile {
  readonly postgresSettings: Readonly<Record<string, string>>;
  /** Of a program of the part that is named so. */
  readonly nodeArgs: (part: string, program: string) => readonly string[];
  /** Counts from here. */
  readonly begin: (databaseUrl: string, redisUrl: string) => Promise<void>;
  /** Keeps what was counted since, and says what was the dearest for each of so many units. */
  readonly end: (part: ProfiledPart, databaseUrl: string, redisUrl: string) => Promise<void>;
  /** Says which functions were the dearest; the programs of the part must have ended. */
  readonly programs: (part: string) => void;
  readonly keepLog: (postgresLog: string) => void;
}
export interface ProfiledPart {
  readonly name: string;
  readonly unit: string;
  readonly units: number;
}

const NOTHING: Profile = {
  postgresSettings: {},
  nodeArgs: () => [],
  begin: async () => {},
  end: async () => {},
  programs: () => {},
  keepLog: () => {},
};

export function createProfile(directory: string | undefined): Profile {
  if (directory === undefined) return NOTHING;
  const into = path.resolve(directory);
  const inside = (name: string): string => path.join(into, name);
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
    nodeArgs: (part, program) => [
      '--cpu-prof',
      `--cpu-prof-dir=${into}`,
      `--cpu-prof-name=${part}-${program}.cpuprofile`,
    ],
    begin: async (databaseUrl, redisUrl) => {
      await withDatabase(databaseUrl, async (client) => {
        await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
        await client.query('SELECT pg_stat_statements_reset()');
      });
      await withRedis(redisUrl, (redis) => redis.config('RESETSTAT'));
    },
    end: async ({ name, unit, units }, databaseUrl, redisUrl) => {
      await withDatabase(databaseUrl, async (client) => {
        const { rows } = await client.query<StatementRow>(STATEMENTS);
        fs.writeFileSync(inside(`${name}-statements.json`), JSON.stringify(rows, null, 2));
        console.log(statementTable(rows, units, unit));
        const tables = await client.query(TABLES);
        fs.writeFileSync(inside(`${name}-tables.json`), JSON.stringify(tables.rows, null, 2));
      });
      const stats = await withRedis(redisUrl, (redis) => redis.info('commandstats'));
      fs.writeFileSync(inside(`${name}-redis.txt`), stats);
    },
    programs: (part) => {
      for (const program of ['api', 'worker']) {
        const file = inside(`${part}-${program}.cpuprofile`);
        if (!fs.existsSync(file)) continue;
        const profile = JSON.parse(fs.readFileSync(file, 'utf8')) as CpuProfile;
        console.log(functionTable(`${part}, ${program}`, selfTimes(profile)));
      }
    },
    keepLog: (postgresLog) => fs.copyFileSync(postgresLog, inside('postgres.log')),
  };
}

const STATEMENTS = `
  SELECT calls::float8, total_plan_time AS "planMs", total_exec_time AS "execMs", (shared_blks_hit + shared_blks_read)::float8 AS blocks,
    wal_bytes::float8 AS "walBytes", toplevel AS "isTop", query
    FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
   WHERE d.datname = current_database() AND query !~* '^\\s*(VACUUM|CHECKPOINT|CREATE EXTENSION)' ORDER BY total_plan_time + total_exec_time DESC LIMIT 200`;
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
