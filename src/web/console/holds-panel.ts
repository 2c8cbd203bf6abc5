import { html } from 'hono/html';
import { newId } from '../../kernel/ids.ts';
import type { Html } from '../layout.ts';
import { type Frame, say } from './frame.ts';
import { moment } from './parts.ts';
import type { Word } from './words-en.ts';

/** What people have paused, on the page of the system: resumed one by one, and paused by scope. */

export interface HoldView {
  readonly id: string;
  readonly scope: string;
  readonly subject: string;
  readonly reason: string | null;
  readonly heldBy: string;
  readonly heldAt: string;
}

const SCOPES: readonly (readonly [string, Word])[] = [
  ['NAME', 'sagasOfName'],
  ['STEP', 'oneStep'],
  ['GATEWAY', 'otherSystem'],
  ['ALL', 'allSagas'],
];

export function holdsPanel(
  frame: Frame,
  holds: readonly HoldView[],
  may: { readonly mayPause: boolean; readonly mayResume: boolean },
): Html {
  return html`<section class="panel" aria-labelledby="holds"><h2 id="holds">${say(frame, 'holds')}</h2><p class="soft">${say(frame, 'holdsText')}</p>
${holds.length === 0 ? html`<p>${say(frame, 'noHolds')}</p>` : html`<ul class="rows">${holds.map((hold) => rowOf(frame, hold, may.mayResume))}</ul>`}
${may.mayPause ? pauseForm(frame) : ''}</section>`;
}

function rowOf(frame: Frame, hold: HoldView, mayResume: boolean): Html {
  const word = SCOPES.find(([scope]) => scope === hold.scope)?.[1];
  return html`<li class="bad">${word === undefined ? '' : html`${say(frame, word)}: `}<code>${hold.subject}</code> ${hold.reason === null ? '' : html`– <bdi>${hold.reason}</bdi>`}
<span class="soft">(${say(frame, 'pausedBy')} <bdi>${hold.heldBy}</bdi> ${say(frame, 'sinceText')} ${moment(frame, hold.heldAt)})</span>
${mayResume ? html`<form method="post" action="${frame.prefix}/console/system/resume" class="act"><input type="hidden" name="key" value="${newId('press')}"><input type="hidden" name="hold" value="${hold.id}"><label>${say(frame, 'reason')} <input name="reason" required maxlength="500"></label><button class="yes">${say(frame, 'resume')}</button></form>` : ''}</li>`;
}

const pauseForm = (frame: Frame): Html =>
  html`<form method="post" action="${frame.prefix}/console/system/pause" class="act"><input type="hidden" name="key" value="${newId('press')}">
<label>${say(frame, 'whatToPause')} <select name="scope">${SCOPES.map(([scope, word]) => html`<option value="${scope}">${say(frame, word)}</option>`)}</select></label>
<label>${say(frame, 'whichOne')} <input name="subject" maxlength="200" dir="ltr"></label>
<label>${say(frame, 'reason')} <input name="reason" required maxlength="500"></label><button class="no">${say(frame, 'pause')}</button></form>`;
