import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import { expectInvariants } from './invariants.ts';
import { type Lab, openLab, type SagaFixture } from './lab.ts';
import { countScenarios, scenariosOf } from './scenarios.ts';
import { withStages } from './stages.ts';

export interface SagaFaults {
  readonly definition: SagaDefinition;
  readonly fixture: SagaFixture;
}

const WITHIN_MS = 30_000;

/**
 * Generates, for every step of the saga, every fault that the orchestrator promises to survive, runs each on a saga of
 * its own, and looks at the world afterwards. A step that is added later is tried without a line of test.
 */
export function describeSagaFaults({ definition, fixture }: SagaFaults): void {
  describe(`${definition.name}@${definition.version} under faults`, () => {
    let lab: Lab;
    const scenarios = scenariosOf(definition);
    const ran = new Set<string>();

    beforeAll(async () => {
      lab = await openLab(definition, fixture);
    }, 60_000);
    afterAll(() => lab?.close(), 60_000);

    for (const { title, run } of scenarios) {
      it.concurrent(title, { timeout: WITHIN_MS + 5_000 }, async () => {
        await withStages(WITHIN_MS, () => run(lab));
        ran.add(title);
      });
    }

    it('has run every fault that the definition calls for', () => {
      expect(scenarios.map(({ title }) => title).filter((title) => !ran.has(title))).toEqual([]);
      expect(ran.size).toBe(countScenarios(definition));
    });
    it('leaves no invariant broken', () => expectInvariants(lab.bed.db));
  });
}
