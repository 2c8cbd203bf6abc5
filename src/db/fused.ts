import { type Compilable, type OperationNodeSource, type RawBuilder, sql } from 'kysely';
import type { Database, Json } from './schema.ts';

/**
 * Set-based statements over `guard`, the sagas for which a step is due: one row each, none when nothing is due. The
 * orchestrator fuses such a statement with its guard and its record; the domain writes it.
 */
export interface GuardTable {
  saga_id: string;
  subject_id: string;
  /** `<sagaId>-<step>-<F|C>` */
  effect_key: string;
  /** The key of the forward effect; in a compensation, what is to be undone. */
  forward_key: string;
  requested_at: Date;
  vals: Json;
}
export type FusedDatabase = Database & { guard: GuardTable };
export type FusedQuery<Row> = Compilable<Row> & OperationNodeSource;

/** Reads one of the step's values inside the statement, with the type that Postgres is to see. */
export interface ValueRefs<V> {
  text<K extends keyof V & string>(key: K): RawBuilder<Extract<V[K], string>>;
  number<K extends keyof V & string>(key: K): RawBuilder<Extract<V[K], number>>;
  instant<K extends keyof V & string>(key: K): RawBuilder<Date>;
  json<K extends keyof V & string>(key: K): RawBuilder<V[K]>;
}

/** Reads the values from `guard.vals`, which holds them as JSON. */
export const valueRefs = <V>(): ValueRefs<V> => ({
  text: (key) => sql`(guard.vals ->> ${key}::text)`,
  number: (key) => sql`(guard.vals ->> ${key}::text)::bigint`,
  instant: (key) => sql`(guard.vals ->> ${key}::text)::timestamptz`,
  json: (key) => sql`(guard.vals -> ${key}::text)`,
});
