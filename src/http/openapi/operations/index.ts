import { EVENTS } from './events.ts';
import type { OperationTexts } from './kinds.ts';
import { MESSAGES } from './messages.ts';
import { MONEY } from './money.ts';
import { OPERATIONS_OF_OPERATORS } from './operations.ts';
import { PEOPLE } from './people.ts';
import { STAYS } from './stays.ts';
import { WORK } from './work.ts';

/** By endpoint, as in the table of policies. */
export const OPERATIONS: OperationTexts = {
  ...STAYS,
  ...MONEY,
  ...WORK,
  ...MESSAGES,
  ...OPERATIONS_OF_OPERATORS,
  ...EVENTS,
  ...PEOPLE,
};
