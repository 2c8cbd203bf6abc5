import type { SagaDefinition } from '../../src/engine/definition.ts';
import { DEFINITIONS, definitionOf } from '../../src/sagas/index.ts';
import { describeSagaFaults } from './describe-saga-faults.ts';
import type { SagaFixture } from './lab.ts';
import { countScenarios } from './scenarios.ts';

/**
 * The fault matrix of the whole registry, in parts that run side by side. Each saga's fixture is
 * `fixtures/<saga-in-kebab-case>.ts`, which exports `fixture`, and `older` by version where an older one ends otherwise.
 */
export async function describeEverySaga(part: number, parts: number): Promise<void> {
  for (const definition of partOf(DEFINITIONS, part, parts))
    describeSagaFaults({ definition, fixture: await fixtureOf(definition) });
}

/** Evened out by the number of scenarios; each part counts from 1. */
export function partOf(definitions: readonly SagaDefinition[], part: number, parts: number): readonly SagaDefinition[] {
  const shares = Array.from({ length: parts }, () => ({ size: 0, definitions: [] as SagaDefinition[] }));
  for (const definition of definitions.toSorted((a, b) => countScenarios(b) - countScenarios(a))) {
    const smallest = shares.reduce((least, share) => (share.size < least.size ? share : least));
    smallest.definitions.push(definition);
    smallest.size += countScenarios(definition);
  }
  return shares[part - 1]?.definitions ?? [];
}

interface FixtureModule {
  readonly fixture: SagaFixture;
  readonly older?: Readonly<Record<number, SagaFixture>>;
}

export async function fixtureOf({ name, version }: SagaDefinition): Promise<SagaFixture> {
  const file = `./fixtures/${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}.ts`;
  const { fixture, older } = (await import(file)) as FixtureModule;
  return (version === definitionOf(name)?.version ? undefined : older?.[version]) ?? fixture;
}
