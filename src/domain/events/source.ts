import type { Selectable } from 'kysely';
import type { Database } from '../../db/schema.ts';
import type { EventDataOf, EventResource } from './shapes.ts';

/** The form of an entry in the list of the sources of events (`sources.ts`). A column or a state that is not there does not compile. */

type Table = keyof Database;
type ColumnOf<T extends Table> = keyof Selectable<Database[T]> & string;

/** SQL over columns of one row. */
export interface RowExpression<Column extends string = string> {
  /** The text around the columns: one more than there are columns. */
  readonly text: readonly string[];
  readonly columns: readonly Column[];
}
/** An expression over columns of the changed row: those that stand in braces, as in ``row`coalesce(${'slot_end'}, ${'ends_at'})` ``. */
export const row = <const Column extends string>(
  text: TemplateStringsArray,
  ...columns: readonly Column[]
): RowExpression<Column> => ({ text, columns });

type ValueOf<T extends Table> = ColumnOf<T> | RowExpression<ColumnOf<T>>;

interface SourceFields<T extends Table, R extends EventResource, Name extends string> {
  /** Rows of the table that are this record; without it, all. */
  readonly only?: RowExpression<ColumnOf<T>>;
  /**
   * `STATEMENT`: the trigger runs once a statement, for tables of which one statement changes many rows, as the steps of
   * many sagas share one. `ROW`: it runs for the changed rows that make an event, and costs nothing else.
   */
  readonly each: 'STATEMENT' | 'ROW';
  /** An update counts only when this column changes with it; without it, every update does. */
  readonly onlyWith?: ColumnOf<T>;
  /** The stay that the event belongs to; null: none. */
  readonly reservationId: ValueOf<T> | null;
  /** The value of each field that `EVENT_DATA` documents. */
  readonly data: { readonly [Field in keyof EventDataOf<R>]-?: ValueOf<T> };
  /** Descriptions by the event's name, which is the second half of its type. */
  readonly events: Readonly<Record<Name, string>>;
  /** The event of a new row. `BY_STATE`: that of its state; null: none. */
  readonly inserted: NoInfer<Name> | 'BY_STATE' | null;
  /**
   * When the state has not changed: the first of these of which a column has. Columns that are null count like others.
   */
  readonly changes: readonly { readonly event: NoInfer<Name>; readonly columns: readonly ColumnOf<T>[] }[];
}
/**
 * The event of a row that has come into a state; null: none, on purpose. Every state of the column must be named. The first
 * is the one in which examples show a new row.
 */
type States<T extends Table, Name extends string> =
  'status' extends ColumnOf<T>
    ? {
        readonly states: Readonly<
          Record<Selectable<Database[T]>['status' & ColumnOf<T>] & string, NoInfer<Name> | null>
        >;
      }
    : { readonly states?: never };

/** An entry of the list: the record that the events are about, the table whose changes make them, and how. */
export const source = <const R extends EventResource, T extends Table, const Name extends string>(
  resource: R,
  table: T,
  fields: SourceFields<T, R, Name> & States<T, Name>,
) => ({ resource, table, ...fields });

/** An entry of the list without the types that check it. */
export interface EventSource {
  readonly resource: string;
  readonly table: string;
  readonly only?: RowExpression;
  readonly each: 'STATEMENT' | 'ROW';
  readonly onlyWith?: string;
  readonly reservationId: string | RowExpression | null;
  readonly data: Readonly<Record<string, string | RowExpression>>;
  readonly events: Readonly<Record<string, string>>;
  readonly inserted: string | null;
  readonly states?: Readonly<Record<string, string | null>>;
  readonly changes: readonly { readonly event: string; readonly columns: readonly string[] }[];
}
