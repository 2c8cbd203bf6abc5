import type { Facts } from './delivery-facts.ts';
import type { TemplateKey } from './templates.ts';

/**
 * A message about a task that its assignee has to accept or decline carries the deadline and a link to answer. The text is
 * chosen when the message is sent, because the assignee may have answered since it was queued.
 */
const ASKING: Readonly<Partial<Record<TemplateKey, { readonly first: TemplateKey; readonly again: TemplateKey }>>> = {
  'task-assigned.staff@1': { first: 'task-offered.staff@1', again: 'task-offered-again.staff@1' },
  'task-assigned-instead.staff@1': { first: 'task-offered-instead.staff@1', again: 'task-offered-instead.staff@1' },
  'task-changed.staff@1': { first: 'task-changed-offer.staff@1', again: 'task-changed-offer.staff@1' },
};

const askingOf = (template: string) => (Object.hasOwn(ASKING, template) ? ASKING[template as TemplateKey] : undefined);

/** The text to send in the place of `template`; that itself where nobody waits for an answer. */
export function askingText(
  template: string,
  facts: Pick<Facts, 'taskStatus' | 'offerToken' | 'acceptedAt' | 'askedBefore'>,
): string {
  const asking = askingOf(template);
  if (!asking || !isAsked(facts)) return template;
  return facts.askedBefore ? asking.again : asking.first;
}

/** Whether the recipient has still to say if they take the task. */
export const isAsked = ({
  taskStatus,
  offerToken,
  acceptedAt,
}: Pick<Facts, 'taskStatus' | 'offerToken' | 'acceptedAt'>): boolean =>
  taskStatus === 'ASSIGNED' && offerToken !== null && acceptedAt === null;

export function askingTextsOf(template: string): readonly TemplateKey[] {
  const asking = askingOf(template);
  return asking ? [asking.first, asking.again] : [];
}
