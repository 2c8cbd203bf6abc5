import { once } from 'node:events';
import pg from 'pg';
import type { GuardedProcess } from '../scripts/services/process.ts';
import type { BackgroundOrder, BackgroundWork } from './background-process.ts';
import { orderMessages, orderTasks, TASKS_OF_A_STAY } from './background-rows.ts';
import { cpuMeter } from './cpu.ts';
import type { Started } from './programs.ts';
import { perUnit } from './rounds.ts';
import { refuseAndNumber, seed } from './seed.ts';

/**
 * What a row of the background costs: a task that is assigned, a message to the mailbox, a mail to a server on this machine;
 * with few rows due and with many, when as many are done.
 */

export interface RowCost {
  /** Of the sweeps and Postgres, per row that was really done. */
  readonly cpuMsPerRow: number | null;
  readonly rows: number;
  readonly rowsPerSecond: number;
}
export type BackgroundFigures = Readonly<Record<BackgroundWork, { readonly few: RowCost; readonly many: RowCost }>> & {
  readonly due: { readonly few: number; readonly many: number };
};
export interface BackgroundPlan {
  readonly few: number;
  readonly many: number;
  /** Times that `few` rows are done. */
  readonly rounds: number;
}

const WORKS = ['mailbox', 'mail', 'task'] as const satisfies readonly BackgroundWork[];
const CALM_MS = 500;

export async function measureBackground(started: Started, plan: BackgroundPlan): Promise<BackgroundFigures> {
  const databaseUrl = await started.database('bench_background');
  // Two rounds more than are measured: the first warms up, and the many are there besides what few rounds have done.
  const rows = plan.many + (plan.rounds + 2) * plan.few;
  await seed(databaseUrl, { confirm: Math.ceil(rows / TASKS_OF_A_STAY), rollback: 0 });
  await refuseAndNumber(databaseUrl);
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1, application_name: 'bench' });
  pool.on('error', () => undefined);
  const server = await started.node('bench/mail-server.ts', { ipc: true });
  const [port] = (await once(server.child, 'message')) as [number];
  const program = await started.node('bench/background-process.ts', { args: [databaseUrl, String(port)], ipc: true });
  try {
    await pool.query(CONFIRMED);
    await pool.query('VACUUM (ANALYZE)');
    const measure = measureOf(pool, program, started.postgres.pid);
    const figures: Partial<Record<BackgroundWork, { few: RowCost; many: RowCost }>> = {};
    for (const work of WORKS) figures[work] = await fewAndMany(pool, work, plan, measure);
    const { mailbox, mail, task } = figures;
    if (!mailbox || !mail || !task) throw new Error('a kind of work was not measured');
    return { mailbox, mail, task, due: { few: plan.few, many: plan.many } };
  } finally {
    await pool.end();
    await program.stop();
    await server.stop();
    await started.drop(databaseUrl);
  }
}

type Measure = (work: BackgroundWork, rows: number) => Promise<Done>;
interface Done {
  readonly cpuMs: number | null;
  readonly elapsedMs: number;
  readonly rows: number;
}

async function fewAndMany(pool: pg.Pool, work: BackgroundWork, plan: BackgroundPlan, measure: Measure) {
  await pool.query('TRUNCATE notification_content, dev_mail, notification CASCADE');
  let next = 0;
  const order = async (rows: number): Promise<void> => {
    await (work === 'task' ? orderTasks : orderMessages)(pool, next, rows);
    next += rows;
    await pool.query(`VACUUM (ANALYZE) ${work === 'task' ? 'task' : 'notification'}`);
    await pool.query('CHECKPOINT');
    await new Promise((resolve) => setTimeout(resolve, CALM_MS));
  };
  // Once for nothing: connections, plans and compiled code.
  await order(plan.few);
  await measure(work, plan.few);
  const few: Done[] = [];
  for (let no = 0; no < plan.rounds; no += 1) {
    await order(plan.few);
    few.push(await measure(work, plan.few));
  }
  await order(plan.many);
  const many: Done[] = [];
  for (let no = 0; no < plan.rounds; no += 1) many.push(await measure(work, plan.few));
  const costs = { few: costOf(few), many: costOf(many) };
  const shown = ({ cpuMsPerRow, rows }: RowCost): string => `${cpuMsPerRow?.toFixed(2) ?? 'n/a'} ms (${rows} done)`;
  console.log(`  ${work}: ${shown(costs.few)} with ${plan.few} due, ${shown(costs.many)} with ${plan.many}`);
  return costs;
}

/** Of all rounds together: one of them is only some dozens of ticks of the clock that CPU time is counted in. */
function costOf(list: readonly Done[]): RowCost {
  const sum = (pick: (one: Done) => number): number => list.reduce((all, one) => all + pick(one), 0);
  const rows = sum((one) => one.rows);
  const isKnown = list.every(({ cpuMs }) => cpuMs !== null);
  return {
    rows,
    cpuMsPerRow: perUnit(isKnown ? sum(({ cpuMs }) => cpuMs ?? 0) : null, rows),
    rowsPerSecond: (rows / sum(({ elapsedMs }) => elapsedMs)) * 1_000,
  };
}

function measureOf(pool: pg.Pool, program: GuardedProcess, postgresPid: number): Measure {
  const meter = cpuMeter({ sweeps: [program.pid], postgres: [postgresPid] });
  const done = async (work: BackgroundWork): Promise<number> => {
    const { rows } = await pool.query<{ n: string }>(work === 'task' ? ASSIGNED : SENT);
    return Number(rows[0]?.n ?? 0);
  };
  return async (work, rows) => {
    const before = await done(work);
    const stop = meter.start();
    const startedAt = performance.now();
    const ended = new AbortController();
    const answered = once(program.child, 'message', { signal: ended.signal });
    void program.ended.then(() => ended.abort());
    program.child.send({ work, rows } satisfies BackgroundOrder);
    await answered;
    const elapsedMs = performance.now() - startedAt;
    const { cpuMs } = stop();
    const came = (await done(work)) - before;
    if (came === 0) throw new Error(`nothing was done of ${rows} rows of ${work}`);
    return { cpuMs, elapsedMs, rows: came };
  };
}

const ASSIGNED = `SELECT count(*) AS n FROM task WHERE status = 'ASSIGNED'`;
const SENT = `SELECT count(*) AS n FROM notification WHERE status = 'SENT'`;
/** Some ten arrivals a day, so that there is somebody for each task. */
const CONFIRMED = `UPDATE reservation SET status = 'CONFIRMED', confirmed_at = now(), distribution_version = 1,
  check_in_date = current_date + 30 + substr(id, 9)::int % 2800, check_out_date = current_date + 33 + substr(id, 9)::int % 2800`;
