import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import type { StepDefinition, Work } from '../../src/engine/step.ts';
import { errand, runErrand, shortErrand } from '../sagas/errand.ts';
import { createTestbed, restOf, type Testbed, type TestProcess } from '../setup/engine.ts';

/** A step may throw before its first await, or reject when nobody waits any more: neither may end the worker. */

let bed: Testbed;
let worker: TestProcess;
const unobserved: unknown[] = [];
const note = (error: unknown): void => void unobserved.push(error);

beforeAll(async () => {
  process.on('unhandledRejection', note);
  bed = await createTestbed([runErrand, shortErrand]);
  await errand.prepare(bed.db);
  worker = await bed.start({ prefix: bed.newPrefix() });
});
afterAll(async () => {
  await bed?.drop();
  process.off('unhandledRejection', note);
});

const PARTS = ['values', 'prepare', 'run', 'book'] as const;
type Part = (typeof PARTS)[number];
type Side = 'forward' | 'compensation';
const thrown = (): never => {
  throw new TypeError('thrown before the first await');
};
const TIMEOUT_MS = 30;

let versions = 100;
/** The errand with one step changed, and with retries that are used up at once. */
function changed(change: (step: StepDefinition) => StepDefinition): SagaDefinition {
  versions += 1;
  const steps = runErrand.steps.map((step) =>
    change({ ...step, maxAttempts: 1, retry: { attempts: 1, baseMs: 1, maxMs: 1 } }),
  );
  const definition = { ...runErrand, version: versions, steps };
  bed.register(definition);
  return definition;
}
const withPart = (work: Work, part: Part, does: () => unknown): Work => ({ ...work, [part]: does }) as Work;
/** Optional parts of a call, also those that the errand's own does not have. */
const CALLING: readonly Part[] = ['prepare', 'book'];
const has = (work: Work | undefined, part: Part): boolean =>
  work !== undefined && (part in work || (work.kind === 'call' && CALLING.includes(part)));

const cases = runErrand.steps.flatMap((step) =>
  (['forward', 'compensation'] as const).flatMap((side: Side) =>
    PARTS.filter((part) => has(step[side], part)).map((part) => ({ name: step.name, kind: step.kind, side, part })),
  ),
);

async function ends(definition: SagaDefinition): Promise<string> {
  const { sagaId } = await bed.accept(worker, definition, await errand.seed(bed.db));
  return restOf(bed.db, sagaId, 30_000);
}

it('every kind of step is among the errand’s', () => {
  expect(new Set(cases.map(({ kind }) => kind))).toEqual(new Set(['read', 'statement', 'tx', 'call']));
  expect(new Set(cases.map(({ part }) => part))).toEqual(new Set(PARTS));
});

it.each(cases)('$side $part of $name ($kind) may throw at once', async ({ name, side, part }) => {
  const at = runErrand.steps.findIndex((step) => step.name === name);
  // For an undo, the step must first be done, and then a later one must fail.
  const definition = changed((step) => {
    const work = step[side];
    if (step.name === name && work) return { ...step, [side]: withPart(work, part, thrown) };
    const isNext = side === 'compensation' && step.no === at + 2;
    return isNext ? { ...step, forward: withPart(step.forward, 'run', thrown) } : step;
  });
  expect(['compensated', 'parked']).toContain(await ends(definition));
  expect(unobserved).toEqual([]);
});

it.each(runErrand.steps.filter((step) => step.kind === 'call').map(({ name }) => name))(
  'the call %s may reject after its time is up',
  async (name) => {
    const late = Promise.withResolvers<never>();
    const definition = changed((step) =>
      step.name === name
        ? { ...step, timeoutMs: TIMEOUT_MS, forward: withPart(step.forward, 'run', () => late.promise) }
        : step,
    );
    expect(['compensated', 'parked']).toContain(await ends(definition));
    late.reject(new Error('nobody waits for this'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(unobserved).toEqual([]);
  },
);
