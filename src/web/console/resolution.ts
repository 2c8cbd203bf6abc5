import { html } from 'hono/html';
import type { Html } from '../layout.ts';
import { type Frame, inEnglish, say } from './frame.ts';

/** What resolving a parked saga does and leaves, as the API says it. */
export interface ResolutionFacts {
  readonly refused: string | null;
  readonly byHand: readonly { readonly step: string; readonly follows: string }[];
  readonly runs: readonly string[];
}

/** Beside the button: what it will do, and what it will not. */
export const resolutionOf = (frame: Frame, { byHand, runs }: ResolutionFacts): Html =>
  html`<p>${say(frame, 'resolveCloses')}</p>
${byHand.length === 0 ? '' : html`<p>${say(frame, 'resolveByHand')}</p><ul>${byHand.map(({ step, follows }) => html`<li><code>${step}</code>: ${inEnglish(follows)}</li>`)}</ul>`}
${runs.length === 0 ? '' : html`<p>${say(frame, 'resolveRuns')}</p><ul>${runs.map((step) => html`<li><code>${step}</code></li>`)}</ul>`}`;

/** Why there is no button, and which hand is right. */
export const notResolved = (frame: Frame, refused: string): Html =>
  html`<p class="soft">${say(frame, 'notResolved')} ${inEnglish(refused)}</p>`;
