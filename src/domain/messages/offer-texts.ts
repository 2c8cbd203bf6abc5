import type { Facts } from './delivery-facts.ts';
import { templateOf } from './templates.ts';
import { isAsked } from './variables/task.ts';

/**
 * A message about a task that its assignee has to accept or decline carries the deadline and a link to answer. The text is
 * chosen when the message is sent, because the assignee may have answered since it was queued.
 */

/** The text to send in the place of `template`; that itself where nobody waits for an answer. */
export function offerText(
  template: string,
  facts: Pick<Facts, 'taskStatus' | 'offerToken' | 'acceptedAt' | 'askedBefore'>,
): string {
  const asking = templateOf(template)?.source.asking;
  if (!asking || !isAsked(facts)) return template;
  return facts.askedBefore ? asking.again : asking.first;
}

/** The keys of the texts that may be sent in the place of `template`; none where nothing is asked. */
export function offerTextsOf(template: string): readonly string[] {
  const asking = templateOf(template)?.source.asking;
  return asking ? [asking.first, asking.again] : [];
}
