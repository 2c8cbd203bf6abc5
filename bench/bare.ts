import { once } from 'node:events';
import pg from 'pg';
import type { BareAnswer, BareOrder } from './bare-process.ts';
import { STEP_TABLE } from './bare-statements.ts';
import { cpuMeter } from './cpu.ts';
import type { Started } from './programs.ts';
import { seed, vacuum } from './seed.ts';
import type { Outcome, Subject } from './types.ts';

/** The bare loop, beside the system: its own process and database, the same database server. */
export async function startBare(started: Started, stays: Readonly<Record<Outcome, number>>): Promise<Subject> {
  const databaseUrl = await started.database('bench_bare');
  await seed(databaseUrl, stays);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(STEP_TABLE).finally(() => client.end());
  const program = await started.node('bench/bare-process.ts', { args: [databaseUrl], ipc: true });
  const used: Record<Outcome, number> = { confirm: 0, rollback: 0 };
  const meter = cpuMeter({ loop: [program.pid], postgres: [started.postgres.pid] });

  return {
    settle: () => vacuum(databaseUrl),
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
