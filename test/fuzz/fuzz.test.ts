import { expect, it } from 'vitest';
import { POLICIES } from '../../src/http/policy.ts';
import { routesWithout, runRound } from './round.ts';

/** A part of `npm run fuzz` in every run: the same generators and the same judgement, fewer inputs, one seed. */

const SEED = 1;
const INPUTS = 3_000;

it(`N1, N14, H4: ${INPUTS} inputs that nobody thought of cause no fault, no leak, and no write where they are refused`, {
  timeout: 240_000,
}, async () => {
  const report = await runRound(SEED, INPUTS);
  expect(report.faults).toEqual([]);
  expect(report.inputs).toBe(INPUTS);
  expect(report.limited).toBeLessThan(INPUTS / 100);
  expect(routesWithout(report, Object.keys(POLICIES))).toEqual([]);
});
