import { type CompiledQuery, type RawBuilder, sql } from 'kysely';
import type { Db, Tx } from './client.ts';

/** Stands for the value in the compiled parameters. */
const VALUE = Object.freeze({ marker: 'value' });

/**
 * A statement over one value, for those that run so often that building them anew would cost more than to send them. `build`
 * is called once, and puts the value into one place; everything else in there is a constant of the code.
 */
export function compiledOnce<Value, Row>(
  build: (db: Db, value: RawBuilder<Value>) => CompiledQuery<Row>,
): (db: Db | Tx, value: Value) => Promise<readonly Row[]> {
  let query: CompiledQuery<Row> | undefined;
  return async (db, value) => {
    query ??= build(db, sql<Value>`${VALUE}`);
    const parameters = query.parameters.with(query.parameters.indexOf(VALUE), value);
    const { rows } = await db.executeQuery<Row>({ ...query, parameters });
    return rows;
  };
}

/** Stands for one of the values in the compiled parameters. */
class Named<Key> {
  readonly key: Key;
  constructor(key: Key) {
    this.key = key;
  }
}

/** `compiledOnce` over several values, each of which `build` may put into as many places as it likes. */
export function compiledOver<Values extends object, Row>(
  build: (value: <Key extends keyof Values>(key: Key) => RawBuilder<Values[Key]>) => RawBuilder<Row>,
): (db: Db | Tx, values: Values) => Promise<readonly Row[]> {
  let query: CompiledQuery<Row> | undefined;
  return async (db, values) => {
    query ??= build((key) => sql`${new Named(key)}`).compile(db);
    const parameters = query.parameters.map((one) => (one instanceof Named ? values[one.key as keyof Values] : one));
    const { rows } = await db.executeQuery<Row>({ ...query, parameters });
    return rows;
  };
}
