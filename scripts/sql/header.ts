import type { StepDefinition } from '../../src/engine/step.ts';
import { type StepStatement, workOf } from './statements.ts';

/** The comment at the head of a statement's file. All of it is derived from the statement and its step. */

const WIDTH = 118;

export function headerOf(statement: StepStatement): string {
  const { definition, step, direction } = statement;
  const way = direction === 'F' ? 'forward' : 'compensation';
  const title = `${definition.name} version ${definition.version}, step ${step.no} of ${definition.steps.length}, ${way}: ${step.name} (${step.kind}, ${step.class})`;
  const paragraphs = [title, purposeOf(statement), zeroRowsOf(statement), ...otherFormOf(step, direction)];
  const lines = [...paragraphs.flatMap((text) => [...wrapped(text, ''), '']), ...parametersOf(statement)];
  return lines.map((line) => (line === '' ? '--' : `-- ${line}`)).join('\n');
}

function purposeOf({ sql, definition, step, direction }: StepStatement): string {
  const acts = changesOf(sql);
  const last = step.no === definition.steps.length;
  const records =
    acts.length === 0
      ? `records what the ${step.kind} has found (vals) as the step's output`
      : 'records the step as done with its output';
  const forward = last
    ? 'ends the saga as completed with its answer and its audit row'
    : `makes step ${step.no + 1} due`;
  const backward = 'writes an audit row, and makes the next undo due or ends the saga as compensated with its answer';
  const parts = [...acts, records, direction === 'F' ? forward : backward];
  return `For each saga for which this step is due, in one commit: ${parts.join('; ')}.`;
}

function zeroRowsOf({ step, direction }: StepStatement): string {
  const work = workOf(step, direction);
  const notDue = `No row for a saga: the step was not due (done already, ${direction === 'F' ? 'undone' : 'not being undone'}, parked, or dispatched anew under another generation), and nothing was written for it.`;
  if (work?.kind !== 'statement') return notDue;
  const noEffect = work.onNoRow
    ? `No row in "effect" for a saga that is due: the step refuses with ${work.onNoRow}, and all of the statement is undone.`
    : 'No row in "effect" for a saga that is due: there was nothing to change; the step is done with the count 0.';
  return `${notDue} ${noEffect}`;
}

const otherFormOf = (step: StepDefinition, direction: 'F' | 'C'): string[] =>
  direction === 'F' && step.imperative
    ? ['Executions for which the step has to look first run TypeScript in a transaction instead of this statement.']
    : [];

/** `"effect" updates task (status, version)`, for each part that changes something; the engine's own parts are in capitals. */
function changesOf(sql: string): string[] {
  return [...sql.matchAll(/, "?(\w+)"? AS \((insert into|update) "(\w+)"/g)].map((found) => {
    const [matched, part, verb, table] = found;
    const body = topLevel(sql.slice(found.index + matched.length));
    if (verb === 'update')
      return `"${part}" updates ${table} (${columnsSetIn(between(body, ' set ', ' from ')).join(', ')})`;
    const inserts = `"${part}" inserts into ${table}`;
    if (body.includes(' do nothing')) return `${inserts}, and leaves rows alone that are there already`;
    if (!body.includes(' do update set ')) return inserts;
    const set = between(body, ' do update set ', ' returning ');
    return `${inserts}, or updates the row that is there already (${columnsSetIn(set).join(', ')})`;
  });
}

/** Up to the bracket that closes this part, with what stands in inner brackets blanked out. */
function topLevel(text: string): string {
  let depth = 0;
  let result = '';
  for (const letter of text) {
    if (letter === '(') depth += 1;
    if (letter === ')') depth -= 1;
    if (depth < 0) return result;
    result += depth === 0 ? letter : ' ';
  }
  return result;
}
function between(text: string, from: string, to: string): string {
  const start = text.indexOf(from) + from.length;
  const end = text.indexOf(to, start);
  return text.slice(start, end === -1 ? undefined : end);
}
const columnsSetIn = (assignments: string): string[] =>
  assignments.split(',').flatMap((one) => /^\s*"(\w+)" =/.exec(one)?.slice(1) ?? []);

/** What `$n` stands for, by the text around it; the first that matches. */
const MEANINGS: readonly (readonly [before: RegExp, after: RegExp, meaning: string])[] = [
  [/vals ->>? $/, /^/, 'name of a value'],
  [/s\.id \|\| $/, /^::text AS effect_key/, 'end of the key of this effect'],
  [/s\.id \|\| $/, /^/, 'end of the key of the forward effect'],
  [/SET status = 'running', current_step = $/, /^/, 'the step that is due next'],
  [/(current_step = |step_no [<=] |g\.saga_id, )$/, /^/, 'this step'],
  [/::int, 'F', $/, /^/, 'its name'],
  [/'LOCAL', $/, /^/, 'its class'],
  [/'done', 1, $/, /^/, 'its attempts, at the most'],
  [/saga_refuse\($/, /^/, 'the refusal when "effect" has no row'],
  [/SELECT saga_id, result, $/, /^/, 'the step that is due next'],
  [/"version" \+ $/, /^/, 'one version more'],
  [/"(\w+)" (?:=|like|not like|LIKE|NOT LIKE) $/, /^/, 'for column $1'],
];

function meaningOf(sql: string, position: number): string {
  const name = `$${position}`;
  const at = sql.search(new RegExp(`\\$${position}(?!\\d)`));
  const before = sql.slice(0, at);
  const after = sql.slice(at + name.length);
  for (const [left, right, meaning] of MEANINGS) {
    const match = left.exec(before);
    if (match && right.test(after)) return meaning.replace('$1', match[1] ?? '');
  }
  return 'constant';
}

/** Constants of one value and one meaning share a line. */
function parametersOf({ sql, parameters, itemsAt, direction, step, definition }: StepStatement): string[] {
  const constants = new Map<string, string[]>();
  for (const [index, value] of parameters.entries()) {
    if (index === itemsAt) continue;
    const line = `${literalOf(value)}  (${value === null ? 'no step is due next: the saga has ended' : meaningOf(sql, index + 1)})`;
    constants.set(line, [...(constants.get(line) ?? []), `$${index + 1}`]);
  }
  const ends = direction === 'C' || step.no === definition.steps.length;
  const fields = [
    'saga_id',
    'generation',
    `vals: ${valuesOf(sql, parameters)}`,
    `end: ${ends ? 'the answer and the audit row, should this step end the saga' : 'null'}`,
    `note: ${direction === 'C' ? 'the audit row of the compensation' : 'null'}`,
  ];
  const items = `$${itemsAt + 1}: the due sagas, a JSON array of { ${fields.join('; ')} }. All others are constants of the code:`;
  return [
    ...wrapped(items, ''),
    ...[...constants].flatMap(([line, names]) =>
      wrapped(`${names.join(', ')} = ${line}`, '  ').map((one) => `  ${one}`),
    ),
  ];
}

/** The names of the values that the statement reads, with the type that it reads each as. */
function valuesOf(sql: string, parameters: readonly unknown[]): string {
  const values = new Set<string>();
  for (const [, arrow, position, cast] of sql.matchAll(/vals (->>?) \$(\d+)::text\)(?:::(\w+))?/g))
    values.add(`${String(parameters[Number(position) - 1])} ${cast ?? (arrow === '->' ? 'jsonb' : 'text')}`);
  if (values.size > 0) return [...values].join(', ');
  return changesOf(sql).length > 0 ? 'not read' : "the step's output";
}

function literalOf(value: unknown): string {
  if (value === null) return 'null';
  return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value);
}

function wrapped(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length + 1 > WIDTH - 3) {
      lines.push(line);
      line = indent + word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
