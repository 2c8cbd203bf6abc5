import { ACCESS } from './access.ts';
import { ACCOUNT } from './account.ts';
import { ALERT } from './alert.ts';
import { MONEY } from './money.ts';
import { PEOPLE } from './people.ts';
import { PROPERTY } from './property.ts';
import { STAY_VARIABLES } from './stay.ts';
import { TASK } from './task.ts';
import type { Variable } from './variable.ts';

/** Everything that texts may name. An event's file lists those that its texts may use. */

const ALL = { ...PEOPLE, ...STAY_VARIABLES, ...PROPERTY, ...MONEY, ...TASK, ...ACCESS, ...ALERT, ...ACCOUNT };
export type VariableName = keyof typeof ALL;
export const CATALOGUE: Readonly<Record<VariableName, Variable>> = ALL;

const OPTIONALS: ReadonlySet<string> = new Set(
  Object.entries(CATALOGUE).flatMap(([name, { optional }]) => (optional ? [name] : [])),
);
/** Whether a line that names this variable is left out where it has no value. */
export const isOptional = (name: string): boolean => OPTIONALS.has(name);

export const EXAMPLES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(CATALOGUE).map(([name, { example }]) => [name, example]),
);
