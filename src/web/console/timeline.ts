import { html } from 'hono/html';
import type { Html } from '../layout.ts';
import { codeWords, type Frame, inEnglish, say } from './frame.ts';
import { moment, sagaLink } from './parts.ts';

/** What happened about a stay and why, oldest first, then the line "now", and what will happen. */

export interface Entry {
  readonly at: string;
  readonly kind: string;
  readonly id: string;
  readonly sentence: string;
  readonly cause: { readonly kind: string; readonly id: string } | null;
  readonly details: Readonly<Record<string, unknown>>;
}
export interface Ahead {
  readonly at: string | null;
  readonly kind: string;
  readonly sentence: string;
  readonly status: string;
  readonly why: string | null;
}
interface Timeline {
  readonly id: string;
  readonly entries: readonly Entry[];
  /** Null: it is not the reader's to see. */
  readonly ahead: readonly Ahead[] | null;
  readonly now: string;
  readonly cursor: string | null;
  readonly next: string | null;
}

/** Of each kind what says why it is as it is; the sentence says the rest. */
const REASONS: Readonly<Record<string, readonly string[]>> = {
  request: ['requestId', 'actor', 'onBehalfOf'],
  saga: ['error', 'waiting', 'requestedBy', 'retryOf'],
  step: ['attempts', 'durationMs', 'error', 'waitsUntil'],
  outcome: ['error', 'stepsCompleted', 'totalSteps'],
  state: ['reason', 'happenedAt'],
  task: ['assignment', 'acceptBy', 'approval', 'mergedIntoTaskId'],
  transaction: ['rule', 'details', 'errorCode', 'scheduledFor', 'gatewayId'],
  payment: ['errorCode', 'gatewayId', 'gatewayReference', 'requestedBy'],
  approval: ['reason', 'decidedBy', 'rule'],
  access: ['validFrom', 'validUntil'],
  message: ['reason', 'dueRule', 'template', 'locale', 'attempts'],
  event: ['type', 'data', 'webhooks'],
  change: ['details', 'actor', 'requestId'],
};

export function timelineOf(frame: Frame, { id, entries, ahead, now, cursor, next }: Timeline): Html {
  const at = `${frame.prefix}/console/stays/${encodeURIComponent(id)}`;
  const known = new Set(entries.map(nameOf));
  return html`<section class="panel" aria-labelledby="timeline"><h2 id="timeline">${say(frame, 'timeline')}</h2>
${cursor === null ? '' : html`<p><a href="${at}#timeline">${say(frame, 'firstEntries')}</a></p>`}
<ol class="timeline">${entries.map((entry) => entryOf(frame, entry, known))}
${next === null ? html`<li class="now"><strong>${say(frame, 'now')}</strong> ${moment(frame, now)}</li>` : ''}</ol>
${next === null ? '' : html`<p class="pager"><a rel="next" href="${at}?cursor=${encodeURIComponent(next)}#timeline">${say(frame, 'moreEntries')}</a></p>`}
${next !== null || ahead === null || ahead.length === 0 ? '' : aheadOf(frame, ahead)}</section>`;
}

const nameOf = ({ kind, id }: { readonly kind: string; readonly id: string }): string => `${kind}-${id}`;

function entryOf(frame: Frame, entry: Entry, known: ReadonlySet<string>): Html {
  const { kind, id, sentence, cause, at, details } = entry;
  const why = (REASONS[kind] ?? []).flatMap((name) => {
    const value = details[name];
    return isNothing(value) ? [] : [[name, value] as const];
  });
  return html`<li id="${nameOf(entry)}" class="of-${kind}"><span class="when">${moment(frame, at)}</span> <span class="kind">${codeWords(frame, kind)}</span>
<span>${kind === 'saga' ? sagaLink(frame, id, sentence) : inEnglish(sentence)}${causeOf(frame, cause, known)}</span>
${why.length === 0 ? '' : html`<details><summary>${say(frame, 'why')}<span class="hidden">: ${inEnglish(sentence)}</span></summary><div lang="en" dir="ltr">${treeOf(Object.fromEntries(why))}</div></details>`}</li>`;
}

function causeOf(frame: Frame, cause: Entry['cause'], known: ReadonlySet<string>): Html {
  if (cause === null) return html``;
  const name = nameOf(cause);
  const what = codeWords(frame, cause.kind);
  const link = known.has(name)
    ? html`<a href="#${encodeURIComponent(name)}">${what}</a>`
    : html`${what} <bdi>${cause.id}</bdi>`;
  return html` <span class="soft">${say(frame, 'because')} ${link}</span>`;
}

const isNothing = (value: unknown): boolean =>
  value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0);

/** Any value of the API as a list of what is in it. */
export function treeOf(value: unknown): Html {
  if (Array.isArray(value)) {
    const members: readonly unknown[] = value;
    return html`<ul>${members.map((member) => html`<li>${treeOf(member)}</li>`)}</ul>`;
  }
  if (typeof value !== 'object' || value === null) return html`<bdi>${String(value)}</bdi>`;
  const fields = Object.entries(value).filter(([, field]) => !isNothing(field));
  return html`<ul class="tree">${fields.map(([name, field]) => html`<li><code>${name}</code>: ${treeOf(field)}</li>`)}</ul>`;
}

const aheadOf = (frame: Frame, ahead: readonly Ahead[]): Html =>
  html`<h3>${say(frame, 'ahead')}</h3><ol class="timeline ahead">${ahead.map(
    ({ at, kind, sentence, why }) =>
      html`<li><span class="when">${at === null ? say(frame, 'asSoonAsCaused') : moment(frame, at)}</span> <span class="kind">${codeWords(frame, kind)}</span>
<span>${inEnglish(sentence)}${why === null ? '' : html` <span class="soft">${inEnglish(why)}</span>`}</span></li>`,
  )}</ol>`;
