import fs from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { type LoadPlan, percentile } from './load.ts';
import { startServices } from './programs.ts';
import { type System, startSystem } from './system.ts';

/**
 * `npm run bench -- --beside`: how long people wait while a backlog of the sweeps is worked off, beside how long they wait
 * when the sweeps are held back, in turns in one run, with the workers as they are deployed: sagas apart from the rest.
 */

const PER_SECOND = 50;
const DUE = 14_000;
const TURNS = 3;
/** Of all turns together, of each kind. */
const SAMPLES = 3_000;
const BURST = 64;
const TARGETS = { p50: 1.5, p95: 2, p99: 2.5, rowsPerSecond: 500 };
/** Statements that take longer are looked at: one that holds a lock which a saga needs would keep somebody waiting. */
const SLOW_MS = 50;

const say = (text: string): void => console.log(text);
const PERCENTS = [50, 95, 99] as const;
const line = (values: readonly (number | null)[]): string =>
  values.map((ms, n) => `p${PERCENTS[n]} ${ms?.toFixed(1) ?? '?'}`).join('  ');

/** Answers the exit code. */
export async function measureBeside({ check }: { readonly check: boolean }): Promise<number> {
  const started = await startServices({ log_min_duration_statement: String(SLOW_MS), log_line_prefix: '%m %a ' });
  const seconds = Math.ceil(SAMPLES / PER_SECOND / TURNS) + 1;
  const stays = { confirm: SAMPLES * 2 + 400 * TURNS + DUE / 4, rollback: 1 };
  let system: System | undefined;
  try {
    system = await startSystem(started, stays, { apart: true });
    const { confirm, pool } = watching(system);
    await confirm({ loop: 'closed', concurrency: 16, seconds: 3, maxUnits: 400 });
    await system.sweep(false);
    await system.settle();
    const quiet: number[] = [];
    const beside: number[] = [];
    const drained = { rows: 0, ms: 0 };
    const plan: LoadPlan = { loop: 'open', perSecond: PER_SECOND, seconds, maxUnits: SAMPLES };
    for (let turn = 1; turn <= TURNS; turn += 1) {
      await system.sweep(false);
      for (let due = await system.backlog(); due < DUE; due = await system.backlog())
        await confirm({ loop: 'closed', concurrency: BURST, seconds: 30, maxUnits: Math.ceil((DUE - due) / 10) + 10 });
      await system.settle();
      quiet.push(...(await confirm(plan)).latenciesMs);
      const from = { rows: await doneRows(pool), due: await system.backlog(), at: performance.now() };
      await system.sweep(true);
      beside.push(...(await confirm(plan)).latenciesMs);
      const rows = (await doneRows(pool)) - from.rows;
      const ms = performance.now() - from.at;
      drained.rows += rows;
      drained.ms += ms;
      const due = await system.backlog();
      say(`  turn ${turn}: ${from.due} rows due, ${due} afterwards, ${((rows / ms) * 1000).toFixed(0)} rows/s drained`);
    }
    await pool.end();
    const of = (values: readonly number[]) => PERCENTS.map((percent) => percentile(values, percent));
    const [q, b] = [of(quiet), of(beside)];
    const ratios = b.map((value, n) => (value ?? Infinity) / (q[n] ?? 0));
    const rowsPerSecond = (drained.rows / drained.ms) * 1000;
    say(`quiet, ${quiet.length} confirmations at ${PER_SECOND}/s: ${line(q)} ms`);
    say(`with at least ${DUE} rows due, ${beside.length} confirmations: ${line(b)} ms`);
    say(`ratios: ${ratios.map((ratio) => ratio.toFixed(2)).join(' / ')}, ${rowsPerSecond.toFixed(0)} rows/s drained`);
    reportSlow(path.join(started.directory, 'postgres', 'postgres.log'));
    const bounds = [TARGETS.p50, TARGETS.p95, TARGETS.p99];
    const kept = ratios.every((ratio, n) => ratio <= (bounds[n] ?? 0)) && rowsPerSecond >= TARGETS.rowsPerSecond;
    say(
      `${kept ? 'Targets met' : 'Targets missed'}: at most ${bounds.join(' / ')} and at least ${TARGETS.rowsPerSecond}`,
    );
    return check && !kept ? 1 : 0;
  } finally {
    await system?.close().catch((error: unknown) => console.error(error));
    await started.stop();
  }
}

function watching(system: System) {
  const pool = new pg.Pool({ connectionString: system.databaseUrl, max: 1, application_name: 'bench' });
  pool.on('error', () => undefined);
  return {
    pool,
    confirm: async (plan: LoadPlan) => {
      const result = await system.measure('confirm', plan);
      if (result.failed > 0) throw new Error(`${result.failed} failed: ${result.failures.join('; ')}`);
      return result;
    },
  };
}

/** Tasks that were assigned and messages that have left, since the beginning. */
async function doneRows(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ n: string }>(`
    SELECT (SELECT count(*) FROM task WHERE status <> 'UNASSIGNED')
      + (SELECT count(*) FROM notification WHERE status NOT IN ('QUEUED', 'SENDING')) AS n`);
  return Number(rows[0]?.n ?? 0);
}

/** Of the programs' statements, the longest. */
function reportSlow(logFile: string): void {
  const slow = [
    ...fs.readFileSync(logFile, 'utf8').matchAll(/ (roomy-\S+) .*?duration: ([\d.]+) ms\s+[^:]*:\s*(.{0,80})/g),
  ]
    .map(([, name = '', ms = '', text = '']) => ({ name, ms: Number(ms), text: text.trim() }))
    .toSorted((a, b) => b.ms - a.ms);
  say(`${slow.length} statements of the programs took over ${SLOW_MS} ms`);
  for (const { name, ms, text } of slow.slice(0, 5)) say(`  ${ms.toFixed(0)} ms, ${name}: ${text}`);
}
