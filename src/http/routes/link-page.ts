import { RoomyError } from '../../kernel/errors.ts';
import type { AnyContext } from '../context.ts';
import { refusals } from '../schemas/envelope.ts';

/** The common part of routes of a page that a link in a mail opens, and that asks something by forms. */

export const PAGE_ANSWERS = {
  200: { description: 'A page', content: { 'text/html': { schema: { type: 'string' as const } } } },
  ...refusals('TASK_NOT_FOUND', 'VALIDATION_FAILED'),
};
export const FORM_ANSWERS = {
  303: { description: 'Taken, or settled before: `Location` is the page, which says which' },
  ...refusals('TASK_NOT_FOUND', 'VALIDATION_FAILED'),
};

/** Always back to the page, which says what was decided: loading that again sends nothing again. */
export async function backToPage(c: AnyContext, page: string, decide: () => Promise<unknown>): Promise<Response> {
  try {
    await decide();
  } catch (error) {
    if (!(error instanceof RoomyError && error.code === 'INVALID_STATE_TRANSITION')) throw error;
  }
  return c.redirect(page, 303);
}
