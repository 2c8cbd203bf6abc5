import { html } from 'hono/html';
import type { Html } from '../layout.ts';
import { type Content, codeWords, type Frame, inEnglish, say } from './frame.ts';
import { badge, choice, fact, moment, pager, sagaLink, stayLink } from './parts.ts';
import { textAt } from './texts-page.ts';

/** Messages: to whom, by what, what became of them and why not, and the words as they were sent. */

export interface MessageRow {
  readonly id: string;
  readonly event: string;
  readonly channel: string;
  readonly recipientType: string;
  readonly recipientId: string;
  readonly status: string;
  readonly reason: string | null;
  readonly reservationId: string | null;
  readonly dueAt: string;
  readonly sentAt: string | null;
}
export interface MessageDetail extends MessageRow {
  readonly template: string;
  readonly attempts: number;
  readonly dueRule: string | null;
  readonly sagaExecutionId: string | null;
  readonly deliveredAt: string | null;
  readonly locale: string | null;
  readonly templateVersion: number | null;
  readonly resendOf: string | null;
}
export interface MessageWords {
  readonly subject: string | null;
  readonly body: string;
  readonly locale: string | null;
}

const messageAt = ({ prefix }: Frame, id: string): string => `${prefix}/console/messages/${encodeURIComponent(id)}`;

export const messageTable = (frame: Frame, rows: readonly MessageRow[]): Html =>
  html`<table><thead><tr><th scope="col">${say(frame, 'event')}</th><th scope="col">${say(frame, 'recipient')}</th><th scope="col">${say(frame, 'channel')}</th><th scope="col">${say(frame, 'state')}</th><th scope="col">${say(frame, 'when')}</th><th scope="col">${say(frame, 'stay')}</th></tr></thead>
<tbody>${rows.map((row) => messageRow(frame, row))}</tbody></table>`;

const messageRow = (frame: Frame, row: MessageRow): Html =>
  html`<tr><td data-label="${say(frame, 'event')}"><a href="${messageAt(frame, row.id)}">${codeWords(frame, row.event)}</a></td>
<td data-label="${say(frame, 'recipient')}">${codeWords(frame, row.recipientType)} <bdi>${row.recipientId}</bdi></td><td data-label="${say(frame, 'channel')}">${codeWords(frame, row.channel)}</td>
<td data-label="${say(frame, 'state')}"><span>${badge(frame, row.status)}${row.reason === null ? '' : html` <span class="soft">${inEnglish(row.reason)}</span>`}</span></td>
<td data-label="${say(frame, 'when')}">${moment(frame, row.sentAt ?? row.dueAt)}</td><td data-label="${say(frame, 'stay')}">${row.reservationId === null ? '' : stayLink(frame, row.reservationId)}</td></tr>`;

export const MESSAGE_STATES = ['QUEUED', 'SENDING', 'SENT', 'DELIVERED', 'FAILED', 'SKIPPED', 'BLOCKED'] as const;

export interface MessageList {
  readonly rows: readonly MessageRow[];
  readonly filter: Readonly<Record<'status' | 'reservationId' | 'recipientId', string | undefined>>;
  readonly next: string | null;
  readonly isFirst: boolean;
  readonly maySeeTexts: boolean;
  /** With the filter. */
  readonly address: string;
}

export const messagesPage = (
  frame: Frame,
  { rows, filter, next, isFirst, address, maySeeTexts }: MessageList,
): Content => ({
  title: say(frame, 'messages'),
  page: 'messages',
  body: html`<form class="filter" method="get" action="${frame.prefix}/console/messages">${choice(frame, 'status', 'state', MESSAGE_STATES, filter.status)}
<label>${say(frame, 'stay')} <input name="reservationId" value="${filter.reservationId ?? ''}" maxlength="64"></label>
<label>${say(frame, 'recipient')} <input name="recipientId" value="${filter.recipientId ?? ''}" maxlength="64"></label><button class="no">${say(frame, 'show')}</button></form>
${rows.length === 0 ? html`<p class="empty">${say(frame, 'noMessagesFit')}</p>` : messageTable(frame, rows)}${pager(frame, address, next, isFirst)}${maySeeTexts ? html`<p><a href="${frame.prefix}/console/texts">${say(frame, 'texts')}</a></p>` : ''}`,
});

export interface MessageView {
  readonly message: MessageDetail;
  /** Null: they are not the reader's to see. */
  readonly words: MessageWords | null;
  readonly mayResend: boolean;
  readonly maySeeText: boolean;
  readonly key: string;
  readonly problem: Html | null;
  readonly told: Html | null;
}

export function messagePage(frame: Frame, view: MessageView): Content {
  const { message, words, problem, told } = view;
  return {
    title: `${say(frame, 'event')}: ${message.event.replaceAll('_', ' ').toLowerCase()}`,
    page: 'messages',
    problem,
    told,
    body: html`<dl class="facts panel">${fact(frame, 'state', badge(frame, message.status))}
${message.reason === null ? '' : fact(frame, 'whyNot', inEnglish(message.reason))}
${fact(frame, 'recipient', html`${codeWords(frame, message.recipientType)} <a href="${frame.prefix}/console/messages?recipientId=${encodeURIComponent(message.recipientId)}"><bdi>${message.recipientId}</bdi></a>`)}
${fact(frame, 'channel', codeWords(frame, message.channel))}
${fact(frame, 'goes', html`${moment(frame, message.dueAt)}${message.dueRule === null ? '' : html` <span class="soft">${inEnglish(message.dueRule)}</span>`}`)}
${message.sentAt === null ? '' : fact(frame, 'went', moment(frame, message.sentAt))}
${message.deliveredAt === null ? '' : fact(frame, 'arrived', moment(frame, message.deliveredAt))}
${fact(frame, 'attempts', String(message.attempts))}
${fact(frame, 'template', html`<code>${message.template}</code>${message.templateVersion === null ? '' : ` (${message.templateVersion})`}${view.maySeeText ? html` <a href="${textAt(frame, message.template)}">${say(frame, 'changeText')}</a>` : ''}`)}
${message.reservationId === null ? '' : fact(frame, 'stay', stayLink(frame, message.reservationId))}
${message.sagaExecutionId === null ? '' : fact(frame, 'saga', sagaLink(frame, message.sagaExecutionId, message.sagaExecutionId))}</dl>
${words === null ? '' : wordsOf(frame, words)}${view.mayResend ? resendForm(frame, message.id, view.key) : ''}`,
  };
}

const wordsOf = (frame: Frame, { subject, body, locale }: MessageWords): Html =>
  html`<section class="panel" aria-labelledby="words"><h2 id="words">${say(frame, 'words')}</h2>
${subject === null ? '' : html`<p>${say(frame, 'subjectLine')}: <strong><bdi>${subject}</bdi></strong></p>`}
<div class="letter" lang="${locale ?? 'en'}" dir="auto">${body}</div></section>`;

const resendForm = (frame: Frame, id: string, key: string): Html =>
  html`<form method="post" action="${messageAt(frame, id)}/resend" class="act"><input type="hidden" name="key" value="${key}"><button>${say(frame, 'resend')}</button></form>`;
