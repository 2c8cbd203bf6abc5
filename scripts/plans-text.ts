import type { Plan, Plans } from '../src/engine/plan.ts';

/** The lock as text, in the form in which the formatter leaves JSON: a list of words is one line. */
export const plansText = (plans: Plans): string =>
  `${JSON.stringify(plans, null, 2).replaceAll(
    /\[\s+("[^[\]{}]*")\s+\]/g,
    (_list, words: string) => `[${words.split(/,\s+/).join(', ')}]`,
  )}\n`;

const HEAD = ['Saga', 'Steps; **P** is the point of no return, **E** an external call'];

/** `page` (docs/domain.md) with the table of sagas as the plans have it: the newest version of each, in their order. */
export function withSagaTable(page: string, plans: Plans): string {
  const newest = new Map(Object.entries(plans).map(([id, plan]) => [id.replace(/@\d+$/, ''), plan]));
  const rows = [...newest].map(([name, plan]) => [`\`${name}\``, stepsOf(plan)]);
  const widths = [0, 1].map((column) => Math.max(...[HEAD, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[], fill = ' ') =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0, fill)).join(' | ')} |\n`;
  const table = line(HEAD) + line(['', ''], '-') + rows.map((row) => line(row)).join('');
  const [before, after] = page.split(/(?<=^### 1\.1 The sagas\n\n)(?:\|.*\n)+/m);
  if (before === undefined || after === undefined) throw new Error('docs/domain.md 1.1 has no table of the sagas');
  return before + table + after;
}

/** Behind a pivot everything goes forward; without one, the first step that is never undone says so. */
function stepsOf(plan: Plan): string {
  const turns = plan.some((step) => step.class === 'PIVOT') ? -1 : plan.findIndex((step) => step.class === 'RETRIABLE');
  return plan
    .map(({ name, kind, class: stepClass }, no) => {
      const marks = [...(kind === 'call' ? ['E'] : []), ...(stepClass === 'PIVOT' ? ['P'] : [])];
      const before = no === 0 ? '' : no === turns ? '; from here only forward: ' : ', ';
      return `${before}${name}${marks.length === 0 ? '' : ` (${marks.join(', ')})`}`;
    })
    .join('');
}
