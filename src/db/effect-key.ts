import { type RawBuilder, sql } from 'kysely';

/** SQL: the effect key of the step that stands under this name in a query; as `effectKey` makes it. */
export const effectKeyOf = (step: string): RawBuilder<string> =>
  sql<string>`(${sql.ref(`${step}.saga_id`)} || '-' || ${sql.ref(`${step}.step_no`)} || '-' || ${sql.ref(`${step}.direction`)})`;
