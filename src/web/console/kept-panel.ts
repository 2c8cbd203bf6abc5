import { html } from 'hono/html';
import type { KeptState, SealState } from '../../domain/incidents/overview.ts';
import type { Html } from '../layout.ts';
import { codeWords, type Frame, say } from './frame.ts';
import { fact, moment, table } from './parts.ts';

/** What was verified, and what is forgotten when. */

const at = (frame: Frame, time: Date | null): Html => (time === null ? html`–` : moment(frame, time.toISOString()));

export function sealsPanel(frame: Frame, { watch, money }: SealState): Html {
  const trail =
    watch.broken > 0
      ? html`<strong class="bad">${say(frame, 'trailBroken')} ${watch.broken}</strong>`
      : say(frame, watch.walkDoneAt === null ? 'trailUnwalked' : 'trailWhole');
  const books =
    money === null
      ? say(frame, 'booksUnchecked')
      : money.differences > 0
        ? html`<strong class="bad">${say(frame, 'booksDiffer')} ${money.differences}</strong>`
        : say(frame, 'booksAgree');
  return html`<section class="panel" aria-labelledby="seals"><h2 id="seals">${say(frame, 'seals')}</h2><dl class="facts">
${fact(frame, 'trail', trail)}${fact(frame, 'walkDone', at(frame, watch.walkDoneAt))}${watch.walkBeganAt === null ? '' : fact(frame, 'walkBegan', at(frame, watch.walkBeganAt))}
${fact(frame, 'watchLooked', at(frame, watch.lookedAt))}${fact(frame, 'books', books)}${money === null ? '' : fact(frame, 'checkedAt', at(frame, money.finishedAt))}</dl></section>`;
}

/** A sweep an hour, and the maintenance of a day, may come that much later. */
const GRACE_DAYS = 2;
const DAY_MS = 24 * 60 * 60_000;

export const keptPanel = (frame: Frame, kept: readonly KeptState[]): Html =>
  html`<section class="panel" aria-labelledby="kept"><h2 id="kept">${say(frame, 'kept')}</h2><p class="soft">${say(frame, 'keptText')}</p>${table(
    frame,
    ['kind', 'keptDays', 'oldestKept', 'state'],
    kept.map(({ what, days, oldestAt }) => [
      codeWords(frame, what),
      days,
      oldestAt === null ? say(frame, 'none') : at(frame, oldestAt),
      oldestAt !== null && frame.now.getTime() - oldestAt.getTime() > (days + GRACE_DAYS) * DAY_MS
        ? html`<span class="badge warn">${say(frame, 'tooOld')}</span>`
        : html`<span class="badge good">${say(frame, 'keptInTime')}</span>`,
    ]),
  )}</section>`;
