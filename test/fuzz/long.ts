import fs from 'node:fs';
import { expect, it } from 'vitest';
import { POLICIES } from '../../src/http/policy.ts';
import { type Report, routesWithout, runRound, sum } from './round.ts';

/** `npm run fuzz`: rounds of one seed after another, each on a system of its own; the report is printed and kept as JSON. */

const seed = Number(process.env['ROOMY_FUZZ_SEED']);
const inputs = Number(process.env['ROOMY_FUZZ_INPUTS']);
const file = process.env['ROOMY_FUZZ_JSON'] ?? '';
/** Inputs of a round: digests of its tables take longer the more it has written. */
const ROUND = 5_000;

it(`refuses ${inputs} inputs of seed ${seed} without a fault, a leak or a write`, async () => {
  const reports: Report[] = [];
  for (let made = 0, round = 0; made < inputs; made += ROUND, round += 1) {
    const report = await runRound(seed + round, Math.min(ROUND, inputs - made));
    reports.push(report);
    for (const fault of report.faults) console.log(`FAULT of seed ${seed + round}: ${fault}`);
    console.log(
      `seed ${seed + round}: ${report.inputs} inputs, ${report.faults.length} faults, ${report.limited} at a limit`,
    );
  }
  const all = sum(reports);
  print(all);
  fs.writeFileSync(file, `${JSON.stringify({ seed, ...all }, null, 2)}\n`);
  console.log(`kept as ${file}; again: npm run fuzz -- --seed ${seed} --inputs ${inputs}`);
  expect(all.faults).toEqual([]);
  expect(all.inputs).toBe(inputs);
  expect(all.limited).toBeLessThan(inputs / 100);
  // Too few to reach every route are no fault.
  if (inputs >= ROUND / 2) expect(routesWithout(all, Object.keys(POLICIES))).toEqual([]);
});

function print({ inputs: sent, counts, callers, limited, faults }: Report): void {
  const line = (name: string, numbers: Readonly<Record<string, number>>): string =>
    `  ${name.padEnd(72)} ${Object.entries(numbers)
      .map(([status, n]) => `${status}: ${n}`)
      .join('  ')}`;
  const routes = Object.entries(counts).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const byStatus: Record<string, number> = {};
  for (const [, statuses] of routes)
    for (const [status, n] of Object.entries(statuses)) byStatus[status] = (byStatus[status] ?? 0) + n;
  console.log(
    [
      ...routes.map(([name, statuses]) => line(name, statuses)),
      line('by caller', callers),
      line('all', byStatus),
      `${sent} inputs, ${limited} at a limit, ${faults.length} faults`,
    ].join('\n'),
  );
}
