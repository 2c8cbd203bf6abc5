import type { Redis } from 'ioredis';
import { sql } from 'kysely';
import type { Db } from './db/client.ts';
import { migrationsPending } from './db/migrate.ts';
import { withTimeout } from './kernel/time-limit.ts';
import type { Relay } from './queues/relay.ts';

/** A process whose relay has not come through for this long should get no traffic. */
const RELAY_STALLED_MS = 30_000;
const CHECK_TIMEOUT_MS = 2_000;

/** Names what is failing: `postgres`, `migrations`, `redis`, `relay`; of those that are asked about, or of all. */
export type Readiness = (of?: readonly string[]) => Promise<{ ok: boolean; failing: string[] }>;

export function createReadiness(db: Db, redis: Redis, relay: Relay): Readiness {
  /** Once this build's migrations are there they stay. */
  let migrated = false;
  const checks: Readonly<Record<string, () => Promise<boolean>>> = {
    postgres: async () => {
      await sql`SELECT 1`.execute(db);
      return true;
    },
    migrations: async () => {
      migrated ||= !(await migrationsPending(db));
      return migrated;
    },
    redis: async () => (await redis.ping()) === 'PONG',
    relay: () => Promise.resolve(performance.now() - relay.lastDrainedAt() < RELAY_STALLED_MS),
  };
  return async (of = Object.keys(checks)) => {
    const results = await Promise.all(
      Object.entries(checks)
        .filter(([name]) => of.includes(name))
        .map(async ([name, check]) => [name, await withinLimit(check)] as const),
    );
    const failing = results.filter(([, ok]) => !ok).map(([name]) => name);
    return { ok: failing.length === 0, failing };
  };
}

async function withinLimit(check: () => Promise<boolean>): Promise<boolean> {
  const tooLate = (cause: unknown): Error => new Error('no answer in time', { cause });
  try {
    return await withTimeout({ timeoutMs: CHECK_TIMEOUT_MS, error: tooLate }, check);
  } catch {
    return false;
  }
}
