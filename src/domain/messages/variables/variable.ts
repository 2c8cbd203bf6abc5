import type { RawBuilder } from 'kysely';
import type { Facts } from '../delivery-facts.ts';
import type { Printer } from '../print.ts';

/** A value that texts may name, with the place that it comes from. */
export interface Variable {
  readonly type: 'url' | 'text' | 'id' | 'date' | 'time' | 'instant' | 'money' | 'percent' | 'code' | 'secret';
  /** As it is printed in English. */
  readonly example: string;
  /** Not every message has one: a line of a text that names it is left out where there is none. */
  readonly optional: boolean;
  /** Null where this message has none; a text that cannot do without it is not sent. */
  readonly read: (facts: Facts, print: Printer) => string | null;
}

/** A variable; `example` is its printed value in English. */
export const variable = (
  type: Variable['type'],
  example: string,
  read: Variable['read'],
  { optional = false } = {},
): Variable => ({ type, example, optional, read });

/**
 * Conditions on the notification `n`, so that a column which costs a look of its own is read only for messages that can
 * print it. They follow from the catalogue.
 */
export interface Uses {
  /** Its event may use one of the variables. */
  readonly mayUse: (...names: readonly string[]) => RawBuilder<boolean>;
  /** Its built-in text names one of the variables. */
  readonly names: (...names: readonly string[]) => RawBuilder<boolean>;
}

/** A code, an id or an instant that the notification's row holds; null where it holds none. */
export function param({ params }: Pick<Facts, 'params'>, name: string): string | null {
  const value = Object.hasOwn(params, name) ? params[name] : null;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : null;
}
