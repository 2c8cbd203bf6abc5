import { renderTable } from '../report.ts';
import { BOUNDS, MEASURES, type Measure, type Operation } from './figures.ts';

const UNITS: Readonly<Record<Measure, string>> = { cpuMs: 'CPU ms', ms: 'ms', blocks: 'blocks' };
const DIGITS: Readonly<Record<Measure, number>> = { cpuMs: 2, ms: 2, blocks: 0 };
const isRead = ({ name }: Operation): boolean => name.startsWith('GET ');
const shown = (value: number | null | undefined, digits: number): string =>
  value === null || value === undefined ? 'n/a' : value.toFixed(digits);

/** Sagas in full; of the GETs, those that exceed a bound, and how many do not. */
export function renderGrowth(operations: readonly Operation[], sizes: readonly number[]): string {
  const reads = operations.filter(isRead);
  const tooMuch = reads.filter(({ exceeded }) => exceeded.length > 0);
  const worstFirst = tooMuch.toSorted((a, b) => (b.ratios.cpuMs ?? 0) - (a.ratios.cpuMs ?? 0));
  const all = operations.filter(({ exceeded }) => exceeded.length > 0).length;
  return [
    '\nSagas and stays\n',
    table(
      operations.filter((operation) => !isRead(operation)),
      sizes,
    ),
    `\nGETs: ${reads.length - tooMuch.length} of ${reads.length} within the bounds`,
    ...(tooMuch.length > 0 ? ['', table(worstFirst, sizes)] : []),
    ...operations.flatMap(statementsOf),
    `\nBounds, of ${sizes.at(-1)} to ${sizes[0]}: ${MEASURES.map((measure) => `${UNITS[measure]} ${BOUNDS[measure]}`).join(', ')}; ${all} of ${operations.length} exceed one`,
  ].join('\n');
}

const SHOWN_OF_A_STATEMENT = 300;

function statementsOf({ name, growing }: Operation): readonly string[] {
  if (growing.length === 0) return [];
  const lines = growing.map(
    ({ statement, bySize }) =>
      `  ${bySize.map((blocks) => shown(blocks, DIGITS.blocks)).join(', ')} blocks: ${statement.replaceAll(/\s+/g, ' ').slice(0, SHOWN_OF_A_STATEMENT)}`,
  );
  return [`\nWhat reads more in ${name}`, ...lines];
}

function table(operations: readonly Operation[], sizes: readonly number[]): string {
  const heads = MEASURES.flatMap((measure) => [...sizes.map((size) => `${UNITS[measure]}, ${size}`), 'ratio']);
  const rows = operations.map(({ name, bySize, ratios, exceeded }) => [
    name,
    ...MEASURES.flatMap((measure) => [
      ...bySize.map((cost) => shown(cost[measure], DIGITS[measure])),
      `${exceeded.includes(measure) ? '! ' : ''}${shown(ratios[measure], 2)}`,
    ]),
  ]);
  return renderTable(['', ...heads], rows);
}
