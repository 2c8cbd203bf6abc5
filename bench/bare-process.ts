import { createBareLoop } from './bare-loop.ts';
import { type LoadPlan, type LoadResult, runLoad } from './load.ts';
import { stayId } from './seed.ts';
import type { Outcome } from './types.ts';

/** The bare loop in a process of its own, so that its CPU time can be told from the load generator's. */
export interface BareOrder {
  readonly outcome: Outcome;
  readonly plan: LoadPlan;
  /** Of the first stay to take. */
  readonly from: number;
}
export interface BareAnswer {
  readonly result: LoadResult;
  readonly elapsedMs: number;
}

const CONNECTIONS = 128;
const loop = createBareLoop(process.argv[2] ?? '', CONNECTIONS);
process.on('message', (order: BareOrder) => {
  void answer(order).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit(0));

async function answer({ outcome, plan, from }: BareOrder): Promise<BareAnswer> {
  const started = performance.now();
  const result = await runLoad(plan, (index) => loop.run(outcome, stayId(outcome, from + index)));
  return { result, elapsedMs: performance.now() - started };
}
