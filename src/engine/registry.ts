import { checkDefinition, type SagaDefinition } from './definition.ts';

/** Finds the definition that an execution is pinned to. */
export interface Registry {
  /** Without a version, the newest. Undefined: this build does not know it. */
  definitionOf(name: string, version?: number): SagaDefinition | undefined;
  readonly names: readonly string[];
}

/**
 * `definitions` has every version that an execution in flight may still be pinned to, older ones of a name first. Throws
 * for one that is not sound, so that a program with it does not start.
 */
export function createRegistry(definitions: readonly SagaDefinition[]): Registry {
  const byVersion = new Map<string, SagaDefinition>();
  const newest = new Map<string, SagaDefinition>();
  for (const definition of definitions) {
    checkDefinition(definition);
    const id = `${definition.name}@${definition.version}`;
    if (byVersion.has(id)) throw new Error(`saga ${id} is registered twice`);
    if ((newest.get(definition.name)?.version ?? 0) > definition.version)
      throw new Error(`saga ${id} is registered behind a newer version`);
    byVersion.set(id, definition);
    newest.set(definition.name, definition);
  }
  return {
    definitionOf: (name, version) => (version === undefined ? newest.get(name) : byVersion.get(`${name}@${version}`)),
    names: [...newest.keys()],
  };
}
