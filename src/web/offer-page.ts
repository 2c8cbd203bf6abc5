import { html } from 'hono/html';
import type { Offer } from '../domain/assignment/offer-link.ts';
import { savedZone } from '../kernel/time-zone.ts';
import type { Card } from './layout.ts';

/** Where somebody says whether they take a task. It works without scripts, and looking at it decides nothing. */

export function offerPage(token: string, offer: Offer): Card {
  const moment = (at: Date): string => `${momentIn(offer.timeZone).format(at)} (${offer.timeZone})`;
  const content = html`<p class="soft"><bdi>${offer.propertyName}</bdi></p>
<dl><dt>What</dt><dd><bdi>${offer.title}</bdi></dd>
${
  offer.isElsewhere || offer.state === 'OVER'
    ? ''
    : html`<dt>Start</dt><dd>${moment(offer.startsAt)}</dd><dt>End</dt><dd>${moment(offer.endsAt)}</dd>`
}
${offer.state === 'OPEN' ? html`<dt>Answer by</dt><dd>${moment(offer.acceptBy)}, ${timeLeft(offer.secondsLeft)}</dd>` : ''}</dl>
${offer.state === 'OPEN' ? buttons(token) : html`<p role="status">${saidOf(offer)}</p>`}`;
  return { title: offer.state === 'OPEN' ? 'Do you take this task?' : 'Your task', content };
}

// Relative, as the API may be served under a path of its own.
const buttons = (
  token: string,
) => html`<form method="post" action="${token}/accept"><button>Yes, I take it</button></form>
<form method="post" action="${token}/decline"><button class="no">No, I cannot</button></form>`;

const SAID: Readonly<Record<Exclude<Offer['state'], 'OPEN'>, string>> = {
  ACCEPTED:
    'Thank you. This task is yours. If you cannot come after all, please tell us, or give it back on the work page.',
  DECLINED: 'Thank you for telling us. You have declined this task.',
  EXPIRED: 'The time to answer is over.',
  ASKED_AGAIN: 'We have asked you about this task once more since. Please answer by the link of our latest message.',
  TAKEN: 'This task is not yours any more.',
  OVER: 'This task is done, or has been called off. There is nothing to answer any more.',
};

function saidOf({ state, isElsewhere }: Offer): string {
  if (state === 'OPEN') return '';
  return isElsewhere && state !== 'OVER' ? `${SAID[state]} Somebody else has it now.` : SAID[state];
}

/** `2 h 5 min left`. */
function timeLeft(seconds: number): string {
  const minutes = Math.max(1, Math.floor(seconds / 60));
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes} min left` : `${hours} h ${minutes % 60} min left`;
}

const momentIn = (timeZone: string): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'short', timeZone: savedZone(timeZone) });
