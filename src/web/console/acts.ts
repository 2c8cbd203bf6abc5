import { html } from 'hono/html';
import { newId } from '../../kernel/ids.ts';
import type { Html } from '../layout.ts';
import { type Frame, say } from './frame.ts';

/** The buttons by which people act on stays. */

export const STAY_ACTS = ['confirm', 'check-in', 'check-out', 'cancel'] as const;
export type StayAct = (typeof STAY_ACTS)[number];

/** Where a form leads back to: the stay itself, or a day. */
export interface Back {
  readonly date: string | null;
}

/** What keeps a second press from acting twice, and where it leads. */
const hidden = ({ date }: Back): Html =>
  html`<input type="hidden" name="key" value="${newId('press')}">${date === null ? '' : html`<input type="hidden" name="date" value="${date}">`}`;

/** A button for one act. `about`: whose stay, for those who hear the page. */
export const actButton = (frame: Frame, id: string, act: StayAct, about: string, back: Back): Html =>
  html`<form method="post" action="${frame.prefix}/console/stays/${encodeURIComponent(id)}/${act}">${hidden(back)}<button aria-label="${say(frame, act)}: ${about}">${say(frame, act)}</button></form>`;

/** Cancelling asks for a reason, which is kept with the stay. */
export const cancelForm = (frame: Frame, id: string, plan: Html | null): Html =>
  html`<details><summary>${say(frame, 'cancel')}</summary>${plan === null ? '' : html`<p>${plan}</p>`}
<form method="post" action="${frame.prefix}/console/stays/${encodeURIComponent(id)}/cancel" class="act">${hidden({ date: null })}
<label>${say(frame, 'reason')} <input name="reason" required maxlength="64"></label><button class="danger">${say(frame, 'cancel')}</button></form></details>`;

interface OnDay {
  readonly status: string;
  readonly parts: readonly string[];
  readonly warnings: readonly string[];
}
/** The act that the day of a stay asks for; null: none. */
export function actOfDay({ status, parts, warnings }: OnDay): Exclude<StayAct, 'cancel'> | null {
  if (status === 'PENDING') return 'confirm';
  if (status === 'CONFIRMED' && parts.includes('ARRIVAL')) return 'check-in';
  const leaves = parts.includes('DEPARTURE') || warnings.includes('NOT_LEFT');
  return status === 'CHECKED_IN' && leaves ? 'check-out' : null;
}
