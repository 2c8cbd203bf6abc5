import { renderTable } from './report.ts';

/** What a profile says, as tables for people. */

/** A row of pg_stat_statements. Times in milliseconds. */
export interface StatementRow {
  readonly calls: number;
  readonly planMs: number;
  readonly execMs: number;
  readonly blocks: number;
  readonly walBytes: number;
  /** Not called by another statement, such as a trigger's are. */
  readonly isTop: boolean;
  readonly query: string;
}

const STATEMENTS_SHOWN = 25;
const FUNCTIONS_SHOWN = 25;
const QUERY_SHOWN = 60;

/** The dearest statements by their time per unit (such as a saga). One within another counts in both, and is marked. */
export function statementTable(rows: readonly StatementRow[], units: number, unit: string): string {
  const msOf = ({ planMs, execMs }: StatementRow): number => planMs + execMs;
  const top = rows.filter(({ isTop }) => isTop);
  const all = top.reduce((sum, row) => sum + msOf(row), 0);
  const shown = rows.toSorted((a, b) => msOf(b) - msOf(a)).slice(0, STATEMENTS_SHOWN);
  return [
    `\nStatements per ${unit} (${units}): ${(all / units).toFixed(2)} ms in all; "+" is within another one\n`,
    renderTable(
      ['statement', `ms/${unit}`, 'of it planning', `calls/${unit}`, 'ms/call', 'blocks/call', `WAL KiB/${unit}`],
      shown.map((row) => [
        `${row.isTop ? '  ' : '+ '}${shortened(row.query)}`,
        (msOf(row) / units).toFixed(3),
        (row.planMs / units).toFixed(3),
        (row.calls / units).toFixed(2),
        (msOf(row) / row.calls).toFixed(3),
        (row.blocks / row.calls).toFixed(0),
        (row.walBytes / units / 1_024).toFixed(2),
      ]),
    ),
  ].join('\n');
}

/** Its beginning, and the tables that it writes: statements of the steps all begin the same. */
function shortened(query: string): string {
  const text = query.replace(/\s+/g, ' ').trim();
  const written = new Set([...text.matchAll(WRITES)].map(([, table = '']) => table));
  return `${text.slice(0, QUERY_SHOWN)}${written.size === 0 ? '' : ` > ${[...written].join(', ')}`}`;
}
const WRITES =
  /(?:\binsert into|(?<!\bfor (?:no key )?|\bdo )\bupdate|\bdelete from) (?:only )?(?:"?public"?\.)?"?([a-z_]+)"?/gi;

/** A V8 CPU profile, as `node --cpu-prof` writes it: times in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}
export interface FunctionTime {
  readonly name: string;
  readonly selfMs: number;
}

/** The time in each function itself, without what it calls, the dearest first; what waits is left out. */
export function selfTimes({ nodes, samples, timeDeltas }: CpuProfile): readonly FunctionTime[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const times = new Map<string, number>();
  for (const [at, id] of samples.entries()) {
    const name = names.get(id);
    if (name === undefined || name === '(idle)') continue;
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[at] ?? 0) / 1_000);
  }
  return [...times].map(([name, selfMs]) => ({ name, selfMs })).toSorted((a, b) => b.selfMs - a.selfMs);
}

type Frame = CpuProfile['nodes'][number]['callFrame'];
/** `confirm src/http/start-saga.ts:12`, `parse node_modules/pg-protocol/...`, `(garbage collector)`. */
function nameOf({ functionName, url, lineNumber }: Frame): string {
  const file = url.replace(/^.*\/(?=(?:src|node_modules)\/)/, '').replace(/^file:\/\//, '');
  const name = functionName === '' ? '(anonymous)' : functionName;
  return file === '' ? name : `${name} ${file}:${lineNumber + 1}`;
}

export function functionTable(title: string, times: readonly FunctionTime[]): string {
  const all = times.reduce((sum, { selfMs }) => sum + selfMs, 0);
  return [
    `\n${title}: ${(all / 1_000).toFixed(1)} s in functions\n`,
    renderTable(
      ['function', 'ms itself', '%'],
      times
        .slice(0, FUNCTIONS_SHOWN)
        .map(({ name, selfMs }) => [name, selfMs.toFixed(0), ((100 * selfMs) / all).toFixed(1)]),
    ),
  ].join('\n');
}
