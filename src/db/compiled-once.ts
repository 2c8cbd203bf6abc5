import { type CompiledQuery, type RawBuilder, sql } from 'kysely';
import type { Db } from './client.ts';

/** Stands for the value in the compiled parameters. */
const VALUE = Object.freeze({ marker: 'value' });

/**
 * A statement over one value, for those that run so often that building them anew would cost more than to send them. `build`
 * is called once, and puts the value into one place; everything else in there is a constant of the code.
 */
export function compiledOnce<Value, Row>(
  build: (db: Db, value: RawBuilder<Value>) => CompiledQuery<Row>,
): (db: Db, value: Value) => Promise<readonly Row[]> {
  let query: CompiledQuery<Row> | undefined;
  return async (db, value) => {
    query ??= build(db, sql<Value>`${VALUE}`);
    const parameters = query.parameters.with(query.parameters.indexOf(VALUE), value);
    const { rows } = await db.executeQuery<Row>({ ...query, parameters });
    return rows;
  };
}
