import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import type { Database, Direction } from '../../src/db/schema.ts';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import { releasedAfter } from '../../src/engine/record.ts';
import type { StepDefinition, Work } from '../../src/engine/step.ts';
import { compileFusedStep } from '../../src/engine/store/fused.ts';
import { definitionOf, SAGA_NAMES } from '../../src/sagas/index.ts';

/** The fused statement of every step of every registered saga, compiled without a database. */

export interface StepStatement {
  readonly definition: SagaDefinition;
  readonly step: StepDefinition;
  readonly direction: Direction;
  /** Its file in `docs/sql`. */
  readonly file: string;
  /** As the database gets it. */
  readonly sql: string;
  /** The values of `$1`, `$2`, ... in their order; that of the due sagas is replaced at each execution. */
  readonly parameters: readonly unknown[];
  /** Index, from 0, of the parameter that carries the due sagas. */
  readonly itemsAt: number;
}

/** Has Postgres's dialect and no connection. */
const compiler = new Kysely<Database>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

/** Every registered version: by name in the order of the registry, the newest version of a name last. */
export function registeredDefinitions(): SagaDefinition[] {
  return SAGA_NAMES.flatMap((name) => {
    const newest = definitionOf(name)?.version ?? 0;
    const versions = Array.from({ length: newest }, (_one, index) => definitionOf(name, index + 1));
    return versions.filter((definition) => definition !== undefined);
  });
}

export const isNewest = ({ name, version }: SagaDefinition): boolean => definitionOf(name)?.version === version;

export const workOf = (step: StepDefinition, direction: Direction): Work | undefined =>
  direction === 'F' ? step.forward : step.compensation;

/** Null when the step has no fused statement in this direction: it runs in a transaction, calls the outside, or has nothing to undo. */
export function statementOf(
  definition: SagaDefinition,
  step: StepDefinition,
  direction: Direction,
): StepStatement | null {
  const work = workOf(step, direction);
  if (work?.kind !== 'statement' && work?.kind !== 'read') return null;
  const effect = work.kind === 'statement' ? work : null;
  const place = { totalSteps: definition.steps.length, releases: releasedAfter(definition, step, direction) };
  const { query, itemsAt } = compileFusedStep(compiler, step, direction, place, effect);
  const saga = isNewest(definition) ? definition.name : `${definition.name}@${definition.version}`;
  return {
    definition,
    step,
    direction,
    file: `${saga}.${step.name}.${direction}.sql`,
    sql: query.sql,
    parameters: query.parameters,
    itemsAt,
  };
}

export const allStatements = (): StepStatement[] =>
  registeredDefinitions().flatMap((definition) =>
    definition.steps.flatMap((step) =>
      (['F', 'C'] as const)
        .map((direction) => statementOf(definition, step, direction))
        .filter((statement) => statement !== null),
    ),
  );
