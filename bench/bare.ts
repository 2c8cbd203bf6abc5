import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import type { BareAnswer, BareOrder } from './bare-process.ts';
import { STEP_TABLE } from './bare-statements.ts';
import { cpuMeter } from './cpu.ts';
import type { Started } from './programs.ts';
import { refuseAndNumber, seed, vacuum } from './seed.ts';
import type { Outcome, Subject } from './types.ts';

/**
 * `migrated`: the system's schema, with its triggers. `reference`: one of its own that has none and stays as it is, so that
 * no ratio gets better because our schema gets slower.
 */
export type BareSchema = 'migrated' | 'reference';

/** The bare loop, beside the system: its own process and database, the same database server. */
export async function startBare(
  started: Started,
  stays: Readonly<Record<Outcome, number>>,
  schema: BareSchema,
): Promise<Subject> {
  const databaseUrl = await (schema === 'migrated' ? started.database('bench_bare') : referenceDatabase(started));
  await seed(databaseUrl, stays);
  if (schema === 'migrated') await refuseAndNumber(databaseUrl);
  await execute(databaseUrl, STEP_TABLE);
  const program = await started.node('bench/bare-process.ts', { args: [databaseUrl], ipc: true });
  const used: Record<Outcome, number> = { confirm: 0, rollback: 0 };
  const meter = cpuMeter({ loop: [program.pid], postgres: [started.postgres.pid] });

  return {
    settle: () => vacuum(databaseUrl),
    close: async () => {
      await program.stop();
      await started.drop(databaseUrl);
    },
    measure: async (outcome, plan) => {
      const from = used[outcome];
      const maxUnits = Math.min(plan.maxUnits, stays[outcome] - from);
      const stop = meter.start();
      const ended = new AbortController();
      const answered = once(program.child, 'message', { signal: ended.signal });
      void program.ended.then(() => ended.abort());
      // When the program has ended, the answer is what fails.
      if (program.running())
        program.child.send({ outcome, plan: { ...plan, maxUnits }, from } satisfies BareOrder, () => undefined);
      else ended.abort();
      const [{ result, elapsedMs }] = (await answered) as [BareAnswer];
      const cpu = stop();
      used[outcome] = from + result.done + result.failed;
      return { ...result, elapsedMs, ...cpu };
    },
  };
}

async function referenceDatabase(started: Started): Promise<string> {
  const databaseUrl = await started.emptyDatabase('bench_reference');
  await execute(databaseUrl, fs.readFileSync(path.join(import.meta.dirname, 'reference.sql'), 'utf8'));
  return databaseUrl;
}

async function execute(databaseUrl: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(text).finally(() => client.end());
}
